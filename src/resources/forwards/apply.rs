//! From changes of many owners to one transaction.
use super::{Change, Desired, Forwards, Scope};
use crate::{
    model::{Answer, Class, Failure, Mark, Uid},
    providers::{
        Providers,
        nftables::{Counted, Direction, Element, Entry, GuestMark, Nftables, OwnerMark, Readings, Table, Transaction},
    },
    resources::{Act, gateway_table},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// How often the owners that nft complained of are left out and the others tried again.
const ROUNDS: usize = 8;

/// All changes in one transaction. An owner that nft refuses (a port that somebody else has) does not take the others
/// with it: they are tried again without it.
pub async fn apply_all(providers: &Providers, scope: &Scope, acts: Vec<Act<'_, Forwards>>) -> Vec<Answer<()>> {
    let nftables = match gateway_table::client(providers) {
        Ok(nftables) => nftables,
        Err(failure) => return acts.iter().map(|_| Err(failure.clone())).collect(),
    };
    let mut answers: BTreeMap<usize, Answer<()>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let open: Vec<usize> = (0..acts.len()).filter(|n| !answers.contains_key(n)).collect();
        if open.is_empty() {
            break;
        }
        round(&nftables, &scope.site, &acts, &open, &mut answers).await;
    }
    let gave_up = || {
        let reason = "too many owners of ports were refused one after the other";
        Err(Failure::new(Class::Conflict, "forward ports", reason))
    };
    (0..acts.len()).map(|n| answers.remove(&n).unwrap_or_else(gave_up)).collect()
}

async fn round(
    nftables: &Nftables,
    site: &str,
    acts: &[Act<'_, Forwards>],
    open: &[usize],
    answers: &mut BTreeMap<usize, Answer<()>>,
) {
    let mut all = |answer: Answer<()>| answers.extend(open.iter().map(|n| (*n, answer.clone())));
    let table = match nftables.list().await {
        Ok(Some(table)) => table,
        Ok(None) => {
            let failure = Failure::new(Class::Conflict, "forward ports", "the table inet trueup is not there");
            return all(Err(failure.hint("the next pass makes it")));
        }
        Err(failure) => return all(Err(failure)),
    };
    let wish = |part: &usize| {
        let act = &acts[*part];
        let desired = match act.change {
            Change::Set(desired) => Some(desired),
            Change::Remove => None,
        };
        Wish { part: *part, mark: act.mark, base: act.key.0, desired }
    };
    let (transaction, wrong) = transaction(&table, site, &open.iter().map(wish).collect::<Vec<_>>());
    if !wrong.is_empty() {
        for (n, why) in wrong {
            answers.insert(n, Err(Failure::new(Class::Invalid, "forward ports", why)));
        }
        return;
    }
    match nftables.apply(&transaction).await {
        Ok(()) => all(Ok(())),
        Err(refusal) if refusal.parts.is_empty() => all(Err(refusal.failure)),
        Err(refusal) => {
            for n in refusal.parts {
                let taken = refusal
                    .failure
                    .clone()
                    .hint("somebody else holds one of its ports: see `nft list table inet trueup`");
                answers.insert(n, Err(taken));
            }
        }
    }
}

/// One owner's change: which part of the transaction it is, whose, under which key, and to what.
pub struct Wish<'a> {
    pub part: usize,
    pub mark: &'a Mark,
    pub base: u16,
    /// `None`: nothing is to stay.
    pub desired: Option<&'a Desired>,
}

/// An owner has one block, but while it moves to another there are two.
type BlockId = (Uid, u16);

