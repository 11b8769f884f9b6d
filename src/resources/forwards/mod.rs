//! The forwards of one owner: its public ports and where they lead, as elements of the maps of [`super::gateway_table`].
//!
//! Key: the first port of its block. Mark: the comment of each element. All owners' ready changes go in one transaction.
mod apply;
mod desired;
mod observe;
mod plan;
#[cfg(test)]
mod tests;

pub use desired::{Base, Change, Desired, Forward, Live};

use crate::{
    model::{Answer, Draft, Inventory, ObjectId, Observed, Resource, Sides},
    providers::Providers,
    resources::{
        Act, Driver, System,
        gateway_table::{GatewayTable, Table},
        guest::Guest,
    },
};

/// The resource.
#[derive(Debug)]
pub struct Forwards;

/// What an observation has to know.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// The id of the site, which our marks carry.
    pub site: String,
}

impl Resource for Forwards {
    const NAME: &'static str = "forwards";
    const USES: &'static [&'static str] = &[Guest::NAME, GatewayTable::NAME];
    type Key = Base;
    type Desired = Desired;
    type Live = Live;
    type Change = Change;

    fn diff(_: &Base, sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
        plan::diff(sides)
    }
    fn needs(desired: &Desired) -> Vec<ObjectId> {
        vec![Guest::id(&desired.guest), GatewayTable::id(&Table)]
    }
    fn uses(live: &Live) -> Vec<ObjectId> {
        live.guest.iter().map(Guest::id).chain([GatewayTable::id(&Table)]).collect()
    }
}

impl Driver for Forwards {
    const SYSTEM: System = System::Nftables;
    /// As many as there are: a transaction of 40,000 elements takes less than a second.
    const BATCH: usize = 10_000;
    type Scope = Scope;

    async fn observe(providers: &Providers, scope: &Scope) -> Observed<Self> {
        observe::observe(providers, scope).await
    }
    async fn look(providers: &Providers, scope: &Scope, keys: &[Base]) -> Answer<Inventory<Self>> {
        observe::look(providers, scope, keys).await
    }
    async fn apply(providers: &Providers, scope: &Scope, act: Act<'_, Self>) -> Answer<()> {
        let lost =
            || Err(crate::model::Failure::new(crate::model::Class::UnknownOutcome, "forward ports", "no answer"));
        apply::apply_all(providers, scope, vec![act]).await.pop().unwrap_or_else(lost)
    }
    async fn apply_all(providers: &Providers, scope: &Scope, acts: Vec<Act<'_, Self>>) -> Vec<Answer<()>> {
        apply::apply_all(providers, scope, acts).await
    }
}
