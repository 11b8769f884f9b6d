//! The lock: identities and allocations for everything that is declared.
use crate::{
    engine::Estate,
    kinds::{
        Declarations,
        allocation::{Allocated, Carried, CarriedNode, allocate},
    },
    ledger::{self, Lock},
    manifest::Diagnostic,
    model::{Class, Failure, Note, Uid},
    source::Tree,
};
use std::{fs::File, path::Path, sync::Arc};

/// Holds the directory of the manifests, so that two allocations are one after the other. Makes no file.
///
/// # Errors
/// When the directory cannot be opened.
pub(super) fn hold(directory: &Path) -> Result<File, Failure> {
    let held = File::open(directory).and_then(|file| file.lock().map(|()| file));
    held.map_err(|error| {
        let attempted = format!("hold the directory {} while the lock file is written", directory.display());
        Failure::new(Class::Denied, attempted, error.to_string())
    })
}

/// The lock file beside the manifests; without one, the empty lock.
///
/// # Errors
/// When it cannot be read or understood.
pub(super) fn read(tree: &Tree) -> Result<Lock, Failure> {
    let Some(text) = tree.lock()? else { return Ok(Lock::default()) };
    Lock::parse(&text).map_err(|error| {
        let line = error.line.map(|line| format!(", line {line}")).unwrap_or_default();
        let failure = Failure::new(Class::Invalid, format!("read {}{line}", ledger::FILE), error.message);
        match error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

/// Completes the lock. The only place where identities are drawn.
pub(super) fn complete(declarations: &Declarations, lock: &Lock, carried: &Carried) -> Allocated {
    allocate(declarations, lock, carried, jiff::Timestamp::now(), &mut || Uid::from_bits(rand::random()))
}

/// Whether something that is declared is not in the lock yet, or not as it has to be. What is only no longer declared does
/// not count.
pub(super) fn is_short(lock: &Lock, done: &Allocated) -> bool {
    // Whoever has no node gets one when somebody looks.
    !done.unplaced.is_empty() || done.lock.objects.iter().any(|(id, entry)| lock.objects.get(id) != Some(entry))
}

/// What two objects claim at once, since two branches that both allocated were merged.
pub(super) fn clashes(lock: &Lock) -> Vec<Diagnostic> {
    let each = |clash: ledger::Clash| {
        let text = format!("{}: {} and {} both claim {}", ledger::FILE, clash.first, clash.second, clash.what);
        Diagnostic::general("lock-clash", text).hint("run `trueup lock`: one of them keeps it, the other gets its own")
    };
    lock.clashes().into_iter().map(each).collect()
}

/// What the live world carries already, so that a lost lock file changes nobody's port. With it come the resources that
/// could not be looked at, and why.
pub(super) async fn look(estate: &Arc<Estate<Declarations>>) -> (Carried, Vec<Note>) {
    let world = estate.observe().await;
    let left_out = estate.left_out();
    let mut unseen = estate.plan(&world).plan.unseen;
    unseen.retain(|note| !left_out.contains(&*note.object.resource));
    let gateway = estate.declarations.gateway().map(|gateway| gateway.meta.name.to_string());
    let mut carried = Carried::of(&world, gateway.as_deref());
    if let Some(proxmox) = &estate.providers.proxmox {
        // Guests that nobody declared are in no inventory, but their ids are taken. Where this fails, so did the look.
        for guest in proxmox.guests().await.unwrap_or_default() {
            carried.guests.entry(guest.vmid).or_default().node.get_or_insert(guest.node);
        }
        // Where nobody knows the nodes, nothing is placed.
        for node in proxmox.nodes().await.unwrap_or_default() {
            carried.nodes.insert(node.name, CarriedNode { up: node.online, free: node.free_memory });
        }
    }
    (carried, unseen)
}

/// Refuses to choose in the dark: without a lock file, what is chosen now may be somebody's already.
///
/// # Errors
/// When there are no entries at all and something could not be looked at.
pub(super) fn refuse_blind(lock: &Lock, unseen: &[Note]) -> Result<(), Failure> {
    let Some(first) = unseen.first().filter(|_| lock.objects.is_empty()) else { return Ok(()) };
    let attempted = "choose ids, addresses and ports for a site without a lock file";
    let reason =
        format!("{} could not be looked at ({}), and what is there may be in use", first.object.resource, first.text);
    Err(Failure::new(Class::Unreachable, attempted, reason)
        .hint("if the site is new, or nothing of it is lost: add --offline, which chooses without looking"))
}

/// Writes the lock file, if it changes; says whether it did.
///
/// # Errors
/// When it cannot be written; the old one is then still there.
pub(super) fn write(directory: &Path, lock: &Lock) -> Result<bool, Failure> {
    ledger::write(directory, lock).map_err(|error| {
        Failure::new(Class::Denied, format!("write {}", directory.join(ledger::FILE).display()), error.to_string())
            .hint("nothing was done: without it, what is chosen now would be forgotten")
    })
}
