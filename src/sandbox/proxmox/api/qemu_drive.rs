//! The values of a machine's drives and network cards: what they are, and how they are written (qemu-server `Drive.pm`).
use crate::sandbox::proxmox::{
    facts::Schema,
    property::{self, Properties},
    state::{Conf, Guest, Kind, Lack},
    world::World,
};
use std::collections::BTreeMap;

/// Where drives may be plugged in, with how many there are of each.
pub const SLOTS: &[(&str, u32)] =
    &[("ide", 4), ("sata", 6), ("scsi", 31), ("virtio", 16), ("efidisk", 1), ("tpmstate", 1)];

/// Whether a key of a config names a drive (`scsi0`); an unused disk is none.
pub fn is_drive(key: &str) -> bool {
    SLOTS.iter().any(|(stem, count)| {
        let number = key.strip_prefix(stem).filter(|n| *n == "0" || !n.starts_with('0'));
        number.and_then(|n| n.parse::<u32>().ok()).is_some_and(|n| n < *count)
    })
}

/// Whether a key is this stem with a number: `net0`.
pub fn is_numbered(key: &str, stem: &str) -> bool {
    key.strip_prefix(stem).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn format<'a>(world: &'a World, key: &str) -> Option<&'a BTreeMap<String, Schema>> {
    world.properties(Kind::Qemu, key)
}

/// A value of the config taken apart.
pub fn parse(world: &World, key: &str, value: &str) -> Properties {
    format(world, key).and_then(|f| property::take_apart(f, value).ok()).unwrap_or_default()
}

/// And put together again.
pub fn print(world: &World, key: &str, parts: &Properties) -> String {
    format(world, key).map(|f| property::print(f, parts)).unwrap_or_default()
}

/// The volume (or `none`, or a path) of a drive.
pub fn file(parts: &Properties) -> &str {
    parts.get("file").map_or("", String::as_str)
}

/// The first part of a drive's value as it is stored: its volume.
pub fn volume(value: &str) -> &str {
    let first = value.split(',').next().unwrap_or_default();
    first.strip_prefix("file=").unwrap_or(first)
}

/// Whether a drive is the one with the data for cloud-init.
pub fn is_cloud_init(parts: &Properties) -> bool {
    let name = file(parts).rsplit([':', '/']).next().unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    let own = stem.strip_prefix("vm-").and_then(|s| s.split_once('-')).is_some_and(|(_, rest)| rest == "cloudinit");
    stem == "cloudinit" || own
}

/// Whether a drive is a CD drive; the one for cloud-init counts as well.
pub fn is_cdrom(parts: &Properties) -> bool {
    parts.get("media").is_some_and(|m| m == "cdrom")
}

/// The devices that are booted from, in their order.
pub fn boot_order(boot: Option<&String>) -> Vec<String> {
    let order = boot.and_then(|b| b.split(',').find_map(|p| p.strip_prefix("order="))).unwrap_or_default();
    order.split(';').filter(|d| !d.trim().is_empty()).map(str::to_string).collect()
}

/// An order of boot devices as it is stored.
pub fn print_boot(devices: &[String]) -> String {
    if devices.is_empty() { String::new() } else { format!("order={}", devices.join(";")) }
}

/// What a new machine boots from: its first disk, its first CD drive, its first network card.
pub fn default_boot(world: &World, conf: &Conf) -> Vec<String> {
    let drives = || conf.iter().filter(|(k, _)| is_drive(k) && !k.starts_with("efi") && !k.starts_with("tpm"));
    let of = |cdrom: bool| drives().find(|(k, v)| is_cdrom(&parse(world, k, v)) == cdrom).map(|(k, _)| k.clone());
    let net = (0..32).map(|i| format!("net{i}")).find(|k| conf.contains_key(k));
    [of(false), of(true), net].into_iter().flatten().collect()
}

/// A network card as it is stored: `virtio=BC:24:11:00:00:01,bridge=vmbr0`. Without an address it gets one.
pub fn network(world: &mut World, key: &str, value: &str) -> String {
    let mut net = parse(world, key, value);
    let model = net.remove("model").unwrap_or_default();
    let mac = match net.remove("macaddr") {
        Some(mac) => mac,
        None => world.mac(),
    };
    let rest: String = net.iter().map(|(k, v)| format!(",{k}={v}")).collect();
    format!("{model}={mac}{rest}")
}

/// Puts a volume that is no longer attached among the unused ones; cloud-init's is removed.
pub fn set_aside(world: &mut World, guest: &mut Guest, key: &str, value: &str) {
    let parts = parse(world, key, value);
    let volid = file(&parts).to_string();
    if is_cloud_init(&parts) {
        drop(super::storage::remove(world, &volid));
    } else if !is_cdrom(&parts) && volid.contains(':') && !guest.conf.values().any(|v| *v == volid) {
        let free = (0..256).map(|i| format!("unused{i}")).find(|k| !guest.conf.contains_key(k));
        guest.conf.insert(free.unwrap_or_default(), volid);
    }
}

/// Drops the mark of an unused volume that is attached again, as every write of the file does.
pub fn tidy(guest: &mut Guest) {
    let used: Vec<String> =
        guest.conf.iter().chain(&guest.pending).filter(|(k, _)| is_drive(k)).map(|(_, v)| volume(v).into()).collect();
    guest.conf.retain(|k, v| !(is_numbered(k, "unused") && used.iter().any(|u| u == volume(v))));
}

/// Whether the node of a guest is without a part of its software or hardware.
pub fn lacks(world: &World, node: &str, what: Lack) -> bool {
    world.state.nodes.get(node).is_some_and(|n| n.lacks.contains(&what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drives_are_those_of_qemu_server() {
        for key in ["ide3", "sata5", "scsi0", "scsi30", "virtio15", "efidisk0", "tpmstate0"] {
            assert!(is_drive(key), "{key}");
        }
        for key in ["ide4", "scsi31", "scsi01", "scsi", "scsihw", "unused0", "efidisk1", "net0"] {
            assert!(!is_drive(key), "{key}");
        }
        let parts = |file: &str| Properties::from([("file".to_string(), file.to_string())]);
        for (file, wanted) in [
            ("local:cloudinit", true),
            ("local:101/vm-101-cloudinit.qcow2", true),
            ("zfs:vm-101-cloudinit", true),
            ("local:101/vm-101-disk-0.raw", false),
            ("none", false),
        ] {
            assert_eq!(is_cloud_init(&parts(file)), wanted, "{file}");
        }
    }
}
