//! What has to be done to a file. Pure.
use super::{Change, Desired, Live, Served};
use crate::model::{Disruption, Draft, Field, Sides, Verb};
use std::{collections::BTreeSet, fmt::Display};

fn list<T: Display>(items: &BTreeSet<T>) -> Option<String> {
    let text = items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    (!text.is_empty()).then_some(text)
}

pub fn diff(sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
    match sides {
        Sides::OnlyDesired(desired) => {
            vec![Draft::new(Verb::Create, Change::Put(desired.clone())).fields(fields(None, desired))]
        }
        Sides::OnlyLive(live) => {
            let gone = [
                Field::differs("hosts", list(&live.hosts), None::<String>),
                Field::differs("target", live.target, None::<String>),
            ];
            let draft = Draft::new(Verb::Delete, Change::Remove).disrupts(Disruption::Interruption);
            vec![draft.fields(gone.into_iter().flatten())]
        }
        // Names in the directory are ours by their uid; what stands under one is a file of ours that lost its mark.
        Sides::Adopt { desired, .. } => {
            let field = Field {
                name: "file".into(),
                from: Some("without our mark".into()),
                to: Some("replaced".into()),
                effect: None,
            };
            let draft = Draft::new(Verb::Adopt, Change::Put(desired.clone())).disrupts(Disruption::Interruption);
            vec![draft.fields([field]).fields(fields(None, desired))]
        }
        Sides::Both { desired, live, stale_mark } => {
            let mut all = fields(Some(live), desired);
            let moves = live.target != Some(desired.target) || !live.hosts.is_subset(&desired.hosts);
            if all.is_empty() && !live.intact {
                let (from, to) = (Some("changed by hand".into()), Some("as we write it".into()));
                all.push(Field { name: "file".into(), from, to, effect: None });
            }
            if stale_mark {
                let (from, to) = (Some("of before".into()), Some("written anew".into()));
                all.push(Field { name: "mark".into(), from, to, effect: None });
            }
            if all.is_empty() {
                return vec![];
            }
            let disruption = if moves { Disruption::Interruption } else { Disruption::Nothing };
            vec![Draft::new(Verb::Update, Change::Put(desired.clone())).disrupts(disruption).fields(all)]
        }
    }
}

fn fields(live: Option<&Live>, desired: &Desired) -> Vec<Field> {
    [
        Field::differs("hosts", live.and_then(|l| list(&l.hosts)), list(&desired.hosts)),
        Field::differs("target", live.and_then(|l| l.target), Some(desired.target)),
        // On creation the target says it.
        live.and_then(|l| Field::differs("guest", l.guest, Some(desired.guest))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A file that is as it should be and that Traefik does not serve.
pub fn remark(desired: &Desired, live: &Live) -> Option<String> {
    let as_wanted = live.intact && live.target == Some(desired.target) && live.hosts == desired.hosts;
    match &live.served {
        Served::No(why) if as_wanted => Some(why.clone()),
        _ => None,
    }
}
