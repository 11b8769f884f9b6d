//! What is remembered of one object.
use super::{Block, Lock, block};
use crate::model::{DeclarationId, Mac, Slug, Uid};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// One line of the lock file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub uid: Uid,
    /// What `vmid: auto` became, and what a pinned one was: a changed id is noticed.
    pub vmid: Option<u32>,
    /// The node that `placement` chose.
    pub node: Option<String>,
    /// What `hwaddr: auto` became, by interface.
    pub macs: BTreeMap<String, Mac>,
    pub block: Option<Block>,
    pub slug: Option<Slug>,
}

impl Entry {
    pub fn of(uid: Uid) -> Self {
        Self { uid, vmid: None, node: None, macs: BTreeMap::new(), block: None, slug: None }
    }

    /// What no second entry may claim; blocks are compared by overlap.
    pub(super) fn claims(&self) -> Vec<String> {
        let mut out = vec![format!("uid {}", self.uid)];
        out.extend(self.vmid.map(|vmid| format!("vmid {vmid}")));
        out.extend(self.macs.values().map(|mac| format!("MAC address {mac}")));
        out.extend(self.slug.as_ref().map(|slug| format!("slug {slug}")));
        out
    }
}

/// A block that its owner gave up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Freed {
    pub block: Block,
    /// Whoever had it gets it back if it returns in time.
    pub owner: DeclarationId,
    pub uid: Uid,
    /// When `trueup lock` noticed.
    pub freed_at: Timestamp,
}

impl Lock {
    /// Forgets an object whose manifest is gone. A block that it had starts to rest.
    pub fn release(&mut self, id: &DeclarationId, now: Timestamp) {
        let Some(entry) = self.objects.remove(id) else { return };
        if let Some(block) = entry.block {
            self.freed.push(block::freed(id, &entry.uid, block, now));
            self.freed.sort_by(|a, b| (&a.block, &a.owner).cmp(&(&b.block, &b.owner)));
        }
    }

    /// Drops freed blocks that have rested or that somebody has again.
    pub fn sweep(&mut self, quarantine: impl Fn(&str) -> jiff::SignedDuration, now: Timestamp) {
        let held: Vec<Block> = self.objects.values().filter_map(|entry| entry.block.clone()).collect();
        self.freed.retain(|freed| {
            freed.rests(quarantine(&freed.block.gateway), now) && !held.iter().any(|block| block.overlaps(&freed.block))
        });
    }
}
