//! A template or an image that lies on a storage, from which guests are made.
//!
//! Key: the volume, `local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst`. A file has no place for a mark, so whose it is
//! is not asked: what is there under a wanted name serves whoever wants it, whoever brought it, and nothing is ever
//! deleted here (docs/decisions/0006).
mod apply;
mod desired;
mod observe;
mod plan;
#[cfg(test)]
mod tests;

pub use desired::{Change, Desired, Live, Source, VolumeId};

use crate::{
    model::{Answer, Draft, Inventory, Mark, Observed, Resource, Sides},
    providers::Providers,
    resources::{Act, Driver, System},
};
use std::collections::{BTreeMap, BTreeSet};

/// The resource.
#[derive(Debug)]
pub struct TemplateVolume;

/// What an observation has to know.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// Volumes that declarations want: on which nodes, and the mark that each would carry if it could.
    pub wanted: BTreeMap<VolumeId, (Mark, BTreeSet<String>)>,
}

impl Resource for TemplateVolume {
    const NAME: &'static str = "template-volume";
    type Key = VolumeId;
    type Desired = Desired;
    type Live = Live;
    type Change = Change;

    fn diff(_: &VolumeId, sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
        plan::diff(sides)
    }
}

impl Driver for TemplateVolume {
    const SYSTEM: System = System::Proxmox;
    type Scope = Scope;

    async fn observe(providers: &Providers, scope: &Scope) -> Observed<Self> {
        observe::observe(providers, scope).await
    }
    async fn look(providers: &Providers, scope: &Scope, keys: &[VolumeId]) -> Answer<Inventory<Self>> {
        observe::look(providers, scope, keys).await
    }
    async fn apply(providers: &Providers, _: &Scope, act: Act<'_, Self>) -> Answer<()> {
        apply::apply(providers, act).await
    }
}
