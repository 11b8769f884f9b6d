//! From the API to an inventory. Thin.
use super::{Live, Scope, TunnelConfiguration};
use crate::{
    model::{Answer, Class, Found, Inventory, Observation, Observed, Ours, Revision, Uid},
    providers::{Providers, cloudflare::Record},
    resources::{dns_record, tunnel},
};
use std::collections::BTreeSet;

pub async fn observe(providers: &Providers, scope: &Scope) -> Observed<TunnelConfiguration> {
    match look(providers, scope, None).await {
        Ok(inventory) => Observation::Complete(inventory),
        Err(failure) => Observation::unavailable(failure.to_string()),
    }
}

/// The documents of these tunnels of ours, or of all.
pub async fn look(
    providers: &Providers,
    scope: &Scope,
    keys: Option<&[Uid]>,
) -> Answer<Inventory<TunnelConfiguration>> {
    let cloudflare = providers.cloudflare()?;
    let tunnels = tunnel::listed(providers, &scope.tunnels).await?;
    let ours = tunnels.into_iter().filter_map(|(uid, found)| match found {
        Found::Ours(ours) if keys.is_none_or(|keys| keys.contains(&uid)) => Some((uid, ours)),
        _ => None,
    });
    let mut inventory = Inventory::<TunnelConfiguration>::new();
    let mut records: Option<Vec<Record>> = None;
    for (uid, Ours { mark, live: tunnel, .. }) in ours {
        let document = match cloudflare.configuration(&scope.tunnels.account, &tunnel.id).await {
            // It has gone since it was listed.
            Err(gone) if gone.class == Class::NotFound => continue,
            document => document?,
        };
        if document.version == 0 || document.config.is_null() {
            continue;
        }
        let mut held = BTreeSet::new();
        if scope.shared.contains(&uid) {
            if records.is_none() {
                records = Some(dns_record::observe::records(providers, &scope.zone).await?);
            }
            let target = tunnel::Tunnel::target(&tunnel);
            held = dns_record::holders(&scope.tunnels.site, records.as_deref().unwrap_or_default(), &uid, &target);
        }
        let live = Live {
            tunnel: tunnel.id,
            version: document.version,
            remote: tunnel.remote,
            config: document.config,
            ours: held,
        };
        let revision = Revision::of(&(live.version, &live.config));
        inventory.insert(uid, Found::Ours(Ours { mark, revision, live }));
    }
    Ok(inventory)
}
