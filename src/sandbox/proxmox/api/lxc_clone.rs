//! Clones of containers, and templates.
use super::{
    lxc_create::{pool_exists, unused},
    lxc_hotplug::{self, is_numbered},
    lxc_snapshot::{can_snapshot, may_allocate, volumes},
    lxc_volume, storage,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on, unlocked},
    refusal::{Refusal, Result},
    state::{Guest, Kind},
    task::{Copy, Work},
    world::World,
};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] =
    &[on("POST", "/nodes/{node}/lxc/{vmid}/clone", clone), on("POST", "/nodes/{node}/lxc/{vmid}/template", template)];

/// Keys of a config that a clone does not take over.
const NOT_COPIED: &[&str] = &["lock", "parent", "template", "snaptime"];

fn clone(call: &mut Call<'_>) -> Result<Answer> {
    let (node, vmid) = (call.node(), call.vmid());
    let newid: u32 = call.arg("newid").and_then(|v| v.parse().ok()).unwrap_or_default();
    let pool = call.arg("pool").map(str::to_string);
    pool_exists(call.world, pool.as_deref())?;
    let storage = call.arg("storage").map(str::to_string);
    let target = call.arg("target").map(str::to_string).filter(|t| *t != node && t != "localhost");
    if let Some(target) = target.as_ref().filter(|t| !call.world.state.nodes.contains_key(*t)) {
        return Err(Refusal::die(format!("no such cluster node '{target}'")));
    }
    if let Some(storage) = &storage {
        may_allocate(call, storage)?;
        if target.is_some() && !storage::of(call.world, storage)?.is_shared() {
            return Err(Refusal::die(format!("can't clone to non-shared storage '{storage}'")));
        }
    }
    let mut source = call.guest(Kind::Lxc)?.clone();
    unlocked(&source)?;
    unused(call.world, newid)?;
    let (template, snapshot) = (source.is_template(), call.arg("snapname").map(str::to_string));
    let full = call.arg("full").map_or(!template, |f| f == "1");
    if storage.is_some() && !full {
        return Err(Refusal::die("parameter 'storage' not allowed for linked clones"));
    }
    if let Some(snapshot) = &snapshot {
        let then = source.snapshots.get(snapshot).cloned();
        source.conf = then.ok_or_else(|| Refusal::die(format!("snapshot '{snapshot}' does not exist")))?;
    }
    if source.running.is_some() && full && snapshot.is_none() {
        return Err(Refusal::die("Full clone of a running container is only possible from a snapshot"));
    }
    permit(call, &source, storage.as_deref())?;
    if !full && !can_snapshot(call.world, &source) {
        let first = volumes(call.world, &source).into_iter().next().unwrap_or_default();
        return Err(Refusal::die(format!("Linked clone feature for '{first}' is not available")));
    }
    let stays = |v: &String| match &storage {
        Some(storage) => storage::of(call.world, storage).is_ok_and(|s| !s.is_shared()),
        None => !storage::is_shared(call.world, v),
    };
    if let Some(target) = target.as_ref().filter(|_| volumes(call.world, &source).iter().any(stays)) {
        return Err(Refusal::die(format!("can't clone CT to node '{target}' (CT uses local storage)")));
    }
    call.world.lock(vmid)?;

    let mut copy = Guest::new(Kind::Lxc, &node);
    copy.conf = source.conf.clone();
    copy.conf.retain(|k, _| !NOT_COPIED.contains(&k.as_str()) && !is_numbered(k, "unused"));
    let disks: Vec<String> = copy.conf.keys().filter(|k| *k == "rootfs" || is_numbered(k, "mp")).cloned().collect();
    let disks = disks.into_iter().filter_map(|k| copy.conf.remove(&k).map(|v| (k, v))).collect();
    let nets: Vec<String> = copy.conf.keys().filter(|k| is_numbered(k, "net")).cloned().collect();
    for key in nets {
        let mut net = lxc_hotplug::parse(call.world, &key, &copy.conf[&key]);
        net.remove("hwaddr");
        let bare: Vec<String> = net.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let value = lxc_hotplug::network(call.world, &key, &bare.join(","));
        copy.conf.insert(key, value);
    }
    for key in ["hostname", "description"] {
        if let Some(value) = call.arg(key).filter(|v| !matches!(*v, "" | "0")) {
            copy.conf.insert(key.into(), value.to_string());
        }
    }
    copy.conf.insert("lock".into(), "create".into());
    call.world.state.guests.insert(newid, copy);
    call.world.write(newid);
    if !template || full {
        call.guest_mut(Kind::Lxc)?.conf.insert("lock".into(), "disk".into());
    }
    let work = Work::Clone(Box::new(Copy { vmid, newid, full, storage, disks, pool, target }));
    Ok(call.fork("vzclone", work, true))
}

/// `Datastore.AllocateSpace` where volumes go, `SDN.Use` on the bridges.
fn permit(call: &Call<'_>, source: &Guest, storage: Option<&str>) -> Result<()> {
    for volid in volumes(call.world, source) {
        let name = storage.or(volid.split(':').next()).unwrap_or_default();
        call.world.state.demand(&call.who, &format!("/storage/{name}"), &["Datastore.AllocateSpace"])?;
    }
    let nets = super::lxc_read::networks(call.world, source);
    nets.iter().try_for_each(|(_, net)| super::vnet_permission::check(call.world, &call.who, net))
}

