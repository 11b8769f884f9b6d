//! Two branches that each allocated and were merged: one of the two keeps, the other is allocated anew.
use super::Work;
use crate::model::{DeclarationId, Uid};

impl Work<'_> {
    /// Who carries it in the live world keeps it; where neither or both do, the first by name.
    pub(super) fn settle_clashes(&mut self) {
        // Each turn takes a claim away, so this ends; a lock has few clashes if any.
        while let Some(clash) = self.out.lock.clashes().into_iter().next() {
            let loser =
                if self.is_live(&clash.second) && !self.is_live(&clash.first) { clash.first } else { clash.second };
            let uid = (self.fresh)();
            let Some(entry) = self.out.lock.objects.get_mut(&loser) else { return };
            if clash.what.starts_with("uid ") {
                entry.uid = uid;
                self.new.insert(loser.clone());
            } else if clash.what.starts_with("vmid ") {
                entry.vmid = None;
            } else if clash.what.starts_with("MAC ") {
                entry.macs.clear();
            } else if clash.what.starts_with("slug ") {
                entry.slug = None;
            } else {
                entry.block = None;
            }
            self.out.made.push(format!("{loser}: gives up {}, which another object has too", clash.what));
        }
    }

    fn is_live(&self, id: &DeclarationId) -> bool {
        let Some(uid) = self.out.lock.objects.get(id).map(|entry| &entry.uid) else { return false };
        let carried = |other: &Uid| other == uid;
        self.carried.guests.values().filter_map(|guest| guest.uid.as_ref()).any(carried)
            || self.carried.blocks.iter().any(|(_, other)| carried(other))
            || self.carried.slugs.values().any(carried)
    }
}
