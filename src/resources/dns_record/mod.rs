//! DNS records at Cloudflare.
//!
//! Key: name and type. Several records may stand under one key (a name with two public addresses): they are kept
//! together, because they are changed together, in one batch, and mean nothing apart. Mark: the comment of each record
//! ([`comment`]), at most 100 characters, which is what a free zone has.
mod apply;
pub mod comment;
mod desired;
pub(super) mod observe;
mod plan;
mod sort;
#[cfg(test)]
mod tests;

pub use desired::{Change, Desired, Held, Key, Live, Patch, Row};
pub use observe::records;
pub use sort::holders;

use super::{Act, Driver, System, tunnel::Tunnel};
use crate::{
    model::{Answer, Draft, Inventory, ObjectId, Observed, Resource, Sides, Uid},
    providers::Providers,
};
use std::collections::BTreeMap;

/// The resource.
#[derive(Debug)]
pub struct DnsRecord;

/// What an observation has to know.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// The id of the site, which our marks carry.
    pub site: String,
    /// Cloudflare's id of the zone.
    pub zone: String,
    /// Keys that declarations want, and whose they are to be: who holds them is looked at even where it is not ours.
    pub wanted: BTreeMap<Key, Uid>,
}

impl Resource for DnsRecord {
    const NAME: &'static str = "dns-record";
    const USES: &'static [&'static str] = &["guest", "traefik-file", Tunnel::NAME];
    type Key = Key;
    type Desired = Desired;
    type Live = Live;
    type Change = Change;

    fn diff(key: &Key, sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
        plan::diff(key, sides)
    }
    fn needs(desired: &Desired) -> Vec<ObjectId> {
        desired.needs.iter().chain(&desired.uses).cloned().collect()
    }
    fn uses(live: &Live) -> Vec<ObjectId> {
        live.uses.iter().chain(&live.route).cloned().collect()
    }
    fn remark(desired: &Desired, live: &Live) -> Option<String> {
        plan::remark(desired, live)
    }
}

impl Driver for DnsRecord {
    const SYSTEM: System = System::Cloudflare;
    /// All that is ready goes into one call, or as few as the plan of the zone allows.
    const BATCH: usize = 3_500;
    type Scope = Scope;

    async fn observe(providers: &Providers, scope: &Scope) -> Observed<Self> {
        observe::observe(providers, scope).await
    }
    async fn look(providers: &Providers, scope: &Scope, keys: &[Key]) -> Answer<Inventory<Self>> {
        observe::look(providers, scope, keys).await
    }
    async fn apply(providers: &Providers, scope: &Scope, act: Act<'_, Self>) -> Answer<()> {
        apply::all(providers, scope, vec![act]).await.pop().unwrap_or(Ok(()))
    }
    async fn apply_all(providers: &Providers, scope: &Scope, acts: Vec<Act<'_, Self>>) -> Vec<Answer<()>> {
        apply::all(providers, scope, acts).await
    }
}
