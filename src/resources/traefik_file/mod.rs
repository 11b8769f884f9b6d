//! A file in Traefik's dynamic directory: the routes of one declaration.
//!
//! Key: the name of the file. Mark: a key of the file's root that Traefik ignores. Files of others stay; those that
//! Traefik would refuse, and those that ask for a name of ours, are seen and said.
mod apply;
mod desired;
mod observe;
mod plan;
#[cfg(test)]
mod tests;

pub use desired::{Change, Desired, FileName, Live, Served};

use crate::{
    model::{Answer, Draft, Inventory, ObjectId, Observed, Resource, Sides},
    providers::Providers,
    resources::{Act, Driver, System, guest::Guest},
};

/// The resource.
#[derive(Debug)]
pub struct TraefikFile;

/// What an observation has to know.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// The id of the site, which our marks carry.
    pub site: String,
}

impl Resource for TraefikFile {
    const NAME: &'static str = "traefik-file";
    const USES: &'static [&'static str] = &[Guest::NAME];
    type Key = FileName;
    type Desired = Desired;
    type Live = Live;
    type Change = Change;

    fn diff(_: &FileName, sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
        plan::diff(sides)
    }
    fn needs(desired: &Desired) -> Vec<ObjectId> {
        vec![Guest::id(&desired.guest)]
    }
    fn uses(live: &Live) -> Vec<ObjectId> {
        live.guest.iter().map(Guest::id).collect()
    }
    fn remark(desired: &Desired, live: &Live) -> Option<String> {
        plan::remark(desired, live)
    }
}

impl Driver for TraefikFile {
    const SYSTEM: System = System::Traefik;
    /// Traefik collects changes for two seconds, so many are written before it is asked what became of them.
    const BATCH: usize = 1_000;
    type Scope = Scope;

    async fn observe(providers: &Providers, scope: &Scope) -> Observed<Self> {
        observe::observe(providers, scope).await
    }
    async fn look(providers: &Providers, scope: &Scope, keys: &[FileName]) -> Answer<Inventory<Self>> {
        observe::look(providers, scope, keys).await
    }
    async fn apply(providers: &Providers, _: &Scope, act: Act<'_, Self>) -> Answer<()> {
        let lost =
            || Err(crate::model::Failure::new(crate::model::Class::UnknownOutcome, "write a route", "no answer"));
        apply::apply_all(providers, vec![act]).await.pop().unwrap_or_else(lost)
    }
    async fn apply_all(providers: &Providers, _: &Scope, acts: Vec<Act<'_, Self>>) -> Vec<Answer<()>> {
        apply::apply_all(providers, acts).await
    }
}
