//! The root and what else is mounted: `rootfs`, `mpN`.
//!
//! `STORAGE:GiB` allocates, so it is sent once, for a volume that is not there. Afterwards only the volume that was read back
//! is ever sent again.
use super::{Container, Disk, MountPoint, Origin};
use crate::{
    model::{Size, Wish},
    providers::proxmox::{property::Properties, values::bytes, volume_size},
    resources::guest::{
        Live,
        difference::{Differences, smaller},
        spelling::{flag, gibibytes, size},
    },
};
use std::collections::BTreeMap;

/// Those of a new container.
pub fn parameters(desired: &Container) -> impl Iterator<Item = (String, String)> + '_ {
    let root = format!("{}:{}", desired.rootfs.storage, gibibytes(desired.rootfs.size));
    let further = desired.mount_points.iter().filter(|mount| !mount.detached).enumerate();
    let further = further.map(|(n, mount)| (format!("mp{n}"), new(mount)));
    std::iter::once(("rootfs".to_owned(), root)).chain(further)
}

/// Whether a value mounts something of the node, which Proxmox grants to `root@pam` alone.
pub fn is_of_the_node(value: &str) -> bool {
    Properties::parse(value).get(Properties::BARE).is_some_and(|volume| volume.starts_with('/'))
}

pub fn differences(desired: &Container, live: &Live, out: &mut Differences) {
    let mut grow = |key: &str, name: String, is: Option<u64>, wanted: Size| {
        // A volume without a size in the configuration is not one that can be grown by name.
        if let Some(is) = is.filter(|is| *is < wanted.bytes()) {
            out.grows(key, name, size(is), wanted.to_string(), wanted.bytes());
        }
    };
    grow("rootfs", "rootfs.size".into(), root_size(live), desired.rootfs.size);
    let mounts = mounts(live);
    for wanted in desired.mount_points.iter().filter(|mount| !mount.detached) {
        if let (Some((key, is)), Origin::Volume(disk)) = (mounts.get(wanted.path.as_str()), &wanted.from) {
            grow(key, format!("mountPoints.{}.size", wanted.path), is.get("size").and_then(bytes), disk.size);
        }
    }
    let mut free = (0..=255u8).map(|n| format!("mp{n}")).filter(|key| live.config.get(key).is_none());
    for wanted in &desired.mount_points {
        let name = format!("mountPoints.{}", wanted.path);
        match (mounts.get(wanted.path.as_str()), wanted.detached) {
            (Some((key, is)), true) => {
                out.show(live, &name, key, is.get(Properties::BARE).map(str::to_owned), None);
                out.delete.push(key.clone());
            }
            (Some((key, is)), false) => change(live, &name, key, is, wanted, out),
            (None, true) => {}
            (None, false) => {
                let Some(key) = free.next() else { return };
                out.show(live, &name, &key, None, Some(shown(&wanted.from)));
                out.set.insert(key, new(wanted));
            }
        }
    }
}

/// A mount point that is there keeps its volume; its options are laid over those that it has.
fn change(live: &Live, name: &str, key: &str, is: &Properties, wanted: &MountPoint, out: &mut Differences) {
    let mut after = is.clone();
    for (field, option, wanted) in [("backup", "backup", wanted.backup), ("readOnly", "ro", wanted.read_only)] {
        let Some(wanted) = wanted.filter(|wanted| *wanted != is.flag(option)) else { continue };
        out.show(live, &format!("{name}.{field}"), key, Some((!wanted).to_string()), Some(wanted.to_string()));
        after.put(option, Some(flag(wanted)));
    }
    if let Origin::Directory(directory) = &wanted.from
        && let Some(volume) = is.get(Properties::BARE).filter(|volume| volume.starts_with('/') && volume != directory)
    {
        out.show(live, &format!("{name}.source"), key, Some(volume.to_owned()), Some(directory.clone()));
        after.put(Properties::BARE, Some(directory));
    }
    if after == *is {
        return;
    }
    if let Origin::Volume(disk) = &wanted.from
        && is.get("size").and_then(bytes).is_some_and(|is| is < disk.size.bytes())
    {
        // It has grown by then.
        after.put("size", Some(crate::providers::proxmox::values::size(disk.size.bytes())));
    }
    out.set.insert(key.to_owned(), after.to_string());
}

/// Volumes that are to be smaller than they are.
pub fn shrunk(desired: &Container, live: &Live) -> Vec<Wish> {
    let mut found = vec![];
    let mut shrink = |field: String, name: &str, is: Option<u64>, wanted: &Disk| {
        // Manifests count in KiB, and a disk may have a few bytes more.
        if let Some(is) = is.filter(|is| is >> 10 > wanted.size.bytes() >> 10) {
            found.push(smaller(field, name, is, wanted.size));
        }
    };
    shrink("rootfs.size".into(), "rootfs", root_size(live), &desired.rootfs);
    let mounts = mounts(live);
    for wanted in &desired.mount_points {
        if let (Some((_, is)), Origin::Volume(disk)) = (mounts.get(&wanted.path), &wanted.from) {
            let field = format!("mountPoints.{}.size", wanted.path);
            shrink(field, &wanted.path, is.get("size").and_then(bytes), disk);
        }
    }
    found
}

/// A volume too many is kept.
pub fn remarks(desired: &Container, live: &Live) -> Vec<String> {
    let mut said = vec![];
    let mounts = mounts(live);
    for wanted in desired.mount_points.iter().filter(|wanted| !wanted.detached) {
        let Some((_, is)) = mounts.get(&wanted.path) else { continue };
        let directory = is.get(Properties::BARE).is_some_and(|volume| volume.starts_with('/'));
        if directory != matches!(wanted.from, Origin::Directory(_)) {
            let what = if directory { "a directory of the node" } else { "a volume" };
            said.push(format!("{} holds {what}: take it away first, with `detached: true`", wanted.path));
        }
    }
    for path in mounts.keys().filter(|path| desired.mount_points.iter().all(|m| m.path != **path)) {
        said.push(format!("the volume at {path} is not in the manifest: it is kept"));
    }
    said
}

/// Bytes of the root disk.
fn root_size(live: &Live) -> Option<u64> {
    live.config.get("rootfs").and_then(volume_size)
}

/// What is mounted, by path as a manifest writes it: key and value.
pub fn mounts(live: &Live) -> BTreeMap<String, (String, Properties)> {
    let mount = |(key, value): (&String, &String)| {
        key.strip_prefix("mp")?.parse::<u8>().ok()?;
        let p = Properties::parse(value);
        Some((mount_path(p.get("mp")?), (key.clone(), p)))
    };
    live.config.values.iter().filter_map(mount).collect()
}

/// `data`, `/data/` and `//data` are one place to Proxmox (`sanitize_mountpoint` of pve-container 6).
fn mount_path(text: &str) -> String {
    let parts = text.split('/').filter(|part| !part.is_empty() && *part != ".");
    format!("/{}", parts.collect::<Vec<_>>().join("/"))
}

fn shown(from: &Origin) -> String {
    match from {
        Origin::Volume(disk) => disk.size.to_string(),
        Origin::Directory(directory) => directory.clone(),
    }
}

fn new(mount: &MountPoint) -> String {
    let mut p = match &mount.from {
        Origin::Volume(disk) => Properties::parse(&format!("{}:{}", disk.storage, gibibytes(disk.size))),
        Origin::Directory(directory) => Properties::parse(directory),
    };
    p.put("mp", Some(&mount.path));
    p.put("backup", mount.backup.map(flag));
    p.put("ro", mount.read_only.map(flag));
    p.to_string()
}
