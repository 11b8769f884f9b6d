//! One disk of a virtual machine: `local:101/vm-101-disk-0.raw,discard=on,size=8G`.
use super::Disk;
use crate::{
    providers::proxmox::{
        property::Properties,
        values::{bytes, is_true},
    },
    resources::guest::spelling::gibibytes,
};

/// Whether a key of the configuration is a place for disks: `scsi0`.
pub fn is_slot(key: &str) -> bool {
    ["scsi", "virtio", "sata", "ide"]
        .iter()
        .any(|bus| key.strip_prefix(bus).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())))
}

/// Whether a value is a disk, and not a CD drive.
pub fn is_disk(value: &str) -> bool {
    Properties::parse(value).get("media") != Some("cdrom")
}

/// Whether a value is the drive that carries values to cloud-init.
pub fn is_cloud_drive(value: &str) -> bool {
    let p = Properties::parse(value);
    let volume = volume(&p).unwrap_or_default().rsplit(['/', ':']).next().unwrap_or_default();
    p.get("media") == Some("cdrom") && (volume == "cloudinit" || volume.contains("-cloudinit"))
}

/// The first part may be written with its name.
fn volume(p: &Properties) -> Option<&str> {
    p.get(Properties::BARE).or_else(|| p.get("file"))
}

/// Bytes, as the configuration notes them.
pub fn size(value: &str) -> Option<u64> {
    Properties::parse(value).get("size").and_then(bytes)
}

/// The value to allocate a disk. It may be sent once, for a slot in which nothing is.
pub fn new(disk: &Disk) -> String {
    let mut p = Properties::default();
    // An image brings its own size, and the disk grows when it is there.
    let gib = disk.size.filter(|_| disk.image.is_none()).map_or("0".into(), gibibytes);
    p.put(Properties::BARE, Some(format!("{}:{gib}", disk.storage)));
    p.put("import-from", disk.image.as_ref());
    p.put("format", disk.format.as_ref());
    for (key, value) in &disk.settings {
        p.put(key, Some(value));
    }
    p.to_string()
}

/// The settings that differ: name, what is there, what is wanted.
pub fn differing<'a>(disk: &'a Disk, live: &str) -> Vec<(&'a str, Option<String>, &'a str)> {
    let p = Properties::parse(live);
    let different = |(key, wanted): &(&'a String, &'a String)| {
        let is = p.get(key);
        match key.as_str() {
            "discard" | "ssd" | "iothread" => is.is_some_and(is_true) != is_true(wanted),
            // Unset is on.
            "backup" => is.is_none_or(is_true) != is_true(wanted),
            _ => is != Some(wanted.as_str()),
        }
    };
    let all = disk.settings.iter().filter(different);
    all.map(|(key, wanted)| (key.as_str(), p.get(key).map(str::to_owned), wanted.as_str())).collect()
}

/// The value to change a disk that is there: the very volume that was read, with other settings.
pub fn over(disk: &Disk, live: &str) -> String {
    let mut p = Properties::parse(live);
    for (key, value) in &disk.settings {
        p.put(key, Some(value));
    }
    p.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_disk_and_what_carries_cloud_init() {
        assert!(is_slot("scsi0") && is_slot("ide2") && !is_slot("scsihw") && !is_slot("efidisk0") && !is_slot("net0"));
        assert!(is_cloud_drive("local:101/vm-101-cloudinit.qcow2,media=cdrom,size=4M"));
        assert!(is_cloud_drive("local-lvm:vm-101-cloudinit,media=cdrom"));
        assert!(!is_cloud_drive("none,media=cdrom") && !is_cloud_drive("local:iso/cloudinit.iso,media=cdrom"));
        assert!(
            !is_cloud_drive("local:101/vm-101-disk-0.raw,size=8G") && is_disk("local:101/vm-101-disk-0.raw,size=8G")
        );
    }

    #[test]
    fn settings_are_compared_as_what_they_mean() {
        let settings = [("discard", "on"), ("ssd", "1"), ("backup", "1")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let disk = Disk { storage: "local".into(), size: None, image: None, format: None, settings: settings.into() };
        assert!(differing(&disk, "local:101/vm-101-disk-0.raw,discard=on,size=8G,ssd=1").is_empty());
        assert_eq!(differing(&disk, "a:b,discard=ignore,backup=0").len(), 3);
        insta::assert_snapshot!(over(&disk, "a:b,cache=none,size=8G"), @"a:b,backup=1,cache=none,discard=on,size=8G,ssd=1");
    }
}
