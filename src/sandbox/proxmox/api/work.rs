//! What tasks do when they end: one line per kind of work.
use super::{
    backup, ha, lxc_clone, lxc_create, lxc_delete, lxc_move, lxc_power, lxc_snapshot, lxc_volume, migrate, network,
    node_guests, qemu_clone, qemu_config, qemu_create, qemu_disk, qemu_power, qemu_snapshot, restore, restore_vm,
    storage,
};
use crate::sandbox::proxmox::{
    refusal::{Refusal, Result},
    state::Volume,
    task::Work,
    vm_work::VmWork,
    world::World,
};

/// Does it.
///
/// # Errors
/// The text that the task ends with.
pub fn perform(world: &mut World, work: Work, log: &mut Vec<String>) -> Result<()> {
    match work {
        Work::Create(create) => lxc_create::perform(world, *create, log),
        Work::Start { vmid } => lxc_power::perform_start(world, vmid, log),
        Work::Stop { vmid } | Work::Shutdown { vmid } => lxc_power::perform_stop(world, vmid),
        Work::Reboot { vmid } => {
            lxc_power::perform_stop(world, vmid)?;
            lxc_power::perform_start(world, vmid, log)
        }
        Work::Destroy { vmid, force, purge, unreferenced } => {
            lxc_delete::perform(world, vmid, force, purge, unreferenced, log)
        }
        Work::Resize { vmid, disk, size } => lxc_volume::grow(world, vmid, &disk, size, log),
        Work::RemoveVolume { volid } => {
            if storage::volume(world, &volid).is_ok_and(|v| v.protected) {
                let (storage, name) = volid.split_once(':').unwrap_or(("", &volid));
                return Err(Refusal::die(format!("cannot remove protected volume '{name}' on '{storage}'")));
            }
            if storage::volume(world, &volid).is_err() {
                log.push(format!("disk image '{}' does not exist", storage::path(world, &volid)));
            }
            storage::remove(world, &volid)?;
            log.push(format!("Removed volume '{volid}'"));
            Ok(())
        }
        Work::StoreVolume { volid, content, format, size, sums, note } => {
            log.extend(note);
            let created = world.now / 1000;
            let name = storage::name_of(world, &volid)?.storage;
            if let Some(storage) = world.state.storages.get_mut(&name) {
                storage.volumes.insert(volid, Volume { content, format, size, created, sums, ..Volume::default() });
            }
            Ok(())
        }
        Work::Fails { why, log: lines } => {
            log.extend(lines);
            Err(Refusal::die(why))
        }
        Work::Logs { log: lines } => {
            log.extend(lines);
            Ok(())
        }
        Work::Nothing => Ok(()),
        Work::Backup(backup) => backup::perform(world, &backup, log),
        Work::Restore(restored) => restore::perform(world, &restored, log),
        Work::Bulk { guests, start, timeout } => {
            node_guests::perform(world, &guests, start, timeout, log);
            Ok(())
        }
        Work::SuspendAll { guests } => {
            node_guests::perform_suspend(world, &guests, log);
            Ok(())
        }
        Work::RemoveBackups { volids } => {
            for volid in volids {
                log.push(format!("removing backup '{volid}'"));
                storage::remove(world, &volid)?;
            }
            Ok(())
        }
        Work::ApplyInterfaces { node } => {
            network::perform_apply(world, &node);
            Ok(())
        }
        Work::Move(change) => lxc_move::perform(world, &change, log),
        Work::Reassign(change) => lxc_move::perform_reassign(world, &change, log),
        Work::Clone(copy) => lxc_clone::perform(world, *copy, log),
        Work::Template { vmid } => lxc_clone::perform_template(world, vmid),
        Work::Snapshot { vmid, name, description } => lxc_snapshot::perform_create(world, vmid, &name, description),
        Work::Rollback { vmid, name, start } => lxc_snapshot::perform_rollback(world, vmid, &name, start),
        Work::DeleteSnapshot { vmid, name } => lxc_snapshot::perform_delete(world, vmid, &name),
        Work::Vm { vmid, what } => machine(world, vmid, *what, log),
        Work::Migrate { vmid, target, restart, disks } => migrate::perform(world, vmid, &target, (restart, disks), log),
        Work::HaRequest { vmid, state, said } => {
            log.push(said);
            ha::perform_request(world, vmid, &state);
            Ok(())
        }
    }
}

/// The tasks about virtual machines.
fn machine(world: &mut World, vmid: u32, what: VmWork, log: &mut Vec<String>) -> Result<()> {
    match what {
        VmWork::Create(create) => qemu_create::perform(world, vmid, create, log),
        VmWork::Restore(restored) => restore_vm::perform(world, vmid, restored, log),
        VmWork::Configure(change) => qemu_config::perform(world, vmid, change, log),
        VmWork::Start => qemu_power::perform_start(world, vmid, log),
        VmWork::Stop => qemu_power::perform_stop(world, vmid),
        VmWork::Reboot => {
            qemu_power::perform_stop(world, vmid)?;
            qemu_power::perform_start(world, vmid, log)
        }
        VmWork::Reset => Ok(()),
        VmWork::Suspend { to_disk } => qemu_power::perform_suspend(world, vmid, to_disk),
        VmWork::Resume => qemu_power::perform_resume(world, vmid, log),
        VmWork::Resize { disk, size, digest } => {
            qemu_disk::perform_resize(world, vmid, &disk, &size, digest.as_deref(), log)
        }
        VmWork::Move { disk, storage, format, delete } => {
            qemu_disk::perform_move(world, vmid, &disk, &storage, format.as_deref(), delete, log)
        }
        VmWork::Reassign { disk, target, target_disk } => {
            qemu_disk::perform_reassign(world, vmid, &disk, target, &target_disk, log)
        }
        VmWork::Clone(copy) => qemu_clone::perform(world, vmid, copy, log),
        VmWork::Template { disk } => qemu_clone::perform_template(world, vmid, disk.as_deref()),
        VmWork::Snapshot { name, description, memory } => {
            qemu_snapshot::perform_create(world, vmid, &name, description, memory, log)
        }
        VmWork::Rollback { name, start } => qemu_snapshot::perform_rollback(world, vmid, &name, start, log),
        VmWork::DeleteSnapshot { name } => qemu_snapshot::perform_delete(world, vmid, &name),
    }
}
