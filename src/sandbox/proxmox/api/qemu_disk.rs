//! Growing and moving the disks of machines, and what their storage can do.
use super::{
    lxc_create::enabled,
    qemu_alloc::{Duplicate, base, can_link, can_snapshot, duplicate},
    qemu_config::{skips_lock, unmodified},
    qemu_drive::{boot_order, file, is_cdrom, is_drive, is_numbered, parse, print, print_boot, set_aside, volume},
    storage,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on, unlocked},
    config_file, formats,
    refusal::{Refusal, Result},
    state::{Guest, Kind},
    task::Work,
    vm_work::VmWork,
    world::World,
};
use serde_json::json;

pub const ENDPOINTS: &[Endpoint] = &[
    on("PUT", "/nodes/{node}/qemu/{vmid}/resize", resize),
    on("POST", "/nodes/{node}/qemu/{vmid}/move_disk", move_disk),
    on("GET", "/nodes/{node}/qemu/{vmid}/feature", feature),
];

fn text(call: &Call<'_>, name: &str) -> String {
    call.arg(name).unwrap_or_default().to_string()
}

fn feature(call: &mut Call<'_>) -> Result<Answer> {
    let guest = call.guest(Kind::Qemu)?;
    let conf = match call.arg("snapname") {
        Some(name) => {
            guest.snapshots.get(name).ok_or_else(|| Refusal::die(format!("snapshot '{name}' does not exist")))?
        }
        None => &guest.conf,
    };
    let world = &*call.world;
    let disks = conf.iter().filter(|(k, v)| is_drive(k) && !is_cdrom(&parse(world, k, v)));
    let volumes: Vec<&str> = disks.map(|(_, v)| volume(v)).filter(|v| *v != "none").collect();
    let has = match call.arg("feature") {
        Some("snapshot") => volumes.iter().all(|v| can_snapshot(world, v)),
        Some("clone") => volumes.iter().all(|v| can_link(world, v)),
        _ => true,
    };
    let shared = volumes.iter().all(|v| storage::is_shared(world, v));
    let nodes: Vec<&String> = match shared {
        true => world.state.nodes.keys().collect(),
        false => vec![&guest.node],
    };
    Ok(json!({"hasFeature": u8::from(has), "nodes": nodes}).into())
}

fn resize(call: &mut Call<'_>) -> Result<Answer> {
    skips_lock(call)?;
    let (vmid, disk, size) = (call.vmid(), text(call, "disk"), text(call, "size"));
    // The rest is found by the task; that somebody may not is told at once where it can be.
    let value = call.guest(Kind::Qemu).ok().and_then(|g| g.conf.get(&disk).cloned());
    if let Some((name, _)) = value.as_deref().and_then(|v| volume(v).split_once(':')) {
        call.world.state.demand(&call.who, &format!("/storage/{name}"), &["Datastore.AllocateSpace"])?;
    }
    let digest = call.arg("digest").map(str::to_string);
    let what = VmWork::Resize { disk, size, digest };
    Ok(call.fork("resize", Work::Vm { vmid, what: Box::new(what) }, true))
}

/// `+1G`, `32G`, or a number of bytes, over the present size.
fn wanted(size: &str, now: u64) -> u64 {
    let (more, plain) = size.strip_prefix('+').map_or((false, size), |s| (true, s));
    let bytes = formats::bytes(plain).unwrap_or(0);
    if more { now + bytes } else { bytes }
}

fn find<'a>(guest: &'a Guest, disk: &str) -> Result<&'a String> {
    guest.conf.get(disk).ok_or_else(|| Refusal::die(format!("disk '{disk}' does not exist")))
}

/// Grows a disk.
///
/// # Errors
/// The text that the task ends with.
pub fn perform_resize(
    world: &mut World,
    vmid: u32,
    disk: &str,
    size: &str,
    digest: Option<&str>,
    log: &mut Vec<String>,
) -> Result<()> {
    let guest = world.any(Kind::Qemu, vmid)?.clone();
    unmodified(digest, &guest)?;
    unlocked(&guest)?;
    let mut parts = parse(world, disk, find(&guest, disk)?);
    let volid = file(&parts).to_string();
    if is_cdrom(&parts) {
        return Err(Refusal::die("you can't resize a cdrom"));
    }
    let now = storage::volume(world, &volid)?.size;
    let size = wanted(size, now);
    if size < now {
        return Err(Refusal::die("shrinking disks is not supported"));
    }
    if size == now {
        return Ok(());
    }
    if guest.running.is_none() && volid.contains('/') {
        log.push("Image resized.".into());
    }
    storage::set_size(world, &volid, size);
    parts.insert("size".into(), formats::print_bytes(size));
    let value = print(world, disk, &parts);
    world.any(Kind::Qemu, vmid)?.conf.insert(disk.into(), value);
    world.write(vmid);
    Ok(())
}

