//! The ingress document of a tunnel: which host name leads to which service.
//!
//! Key: the uid of the tunnel's declaration. Mark: that of the tunnel. It is one document with a version counter and no
//! precondition, so it is looked at right before it is written, and the version that comes back must be the next.
//! It goes with its tunnel and is never deleted by itself.
mod apply;
mod observe;
mod plan;
#[cfg(test)]
mod tests;

pub use plan::{Change, Desired, Live, Rule};

use super::{Act, Driver, System, dns_record, tunnel};
use crate::{
    model::{Answer, Draft, Inventory, ObjectId, Observed, Resource, Sides, Uid},
    providers::Providers,
};
use std::collections::BTreeSet;

/// The resource.
#[derive(Debug)]
pub struct TunnelConfiguration;

/// What an observation has to know.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    pub tunnels: tunnel::Scope,
    /// Cloudflare's id of the zone in which names lead to the tunnels.
    pub zone: String,
    /// Tunnels whose rules are in part made by hand.
    pub shared: BTreeSet<Uid>,
}

impl TunnelConfiguration {
    /// How edges name the configuration of a declaration's tunnel.
    pub fn of(uid: &Uid) -> ObjectId {
        Self::id(uid)
    }
}

impl Resource for TunnelConfiguration {
    const NAME: &'static str = "tunnel-configuration";
    /// In shared mode a rule is ours as long as its name's record is.
    const USES: &'static [&'static str] = &[dns_record::DnsRecord::NAME];
    type Key = Uid;
    type Desired = Desired;
    type Live = Live;
    type Change = Change;

    fn diff(_: &Uid, sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
        plan::diff(sides)
    }
    fn needs(desired: &Desired) -> Vec<ObjectId> {
        desired.needs.clone()
    }
    fn uses(live: &Live) -> Vec<ObjectId> {
        plan::uses(live)
    }
    fn remark(_: &Desired, live: &Live) -> Option<String> {
        plan::remark(live)
    }
}

impl Driver for TunnelConfiguration {
    const SYSTEM: System = System::Cloudflare;
    type Scope = Scope;

    async fn observe(providers: &Providers, scope: &Scope) -> Observed<Self> {
        observe::observe(providers, scope).await
    }
    async fn look(providers: &Providers, scope: &Scope, keys: &[Uid]) -> Answer<Inventory<Self>> {
        observe::look(providers, scope, Some(keys)).await
    }
    async fn apply(providers: &Providers, scope: &Scope, act: Act<'_, Self>) -> Answer<()> {
        apply::apply(providers, scope, act).await
    }
}
