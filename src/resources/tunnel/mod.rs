//! Tunnels at Cloudflare.
//!
//! Key: the uid of the declaration, so that a renamed manifest keeps its tunnel. Mark: the tunnel's name
//! ([`name`]), `NAME.SITE.UID`. Its secret never comes here: the connector's file is written by whoever runs it.
mod apply;
pub mod name;
mod observe;
mod plan;
#[cfg(test)]
mod tests;

pub(super) use observe::{listed, of_key};
pub use plan::{Change, Desired, Live};

use super::{Act, Driver, System};
use crate::{
    model::{Answer, Draft, Inventory, ObjectId, Observed, Resource, Sides, Uid},
    providers::Providers,
};
use std::collections::BTreeMap;

/// The resource.
#[derive(Debug)]
pub struct Tunnel;

/// What an observation has to know.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// The id of the site, which our marks carry.
    pub site: String,
    /// Cloudflare's id of the account.
    pub account: String,
    /// Tunnels of others that declarations are to take over: Cloudflare's id of the tunnel to the uid of the declaration.
    pub adopt: BTreeMap<String, Uid>,
}

impl Tunnel {
    /// How edges name the tunnel of a declaration.
    pub fn of(uid: &Uid) -> ObjectId {
        Self::id(uid)
    }
    /// Where names that lead to this tunnel point.
    pub fn target(live: &Live) -> String {
        format!("{}.cfargotunnel.com", live.id.to_ascii_lowercase())
    }
}

impl Resource for Tunnel {
    const NAME: &'static str = "tunnel";
    const PRECIOUS: bool = true;
    type Key = Uid;
    type Desired = Desired;
    type Live = Live;
    type Change = Change;

    fn diff(_: &Uid, sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
        plan::diff(sides)
    }
}

impl Driver for Tunnel {
    const SYSTEM: System = System::Cloudflare;
    type Scope = Scope;

    async fn observe(providers: &Providers, scope: &Scope) -> Observed<Self> {
        observe::observe(providers, scope).await
    }
    async fn look(providers: &Providers, scope: &Scope, keys: &[Uid]) -> Answer<Inventory<Self>> {
        observe::look(providers, scope, keys).await
    }
    async fn apply(providers: &Providers, scope: &Scope, act: Act<'_, Self>) -> Answer<()> {
        apply::apply(providers, scope, act).await
    }
}
