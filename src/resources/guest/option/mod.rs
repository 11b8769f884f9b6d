//! What is known of every option of a guest: who looks after it, and when a change of it takes effect.
//!
//! One row for each, in `lxc.rs` and `qemu.rs`. The plan asks them about restarts; the tables of `docs/reference` are written
//! from them.
mod lxc;
mod qemu;
mod table;
#[cfg(test)]
mod tests;

pub use table::table;

use super::Live;
use crate::{model::Effect, providers::proxmox::GuestType};

/// One option of the official schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GuestOption {
    /// As the schema spells it: `memory`, `net[n]`.
    pub name: &'static str,
    pub care: Care,
    pub takes: Takes,
    pub grant: Grant,
}

/// Who looks after an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Care {
    /// The manifest, in this field.
    Field(&'static str),
    /// The program itself, for this.
    Ours(&'static str),
    /// Nobody, for this reason.
    Left(&'static str),
}

/// When a change of an option of a running guest takes effect. Of one that does not run, all do at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Takes {
    /// In place.
    AtOnce,
    /// With the next start: until then Proxmox keeps it as pending.
    AtStart,
    /// Proxmox takes it in place, and cloud-init hands it to the guest with the next start.
    Inside,
    /// A new one at once; the change of one that is there with the next start.
    WhenNew,
    /// Likewise, and it grows in place.
    Growing,
    /// Only by making the guest anew.
    Anew,
    /// Said when the guest is made, and not known afterwards.
    AtCreation,
    /// It is no state of the guest, but steers a call.
    Call,
}

impl Takes {
    /// Whether a change waits for the next start of a running guest. `there`: the option is set already.
    pub fn waits(self, there: bool) -> bool {
        match self {
            Self::AtStart | Self::Inside => true,
            Self::WhenNew | Self::Growing => there,
            Self::AtOnce | Self::Anew | Self::AtCreation | Self::Call => false,
        }
    }
}

/// Whom Proxmox lets set an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grant {
    /// A token with this privilege.
    Privilege(&'static str),
    /// A token in these forms, else the session of `root@pam` alone: then it goes through the Site's host.
    Partly(&'static str),
    /// The session of `root@pam` alone: it goes through the Site's host.
    Root,
}

impl GuestOption {
    /// The option that a key of a configuration belongs to: `net[n]` of `net0`.
    fn is_of(&self, key: &str) -> bool {
        match self.name.strip_suffix("[n]") {
            Some(stem) => key.strip_prefix(stem).is_some_and(|n| n.parse::<u16>().is_ok()),
            None => self.name == key,
        }
    }
}

const fn on(name: &'static str, care: Care, takes: Takes, grant: Grant) -> GuestOption {
    GuestOption { name, care, takes, grant }
}

/// All options of a kind of guest, in the order of their names.
pub fn all(kind: GuestType) -> &'static [GuestOption] {
    match kind {
        GuestType::Lxc => lxc::ALL,
        GuestType::Qemu => qemu::ALL,
    }
}

/// What is known of a key of a configuration.
pub fn of(kind: GuestType, key: &str) -> Option<&'static GuestOption> {
    all(kind).iter().find(|option| option.is_of(key))
}

/// Whether a change of this key of this guest takes effect only with its next start.
pub fn waits(live: &Live, key: &str) -> bool {
    live.running && of(live.kind, key).is_some_and(|option| option.takes.waits(live.config.get(key).is_some()))
}

/// When a change of this key of this guest takes effect.
pub fn effect(live: &Live, key: &str) -> Effect {
    if waits(live, key) { Effect::AtRestart } else { Effect::InPlace }
}
