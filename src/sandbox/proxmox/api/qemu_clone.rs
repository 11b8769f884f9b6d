//! Clones of machines, and templates.
use super::{
    lxc_create::{enabled, pool_exists},
    qemu_alloc::{Duplicate, base, can_link, duplicate, link},
    qemu_drive::{file, is_cdrom, is_cloud_init, is_drive, is_numbered, parse, print, volume},
    qemu_permission::Change,
    storage,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on, unlocked},
    formats,
    refusal::{Refusal, Result},
    state::{Conf, Guest, Kind},
    task::Work,
    vm_work::{CloneVm, VmWork},
    world::World,
};

pub const ENDPOINTS: &[Endpoint] =
    &[on("POST", "/nodes/{node}/qemu/{vmid}/clone", clone), on("POST", "/nodes/{node}/qemu/{vmid}/template", template)];

/// Keys of a config that a clone does not take over.
const NOT_COPIED: &[&str] = &["lock", "parent", "template", "snaptime", "vmstate", "runningcpu", "runningmachine"];

fn clone(call: &mut Call<'_>) -> Result<Answer> {
    let (node, vmid) = (call.node(), call.vmid());
    let text = |name: &str| call.arg(name).map(str::to_string);
    let newid: u32 = call.arg("newid").and_then(|v| v.parse().ok()).unwrap_or_default();
    let mut copy = CloneVm {
        newid,
        full: false,
        storage: text("storage"),
        format: text("format"),
        snapshot: text("snapname"),
        target: text("target").filter(|t| *t != node && t != "localhost"),
        pool: text("pool"),
        conf: Conf::new(),
        begun: Vec::new(),
    };
    pool_exists(call.world, copy.pool.as_deref())?;
    reachable(call.world, &copy)?;
    let guest = call.guest(Kind::Qemu)?.clone();
    unlocked(&guest)?;
    let source = source(&guest, copy.snapshot.as_deref())?.clone();
    copy.full = call.arg("full").map_or(!guest.is_template(), |f| f == "1");
    for (name, given) in [("storage", &copy.storage), ("format", &copy.format)] {
        if given.is_some() && !copy.full {
            return Err(Refusal::die(format!("parameter '{name}' not allowed for linked clones")));
        }
    }
    permit(call, vmid, &source, copy.storage.as_deref())?;
    let disks = || source.iter().filter(|(k, _)| is_drive(k)).map(|(_, v)| volume(v)).filter(|v| v.contains(':'));
    if let Some(target) = copy.target.as_ref().filter(|_| !disks().all(|v| storage::is_shared(call.world, v))) {
        return Err(Refusal::die(format!("can't clone VM to node '{target}' (VM uses local storage)")));
    }
    if call.world.state.guests.get(&newid).is_some_and(|g| g.kind == Kind::Qemu && g.node == node) {
        return Err(Refusal::die(format!("unable to create VM {newid}: config file already exists")));
    }
    if !copy.full {
        linkable(call.world, &source)?;
    }
    let mut conf = started(call.world, &source);
    let name = source.get("name").cloned().unwrap_or_else(|| vmid.to_string());
    conf.insert("name".into(), call.arg("name").map_or_else(|| format!("Copy-of-VM-{name}"), str::to_string));
    if let Some(description) = call.arg("description") {
        conf.insert("description".into(), description.into());
    }
    let copying = |conf| Work::Vm { vmid, what: Box::new(VmWork::Clone(conf)) };
    if call.world.state.guests.contains_key(&newid) {
        // Another node has the number, or a container: found when the file is written.
        let path = format!("/etc/pve/nodes/{node}/qemu-server/{newid}.conf.tmp.{}", call.world.state.next_pid);
        let why = format!("unable to open file '{path}' - File exists");
        let log = vec![format!("creating a clone of VM {vmid} with ID {newid}")];
        return Ok(call.fork("qmclone", Work::Fails { why, log }, true));
    }
    let mut new = Guest::new(Kind::Qemu, &node);
    // The drive of cloud-init is small: it is there at once.
    let small = source.iter().find(|(k, v)| is_drive(k) && is_cloud_init(&parse(call.world, k, v)));
    if let Some((key, value)) = small {
        let mut begun = Vec::new();
        let value = copied(call.world, &copy, &node, key, value, &mut begun)?;
        copy.begun = begun;
        conf.insert(key.clone(), value);
    }
    conf.insert("lock".into(), "clone".into());
    new.conf = conf.clone();
    copy.conf = source;
    call.world.state.guests.insert(newid, new);
    call.world.write(newid);
    Ok(call.fork("qmclone", copying(copy), true))
}

