//! From a listing to owners.
use super::{Base, Forward, Forwards, Live, Scope};
use crate::{
    model::{Answer, Found, Inventory, Mark, Observation, Observed, Ours, Revision, Uid},
    providers::{
        Providers,
        nftables::{Comment, Direction, Element, GuestMark, OwnerMark, PublicPort, Table, Target},
    },
    resources::gateway_table,
};
use ipnet::IpNet;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

pub async fn observe(providers: &Providers, scope: &Scope) -> Observed<Forwards> {
    match gateway_table::listed(providers).await {
        Ok(table) => Observation::Complete(inventory(&table.unwrap_or_default(), &scope.site)),
        Err(failure) => Observation::unavailable(failure.to_string()),
    }
}

pub async fn look(providers: &Providers, scope: &Scope, keys: &[Base]) -> Answer<Inventory<Forwards>> {
    let wanted: BTreeSet<&Base> = keys.iter().collect();
    let mut all = inventory(&gateway_table::listed(providers).await?.unwrap_or_default(), &scope.site);
    all.retain(|key, _| wanted.contains(key));
    Ok(all)
}

/// What an owner's elements say, gathered.
#[derive(Default)]
struct Gathered<'a> {
    marks: BTreeMap<&'a Comment, OwnerMark>,
    forwards: BTreeMap<PublicPort, Target>,
    guarded: BTreeSet<PublicPort>,
    allowed: BTreeMap<PublicPort, BTreeSet<IpNet>>,
}

/// Who is counted at an address, and which way.
type Counted = BTreeMap<IpAddr, Vec<(Direction, Option<GuestMark>)>>;

/// Owners of this site, by the first port of their block.
pub fn inventory(table: &Table, site: &str) -> Inventory<Forwards> {
    let mut owners: BTreeMap<(u16, Uid), usize> = BTreeMap::new();
    let mut all: Vec<Gathered<'_>> = vec![];
    let mut by_comment: HashMap<&Comment, Option<usize>> = HashMap::new();
    let mut counted = Counted::new();
    for entry in &table.entries {
        let Some(comment) = &entry.comment else { continue };
        if let Element::Counter { direction, guest, .. } = entry.element {
            counted.entry(guest).or_default().push((direction, GuestMark::read(comment)));
            continue;
        }
        let number = *by_comment.entry(comment).or_insert_with(|| {
            let owner = OwnerMark::read(comment).filter(|owner| owner.mark.site == site)?;
            let number = *owners.entry((owner.base, owner.mark.uid.clone())).or_insert_with(|| {
                all.push(Gathered::default());
                all.len() - 1
            });
            all[number].marks.insert(comment, owner);
            Some(number)
        });
        let Some(gathered) = number.and_then(|number| all.get_mut(number)) else { continue };
        match entry.element {
            Element::Forward { public, to } => _ = gathered.forwards.insert(public, to),
            Element::Guarded(public) => _ = gathered.guarded.insert(public),
            Element::Allowed { public, from } => _ = gathered.allowed.entry(public).or_default().insert(from),
            Element::Counter { .. } | Element::Stamp(_) => {}
        }
    }
    let mut inventory: Inventory<Forwards> = BTreeMap::new();
    for ((base, _), number) in owners {
        let Some(ours) = ours(std::mem::take(&mut all[number]), &counted) else { continue };
        let name = |mark: &Mark| mark.declared.as_ref().map_or_else(|| mark.uid.to_string(), ToString::to_string);
        let found = match inventory.remove(&Base(base)) {
            None => Found::Ours(ours),
            Some(Found::Ours(first)) => Found::Duplicates(vec![name(&first.mark), name(&ours.mark)]),
            Some(Found::Duplicates(mut more)) => {
                more.push(name(&ours.mark));
                Found::Duplicates(more)
            }
            Some(foreign @ Found::Foreign(_)) => foreign,
        };
        inventory.insert(Base(base), found);
    }
    inventory
}

fn ours(gathered: Gathered<'_>, counted: &Counted) -> Option<Ours<Live>> {
    let Gathered { marks, forwards, guarded, mut allowed } = gathered;
    let OwnerMark { mark, size, guest, .. } = marks.values().next()?.clone();
    let mut odd = vec![];
    if marks.len() > 1 {
        odd.push(format!("its elements carry {} different marks", marks.len()));
    }
    let all: Vec<Forward> = forwards
        .iter()
        .map(|(public, to)| {
            let allow = guarded.contains(public).then(|| allowed.remove(public).unwrap_or_default());
            Forward { public: *public, to: *to, allow }
        })
        .collect();
    odd.extend(
        guarded.iter().filter(|p| !forwards.contains_key(p)).map(|p| format!("{p} is guarded and leads nowhere")),
    );
    odd.extend(allowed.keys().map(|p| format!("{p} has sources and is not guarded")));
    let of_guest = GuestMark { site: mark.site.clone(), guest: mark.serves.clone() };
    let counts = |address: &IpAddr| {
        let there = counted.get(address).map_or(&[][..], Vec::as_slice);
        [Direction::Received, Direction::Sent]
            .iter()
            .all(|direction| there.iter().any(|(d, m)| d == direction && m.as_ref() == Some(&of_guest)))
    };
    let uncounted = all.iter().map(|f| f.to.address).filter(|a| !counts(a)).collect();
    let live = Live { guest, size, forwards: all, uncounted, odd };
    // Counters move all the time and are no part of what an owner is.
    let revision = Revision::of(&(&live, marks.keys()));
    Some(Ours { mark, revision, live })
}
