//! `trueup.lock`: what git must remember so that git alone can rebuild the site.
//!
//! For every declared object its uid, and what `auto` became: vmid, MAC addresses, port block, slug; and blocks that were
//! freed not long ago. One line for each object, sorted, so that two branches that add an object each merge cleanly or
//! conflict visibly; a merge that gives one block to two is found by [`Lock::clashes`].
mod block;
mod entry;
mod file;
mod text;

pub use block::{Block, Blocks, Taken};
pub use entry::{Entry, Freed};
pub use file::{read, write};
pub use text::LockError;

use crate::model::DeclarationId;
use std::collections::BTreeMap;

/// The name of the file, beside the manifests.
pub const FILE: &str = "trueup.lock";

/// The content of a lock file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lock {
    pub objects: BTreeMap<DeclarationId, Entry>,
    /// Freed blocks that still rest, by gateway and first port.
    pub freed: Vec<Freed>,
}

/// Two entries that claim one thing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clash {
    pub first: DeclarationId,
    pub second: DeclarationId,
    /// `port block 20010-20019 of gateway edge`, `vmid 104`, …
    pub what: String,
}

impl Lock {
    /// What two objects claim at once: what is left when two branches that allocated independently are merged.
    pub fn clashes(&self) -> Vec<Clash> {
        let mut out = vec![];
        let mut claims: BTreeMap<String, &DeclarationId> = BTreeMap::new();
        for (id, entry) in &self.objects {
            for what in entry.claims() {
                match claims.get(&what) {
                    Some(first) => out.push(Clash { first: (*first).clone(), second: id.clone(), what }),
                    None => {
                        claims.insert(what, id);
                    }
                }
            }
        }
        let mut blocks: Vec<(&Block, &DeclarationId)> =
            self.objects.iter().filter_map(|(id, entry)| Some((entry.block.as_ref()?, id))).collect();
        blocks.sort();
        for pair in blocks.windows(2) {
            let [(block, first), (other, second)] = pair else { continue };
            if block.overlaps(other) {
                let what = format!("port block {other}, which overlaps {block}");
                out.push(Clash { first: (*first).clone(), second: (*second).clone(), what });
            }
        }
        out
    }
}

#[cfg(test)]
mod tests;
