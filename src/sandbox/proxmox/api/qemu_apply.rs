//! Pending values of a machine become current: all of them where it does not run, what can be plugged while it runs.
use super::{
    lxc_hotplug::forget_delete,
    lxc_read::pending_deletes,
    qemu_drive::{file, is_cdrom, is_cloud_init, is_drive, is_numbered, parse, set_aside, volume},
    storage,
};
use crate::sandbox::proxmox::{
    schema::Errors,
    state::{Guest, Kind},
    world::World,
};

/// Options that a running machine does not notice.
const FAST: &[&str] = &[
    "description",
    "hookscript",
    "lock",
    "migrate_downtime",
    "migrate_speed",
    "name",
    "onboot",
    "protection",
    "shares",
    "startup",
    "tags",
    "vmstatestorage",
    "cicustom",
    "cipassword",
    "citype",
    "ciuser",
    "ciupgrade",
    "nameserver",
    "searchdomain",
    "sshkeys",
];

/// Applies everything that is pending: the machine does not run.
pub fn cold(world: &mut World, guest: &mut Guest) {
    for (key, force) in pending_deletes(guest) {
        take_away(world, guest, &key, force);
    }
    let keys: Vec<String> = guest.pending.keys().filter(|k| *k != "delete").cloned().collect();
    for key in keys {
        let Some(value) = guest.pending.remove(&key) else { continue };
        put(world, guest, &key, value);
    }
}

fn take_away(world: &mut World, guest: &mut Guest, key: &str, force: bool) {
    forget_delete(guest, key);
    let Some(old) = guest.conf.remove(key) else { return };
    if is_drive(key) {
        let owned = storage::volume(world, volume(&old)).is_ok();
        match force && owned && !is_cdrom(&parse(world, key, &old)) {
            true => drop(storage::remove(world, volume(&old))),
            false => set_aside(world, guest, key, &old),
        }
    }
}

fn put(world: &mut World, guest: &mut Guest, key: &str, value: String) {
    let old = guest.conf.insert(key.into(), value.clone());
    if let Some(old) = old.filter(|o| is_drive(key) && volume(o) != volume(&value)) {
        set_aside(world, guest, key, &old);
    }
}

/// The kinds of devices that may be plugged while the machine runs.
fn features(guest: &Guest) -> Vec<&str> {
    match guest.conf.get("hotplug").map(String::as_str) {
        None | Some("1") => vec!["network", "disk", "usb"],
        Some("0") => Vec::new(),
        Some(list) => list.split([',', ';', ' ']).collect(),
    }
}

/// Applies what can be applied while the machine runs; the rest stays pending.
pub fn hotplug(world: &mut World, guest: &mut Guest) -> Errors {
    let mut errors = Errors::new();
    let is_fast = |key: &str| FAST.contains(&key) || is_numbered(key, "ipconfig");
    for key in guest.pending.keys().filter(|k| is_fast(k)).cloned().collect::<Vec<_>>() {
        if let Some(value) = guest.pending.remove(&key) {
            guest.conf.insert(key, value);
        }
    }
    let plugs: Vec<String> = features(guest).into_iter().map(str::to_string).collect();
    let has = |what: &str| plugs.iter().any(|p| p == what);
    for (key, force) in pending_deletes(guest) {
        let possible = match key.as_str() {
            "hotplug" => !has("cpu") && !has("memory"),
            "tablet" => has("usb"),
            "vcpus" => has("cpu"),
            "balloon" => guest.conf.get("balloon").is_none_or(|b| b != "0"),
            "memory" => has("memory"),
            "cpuunits" | "cpulimit" => true,
            k if is_fast(k) => true,
            k if is_numbered(k, "net") => has("network"),
            k if is_numbered(k, "usb") => has("usb"),
            k if is_drive(k) => has("disk") && (is_numbered(k, "scsi") || is_numbered(k, "virtio")),
            _ => false,
        };
        if possible {
            take_away(world, guest, &key, force);
        }
    }
    for (key, value) in guest.pending.clone().into_iter().filter(|(k, _)| k != "delete") {
        let old = guest.conf.get(&key).cloned();
        let possible = match key.as_str() {
            "hotplug" => !format!("{value},{}", plugs.join(",")).split(',').any(|f| matches!(f, "cpu" | "memory")),
            "tablet" => has("usb"),
            "vcpus" => has("cpu"),
            "memory" => has("memory"),
            "cpuunits" | "cpulimit" => true,
            "balloon" => (value == "0") == (old.as_deref() == Some("0")),
            k if is_numbered(k, "usb") => has("usb"),
            k if is_numbered(k, "net") => match plug(world, guest, k, old.as_deref(), &value, has("network")) {
                Ok(possible) => possible,
                Err(why) => {
                    errors.insert(key.clone(), format!("hotplug problem - {why}\n"));
                    false
                }
            },
            k if is_drive(k) => drive(world, k, old.as_deref(), &value, has("disk")),
            _ => false,
        };
        if possible {
            guest.pending.remove(&key);
            put(world, guest, &key, value);
        }
    }
    errors
}

/// Whether a network card can be changed as it is, or plugged anew.
fn plug(world: &World, guest: &Guest, key: &str, old: Option<&str>, new: &str, network: bool) -> Result<bool, String> {
    let known = |bridge: &String| world.state.nodes.get(&guest.node).is_some_and(|n| n.bridges.contains_key(bridge));
    let parts = parse(world, key, new);
    let same = old
        .map(|o| parse(world, key, o))
        .is_some_and(|o| ["model", "macaddr", "queues", "mtu"].iter().all(|k| o.get(*k) == parts.get(*k)));
    if !same && !network {
        return Ok(false);
    }
    match parts.get("bridge").filter(|b| !known(b)) {
        Some(bridge) => Err(format!("bridge '{bridge}' does not exist")),
        None => Ok(true),
    }
}

/// Whether a drive can be changed while it is plugged in, or plugged.
fn drive(world: &World, key: &str, old: Option<&str>, new: &str, disk: bool) -> bool {
    let parts = parse(world, key, new);
    if matches!(key, "efidisk0" | "tpmstate0") {
        return false;
    }
    match old.map(|o| parse(world, key, o)) {
        None => disk && (is_numbered(key, "scsi") || is_numbered(key, "virtio")),
        Some(_) if is_cloud_init(&parts) => false,
        // A medium is changed, a disk is not; its limits are.
        Some(old) if is_cdrom(&old) => is_cdrom(&parts),
        Some(old) => {
            const STAYS: &[&str] = &["file", "format", "iothread", "queues", "size", "cache", "ssd", "aio", "ro"];
            file(&old) == file(&parts) && STAYS.iter().all(|k| old.get(*k) == parts.get(*k))
        }
    }
}

/// The machine at its start: what was pending is current.
///
/// # Errors
/// There is no such machine.
pub fn at_start(world: &mut World, vmid: u32) -> crate::sandbox::proxmox::refusal::Result<()> {
    let mut guest = world.any(Kind::Qemu, vmid)?.clone();
    cold(world, &mut guest);
    super::qemu_drive::tidy(&mut guest);
    world.state.guests.insert(vmid, guest);
    world.write(vmid);
    Ok(())
}