/// What has to change in the table, each owner a part of its own. What is as it should be is not touched. Owners whose
/// elements cannot be said are named instead.
pub fn transaction(table: &Table, site: &str, wishes: &[Wish<'_>]) -> (Transaction, BTreeMap<usize, String>) {
    let mut wrong = BTreeMap::new();
    let spoken_of: BTreeSet<BlockId> = wishes.iter().map(|w| (w.mark.uid.clone(), w.base)).collect();
    let mut there: BTreeMap<BlockId, Vec<&Entry>> = BTreeMap::new();
    // Addresses to which something leads afterwards.
    let mut after: BTreeSet<IpAddr> = BTreeSet::new();
    let mut owners = Readings::new(|comment| {
        let owner = OwnerMark::read(comment)?;
        Some((owner.mark.site, (owner.mark.uid, owner.base)))
    });
    for entry in &table.entries {
        let Some((_, id)) = owners.of(entry).filter(|(of, _)| of == site) else { continue };
        match entry.element {
            _ if spoken_of.contains(id) => there.entry(id.clone()).or_default().push(entry),
            Element::Forward { to, .. } => _ = after.insert(to.address),
            _ => {}
        }
    }
    let mut changes = Changes::default();
    let mut counters: BTreeMap<IpAddr, (usize, GuestMark)> = BTreeMap::new();
    for Wish { part, mark, base, desired } in wishes {
        let entries = match desired.map_or(Ok(vec![]), |desired| entries(mark, *base, desired)) {
            Ok(entries) => entries,
            Err(why) => {
                wrong.insert(*part, why);
                continue;
            }
        };
        for address in desired.iter().flat_map(|desired| desired.targets()) {
            let of = GuestMark { site: site.to_owned(), guest: mark.serves.clone() };
            after.insert(address);
            counters.entry(address).or_insert((*part, of));
        }
        let is = there.remove(&(mark.uid.clone(), *base)).unwrap_or_default();
        changes.delete(*part, is.iter().copied().filter(|e| !entries.contains(e)).map(|e| e.element));
        changes.create(*part, entries.into_iter().filter(|e| !is.contains(&e)));
    }
    if let Some(first) = wishes.first() {
        count(table, &after, &counters, first.part, &mut changes, &mut wrong);
    }
    let mut transaction = Transaction::new();
    for (part, elements) in &changes.deletes {
        transaction.part(*part).delete(elements);
    }
    for (part, entries) in &changes.creates {
        if let Err(why) = transaction.part(*part).create(entries) {
            wrong.insert(*part, why);
        }
    }
    (transaction, wrong)
}

/// By part. All that goes goes before anything comes: a port may pass from one owner to another.
#[derive(Default)]
struct Changes {
    deletes: BTreeMap<usize, Vec<Element>>,
    creates: BTreeMap<usize, Vec<Entry>>,
}

impl Changes {
    fn delete(&mut self, part: usize, elements: impl IntoIterator<Item = Element>) {
        self.deletes.entry(part).or_default().extend(elements);
    }
    fn create(&mut self, part: usize, entries: impl IntoIterator<Item = Entry>) {
        self.creates.entry(part).or_default().extend(entries);
    }
}

/// A counter in each direction for every address that something leads to, none for others. A guest that took over an
/// address starts from zero.
fn count(
    table: &Table,
    after: &BTreeSet<IpAddr>,
    counters: &BTreeMap<IpAddr, (usize, GuestMark)>,
    first: usize,
    changes: &mut Changes,
    wrong: &mut BTreeMap<usize, String>,
) {
    let mut there: BTreeSet<(IpAddr, Direction)> = BTreeSet::new();
    for entry in &table.entries {
        let Element::Counter { direction, guest, .. } = entry.element else { continue };
        let is_of = entry.comment.as_ref().and_then(GuestMark::read);
        match counters.get(&guest) {
            Some((part, of)) if is_of.as_ref() != Some(of) => changes.delete(*part, [entry.element]),
            None if !after.contains(&guest) => changes.delete(first, [entry.element]),
            _ => _ = there.insert((guest, direction)),
        }
    }
    for (guest, (part, of)) in counters {
        let comment = match of.comment() {
            Ok(comment) => comment,
            Err(why) => {
                wrong.insert(*part, why);
                continue;
            }
        };
        for direction in [Direction::Received, Direction::Sent] {
            if !there.contains(&(*guest, direction)) {
                let element = Element::Counter { direction, guest: *guest, counted: Counted::default() };
                changes.create(*part, [Entry { element, comment: Some(comment.clone()) }]);
            }
        }
    }
}

/// An owner's elements, store by store.
fn entries(mark: &Mark, base: u16, desired: &Desired) -> Result<Vec<Entry>, String> {
    let owner = OwnerMark { mark: mark.clone(), base, size: desired.size, guest: Some(desired.guest) };
    let comment = owner.comment()?;
    let mut all = vec![];
    for forward in &desired.forwards {
        let public = forward.public;
        all.push(Element::Forward { public, to: forward.to });
        if let Some(allow) = &forward.allow {
            all.push(Element::Guarded(public));
            all.extend(allow.iter().map(|from| Element::Allowed { public, from: *from }));
        }
    }
    all.iter().try_for_each(Element::check)?;
    all.sort_by_key(|element| (element.store(), *element));
    Ok(all.into_iter().map(|element| Entry { element, comment: Some(comment.clone()) }).collect())
}
