//! The lock of a storage: one volume at a time is made on it. Whoever waits longer than ten seconds gives up
//! (`cluster_lock_storage` in `PVE::Storage::Plugin` with the time limits of `PVE::Tools::lock_file` and
//! `PVE::Cluster::cfs_lock`, pve-storage 9).
use super::{
    api::{lxc_volume, qemu_drive},
    refusal::{Refusal, Result},
    state::Conf,
    task::Work,
    timing::LOCK_TIMEOUT,
    vm_work::VmWork,
    world::World,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A storage, and until when a task makes a volume there, in Unix milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Allocation {
    pub storage: String,
    pub until: u64,
}

/// When a task comes to an end that has to stand in line.
pub struct Turn {
    /// Unix milliseconds.
    pub ends: u64,
    pub allocates: Vec<Allocation>,
    /// The storage whose lock it does not get in time.
    pub locked_out: Option<String>,
}

impl World {
    /// Lets a task stand in line at the storages on which it makes volumes. It would end then without the others.
    pub fn stand_in_line(&self, work: &Work, ends: u64) -> Turn {
        let each = self.timing.of_allocation();
        let (mut at, mut waited, mut allocates) = (self.now, 0, Vec::new());
        for storage in self.makes_volumes_on(work) {
            let others = self.state.tasks.iter().filter(|task| !task.is_over()).flat_map(|task| &task.allocates);
            let free = others.filter(|other| other.storage == storage).map(|other| other.until).max().unwrap_or(at);
            if free > at + LOCK_TIMEOUT {
                return Turn { ends: at + LOCK_TIMEOUT, allocates, locked_out: Some(storage) };
            }
            waited += free.saturating_sub(at);
            at = at.max(free) + each;
            allocates.push(Allocation { storage, until: at });
        }
        Turn { ends: ends + waited, allocates, locked_out: None }
    }

    /// Demands that the task at work has the lock of a storage.
    ///
    /// # Errors
    /// It waited in vain: the text of a lock file, or that of a lock of the cluster where the storage is shared.
    pub fn demand_lock_of(&self, storage: &str) -> Result<()> {
        if self.locked_out.as_deref() != Some(storage) {
            return Ok(());
        }
        let shared = self.state.storages.get(storage).is_some_and(super::state::Storage::is_shared);
        Err(Refusal::die(match shared {
            true => format!("cfs-lock 'storage-{storage}' error: got lock request timeout"),
            false => format!("can't lock file '/var/lock/pve-manager/pve-storage-{storage}' - got timeout"),
        }))
    }

    fn makes_volumes_on(&self, work: &Work) -> BTreeSet<String> {
        let named = |value: &str| value.split(',').next().unwrap_or_default().rsplit('=').next().map(str::to_owned);
        let storage = |volid: String| volid.split_once(':').map(|(storage, _)| storage.to_owned());
        let new = |volid: String| lxc_volume::new_disk(&volid).map(|(storage, _)| storage.to_owned());
        let asked = |disks: &Conf, copied_to: Option<&String>, of: &dyn Fn(String) -> Option<String>| match copied_to {
            Some(storage) => BTreeSet::from([storage.clone()]),
            None => disks.values().filter_map(|value| of(named(value)?)).collect(),
        };
        let drives = |conf: &Conf| conf.clone().into_iter().filter(|(key, _)| qemu_drive::is_drive(key)).collect();
        match work {
            Work::Create(create) => asked(&create.disks, None, &new),
            Work::Clone(copy) => asked(&copy.disks, copy.storage.as_ref(), &storage),
            Work::Move(change) => BTreeSet::from([change.storage.clone()]),
            Work::Vm { what, .. } => match &**what {
                VmWork::Create(create) => asked(&drives(&create.conf), None, &new),
                VmWork::Clone(copy) => asked(&drives(&copy.conf), copy.storage.as_ref(), &storage),
                VmWork::Move { storage, .. } => BTreeSet::from([storage.clone()]),
                _ => BTreeSet::new(),
            },
            _ => BTreeSet::new(),
        }
    }
}
