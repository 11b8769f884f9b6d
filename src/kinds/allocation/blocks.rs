//! Blocks of public ports.
use super::{Work, choose, mistake};
use crate::ledger::{Block, Blocks, Taken};
use std::collections::BTreeSet;

impl Work<'_> {
    pub(super) fn blocks(&mut self) {
        // Without a Gateway there is nothing to allocate from; `check` has said so where one is needed.
        let Some(gateway) = self.declarations.gateway() else { return };
        let ports = &gateway.spec.ports;
        let reserved: BTreeSet<u16> = ports.reserved.iter().map(|port| port.get()).collect();
        let name = gateway.meta.name.to_string();
        let grid = Blocks { gateway: &name, range: ports.range, size: ports.block_size, reserved: &reserved };
        let of = |base: u16| Block { gateway: name.clone(), base, size: ports.block_size };
        let quarantine = choose::signed(ports.quarantine);
        let mut taken = Taken::default();
        let mut open = vec![];
        for declared in self.declarations.port_allocations.values() {
            let Some(entry) = self.out.lock.objects.get(&declared.id()) else { continue };
            // An entry of another grid (the gateway's range or block size has changed) is allocated anew.
            let kept = entry.block.clone().filter(|block| grid.contains(block));
            let mut live = self.carried.blocks.iter().filter(|(_, uid)| *uid == entry.uid).map(|(block, _)| block);
            let carried = live.find(|block| grid.contains(block)).cloned();
            match declared.spec.base.pinned().map(|base| of(base.get())).or(kept).or(carried) {
                Some(block) => {
                    taken.add(&block);
                    self.note_block(declared.id(), block);
                }
                None => open.push(declared),
            }
        }
        // What live objects still carry is not free, whoever they belong to.
        let owners: BTreeSet<_> = self.out.lock.objects.values().map(|entry| &entry.uid).collect();
        for (block, _) in self.carried.blocks.iter().filter(|(_, uid)| !owners.contains(uid)) {
            taken.add(block);
        }
        for declared in open {
            match grid.allocate(&declared.id(), &taken, &self.out.lock, quarantine, self.now) {
                Ok(block) => {
                    taken.add(&block);
                    self.note_block(declared.id(), block);
                }
                Err(text) => {
                    let hint = "widen `spec.ports.range` of the Gateway, or remove allocations";
                    self.out.problems.push(mistake(declared, &["spec"], "ports-exhausted", text).hint(hint));
                }
            }
        }
    }

    fn note_block(&mut self, id: crate::model::DeclarationId, block: Block) {
        let Some(entry) = self.out.lock.objects.get_mut(&id) else { return };
        if entry.block.as_ref() != Some(&block) {
            self.out.made.push(format!("{id}: ports {block}"));
            entry.block = Some(block);
        }
    }
}