fn reachable(world: &World, copy: &CloneVm) -> Result<()> {
    if let Some(target) = copy.target.as_ref().filter(|t| !world.state.nodes.contains_key(*t)) {
        return Err(Refusal::die(format!("no such cluster node '{target}'")));
    }
    let Some(name) = &copy.storage else { return Ok(()) };
    let found = storage::of(world, name)?;
    enabled(world, name)?;
    if !found.content.contains("images") {
        return Err(Refusal::parameter("storage", format!("storage '{name}' does not support vm images")));
    }
    match copy.target.is_some() && !found.is_shared() {
        true => Err(Refusal::die(format!("can't clone to non-shared storage '{name}'"))),
        false => Ok(()),
    }
}

fn source<'a>(guest: &'a Guest, snapshot: Option<&str>) -> Result<&'a Conf> {
    match snapshot {
        None => Ok(&guest.conf),
        Some(name) => {
            guest.snapshots.get(name).ok_or_else(|| Refusal::die(format!("snapshot '{name}' does not exist")))
        }
    }
}

/// `Datastore.AllocateSpace` where disks go, `SDN.Use` on the bridges.
fn permit(call: &Call<'_>, vmid: u32, source: &Conf, storage: Option<&str>) -> Result<()> {
    let change = Change { who: &call.who, vmid, pool: None };
    for (key, value) in source.iter().filter(|(k, _)| is_drive(k)) {
        let parts = parse(call.world, key, value);
        if volume(value) == "cdrom" {
            call.world.state.demand(&call.who, "/", &["Sys.Console"])?;
        }
        let own = volume(value).split(':').next().filter(|_| volume(value).contains(':'));
        if let Some(name) = storage.or(own).filter(|_| !is_cdrom(&parts)) {
            call.world.state.demand(&call.who, &format!("/storage/{name}"), &["Datastore.AllocateSpace"])?;
        }
    }
    if let Some(name) = source.get("vmstatestorage") {
        call.world.state.demand(&call.who, &format!("/storage/{name}"), &["Datastore.AllocateSpace"])?;
    }
    change.mapped_devices(call.world, source)?;
    let nets = source.iter().filter(|(k, _)| is_numbered(k, "net"));
    nets.into_iter().try_for_each(|(k, v)| change.bridge(call.world, k, v))
}

fn linkable(world: &World, source: &Conf) -> Result<()> {
    for (key, value) in source.iter().filter(|(k, _)| is_drive(k)) {
        let parts = parse(world, key, value);
        let volid = file(&parts);
        if !is_cdrom(&parts) && key != "tpmstate0" && !can_link(world, volid) {
            return Err(Refusal::die(format!("Linked clone feature is not supported for '{volid}' ({key})")));
        }
    }
    Ok(())
}

/// The config of the copy without the drives that are still to be copied: other addresses, other ids.
fn started(world: &mut World, source: &Conf) -> Conf {
    let mut conf = source.clone();
    conf.retain(|k, _| !NOT_COPIED.contains(&k.as_str()) && !is_numbered(k, "unused"));
    let drives: Vec<String> =
        conf.iter().filter(|(k, v)| is_drive(k) && !keeps(world, k, v)).map(|(k, _)| k.clone()).collect();
    conf.retain(|k, _| !drives.contains(k));
    for key in conf.keys().filter(|k| is_numbered(k, "net")).cloned().collect::<Vec<_>>() {
        let mut net = parse(world, &key, &conf[&key]);
        net.remove("macaddr");
        let bare: Vec<String> = net.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let value = super::qemu_drive::network(world, &key, &bare.join(","));
        conf.insert(key, value);
    }
    let mut smbios = parse(world, "smbios1", conf.get("smbios1").map_or("", String::as_str));
    let uuid = world.uuid();
    smbios.insert("uuid".into(), uuid);
    conf.insert("smbios1".into(), smbios.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(","));
    if conf.contains_key("vmgenid") {
        let vmgenid = world.uuid();
        conf.insert("vmgenid".into(), vmgenid);
    }
    conf
}

