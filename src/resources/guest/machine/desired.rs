//! The settings of a virtual machine.
use super::Card;
use crate::{
    model::{Reference, Size},
    providers::proxmox::CloneOf,
};
use std::collections::{BTreeMap, BTreeSet};

/// What only a virtual machine has. `None`: not spoken of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Machine {
    pub name: Option<String>,
    /// What it is copied from. Without it, it is made from its disks.
    pub origin: Option<Origin>,
    /// Options of [`super::options::MANAGED`] in the words of Proxmox; an empty value: to be unset.
    pub options: BTreeMap<String, String>,
    /// By slot: `scsi0`.
    pub disks: BTreeMap<String, Disk>,
    /// Slots whose disk is to be taken out and kept.
    pub detached: BTreeSet<String>,
    /// By the number in `netN`.
    pub cards: Option<BTreeMap<u8, Card>>,
    /// The drive that carries values to cloud-init.
    pub drive: Option<Drive>,
    /// Made where there is none and never changed: `efidisk0`, `tpmstate0`, as they are allocated.
    pub firmware: BTreeMap<String, String>,
    /// Written when it is made. Proxmox reads it back as stars, so it is never compared.
    pub password: Option<Reference>,
    /// The file of the public keys that cloud-init gives its user.
    pub ssh_keys: Option<String>,
    /// Some of its addresses are known only while it runs, and its agent is there to tell them.
    pub leased: bool,
}

/// What a machine is copied from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The node on which it lies.
    pub node: String,
    pub of: CloneOf,
}

/// Where the drive for cloud-init is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drive {
    pub slot: String,
    pub storage: String,
}

/// A disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disk {
    /// Where it is made; a disk that lies elsewhere stays there.
    pub storage: String,
    /// `None`: that of its image, or what it has.
    pub size: Option<Size>,
    /// The volume that it starts as.
    pub image: Option<String>,
    /// Used when it is made.
    pub format: Option<String>,
    /// `cache`, `discard`, `ssd` … as Proxmox writes them.
    pub settings: BTreeMap<String, String>,
}

/// What is known of a live machine beside its configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// Why its agent says nothing, where one is configured and the machine runs.
    pub silent: Option<String>,
    /// Its cloud-init drive holds other values than its configuration.
    pub stale_drive: bool,
    /// Its keys are not those of the file that its manifest names.
    pub other_keys: bool,
}
