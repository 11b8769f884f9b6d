//! The nftables table of a gateway: maps, sets, chains and rules. What stands in the maps for single owners are
//! [`super::forwards`].
//!
//! Key: there is one table on a host. Mark: an element of its set `stamp`; further elements of that set note what the
//! table was made from, so that a difference can be told field by field, and a digest of how nft listed the rules right
//! after they were made, so that a later listing which differs is drift, whatever version of nft spells it.
mod apply;
mod desired;
mod observe;
mod plan;
mod stamp;
#[cfg(test)]
pub(crate) mod tests;

pub use desired::{Change, Live, Table};
pub use observe::{client, listed};

use crate::{
    model::{Answer, Draft, Inventory, Observed, Resource, Sides},
    providers::{Providers, nftables},
    resources::{Act, Driver, System},
};

/// The resource.
#[derive(Debug)]
pub struct GatewayTable;

/// What an observation has to know.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// The id of the site, which our marks carry.
    pub site: String,
}

impl Resource for GatewayTable {
    const NAME: &'static str = "gateway-table";
    const PRECIOUS: bool = true;
    type Key = Table;
    type Desired = nftables::Rules;
    type Live = Live;
    type Change = Change;

    fn diff(_: &Table, sides: Sides<'_, nftables::Rules, Live>) -> Vec<Draft<Change>> {
        plan::diff(sides)
    }
}

impl Driver for GatewayTable {
    const SYSTEM: System = System::Nftables;
    type Scope = Scope;

    async fn observe(providers: &Providers, scope: &Scope) -> Observed<Self> {
        observe::observe(providers, scope).await
    }
    async fn look(providers: &Providers, scope: &Scope, _: &[Table]) -> Answer<Inventory<Self>> {
        observe::look(providers, scope).await
    }
    async fn apply(providers: &Providers, scope: &Scope, act: Act<'_, Self>) -> Answer<()> {
        apply::apply(providers, scope, act).await
    }
}
