//! On which nodes a volume is still wanting. Pure.
use super::{Change, Desired, Live};
use crate::model::{Draft, Sides, Verb};
use std::collections::BTreeSet;

pub fn diff(sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
    let none = BTreeSet::new();
    let (desired, there) = match &sides {
        Sides::OnlyDesired(desired) => (*desired, &none),
        Sides::Both { desired, live, .. } | Sides::Adopt { desired, live } => (*desired, &live.nodes),
        // Never ours to delete.
        Sides::OnlyLive(_) => return vec![],
    };
    let missing = desired.nodes.difference(there).enumerate();
    let draft = |(nth, node): (usize, &String)| {
        // One object: it comes to be on the first node, and then on the others.
        let verb = if nth == 0 && there.is_empty() { Verb::Create } else { Verb::Update };
        Draft::new(verb, Change { node: node.clone(), source: desired.source.clone() })
    };
    missing.map(draft).collect()
}
