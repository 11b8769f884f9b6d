//! Which record stands under which key, and whose it is. Pure.
use super::{DnsRecord, Held, Key, Live, Row, Scope, comment};
use crate::{
    model::{Foreign, Found, Inventory, Mark, ObjectId, Ours, Resource, Revision, Uid},
    providers::cloudflare::Record,
    resources::traefik_file::{FileName, TraefikFile},
};
use std::collections::{BTreeMap, BTreeSet};

/// A record and the mark that it carries, if that is of our site.
struct Seen<'a> {
    record: &'a Record,
    mark: Option<(Mark, Vec<ObjectId>)>,
}

impl Seen<'_> {
    fn uid(&self) -> Option<&Uid> {
        self.mark.as_ref().map(|(mark, _)| &mark.uid)
    }
    fn key(&self) -> Key {
        Key { name: self.record.name.clone(), kind: self.record.kind.clone() }
    }
    fn held(&self, surplus: bool) -> Held {
        let Record { id, kind, content, ttl, proxied, comment, .. } = self.record.clone();
        Held { id, row: Row { kind, content, ttl, proxied, comment }, surplus }
    }
}

/// Types that cannot stand beside this one at a name (codes 81053, 81054 and 81056 of the API).
fn excluded(kind: &str) -> &'static [&'static str] {
    match kind {
        "A" | "AAAA" => &["CNAME", "NS"],
        "CNAME" => &["A", "AAAA", "NS"],
        _ => &[],
    }
}

/// All of ours, and what holds a wanted key.
pub fn inventory(scope: &Scope, records: &[Record]) -> Inventory<DnsRecord> {
    let mut at: BTreeMap<&str, Vec<Seen<'_>>> = BTreeMap::new();
    for record in records {
        let mark = record.comment.as_deref().and_then(comment::read).filter(|(mark, _)| mark.site == scope.site);
        at.entry(&record.name).or_default().push(Seen { record, mark });
    }
    let ours = at.values().flatten().filter(|seen| seen.mark.is_some()).map(Seen::key);
    let keys: BTreeSet<Key> = ours.chain(scope.wanted.keys().cloned()).collect();
    keys.into_iter()
        .filter_map(|key| {
            let found = found(scope, &key, at.get(key.name.as_str())?)?;
            Some((key, found))
        })
        .collect()
}

fn found(scope: &Scope, key: &Key, at: &[Seen<'_>]) -> Option<Found<Live>> {
    let wanted = scope.wanted.get(key);
    // A record of the same declaration and an excluded type makes way for its own successor: it stands under the key
    // that is wanted, not under that of its own type.
    let gives_way = |seen: &Seen<'_>, to: &Key| {
        let (Some(uid), own) = (seen.uid(), seen.key()) else { return false };
        excluded(&to.kind).contains(&own.kind.as_str())
            && scope.wanted.get(to) == Some(uid)
            && !scope.wanted.contains_key(&own)
    };
    let moved = |seen: &Seen<'_>| {
        excluded(&seen.record.kind)
            .iter()
            .any(|kind| gives_way(seen, &Key { name: key.name.clone(), kind: (*kind).to_owned() }))
    };
    let same = |seen: &&Seen<'_>| seen.record.kind == key.kind;
    let mine: Vec<&Seen<'_>> = at
        .iter()
        .filter(|seen| seen.mark.is_some())
        .filter(|seen| if same(seen) { !moved(seen) } else { gives_way(seen, key) })
        .collect();
    let foreign = at.iter().filter(|seen| seen.mark.is_none());
    let in_the_way = |seen: &&Seen<'_>| wanted.is_some() && excluded(&key.kind).contains(&seen.record.kind.as_str());
    let foreign: Vec<&Seen<'_>> = foreign.filter(|seen| same(seen) || in_the_way(seen)).collect();
    if !mine.is_empty() {
        return ours(wanted, &mine, &foreign);
    }
    wanted.filter(|_| !foreign.is_empty())?;
    let live = Live { records: foreign.iter().map(|seen| seen.held(false)).collect(), ..Live::default() };
    let revision = Revision::of(&live.records);
    let holder = foreign.iter().map(|seen| describe(seen.record)).collect::<Vec<_>>().join(", ");
    Some(Found::Foreign(Foreign { holder, revision, live }))
}

/// Several owners of ours under one key: the one that is wanted keeps it, else the first; others make way if their
/// policy allows it.
fn ours(wanted: Option<&Uid>, mine: &[&Seen<'_>], foreign: &[&Seen<'_>]) -> Option<Found<Live>> {
    let marked: Vec<(&Seen<'_>, &Mark, &Vec<ObjectId>)> =
        mine.iter().filter_map(|seen| seen.mark.as_ref().map(|(mark, uses)| (*seen, mark, uses))).collect();
    let of_wanted = marked.iter().find(|(_, mark, _)| Some(&mark.uid) == wanted);
    let (_, first, uses) = of_wanted.or(marked.first())?;
    let addresses = marked.iter().any(|(seen, ..)| matches!(seen.record.kind.as_str(), "A" | "AAAA"));
    let mut live = Live {
        uses: (*uses).clone(),
        route: addresses.then(|| TraefikFile::id(&FileName::of(first))),
        beside: foreign.iter().map(|seen| describe(seen.record)).collect(),
        ..Live::default()
    };
    let mut mark = (*first).clone();
    for (seen, other, other_uses) in &marked {
        if other.uid == first.uid {
            live.mixed |= (other, other_uses) != (first, uses);
            // What one of them forbids is forbidden.
            mark.deletion = mark.deletion.max(other.deletion);
            live.records.push(seen.held(false));
        } else if other.deletion == crate::model::Deletion::Delete {
            live.records.push(seen.held(true));
        } else {
            live.beside.push(describe(seen.record));
        }
    }
    let revision = Revision::of(&live.records);
    Some(Found::Ours(Ours { mark, revision, live }))
}

fn describe(record: &Record) -> String {
    let owner = match record.comment.as_deref() {
        Some(text) => match comment::read(text) {
            Some((mark, _)) => format!("site {}", mark.site),
            None => format!("someone else, \"{text}\""),
        },
        None => "someone else".into(),
    };
    format!("{} {} ({owner})", record.kind, record.content)
}

/// The host names whose CNAME to this target carries the mark of this uid.
pub fn holders(site: &str, records: &[Record], uid: &Uid, target: &str) -> BTreeSet<String> {
    let ours = |record: &&Record| {
        let mark = record.comment.as_deref().and_then(comment::read);
        record.kind == "CNAME"
            && record.content == target
            && mark.is_some_and(|(mark, _)| mark.site == site && mark.uid == *uid)
    };
    records.iter().filter(ours).map(|record| record.name.clone()).collect()
}
