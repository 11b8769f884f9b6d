//! `POST /nodes/{node}/lxc/{vmid}/move_volume`: to another storage, or to another container (pve-container 6).
use super::{
    lxc_clone::copied,
    lxc_config::unmodified,
    lxc_hotplug::{add_unused, is_numbered, parse},
    lxc_volume, storage,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on, unlocked},
    config_file,
    refusal::{Refusal, Result},
    state::{Conf, Guest, Kind},
    task::{Move, Reassign, Work},
    world::World,
};
use serde_json::json;

pub const ENDPOINTS: &[Endpoint] = &[on("POST", "/nodes/{node}/lxc/{vmid}/move_volume", move_volume)];

fn move_volume(call: &mut Call<'_>) -> Result<Answer> {
    let vmid = call.vmid();
    let key = call.take("volume").unwrap_or_default();
    let to = call.take("target-volume").unwrap_or_else(|| key.clone());
    let target = call.arg("target-vmid").and_then(|v| v.parse::<u32>().ok());
    let neither = |why: &str| Refusal::parameters(["storage", "target-vmid"].map(|name| (name.into(), why.into())));
    match (target, call.take("storage")) {
        (Some(_), Some(_)) => Err(Refusal::die("either set storage or target-vmid, but not both")),
        (None, None) => Err(neither("both 'storage' and 'target-vmid' missing, either needs to be set")),
        (None, Some(storage)) => {
            call.world.state.demand(&call.who, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
            call.world.lock(vmid)?;
            let delete = call.flag("delete");
            movable(call, &key)?;
            call.guest_mut(Kind::Lxc)?.conf.insert("lock".into(), "disk".into());
            call.world.write(vmid);
            Ok(call.fork("move_volume", Work::Move(Move { vmid, key, storage, delete }), false))
        }
        (Some(target), None) => {
            if !call.who.is_root() {
                call.world.state.demand(&call.who, &format!("/vms/{target}"), &["VM.Config.Disk"])?;
            }
            let digests = [(vmid, call.arg("digest")), (target, call.arg("target-digest"))];
            for (of, digest) in digests.into_iter().filter(|(_, digest)| digest.is_some()) {
                if let Some(guest) = call.world.state.guests.get(&of) {
                    let changed = |why: Refusal| Refusal::die(format!("Container {of}: {}", why.text()));
                    unmodified(digest, &config_file::digest(guest)).map_err(changed)?;
                }
            }
            let change = Reassign { vmid, key, target, to };
            let volid = reassignable(call.world, &change)?;
            let storage = storage::name_of(call.world, &volid)?.storage;
            call.world.state.demand(&call.who, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
            let id = format!("{vmid}-{}>{target}-{}", change.key, change.to);
            let (node, who) = (call.node(), call.who.clone());
            let work = Work::Reassign(change);
            Ok(json!(call.world.fork(&node, "move_volume", &id, &who, work, Some(vmid))).into())
        }
    }
}

/// Demands that a volume can go to another storage, before the guest is locked for it.
fn movable(call: &Call<'_>, key: &str) -> Result<()> {
    let guest = call.guest(Kind::Lxc)?;
    unlocked(guest)?;
    if guest.running.is_some() {
        return Err(Refusal::die("cannot move volumes of a running container"));
    }
    if is_numbered(key, "unused") {
        let why = "only configured volumes can be moved to another storage";
        return Err(Refusal::die(format!("cannot move volume '{key}', {why}")));
    }
    let Some(value) = guest.conf.get(key) else { return Err(lxc_volume::no_volume(key)) };
    let volid = parse(call.world, key, value).remove("volume").unwrap_or_default();
    let kept = |conf: &Conf| conf.values().any(|v| v.split(',').next() == Some(&*volid));
    if call.flag("delete") && guest.snapshots.values().any(kept) {
        return Err(Refusal::die("you can't move a volume with snapshots and delete the source"));
    }
    unmodified(call.arg("digest"), &config_file::digest(guest))
}

/// Copies a volume to another storage.
///
/// # Errors
/// The text that the task ends with; the volume is where it was.
pub fn perform(world: &mut World, change: &Move, log: &mut Vec<String>) -> Result<()> {
    let moved = copy(world, change, log);
    world.any(Kind::Lxc, change.vmid)?.conf.remove("lock");
    world.write(change.vmid);
    moved
}

fn copy(world: &mut World, change: &Move, log: &mut Vec<String>) -> Result<()> {
    let Move { vmid, key, storage, delete } = change;
    let value = world.any(Kind::Lxc, *vmid)?.conf.get(key).cloned().ok_or_else(|| lxc_volume::no_volume(key))?;
    let mut parts = parse(world, key, &value);
    let old = parts.get("volume").cloned().unwrap_or_default();
    if lxc_volume::kind(&old) != "volume" {
        return Err(Refusal::die(format!("cannot copy volumes of type {}", lxc_volume::kind(&old))));
    }
    let size = storage::volume(world, &old)?.size;
    lxc_volume::for_containers(world, storage)?;
    parts.insert("volume".into(), format!("{storage}:{}", size as f64 / f64::from(1 << 30)));
    let wanted = lxc_volume::print(world, key, &parts);
    let value = lxc_volume::allocate(world, *vmid, key, &wanted, log)?;
    log.extend(copied(size));
    let guest = world.any(Kind::Lxc, *vmid)?;
    guest.conf.insert(key.clone(), value);
    match delete {
        true => storage::remove(world, &old)?,
        false => add_unused(guest, old),
    }
    Ok(())
}

/// Demands that a volume can go to another container, and answers its name.
fn reassignable(world: &World, change: &Reassign) -> Result<String> {
    let Reassign { vmid, key, target, to } = change;
    let refused = |why: &str| Err(Refusal::die(why));
    if key == "rootfs" || to == "rootfs" {
        return refused("Cannot move to/from 'rootfs'");
    }
    if is_numbered(key, "unused") && !is_numbered(to, "unused") {
        return refused("Moving an unused volume to a used one is not possible");
    }
    let of = |id: u32| -> Result<&Guest> {
        world.state.guests.get(&id).ok_or_else(|| Refusal::die(format!("could not find CT {id}")))
    };
    let (source, other) = (of(*vmid)?, of(*target)?);
    if source.node != other.node {
        let (a, b) = (&source.node, &other.node);
        return Err(Refusal::die(format!("Both containers need to be on the same node ({a} != {b})")));
    }
    for guest in [source, other] {
        unlocked(guest)?;
    }
    if source.is_template() || other.is_template() {
        return refused("Can't move volumes from or to template CT");
    }
    let Some(value) = source.conf.get(key) else {
        return Err(Refusal::die(format!("volume '{key}' for container '{vmid}' does not exist")));
    };
    if other.conf.contains_key(to) {
        return Err(Refusal::die(format!("Target volume key '{to}' is already in use for container '{target}'")));
    }
    let volid = match is_numbered(key, "unused") {
        true => value.clone(),
        false => parse(world, key, value).remove("volume").unwrap_or_default(),
    };
    let kept = |conf: &Conf| conf.values().any(|v| v.split(',').next() == Some(&*volid));
    if source.snapshots.values().any(kept) {
        return refused("Cannot move volume used by a snapshot to another container");
    }
    if lxc_volume::kind(&volid) != "volume" {
        return refused("Cannot move a bindmount or device mount to another container");
    }
    if source.running.is_some() && !is_numbered(key, "unused") {
        return refused("Cannot move in-use volume while the source CT is running - detach or shutdown first");
    }
    Ok(volid)
}

/// Gives a volume to another container.
///
/// # Errors
/// The text that the task ends with; the volume is where it was.
pub fn perform_reassign(world: &mut World, change: &Reassign, log: &mut Vec<String>) -> Result<()> {
    let old = reassignable(world, change)?;
    let Reassign { vmid, key, target, to } = change;
    log.push(format!("moving volume '{key}' from container '{vmid}' to '{target}'"));
    let name = storage::name_of(world, &old)?.storage;
    let format = storage::volume(world, &old)?.format.clone();
    let new = storage::free_name(world, &name, *target, &format)?;
    if let Some(storage) = world.state.storages.get_mut(&name)
        && let Some(mut volume) = storage.volumes.remove(&old)
    {
        volume.vmid = Some(*target);
        storage.volumes.insert(new.clone(), volume);
    }
    let value = world.any(Kind::Lxc, *vmid)?.conf.remove(key).unwrap_or_default();
    log.push(format!("removing volume '{key}' from container '{vmid}' config"));
    world.write(*vmid);
    let value = if is_numbered(to, "unused") { new } else { value.replacen(&old, &new, 1) };
    // A new mount point comes into a running container at once.
    world.any(Kind::Lxc, *target)?.conf.insert(to.clone(), value);
    world.write(*target);
    log.push(format!("target container '{target}' updated with '{to}'"));
    Ok(())
}
