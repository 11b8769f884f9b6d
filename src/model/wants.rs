//! What declarations want of one resource.
use super::{DeclarationId, Note, Resource, Wanted};
use std::collections::BTreeMap;

/// All wanted objects of one resource by key, and where two declarations want the same.
pub struct Wants<R: Resource> {
    pub wanted: BTreeMap<R::Key, Wanted<R::Desired>>,
    pub conflicts: Vec<Note>,
}

impl<R: Resource> Default for Wants<R> {
    fn default() -> Self {
        Self { wanted: BTreeMap::new(), conflicts: vec![] }
    }
}

fn declared<D>(wanted: &Wanted<D>) -> Option<&DeclarationId> {
    match wanted {
        Wanted::Ready(ready) => ready.mark.declared.as_ref(),
        Wanted::Waiting(waiting) => Some(&waiting.declared),
    }
}

impl<R: Resource> Wants<R> {
    /// Adds one object. A key that is wanted already stays with its first owner, and the second is a conflict.
    pub fn add(&mut self, key: R::Key, wanted: Wanted<R::Desired>) {
        match self.wanted.get(&key) {
            None => {
                self.wanted.insert(key, wanted);
            }
            Some(first) => {
                let name = |w| declared(w).map_or_else(|| "an unnamed declaration".into(), ToString::to_string);
                self.conflicts.push(Note {
                    object: R::id(&key),
                    declared: declared(&wanted).cloned(),
                    text: format!("wanted by {} and by {}", name(first), name(&wanted)),
                    hint: Some("give one of them another name, address or id".into()),
                });
            }
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.conflicts.extend(other.conflicts);
        for (key, wanted) in other.wanted {
            self.add(key, wanted);
        }
    }
}
