//! From the API to an inventory. Thin.
use super::{DnsRecord, Key, Scope, sort};
use crate::{
    model::{Answer, Class, Failure, Inventory, Observation, Observed},
    providers::{
        Providers,
        cloudflare::{Cloudflare, Record},
    },
};
use std::collections::BTreeSet;

pub async fn observe(providers: &Providers, scope: &Scope) -> Observed<DnsRecord> {
    match seen(providers, scope).await {
        Ok(inventory) => Observation::Complete(inventory),
        Err(failure) => Observation::unavailable(failure.to_string()),
    }
}

/// These keys, fresh. The whole zone is read, in one call: a list by name could not be told from an empty one.
pub async fn look(providers: &Providers, scope: &Scope, keys: &[Key]) -> Answer<Inventory<DnsRecord>> {
    let mut inventory = seen(providers, scope).await?;
    let keys: BTreeSet<&Key> = keys.iter().collect();
    inventory.retain(|key, _| keys.contains(key));
    Ok(inventory)
}

async fn seen(providers: &Providers, scope: &Scope) -> Answer<Inventory<DnsRecord>> {
    let records = records(providers, &scope.zone).await?;
    Ok(sort::inventory(scope, &records))
}

/// All records of a zone. An empty list is believed only when the count for the quota says the same.
pub async fn records(providers: &Providers, zone: &str) -> Answer<Vec<Record>> {
    providers.one_look.records.or(read(providers.cloudflare()?, zone)).await
}

async fn read(cloudflare: &Cloudflare, zone: &str) -> Answer<Vec<Record>> {
    let records = cloudflare.records(zone).await?;
    if records.is_empty() {
        let count = cloudflare.record_count(zone).await?;
        if count > 0 {
            let why = format!("the list is empty, but the zone has {count} records");
            return Err(Failure::new(Class::Transient, format!("list the DNS records of zone {zone}"), why));
        }
    }
    Ok(records)
}
