//! What tasks do when they end: one line per kind of work.
use super::{lxc_create, lxc_delete, lxc_power, lxc_volume, storage};
use crate::sandbox::proxmox::{
    refusal::{Refusal, Result},
    state::Volume,
    task::Work,
    world::World,
};

/// Does it.
///
/// # Errors
/// The text that the task ends with.
pub fn perform(world: &mut World, work: Work, who: &str, log: &mut Vec<String>) -> Result<()> {
    match work {
        Work::Create(create) => lxc_create::perform(world, *create, who, log),
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
        Work::RemoveVolume { volid } => storage::remove(world, None, &volid).map(|()| {
            log.push(format!("Removed volume '{volid}'"));
        }),
        Work::StoreVolume { volid, content, format, size, note } => {
            log.extend(note);
            let created = world.now / 1000;
            let name = storage::name_of(world, &volid)?.storage;
            if let Some(storage) = world.state.storages.get_mut(&name) {
                storage.volumes.insert(volid, Volume { content, format, size, created, ..Volume::default() });
            }
            Ok(())
        }
        Work::Fails { why, log: lines } => {
            log.extend(lines);
            Err(Refusal::die(why))
        }
        Work::Nothing => Ok(()),
        Work::Clone(_)
        | Work::Snapshot { .. }
        | Work::Rollback { .. }
        | Work::DeleteSnapshot { .. }
        | Work::CreateVm { .. }
        | Work::ConfigureVm { .. } => Err(Refusal::not_simulated("this kind of task")),
    }
}
