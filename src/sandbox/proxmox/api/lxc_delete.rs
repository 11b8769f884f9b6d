//! `DELETE /nodes/{node}/lxc/{vmid}`.
use super::{ha, storage};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on, unlocked},
    refusal::{Refusal, Result},
    state::{Guest, Kind},
    task::Work,
    world::World,
};

pub const ENDPOINTS: &[Endpoint] = &[on("DELETE", "/nodes/{node}/lxc/{vmid}", delete)];

fn delete(call: &mut Call<'_>) -> Result<Answer> {
    let vmid = call.vmid();
    let (force, purge) = (call.flag("force"), call.flag("purge"));
    deletable(call.world, call.guest(Kind::Lxc)?, vmid, force, purge)?;
    let unreferenced = call.flag("destroy-unreferenced-disks");
    Ok(call.fork("vzdestroy", Work::Destroy { vmid, force, purge, unreferenced }, true))
}

fn deletable(world: &World, guest: &Guest, vmid: u32, force: bool, purge: bool) -> Result<()> {
    let title = guest.kind.title();
    if guest.flag("protection") {
        return Err(Refusal::die(format!("can't remove {title} {vmid} - protection mode enabled")));
    }
    unlocked(guest)?;
    if !purge && ha::is_configured(world, vmid) {
        let why = format!("unable to remove {title} {vmid} - used in HA resources and purge parameter not set.");
        return Err(Refusal::die(why));
    }
    match guest.running.is_some() && !force {
        true => Err(Refusal::die(format!("unable to destroy CT {vmid} - container is running"))),
        false => Ok(()),
    }
}

/// Does the work of the task.
///
/// # Errors
/// The text that the task ends with; the guest is still there.
pub fn perform(
    world: &mut World,
    vmid: u32,
    force: bool,
    purge: bool,
    unreferenced: bool,
    log: &mut Vec<String>,
) -> Result<()> {
    let kind = world.state.guests.get(&vmid).map_or(Kind::Lxc, |g| g.kind);
    let guest = world.any(kind, vmid)?.clone();
    deletable(world, &guest, vmid, force, purge)?;
    if guest.running.is_some() {
        log.push(format!("forced to stop CT {vmid} before destroying!"));
    }
    for (key, value) in guest.conf.iter().filter(|(k, _)| crate::sandbox::proxmox::world::is_disk(kind, k)) {
        let volid = value.split(',').next().unwrap_or_default();
        if super::lxc_volume::kind(volid) == "volume" && volid.contains(':') && !key.starts_with("unused") {
            storage::name_of(world, volid)?;
        }
    }
    let managed = ha::is_configured(world, vmid);
    world.forget_guest(vmid);
    if unreferenced {
        for storage in world.state.storages.values_mut() {
            storage.volumes.retain(|_, v| v.vmid != Some(vmid));
        }
    }
    if purge {
        super::backup_jobs::purge(world, vmid);
        log.push(format!("purging {} {vmid} from related configurations..", kind.title()));
        if managed {
            log.push(format!("NOTE: removed {} {vmid} from HA resource configuration.", kind.title()));
        }
    }
    Ok(())
}