/// Does the work of the task.
///
/// # Errors
/// The text that the task ends with; the copy is gone again.
pub fn perform(world: &mut World, copy: Copy, log: &mut Vec<String>) -> Result<()> {
    let Copy { vmid, newid, .. } = copy;
    log.push(format!("creating a clone of container {vmid} with ID {newid}"));
    if let Ok(source) = world.any(Kind::Lxc, vmid) {
        source.conf.remove("lock");
        world.write(vmid);
    }
    let made = build(world, &copy, log);
    if let Err(why) = made {
        world.forget_guest(newid);
        return Err(Refusal::die(format!("clone failed: {}", why.text())));
    }
    let made = world.any(Kind::Lxc, newid)?;
    made.conf.remove("lock");
    if let Some(target) = copy.target {
        made.node = target;
    }
    world.write(newid);
    if let Some(pool) = copy.pool.and_then(|p| world.state.pools.get_mut(&p)) {
        pool.vms.insert(newid);
    }
    Ok(())
}

fn build(world: &mut World, copy: &Copy, log: &mut Vec<String>) -> Result<()> {
    let root = copy.disks.iter().filter(|(k, _)| *k == "rootfs");
    for (key, value) in root.chain(copy.disks.iter().filter(|(k, _)| *k != "rootfs")) {
        let parts = lxc_hotplug::parse(world, key, value);
        let volid = parts.get("volume").cloned().unwrap_or_default();
        let size = storage::volume(world, &volid)?.size;
        let place = copy
            .storage
            .clone()
            .unwrap_or_else(|| storage::name_of(world, &volid).map(|n| n.storage).unwrap_or_default());
        match copy.full {
            true => log.push(format!("create full clone of mountpoint {key} ({volid})")),
            false => log.push(format!("create linked clone of mount point {key} ({volid})")),
        }
        // The new volume is asked for in GiB, whatever the old one's size.
        let wanted = format!("{place}:{}", size as f64 / f64::from(1 << 30));
        let value = value.replacen(&volid, &wanted, 1);
        let mut made = Vec::new();
        let value = lxc_volume::allocate(world, copy.newid, key, &value, &mut made)?;
        if copy.full {
            log.append(&mut made);
            log.extend(copied(size));
        }
        world.any(Kind::Lxc, copy.newid)?.conf.insert(key.clone(), value);
    }
    Ok(())
}

/// What rsync says of a copy.
pub fn copied(size: u64) -> Vec<String> {
    let bytes = thousands(size / 7);
    [
        String::new(),
        "Number of files: 7,123 (reg: 5,669, dir: 905, link: 549)".into(),
        "Number of created files: 7,121 (reg: 5,669, dir: 903, link: 549)".into(),
        "Number of deleted files: 0".into(),
        "Number of regular files transferred: 5,668".into(),
        format!("Total file size: {bytes} bytes"),
        format!("Total transferred file size: {bytes} bytes"),
        format!("Literal data: {bytes} bytes"),
        "Matched data: 0 bytes".into(),
        "File list size: 262,139".into(),
        "File list generation time: 0.001 seconds".into(),
        "File list transfer time: 0.000 seconds".into(),
        format!("Total bytes sent: {bytes}"),
        "Total bytes received: 114,402".into(),
        String::new(),
        format!("sent {bytes} bytes  received 114,402 bytes  98,616,439.33 bytes/sec"),
        format!("total size is {bytes}  speedup is 1.02"),
    ]
    .into()
}

/// A number with a comma between each three digits.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let rest = digits.as_bytes()[first..].chunks(3).map(String::from_utf8_lossy);
    let parts: Vec<_> = std::iter::once(digits[..first].into())
        .filter(|p: &std::borrow::Cow<'_, str>| !p.is_empty())
        .chain(rest)
        .collect();
    parts.join(",")
}

fn template(call: &mut Call<'_>) -> Result<Answer> {
    let (node, vmid, who) = (call.node(), call.vmid(), call.who.clone());
    call.world.lock(vmid)?;
    let guest = call.guest(Kind::Lxc)?.clone();
    unlocked(&guest)?;
    if !guest.snapshots.is_empty() {
        return Err(Refusal::die("unable to create template, because CT contains snapshots"));
    }
    if guest.is_template() {
        return Err(Refusal::die("you can't convert a template to a template"));
    }
    if guest.running.is_some() {
        return Err(Refusal::die("you can't convert a CT to template if the CT is running"));
    }
    // The answer is null, although there is a task.
    call.world.fork(&node, "vztemplate", &vmid.to_string(), &who, Work::Template { vmid }, Some(vmid));
    Ok(Value::Null.into())
}

/// Makes a container a template: its volumes become bases.
///
/// # Errors
/// The text that the task ends with.
pub fn perform_template(world: &mut World, vmid: u32) -> Result<()> {
    let guest = world.any(Kind::Lxc, vmid)?.clone();
    for volid in volumes(world, &guest) {
        let name = storage::name_of(world, &volid)?;
        let base = volid.replacen("/vm-", "/base-", 1).replacen(":vm-", ":base-", 1).replacen("subvol-", "basevol-", 1);
        let volumes = world.state.storages.get_mut(&name.storage).map(|s| &mut s.volumes);
        if let Some((volumes, volume)) = volumes.and_then(|v| v.remove(&volid).map(|volume| (v, volume))) {
            volumes.insert(base.clone(), volume);
        }
        for value in world.any(Kind::Lxc, vmid)?.conf.values_mut() {
            *value = value.replacen(&volid, &base, 1);
        }
    }
    world.any(Kind::Lxc, vmid)?.conf.insert("template".into(), json!(1).to_string());
    world.write(vmid);
    Ok(())
}