fn move_disk(call: &mut Call<'_>) -> Result<Answer> {
    let (vmid, disk) = (call.vmid(), text(call, "disk"));
    let (storage, target) = (call.arg("storage").map(str::to_string), call.arg("target-vmid"));
    match (target.map(|t| t.parse::<u32>().unwrap_or_default()), storage) {
        (Some(_), Some(_)) => {
            let why = "either set 'storage' or 'target-vmid', but not both";
            Err(Refusal::parameters([("storage".into(), why.into()), ("target-vmid".into(), why.into())]))
        }
        (Some(target), None) => {
            let target_disk = call.arg("target-disk").unwrap_or(&disk).to_string();
            call.world.state.demand(&call.who, &format!("/vms/{target}"), &["VM.Config.Disk"])?;
            reassignable(call.world, vmid, &disk, target, &target_disk)?;
            for (id, given) in [(vmid, "digest"), (target, "target-digest")] {
                let now = call.world.state.guests.get(&id).map(config_file::digest).unwrap_or_default();
                super::lxc_config::unmodified(call.arg(given), &now)
                    .map_err(|why| Refusal::die(format!("VM {id}: {}", why.text())))?;
            }
            let what = VmWork::Reassign { disk, target, target_disk };
            let id = format!("{vmid}-{disk_id}>{target}", disk_id = text(call, "disk"));
            let (node, who) = (call.node(), call.who.clone());
            let work = Work::Vm { vmid, what: Box::new(what) };
            Ok(json!(call.world.fork(&node, "qmmove", &id, &who, work, Some(vmid))).into())
        }
        (None, Some(storage)) => {
            let format = call.arg("format").map(str::to_string);
            let guest = call.guest(Kind::Qemu)?;
            crate::sandbox::proxmox::api::lxc_config::unmodified(call.arg("digest"), &config_file::digest(guest))?;
            movable(call.world, guest, &disk, &storage, format.as_deref())?;
            call.world.state.demand(&call.who, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
            let what = VmWork::Move { disk, storage, format, delete: call.flag("delete") };
            Ok(call.fork("qmmove", Work::Vm { vmid, what: Box::new(what) }, true))
        }
        (None, None) => {
            let why = "neither 'storage' or 'target-vmid' set";
            Err(Refusal::parameters([("storage".into(), why.into()), ("target-vmid".into(), why.into())]))
        }
    }
}

fn movable(world: &World, guest: &Guest, disk: &str, target: &str, format: Option<&str>) -> Result<()> {
    unlocked(guest)?;
    let parts = parse(world, disk, find(guest, disk)?);
    if is_cdrom(&parts) {
        return Err(Refusal::die("you can't move a cdrom"));
    }
    let volid = file(&parts);
    let now = storage::volume(world, volid)?;
    if storage::name_of(world, volid)?.storage == target && format.is_none_or(|f| f == now.format) {
        return Err(Refusal::die("you can't move to the same storage with same format"));
    }
    let found = storage::of(world, target)?;
    enabled(world, target)?;
    match found.content.contains("images") {
        true => Ok(()),
        false => Err(Refusal::parameter("storage", format!("storage '{target}' does not support vm images"))),
    }
}

/// Copies a disk to another storage, or into another format.
///
/// # Errors
/// The text that the task ends with; the disk is where it was.
pub fn perform_move(
    world: &mut World,
    vmid: u32,
    disk: &str,
    target: &str,
    format: Option<&str>,
    delete: bool,
    log: &mut Vec<String>,
) -> Result<()> {
    let mut guest = world.any(Kind::Qemu, vmid)?.clone();
    movable(world, &guest, disk, target, format)?;
    let value = find(&guest, disk)?.clone();
    let mut parts = parse(world, disk, &value);
    let source = file(&parts).to_string();
    let from = storage::name_of(world, &source)?.storage;
    log.push(format!("copying volume '{source}' from current storage '{from}' to target storage '{target}'"));
    let node = guest.node.clone();
    let copy = Duplicate { source: &source, drive: disk, vmid, node: &node, storage: Some(target), format };
    let failed = |why: Refusal| Refusal::die(format!("storage migration failed: {}", why.text()));
    let (volid, size) = duplicate(world, &copy, log).map_err(failed)?;
    parts.insert("file".into(), volid);
    parts.insert("size".into(), formats::print_bytes(size));
    let mut moved = print(world, disk, &parts);
    if guest.is_template() {
        moved = base(world, disk, &moved);
    }
    guest.conf.insert(disk.into(), moved);
    if delete {
        log.push(format!("removing source volume '{source}' after successful copy"));
        storage::remove(world, &source)?;
    } else {
        set_aside(world, &mut guest, disk, &value);
        let key = guest.conf.iter().find(|(k, v)| is_numbered(k, "unused") && **v == source);
        let key = key.map_or("", |(k, _)| k.as_str());
        log.push(format!("adding source volume '{source}' as '{key}' to config"));
    }
    world.state.guests.insert(vmid, guest);
    world.write(vmid);
    Ok(())
}

fn reassignable(world: &World, vmid: u32, disk: &str, target: u32, target_disk: &str) -> Result<()> {
    let missing = |what: &str, id: u32| Refusal::die(format!("could not find {what} {id}"));
    let machine = |id: u32| world.state.guests.get(&id).filter(|g| g.kind == Kind::Qemu);
    let source = machine(vmid).ok_or_else(|| missing("VM", vmid))?;
    let other = machine(target).ok_or_else(|| missing("target VM", target))?;
    if source.node != other.node {
        let (a, b) = (&source.node, &other.node);
        return Err(Refusal::die(format!("Both VMs need to be on the same node ({a} != {b})")));
    }
    unlocked(source)?;
    unlocked(other)?;
    if source.is_template() || other.is_template() {
        return Err(Refusal::die("Can't move disks from or to template VMs"));
    }
    let value = source.conf.get(disk);
    let value = value.ok_or_else(|| Refusal::die(format!("Disk '{disk}' for VM '{vmid}' does not exist")))?;
    if other.conf.contains_key(target_disk) {
        let why = format!("Target disk key '{target_disk}' is already in use for VM '{target}'");
        return Err(Refusal::die(why));
    }
    if is_cdrom(&parse(world, disk, value)) {
        return Err(Refusal::die("CD drive contents can't be moved to another VM"));
    }
    match source.running.is_some() && !is_numbered(disk, "unused") {
        true => Err(Refusal::die("Cannot move disk to another VM while the source VM is running - detach first")),
        false => Ok(()),
    }
}

/// Gives a disk to another machine.
///
/// # Errors
/// The text that the task ends with.
pub fn perform_reassign(
    world: &mut World,
    vmid: u32,
    disk: &str,
    target: u32,
    target_disk: &str,
    log: &mut Vec<String>,
) -> Result<()> {
    reassignable(world, vmid, disk, target, target_disk)?;
    log.push(format!("reassign disk '{disk}' from VM '{vmid}' as '{target_disk}' to VM '{target}'"));
    let value = find(world.any(Kind::Qemu, vmid)?, disk)?.clone();
    let old = volume(&value).to_string();
    let name = storage::name_of(world, &old)?.storage;
    let format = storage::volume(world, &old)?.format.clone();
    let new = storage::free_name(world, &name, target, &format)?;
    if let Some(storage) = world.state.storages.get_mut(&name)
        && let Some(mut volume) = storage.volumes.remove(&old)
    {
        volume.vmid = Some(target);
        storage.volumes.insert(new.clone(), volume);
    }
    let source = world.any(Kind::Qemu, vmid)?;
    source.conf.remove(disk);
    let mut order = boot_order(source.conf.get("boot"));
    if order.iter().any(|d| d == disk) {
        log.push(format!("removing disk '{disk}' from boot order config"));
        order.retain(|d| d != disk);
        source.conf.insert("boot".into(), print_boot(&order));
    }
    log.push(format!("removing disk '{disk}' from VM '{vmid}' config"));
    world.write(vmid);
    let value = if is_numbered(target_disk, "unused") { new } else { value.replacen(&old, &new, 1) };
    world.any(Kind::Qemu, target)?.conf.insert(target_disk.into(), value);
    world.write(target);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_size_is_absolute_or_what_is_added() {
        for (size, wanted) in
            [("+1G", 3 << 30), ("2G", 2 << 30), ("2.5G", 5 << 29), ("3221225472", 3 << 30), ("+0", 2 << 30)]
        {
            assert_eq!(super::wanted(size, 2 << 30), wanted, "{size}");
        }
    }
}
