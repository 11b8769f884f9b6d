//! What the live world carries already, for objects that have no entry in the lock.
use crate::{
    ledger::Block,
    model::{DeclarationId, Mac, Slug, Uid},
};
use std::collections::BTreeMap;

/// Read from marks and contents. Empty when the world was not looked at (`--offline`).
#[derive(Clone, Default, Debug)]
pub struct Carried {
    /// Uids by the declaration that their marks name.
    pub uids: BTreeMap<DeclarationId, Uid>,
    /// Every guest that is there, ours or not, by vmid.
    pub guests: BTreeMap<u32, CarriedGuest>,
    /// The nodes of the cluster, by name. Empty also when only they were not looked at.
    pub nodes: BTreeMap<String, CarriedNode>,
    /// Blocks of ports in use, with the uid of their owner.
    pub blocks: Vec<(Block, Uid)>,
    /// Slugs in use, with the uid of their owner.
    pub slugs: BTreeMap<Slug, Uid>,
}

/// A guest that is there.
#[derive(Clone, Default, Debug)]
pub struct CarriedGuest {
    /// `None`: foreign.
    pub uid: Option<Uid>,
    /// Hardware addresses by interface.
    pub macs: BTreeMap<String, Mac>,
    /// Where it is.
    pub node: Option<String>,
}

/// A node of the cluster.
#[derive(Clone, Default, Debug)]
pub struct CarriedNode {
    pub up: bool,
    /// Bytes of memory, where that may be known.
    pub free: Option<u64>,
}
