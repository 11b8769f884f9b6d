//! What tasks do when they end: one line per kind of work.
use super::{lxc_clone, lxc_create, lxc_delete, lxc_power, lxc_snapshot, lxc_volume, qemu_write, storage};
use crate::sandbox::proxmox::{
    refusal::{Refusal, Result},
    state::{Conf, Volume},
    task::Work,
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
        Work::Clone(copy) => lxc_clone::perform(world, *copy, log),
        Work::Template { vmid } => lxc_clone::perform_template(world, vmid),
        Work::Snapshot { vmid, name, description } => lxc_snapshot::perform_create(world, vmid, &name, description),
        Work::Rollback { vmid, name, start } => lxc_snapshot::perform_rollback(world, vmid, &name, start),
        Work::DeleteSnapshot { vmid, name } => lxc_snapshot::perform_delete(world, vmid, &name),
        Work::CreateVm { vmid, conf, disks, pool, start } => {
            qemu_write::perform_create(world, vmid, conf, disks, pool, start, log)
        }
        Work::ConfigureVm { vmid, set, delete, revert, force } => {
            log.push(said(vmid, &set, &delete));
            qemu_write::perform_change(world, vmid, set, delete, revert, force, log)
        }
        Work::StartVm { vmid } => qemu_write::perform_start(world, vmid),
        Work::StopVm { vmid } => qemu_write::perform_stop(world, vmid),
        Work::RebootVm { vmid } => {
            qemu_write::perform_stop(world, vmid)?;
            qemu_write::perform_start(world, vmid)
        }
    }
}

/// What `qmconfig` logs of its parameters.
fn said(vmid: u32, set: &Conf, delete: &[String]) -> String {
    let mut parts: Vec<String> = set.iter().map(|(k, v)| format!("-{k} {v}")).collect();
    if !delete.is_empty() {
        parts.push(format!("-delete {}", delete.join(",")));
    }
    format!("update VM {vmid}: {}", parts.join(" "))
}
