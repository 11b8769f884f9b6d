//! From the API to an inventory. Thin.
use super::{Live, Scope, Tunnel, name};
use crate::{
    model::{Answer, Foreign, Found, Inventory, Observation, Observed, Ours, Revision, Uid},
    providers::{Providers, cloudflare},
};

pub async fn observe(providers: &Providers, scope: &Scope) -> Observed<Tunnel> {
    match listed(providers, scope).await {
        Ok(inventory) => Observation::Complete(inventory),
        Err(failure) => Observation::unavailable(failure.to_string()),
    }
}

/// These tunnels, fresh. They are found by name, so the whole list is read, in one call.
pub async fn look(providers: &Providers, scope: &Scope, keys: &[Uid]) -> Answer<Inventory<Tunnel>> {
    let mut inventory = listed(providers, scope).await?;
    inventory.retain(|key, _| keys.contains(key));
    Ok(inventory)
}

/// All tunnels of ours, and those that are to be adopted.
pub async fn listed(providers: &Providers, scope: &Scope) -> Answer<Inventory<Tunnel>> {
    let tunnels = providers.one_look.tunnels.or(providers.cloudflare()?.tunnels(&scope.account)).await?;
    Ok(inventory(scope, tunnels))
}

/// One of them.
pub async fn of_key(providers: &Providers, scope: &Scope, key: &Uid) -> Answer<Option<Live>> {
    let inventory = listed(providers, scope).await?;
    Ok(inventory.get(key).and_then(Found::ours).map(|ours| ours.live.clone()))
}

fn inventory(scope: &Scope, tunnels: Vec<cloudflare::Tunnel>) -> Inventory<Tunnel> {
    let mut inventory = Inventory::<Tunnel>::new();
    for cloudflare::Tunnel { id, name, remote, .. } in tunnels {
        let live = Live { id, name, remote };
        let revision = Revision::of(&live);
        let (key, found) = match (name::read(&live.name), scope.adopt.get(&live.id)) {
            (Some(mark), _) if mark.site == scope.site => {
                (mark.uid.clone(), Found::Ours(Ours { mark, revision, live }))
            }
            (_, Some(uid)) => {
                let holder = format!("the tunnel `{}` ({})", live.name, live.id);
                (uid.clone(), Found::Foreign(Foreign { holder, revision, live }))
            }
            _ => continue,
        };
        // Names are unique, so two of one uid differ in the rest of their name: a person has renamed one.
        match inventory.get_mut(&key) {
            None => {
                inventory.insert(key, found);
            }
            Some(Found::Duplicates(names)) => names.extend(names_of(&found)),
            Some(first) => {
                let both = names_of(first).into_iter().chain(names_of(&found)).collect();
                *first = Found::Duplicates(both);
            }
        }
    }
    inventory
}

fn names_of(found: &Found<Live>) -> Vec<String> {
    let one = |live: &Live| vec![format!("{} ({})", live.name, live.id)];
    match found {
        Found::Ours(ours) => one(&ours.live),
        Found::Foreign(foreign) => one(&foreign.live),
        Found::Duplicates(names) => names.clone(),
    }
}