/// A medium in a CD drive is not copied: both have it.
fn keeps(world: &World, key: &str, value: &str) -> bool {
    let parts = parse(world, key, value);
    is_cdrom(&parts) && !is_cloud_init(&parts)
}

/// One drive of the copy.
fn copied(
    world: &mut World,
    copy: &CloneVm,
    node: &str,
    key: &str,
    value: &str,
    log: &mut Vec<String>,
) -> Result<String> {
    let mut parts = parse(world, key, value);
    let source = file(&parts).to_string();
    let (volid, size) = match copy.full || is_cloud_init(&parts) || key == "tpmstate0" {
        true => {
            let (storage, format) = (copy.storage.as_deref(), copy.format.as_deref());
            let copy = Duplicate { source: &source, drive: key, vmid: copy.newid, node, storage, format };
            duplicate(world, &copy, log)?
        }
        false => link(world, copy.newid, key, &source, log)?,
    };
    parts.insert("file".into(), volid);
    parts.insert("size".into(), formats::print_bytes(size));
    Ok(print(world, key, &parts))
}

/// Does the work of the task.
///
/// # Errors
/// The text that the task ends with; the copy is gone again.
pub fn perform(world: &mut World, vmid: u32, copy: CloneVm, log: &mut Vec<String>) -> Result<()> {
    let newid = copy.newid;
    log.push(format!("creating a clone of VM {vmid} with ID {newid}"));
    log.extend(copy.begun.iter().cloned());
    if let Err(why) = build(world, vmid, &copy, log) {
        world.forget_guest(newid);
        for storage in world.state.storages.values_mut() {
            storage.volumes.retain(|_, v| v.vmid != Some(newid));
        }
        return Err(Refusal::die(format!("clone failed: {}", why.text())));
    }
    let guest = world.any(Kind::Qemu, newid)?;
    guest.conf.remove("lock");
    if let Some(target) = copy.target {
        guest.node = target;
    }
    world.write(newid);
    if let Some(pool) = copy.pool.and_then(|p| world.state.pools.get_mut(&p)) {
        pool.vms.insert(newid);
    }
    Ok(())
}

fn build(world: &mut World, vmid: u32, copy: &CloneVm, log: &mut Vec<String>) -> Result<()> {
    let node = world.any(Kind::Qemu, vmid)?.node.clone();
    for (key, value) in copy.conf.iter().filter(|(k, _)| is_drive(k)) {
        if keeps(world, key, value) || is_cloud_init(&parse(world, key, value)) {
            continue;
        }
        let value = copied(world, copy, &node, key, value, log)?;
        world.any(Kind::Qemu, copy.newid)?.conf.insert(key.clone(), value);
    }
    Ok(())
}

fn template(call: &mut Call<'_>) -> Result<Answer> {
    let disk = call.arg("disk").map(str::to_string);
    let vmid = call.vmid();
    convertible(call.guest(Kind::Qemu)?, disk.as_deref())?;
    let what = VmWork::Template { disk };
    Ok(call.fork("qmtemplate", Work::Vm { vmid, what: Box::new(what) }, true))
}

fn convertible(guest: &Guest, disk: Option<&str>) -> Result<()> {
    unlocked(guest)?;
    if !guest.snapshots.is_empty() {
        return Err(Refusal::die("unable to create template, because VM contains snapshots"));
    }
    if guest.is_template() && disk.is_none() {
        return Err(Refusal::die("you can't convert a template to a template"));
    }
    match guest.running.is_some() {
        true => Err(Refusal::die("you can't convert a VM to template if VM is running")),
        false => Ok(()),
    }
}

/// Makes a machine a template: its disks become bases.
///
/// # Errors
/// The text that the task ends with.
pub fn perform_template(world: &mut World, vmid: u32, disk: Option<&str>) -> Result<()> {
    let mut guest = world.any(Kind::Qemu, vmid)?.clone();
    convertible(&guest, disk)?;
    let keys: Vec<String> =
        guest.conf.keys().filter(|k| is_drive(k) && disk.is_none_or(|d| d == *k)).cloned().collect();
    for key in keys {
        let value = base(world, &key, &guest.conf[&key]);
        guest.conf.insert(key, value);
    }
    guest.conf.insert("template".into(), "1".into());
    world.state.guests.insert(vmid, guest);
    world.write(vmid);
    Ok(())
}
