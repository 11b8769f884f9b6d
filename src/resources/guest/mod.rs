//! A guest of Proxmox VE, a container or a virtual machine, with its place, its configuration and its power.
//!
//! Key: its vmid. Mark: the tag `trueup`, by which it is found, and a stamp in its notes, which says whose it is
//! ([`crate::providers::proxmox::notes`]). Everything else in its notes, and every setting that a manifest does not speak
//! of, is left alone.
mod apply;
mod bridges;
pub mod container;
mod desired;
mod difference;
pub mod machine;
mod observe;
pub mod option;
mod plan;
mod root;
mod settings;
mod spelling;
#[cfg(test)]
mod tests;

pub use desired::{Body, Change, Desired, Live, Restarts, Startup};
pub use observe::{client, listed, of_list, prove_complete};

use crate::{
    model::{Answer, Draft, Inventory, ObjectId, Observed, Resource, Sides, Vmid, Wish},
    providers::{
        Providers,
        proxmox::{PER_STORAGE, storages},
    },
    resources::{Act, Driver, Lane, System},
};
use std::collections::{BTreeMap, BTreeSet};

/// The resource.
#[derive(Debug)]
pub struct Guest;

/// What an observation has to know.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// The id of the site, which our marks carry.
    pub site: String,
    /// Ids that declarations want: who holds them is looked at even where it is not ours.
    pub wanted: BTreeSet<Vmid>,
    /// The files of public keys that cloud-init is to give to users of machines.
    pub keys: BTreeMap<Vmid, String>,
}

impl Resource for Guest {
    const NAME: &'static str = "guest";
    const ONE_PER_UID: bool = true;
    type Key = Vmid;
    type Desired = Desired;
    type Live = Live;
    type Change = Change;

    fn diff(_: &Vmid, sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
        plan::diff(sides)
    }
    fn made_from(desired: &Desired) -> Vec<ObjectId> {
        desired.made_from.clone()
    }
    fn remark(desired: &Desired, live: &Live) -> Option<String> {
        plan::remark(desired, live)
    }
    fn impossible(desired: &Desired, live: &Live) -> Vec<Wish> {
        plan::shrunk(desired, live)
    }
}

impl Driver for Guest {
    const SYSTEM: System = System::Proxmox;
    type Scope = Scope;

    /// New volumes on one storage: more of them at once would only wait for its lock, and in the end give up.
    fn lanes(change: &Change) -> Vec<Lane> {
        let Change::Create { parameters, .. } = change else { return vec![] };
        let settings = parameters.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let storages: BTreeSet<String> = storages(settings).collect();
        storages.into_iter().map(|storage| Lane { name: format!("storage {storage}"), width: PER_STORAGE }).collect()
    }

    async fn observe(providers: &Providers, scope: &Scope) -> Observed<Self> {
        observe::observe(providers, scope).await
    }
    async fn look(providers: &Providers, scope: &Scope, keys: &[Vmid]) -> Answer<Inventory<Self>> {
        observe::look(providers, scope, keys).await
    }
    async fn apply(providers: &Providers, scope: &Scope, act: Act<'_, Self>) -> Answer<()> {
        apply::apply(providers, scope, act).await
    }
}
