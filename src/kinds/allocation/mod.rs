//! What `auto` becomes, and the identity of every declared object: read from the lock, else from what the live world
//! carries already, else chosen. Pure: the uids come from the caller, everything else follows from them and from what
//! is taken.
mod blocks;
mod carried;
mod choose;
mod clashes;
mod fill;
mod guests;
mod nodes;
mod world;

pub use carried::{Carried, CarriedGuest, CarriedNode};
pub use fill::fill;

use super::declared::{Declarations, Declared, Origin, Spec};
use crate::{
    ledger::{Entry, Lock},
    manifest::{Diagnostic, Document, Segment, Spot},
    model::{DeclarationId, Name, Uid},
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A lock in which every declared object stands.
#[derive(Debug)]
pub struct Allocated {
    pub lock: Lock,
    /// What was chosen, freed or moved, in a line each.
    pub made: Vec<String>,
    /// Values that follow from a fresh uid, and `GUEST on NODE` where a node was chosen: another run might choose others.
    pub unsettled: BTreeSet<String>,
    /// What could not be allocated.
    pub problems: Vec<Diagnostic>,
    /// Guests for which no node could be chosen: nobody has looked, or none is up. They wait, and others do not.
    pub unplaced: Vec<Diagnostic>,
}

/// Completes the lock for these declarations. `now` is when freed blocks start to rest; `fresh` gives random uids.
pub fn allocate(
    declarations: &Declarations,
    lock: &Lock,
    carried: &Carried,
    now: Timestamp,
    fresh: &mut dyn FnMut() -> Uid,
) -> Allocated {
    let mut work = Work {
        declarations,
        carried,
        now,
        fresh,
        new: BTreeSet::new(),
        released: BTreeSet::new(),
        out: Allocated {
            lock: lock.clone(),
            made: vec![],
            unsettled: BTreeSet::new(),
            problems: vec![],
            unplaced: vec![],
        },
    };
    work.rename();
    work.release();
    work.settle_clashes();
    work.identify_all();
    work.guests();
    work.nodes();
    work.blocks();
    work.slugs();
    work.sweep();
    work.out
}

struct Work<'a> {
    declarations: &'a Declarations,
    carried: &'a Carried,
    now: Timestamp,
    fresh: &'a mut dyn FnMut() -> Uid,
    /// Objects whose uid was chosen in this run.
    new: BTreeSet<DeclarationId>,
    /// Ids of guests that stop being declared in this run: they are still there, and nobody may get them yet.
    released: BTreeSet<u32>,
    out: Allocated,
}

impl Work<'_> {
    /// An entry follows its object to its new name.
    fn rename(&mut self) {
        let renamed: Vec<(DeclarationId, DeclarationId)> = each(self.declarations)
            .into_iter()
            .filter_map(|object| Some((object.renamed_from?, object.id)))
            .filter(|(old, new)| !self.out.lock.objects.contains_key(new) && self.out.lock.objects.contains_key(old))
            .collect();
        for (old, new) in renamed {
            if let Some(entry) = self.out.lock.objects.remove(&old) {
                self.out.made.push(format!("{new}: was {old}"));
                self.out.lock.objects.insert(new, entry);
            }
        }
    }

    /// Forgets what is no longer declared.
    fn release(&mut self) {
        let declared: BTreeSet<DeclarationId> = each(self.declarations).into_iter().map(|object| object.id).collect();
        let gone: Vec<DeclarationId> =
            self.out.lock.objects.keys().filter(|id| !declared.contains(id)).cloned().collect();
        for id in gone {
            let rests = self.out.lock.objects.get(&id).and_then(|entry| entry.block.as_ref()).map(ToString::to_string);
            self.released.extend(self.out.lock.objects.get(&id).and_then(|entry| entry.vmid));
            self.out.lock.release(&id, self.now);
            self.out.made.push(match rests {
                Some(block) => format!("{id}: no longer declared; ports {block} rest"),
                None => format!("{id}: no longer declared"),
            });
        }
    }

    fn identify_all(&mut self) {
        for object in each(self.declarations) {
            if self.out.lock.objects.contains_key(&object.id) {
                continue;
            }
            let uid = match self.carried.uids.get(&object.id) {
                Some(uid) => uid.clone(),
                None => {
                    self.new.insert(object.id.clone());
                    (self.fresh)()
                }
            };
            self.out.made.push(format!("{}: uid {uid}", object.id));
            if self.new.contains(&object.id) {
                self.out.unsettled.insert(uid.to_string());
            }
            self.out.lock.objects.insert(object.id, Entry::of(uid));
        }
    }

    fn sweep(&mut self) {
        let quarantines: BTreeMap<&str, jiff::SignedDuration> = self
            .declarations
            .gateways
            .iter()
            .map(|(name, gateway)| (name.as_str(), choose::signed(gateway.spec.ports.quarantine)))
            .collect();
        // A gateway that is gone has no block to give away: nothing of its rests longer than a day's default.
        let default = jiff::SignedDuration::from_hours(24);
        self.out.lock.sweep(|gateway| quarantines.get(gateway).copied().unwrap_or(default), self.now);
    }
}

/// What all kinds have in common.
struct Object {
    id: DeclarationId,
    renamed_from: Option<DeclarationId>,
}

fn each(declarations: &Declarations) -> Vec<Object> {
    fn of<S: Spec>(all: &BTreeMap<Name, Declared<S>>, out: &mut Vec<Object>) {
        for declared in all.values() {
            let old = declared.meta.renamed_from.as_ref();
            let renamed_from = old.map(|name| DeclarationId::new(S::KIND, name.as_str()));
            out.push(Object { id: declared.id(), renamed_from });
        }
    }
    let mut out = vec![];
    of(&declarations.sites, &mut out);
    of(&declarations.gateways, &mut out);
    of(&declarations.templates, &mut out);
    of(&declarations.containers, &mut out);
    of(&declarations.virtual_machines, &mut out);
    of(&declarations.port_allocations, &mut out);
    of(&declarations.dns_slugs, &mut out);
    of(&declarations.tunnels, &mut out);
    of(&declarations.sync_schedules, &mut out);
    out
}

/// A mistake at a field of a declared object.
fn mistake<S: Spec>(declared: &Declared<S>, path: &[&str], code: &'static str, message: String) -> Diagnostic {
    mistake_at(&declared.origin, path, code, message)
}

/// A mistake at a field of an object that was read from this document.
fn mistake_at(origin: &Origin, path: &[&str], code: &'static str, message: String) -> Diagnostic {
    let segments: Vec<Segment> = path.iter().map(|part| Segment::from(*part)).collect();
    let spot = |document: &std::sync::Arc<Document>| -> Spot { document.value_spot(&segments) };
    match &origin.0 {
        Some(document) => Diagnostic::error(code, spot(document), message),
        None => Diagnostic::general(code, message),
    }
}

#[cfg(test)]
mod tests;
