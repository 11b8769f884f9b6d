//! What has to be done to an owner's forwards. Pure.
use super::{Change, Desired, Forward, Live};
use crate::{
    model::{Disruption, Draft, Field, Sides, Verb},
    providers::nftables::PublicPort,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

pub fn diff(sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
    match sides {
        Sides::OnlyDesired(desired) | Sides::Adopt { desired, .. } => {
            vec![Draft::new(Verb::Create, Change::Set(desired.clone())).fields(described(&desired.forwards))]
        }
        Sides::OnlyLive(live) => {
            let gone = described(&live.forwards).into_iter().map(|f| Field { from: f.to, to: None, ..f });
            vec![Draft::new(Verb::Delete, Change::Remove).disrupts(Disruption::Interruption).fields(gone)]
        }
        Sides::Both { desired, live, stale_mark } => update(desired, live, stale_mark),
    }
}

fn update(desired: &Desired, live: &Live, stale_mark: bool) -> Vec<Draft<Change>> {
    let mut fields = changed(&live.forwards, &desired.forwards);
    let closes = live.forwards.iter().any(|old| desired.forwards.iter().all(|new| new != old));
    fields.extend(Field::differs("guest", live.guest, Some(desired.guest)));
    fields.extend(Field::differs("blockSize", Some(live.size), Some(desired.size)));
    let mut say = |name: &str, from: String, to: &str| {
        fields.push(Field { name: name.into(), from: Some(from), to: Some(to.into()), effect: None });
    };
    if !live.uncounted.is_disjoint(&desired.targets()) {
        say("counters", "not of this guest".into(), "of this guest");
    }
    for odd in &live.odd {
        say("elements", odd.clone(), "as the manifest says");
    }
    if stale_mark {
        say("mark", "of before".into(), "written anew");
    }
    if fields.is_empty() {
        return vec![];
    }
    let disruption = if closes { Disruption::Interruption } else { Disruption::Nothing };
    vec![Draft::new(Verb::Update, Change::Set(desired.clone())).disrupts(disruption).fields(fields)]
}

/// A block in two lines: which ports, and where they lead.
fn described(forwards: &[Forward]) -> Vec<Field> {
    let ports: BTreeSet<u16> = forwards.iter().map(|f| f.public.port).collect();
    let targets: BTreeSet<IpAddr> = forwards.iter().map(|f| f.to.address).collect();
    let field = |name: &str, text: String| Field { name: name.into(), from: None, to: Some(text), effect: None };
    let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
    vec![field("ports", runs(&ports)), field("to", targets.join(", "))]
}

/// `20000-20004, 20007`.
fn runs(ports: &BTreeSet<u16>) -> String {
    let mut runs: Vec<(u16, u16)> = vec![];
    for port in ports {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*port) => *last = *port,
            _ => runs.push((*port, *port)),
        }
    }
    let one = |(first, last): &(u16, u16)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    runs.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What differs: as a move from address to address where it is no more than that, else port by port.
fn changed(old: &[Forward], new: &[Forward]) -> Vec<Field> {
    let by_port = |all: &[Forward]| -> BTreeMap<PublicPort, Forward> {
        all.iter().map(|forward| (forward.public, forward.clone())).collect()
    };
    let (old, new) = (by_port(old), by_port(new));
    if let Some(moves) = moved(&old, &new) {
        let one = |(from, to): (&IpAddr, &IpAddr)| Field::differs("to", Some(from), Some(to));
        return moves.iter().filter_map(one).collect();
    }
    let text = |forward: &Forward| match &forward.allow {
        None => forward.to.to_string(),
        Some(allow) => {
            let from: Vec<String> = allow.iter().map(ToString::to_string).collect();
            format!("{} for {}", forward.to, if from.is_empty() { "nobody".into() } else { from.join(", ") })
        }
    };
    let ports: BTreeSet<&PublicPort> = old.keys().chain(new.keys()).collect();
    ports
        .into_iter()
        .filter_map(|p| Field::differs(&p.to_string(), old.get(p).map(text), new.get(p).map(text)))
        .collect()
}

/// From which address to which, if that is all that differs.
fn moved(old: &BTreeMap<PublicPort, Forward>, new: &BTreeMap<PublicPort, Forward>) -> Option<BTreeMap<IpAddr, IpAddr>> {
    let mut moves = BTreeMap::new();
    if !old.keys().eq(new.keys()) {
        return None;
    }
    for (was, is) in old.values().zip(new.values()) {
        if (was.to.port, &was.allow) != (is.to.port, &is.allow) {
            return None;
        }
        if *moves.entry(was.to.address).or_insert(is.to.address) != is.to.address {
            return None;
        }
    }
    Some(moves)
}
