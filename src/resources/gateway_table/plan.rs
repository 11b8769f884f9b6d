//! What has to be done to the table. Pure.
use super::{Change, Live};
use crate::{
    model::{Disruption, Draft, Field, Sides, Verb},
    providers::nftables::Rules,
};
use std::fmt::Display;

pub fn diff(sides: Sides<'_, Rules, Live>) -> Vec<Draft<Change>> {
    let establish = |rules: &Rules| Change::Establish { rules: rules.clone() };
    match sides {
        Sides::OnlyDesired(rules) => {
            vec![Draft::new(Verb::Create, establish(rules)).fields(fields(None, rules))]
        }
        Sides::OnlyLive(_) => vec![Draft::new(Verb::Delete, Change::Remove).disrupts(Disruption::Interruption)],
        Sides::Adopt { desired, .. } => {
            let field = Field {
                name: "table".into(),
                from: Some("of others".into()),
                to: Some("made anew".into()),
                effect: None,
            };
            let draft = Draft::new(Verb::Adopt, establish(desired)).disrupts(Disruption::Interruption);
            vec![draft.fields([field]).fields(fields(None, desired))]
        }
        Sides::Both { desired, live, stale_mark } => {
            let mut all = fields(live.made_from.as_ref(), desired);
            let mut say = |name: &str, from: String, to: &str| {
                all.push(Field { name: name.into(), from: Some(from), to: Some(to.into()), effect: None });
            };
            if !live.intact {
                say("rules", "not as they were made".into(), "as the manifest says");
            } else if live.made_from.as_ref() == Some(desired) && live.text != desired.digest().ok() {
                say("rules", "of another version of trueup".into(), "of this one");
            }
            if !live.strays.is_empty() {
                say("elements", in_short(&live.strays), "removed, nobody declared them");
            }
            if stale_mark {
                say("mark", "of before".into(), "written anew");
            }
            if all.is_empty() {
                return vec![];
            }
            let disruption = if closes(live, desired) { Disruption::Interruption } else { Disruption::Nothing };
            vec![Draft::new(Verb::Update, establish(desired)).disrupts(disruption).fields(all)]
        }
    }
}

fn in_short(all: &[String]) -> String {
    match all {
        [some @ .., _, _, _] if !some.is_empty() => format!("{} and {} more", all[0], all.len() - 1),
        _ => all.join(", "),
    }
}

/// Whether something that was open or forwarded is closed.
fn closes(live: &Live, desired: &Rules) -> bool {
    live.made_from.as_ref().is_some_and(|old| {
        old.public_interface != desired.public_interface
            || !old.public_addresses.is_subset(&desired.public_addresses)
            || !old.guest_networks.is_subset(&desired.guest_networks)
            || !old.host_tcp.is_subset(&desired.host_tcp)
            || !old.host_udp.is_subset(&desired.host_udp)
    }) || !live.strays.is_empty()
}

fn fields(old: Option<&Rules>, new: &Rules) -> Vec<Field> {
    fn list<T: Display>(items: impl IntoIterator<Item = T>) -> Option<String> {
        let text = items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ");
        (!text.is_empty()).then_some(text)
    }
    let field = |name: &str, of: &dyn Fn(&Rules) -> Option<String>| Field::differs(name, old.and_then(of), of(new));
    [
        field("publicAddresses", &|r| list(&r.public_addresses)),
        field("publicInterface", &|r| Some(r.public_interface.to_string())),
        field("guestNetworks", &|r| list(&r.guest_networks)),
        field("hostPorts.tcp", &|r| list(&r.host_tcp)),
        field("hostPorts.udp", &|r| list(&r.host_udp)),
    ]
    .into_iter()
    .flatten()
    .collect()
}
