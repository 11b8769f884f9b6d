//! A unit of systemd inside a guest: a service, the timer that starts it, and the one file of secrets that it reads.
//!
//! Key: the guest's vmid and the stem of the unit's files (`101/trueup-schedule-xero-nightly`). Mark: a comment at the head
//! of each unit file. The secrets' file carries none: it is written after the unit and removed before it, so that it is
//! never there alone.
mod apply;
mod desired;
mod observe;
mod plan;
#[cfg(test)]
mod tests;

pub use desired::{Change, Desired, Live, Run, Secret, SecretFile, SecretSeen, UnitKey};

use crate::{
    model::{Answer, Draft, Inventory, ObjectId, Observed, Reference, Resource, Sides},
    providers::Providers,
    resources::{Act, Driver, System},
};
use std::collections::BTreeMap;

/// Where systemd looks for units that people put there.
const UNITS: &str = "/etc/systemd/system";
/// Where the secrets of our units are; only root of the guest can read it.
const SECRETS: &str = "/etc/trueup";
/// All our units begin so.
pub const PREFIX: &str = "trueup-";

/// The resource.
#[derive(Debug)]
pub struct GuestUnit;

/// What an observation and a change have to know.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// The id of the site, which our marks carry.
    pub site: String,
    /// Wanted units, with the reference of their secrets where they have one.
    pub wanted: BTreeMap<UnitKey, Option<Reference>>,
    /// The account whose tunnels connectors connect.
    pub account: Option<String>,
}

impl Resource for GuestUnit {
    const NAME: &'static str = "guest-unit";
    const USES: &'static [&'static str] = &["guest", "tunnel"];
    type Key = UnitKey;
    type Desired = Desired;
    type Live = Live;
    type Change = Change;

    fn diff(_: &UnitKey, sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
        plan::diff(sides)
    }
    fn needs(desired: &Desired) -> Vec<ObjectId> {
        desired.needs.clone()
    }
    fn uses(live: &Live) -> Vec<ObjectId> {
        live.uses.clone()
    }
    fn remark(_: &Desired, live: &Live) -> Option<String> {
        plan::remark(live)
    }
}

impl Driver for GuestUnit {
    const SYSTEM: System = System::Guests;
    type Scope = Scope;

    async fn observe(providers: &Providers, scope: &Scope) -> Observed<Self> {
        observe::observe(providers, scope).await
    }
    async fn look(providers: &Providers, scope: &Scope, keys: &[UnitKey]) -> Answer<Inventory<Self>> {
        observe::look(providers, scope, keys).await
    }
    async fn apply(providers: &Providers, scope: &Scope, act: Act<'_, Self>) -> Answer<()> {
        apply::apply(providers, scope, act).await
    }
}
