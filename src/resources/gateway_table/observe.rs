//! From a listing to an inventory of one table, or of none.
use super::{GatewayTable, Live, Scope, Table, stamp};
use crate::{
    model::{Answer, Class, Failure, Foreign, Found, Inventory, Observation, Observed, Ours, Revision},
    providers::{
        Providers,
        nftables::{self, Element, Entry, GuestMark, Nftables, OwnerMark, Readings, Store},
    },
};
use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

/// The client, or why there is none.
pub fn client(providers: &Providers) -> Answer<Nftables> {
    let host = providers.host.clone().ok_or_else(|| {
        Failure::new(Class::Unreachable, "reach nftables", "this site declares no usable access to its node")
            .hint("say how in the `host` of the Site")
    })?;
    Ok(Nftables::new(host))
}

pub async fn observe(providers: &Providers, scope: &Scope) -> Observed<GatewayTable> {
    match look(providers, scope).await {
        Ok(inventory) => Observation::Complete(inventory),
        Err(failure) => Observation::unavailable(failure.to_string()),
    }
}

pub async fn look(providers: &Providers, scope: &Scope) -> Answer<Inventory<GatewayTable>> {
    let table = listed(providers).await?;
    Ok(table.map(|table| (Table, found(&table, &scope.site))).into_iter().collect())
}

/// The whole table, which [`crate::resources::forwards`] reads as well.
pub async fn listed(providers: &Providers) -> Answer<Option<Arc<nftables::Table>>> {
    let nftables = client(providers)?;
    providers.one_look.table.or(async { Ok(nftables.list().await?.map(Arc::new)) }).await
}

/// What a listed table is to this site.
pub fn found(table: &nftables::Table, site: &str) -> Found<Live> {
    let stamp = stamp::read(table);
    let live = Live {
        intact: stamp.listed.as_deref() == Some(table.digest.as_str()) && as_declared(table),
        made_from: stamp.made_from,
        text: stamp.text,
        strays: strays(table, site).iter().map(ToString::to_string).chain(table.unread.iter().cloned()).collect(),
    };
    let revision = Revision::of(&(&live, &table.digest));
    match stamp.mark {
        Some(mark) if mark.site == site => Found::Ours(Ours { mark, revision, live }),
        Some(mark) => Found::Foreign(Foreign { holder: format!("the site {}", mark.site), revision, live }),
        None => {
            let holder = "a table of this name that carries no mark".into();
            Found::Foreign(Foreign { holder, revision, live })
        }
    }
}

/// Whether it has the maps and sets that ours has, and no others.
pub fn as_declared(table: &nftables::Table) -> bool {
    table.stores.iter().map(String::as_str).eq(Store::all().map(Store::name).collect::<BTreeSet<_>>())
}

/// Elements that no owner of this site answers for: without our mark, or counters of guests to which nothing leads.
pub fn strays(table: &nftables::Table, site: &str) -> Vec<Element> {
    let mut owners = Readings::new(|comment| OwnerMark::read(comment).map(|owner| owner.mark.site));
    let mut reached: BTreeSet<IpAddr> = BTreeSet::new();
    let (mut strays, mut counters) = (vec![], vec![]);
    for entry in &table.entries {
        let owned = owners.of(entry).is_some_and(|of| of == site);
        match entry.element {
            Element::Stamp(_) => {}
            Element::Counter { guest, .. } => counters.push((guest, entry)),
            Element::Forward { to, .. } if owned => _ = reached.insert(to.address),
            _ if owned => {}
            element => strays.push(element),
        }
    }
    let counts = |entry: &Entry| entry.comment.as_ref().and_then(GuestMark::read).is_some_and(|mark| mark.site == site);
    let idle = counters.into_iter().filter(|(guest, entry)| !reached.contains(guest) || !counts(entry));
    strays.extend(idle.map(|(_, entry)| entry.element));
    strays
}
