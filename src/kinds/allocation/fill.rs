//! From the lock into the declarations.
use super::super::declared::{Declarations, Declared, Spec};
use crate::{ledger::Lock, manifest::Diagnostic, model::Name};
use std::collections::BTreeMap;

/// Gives every declared object its identity, and the declarations their lock. What is not in the lock comes back.
pub fn fill(declarations: &mut Declarations, lock: Lock) -> Vec<Diagnostic> {
    fn of<S: Spec>(all: &mut BTreeMap<Name, Declared<S>>, lock: &Lock, missing: &mut Vec<Diagnostic>) {
        for declared in all.values_mut() {
            declared.uid = lock.objects.get(&declared.id()).map(|entry| entry.uid.clone());
            if declared.uid.is_none() {
                let text = format!("{} is not in trueup.lock", declared.id());
                let mistake = super::mistake(declared, &["metadata", "name"], "not-in-lock", text);
                missing.push(mistake.hint("run `trueup lock` and commit the file"));
            }
        }
    }
    let mut missing = vec![];
    of(&mut declarations.sites, &lock, &mut missing);
    of(&mut declarations.gateways, &lock, &mut missing);
    of(&mut declarations.templates, &lock, &mut missing);
    of(&mut declarations.containers, &lock, &mut missing);
    of(&mut declarations.virtual_machines, &lock, &mut missing);
    of(&mut declarations.port_allocations, &lock, &mut missing);
    of(&mut declarations.dns_slugs, &lock, &mut missing);
    of(&mut declarations.tunnels, &lock, &mut missing);
    of(&mut declarations.sync_schedules, &lock, &mut missing);
    declarations.lock = lock;
    missing
}
