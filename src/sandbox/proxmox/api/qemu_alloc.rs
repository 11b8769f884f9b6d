//! Making, attaching and copying the volumes of machines (`create_disks` and `clone_disk` of qemu-server).
use super::{
    lxc_volume::new_disk,
    qemu_drive::{file, is_cdrom, is_cloud_init, lacks, parse, print},
    storage,
};
use crate::sandbox::proxmox::{
    formats,
    property::Properties,
    refusal::{Refusal, Result},
    state::{Conf, Lack, Volume},
    world::World,
};

/// The size of the drive with the data for cloud-init.
const CLOUD_INIT_SIZE: u64 = 4 << 20;
/// The size of the variables of UEFI's firmware, and of a TPM's state.
const EFI_SIZE: u64 = 528 << 10;
const TPM_SIZE: u64 = 4 << 20;

/// Whose drive is made, and where.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub vmid: u32,
    pub node: &'a str,
    /// The config so far: which drives there are, whether it is a template.
    pub conf: &'a Conf,
}

/// Makes or attaches the volume of a drive, and answers the drive as it is stored.
///
/// # Errors
/// What qemu-server or the storage refuses; nothing is left of the volume.
pub fn make(world: &mut World, at: Place<'_>, key: &str, value: &str, log: &mut Vec<String>) -> Result<String> {
    let mut parts = parse(world, key, value);
    let given = file(&parts).to_string();
    if given.is_empty() || given == "none" || given == "cdrom" {
        parts.remove("size");
        return Ok(print(world, key, &parts));
    }
    if let Some(name) = given.strip_suffix(":cloudinit") {
        only_cloud_init(world, at.conf, key)?;
        let format = parts.remove("format");
        let volid = cloud_init(world, name, at.vmid, format.as_deref(), log)?;
        parts.insert("file".into(), volid);
        parts.insert("media".into(), "cdrom".into());
    } else if let Some((name, size)) = new_disk(&given) {
        let format = parts.remove("format");
        if let Some(source) = parts.remove("import-from") {
            let (volid, size) = import(world, at, key, name, format.as_deref(), &source, log)?;
            parts.insert("file".into(), volid);
            parts.insert("size".into(), formats::print_bytes(size));
            return Ok(print(world, key, &parts));
        }
        let size = match key {
            "efidisk0" if lacks(world, at.node, Lack::Ovmf) => {
                let image = "/usr/share/pve-edk2-firmware//OVMF_CODE.fd";
                return Err(Refusal::die(format!("EFI base image '{image}' not found")));
            }
            "efidisk0" => EFI_SIZE,
            "tpmstate0" => TPM_SIZE,
            _ => size,
        };
        let volid = allocate(world, name, at.vmid, format.as_deref(), size, log)?;
        let volid = if at.conf.get("template").is_some_and(|t| t == "1") { into_base(world, &volid) } else { volid };
        parts.insert("file".into(), volid);
        parts.insert("size".into(), formats::print_bytes(size));
    } else {
        return attach(world, at.conf, key, parts);
    }
    let printed = print(world, key, &parts);
    log.push(format!("{key}: successfully created disk '{printed}'"));
    Ok(printed)
}

fn only_cloud_init(world: &World, conf: &Conf, key: &str) -> Result<()> {
    let drives = conf.iter().filter(|(k, _)| *k != key && super::qemu_drive::is_drive(k));
    match drives.into_iter().find(|(k, v)| is_cloud_init(&parse(world, k, v))) {
        Some((other, _)) => Err(Refusal::die(format!("{key} - cloud-init drive is already attached at '{other}'"))),
        None => Ok(()),
    }
}

/// A volume that is there already.
fn attach(world: &World, conf: &Conf, key: &str, mut parts: Properties) -> Result<String> {
    let volid = file(&parts).to_string();
    if !volid.contains(':') {
        return Ok(print(world, key, &parts));
    }
    let name = storage::name_of(world, &volid)?;
    if !matches!(name.kind, "images" | "iso") {
        let why = format!("cannot use volume {volid} - content type needs to be 'images' or 'iso'");
        return Err(Refusal::die(why));
    }
    let volume = storage::volume(world, &volid)?;
    if let Some(format) = parts.get("format").filter(|f| **f != volume.format) {
        let is = &volume.format;
        let why =
            format!("drive '{key}' - volume '{volid}' - 'format={format}' option different from storage format '{is}'");
        return Err(Refusal::die(why));
    }
    if is_cloud_init(&parts) {
        only_cloud_init(world, conf, key)?;
    }
    parts.insert("size".into(), formats::print_bytes(volume.size));
    Ok(print(world, key, &parts))
}

/// Makes a volume.
///
/// # Errors
/// There is no such storage, or it does not take the size.
pub fn allocate(
    world: &mut World,
    name: &str,
    vmid: u32,
    format: Option<&str>,
    size: u64,
    log: &mut Vec<String>,
) -> Result<String> {
    let format = format_on(world, name, format)?;
    let volid = storage::free_name(world, name, vmid, &format)?;
    let path = storage::path(world, &volid);
    if in_files(world, name) {
        log.push(formatting(&path, &format, size));
        if format == "raw" && size >= 16 << 40 {
            let why = format!("qemu-img: {path}: The image size is too large for file format 'raw'");
            return Err(Refusal::die(format!("unable to create image: {why}")));
        }
    }
    keep(world, name, &volid, &format, size, vmid);
    Ok(volid)
}

fn in_files(world: &World, name: &str) -> bool {
    world
        .state
        .storages
        .get(name)
        .is_some_and(|s| matches!(s.kind.as_str(), "dir" | "nfs" | "cifs" | "btrfs" | "cephfs"))
}

fn format_on(world: &World, name: &str, wanted: Option<&str>) -> Result<String> {
    let plugin = storage::of(world, name)?.kind.clone();
    match wanted {
        Some(format) if !in_files(world, name) && format != "raw" => {
            Err(Refusal::die(format!("unsupported format '{format}' for storage type '{plugin}'")))
        }
        Some(format) => Ok(format.into()),
        None => Ok("raw".into()),
    }
}

fn keep(world: &mut World, name: &str, volid: &str, format: &str, size: u64, vmid: u32) {
    let created = world.now / 1000;
    let volume = Volume {
        content: "images".into(),
        format: format.into(),
        size,
        vmid: Some(vmid),
        created,
        ..Volume::default()
    };
    if let Some(storage) = world.state.storages.get_mut(name) {
        storage.volumes.insert(volid.into(), volume);
    }
    world.touched = true;
}

/// What `qemu-img create` says.
fn formatting(path: &str, format: &str, size: u64) -> String {
    match format {
        "qcow2" => format!(
            "Formatting '{path}', fmt=qcow2 cluster_size=65536 extended_l2=off preallocation=metadata \
             compression_type=zlib size={size} lazy_refcounts=off refcount_bits=16"
        ),
        "vmdk" => format!("Formatting '{path}', fmt=vmdk size={size} compat6=off hwversion=undefined"),
        _ => format!("Formatting '{path}', fmt=raw size={size} preallocation=off"),
    }
}

/// Makes the volume of a drive with the data for cloud-init.
///
/// # Errors
/// There is no such storage, or the volume is there.
pub fn cloud_init(
    world: &mut World,
    name: &str,
    vmid: u32,
    format: Option<&str>,
    log: &mut Vec<String>,
) -> Result<String> {
    storage::of(world, name)?;
    let files = in_files(world, name);
    let format = format.unwrap_or(if files { "qcow2" } else { "raw" });
    let volid = match files {
        true => format!("{name}:{vmid}/vm-{vmid}-cloudinit.{format}"),
        false => format!("{name}:vm-{vmid}-cloudinit"),
    };
    let path = storage::path(world, &volid);
    if storage::of(world, name)?.volumes.contains_key(&volid) {
        return Err(Refusal::die(format!("disk image '{path}' already exists")));
    }
    if files {
        log.push(formatting(&path, format, CLOUD_INIT_SIZE));
    }
    keep(world, name, &volid, format, CLOUD_INIT_SIZE, vmid);
    Ok(volid)
}

fn into_base(world: &mut World, volid: &str) -> String {
    let base = volid.replacen("/vm-", "/base-", 1).replacen(":vm-", ":base-", 1);
    let name = volid.split(':').next().unwrap_or_default();
    if let Some(storage) = world.state.storages.get_mut(name)
        && let Some(volume) = storage.volumes.remove(volid)
    {
        storage.volumes.insert(base.clone(), volume);
    }
    base
}

/// Makes the volume of a drive the base of linked clones, and answers the drive as it is stored then.
pub fn base(world: &mut World, key: &str, value: &str) -> String {
    let mut parts = parse(world, key, value);
    if is_cdrom(&parts) || file(&parts).contains("/base-") || file(&parts).contains(":base-") {
        return value.to_string();
    }
    let volid = file(&parts).to_string();
    let base = into_base(world, &volid);
    parts.insert("file".into(), base);
    print(world, key, &parts)
}

/// A number of bytes as the progress of a copy is told.
pub fn human(bytes: u64, digits: usize) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = (bytes.max(1).ilog2() / 10).min(4);
    format!("{:.digits$} {}", bytes as f64 / f64::from(1u32 << 10).powi(power as i32), UNITS[power as usize])
}

/// A drive that is copied: from which volume, for whom, and where to.
pub struct Duplicate<'a> {
    pub source: &'a str,
    /// The key of the drive where the source is plugged in.
    pub drive: &'a str,
    pub vmid: u32,
    pub node: &'a str,
    pub storage: Option<&'a str>,
    pub format: Option<&'a str>,
}

/// Copies the content of a volume into a new one; a drive of cloud-init gets an empty one.
///
/// # Errors
/// The volume or the storage is not there, or the node's QEMU cannot copy.
pub fn duplicate(world: &mut World, copy: &Duplicate<'_>, log: &mut Vec<String>) -> Result<(String, u64)> {
    let source = copy.source;
    let volume = storage::volume(world, source)?.clone();
    let at = storage::name_of(world, source)?.storage;
    let target = copy.storage.unwrap_or(&at).to_string();
    // The format stays where the storage can hold it.
    let format = copy.format.map(str::to_string).or_else(|| {
        let stays = in_files(world, &target) && matches!(volume.format.as_str(), "raw" | "qcow2" | "vmdk");
        stays.then(|| volume.format.clone())
    });
    log.push(format!("create full clone of drive {} ({source})", copy.drive));
    let parts = Properties::from([("file".to_string(), source.to_string())]);
    if is_cloud_init(&parts) {
        let volid = cloud_init(world, &target, copy.vmid, format.as_deref(), log)?;
        log.push(format!("allocated target volume '{volid}'"));
        return Ok((volid, CLOUD_INIT_SIZE));
    }
    let volid = allocate(world, &target, copy.vmid, format.as_deref(), volume.size, log)?;
    let whole = human(volume.size, 1);
    log.push(format!("allocated target volume '{volid}'"));
    log.push(format!("transferred 0.0 B of {whole} (0.00%)"));
    if lacks(world, copy.node, Lack::PatchedQemu) {
        let (from, to) = (storage::path(world, source), storage::path(world, &volid));
        let made = storage::volume(world, &volid)?.format.clone();
        log.push(format!("qemu-img: Could not open 'zeroinit:{to}': Unknown protocol 'zeroinit'"));
        storage::remove(world, &volid)?;
        let command = format!("/usr/bin/qemu-img convert -p -n -f {} -O {made} {from} zeroinit:{to}", volume.format);
        return Err(Refusal::die(format!("copy failed: command '{command}' failed: exit code 1")));
    }
    log.push(format!("transferred {whole} of {whole} (100.00%)"));
    Ok((volid, volume.size))
}

fn import(
    world: &mut World,
    at: Place<'_>,
    key: &str,
    storage: &str,
    format: Option<&str>,
    source: &str,
    log: &mut Vec<String>,
) -> Result<(String, u64)> {
    let failed = |why: Refusal| Refusal::die(format!("cannot import from '{source}' - {}", why.text()));
    if !source.contains(':') {
        return Err(Refusal::die(format!("file '{source}' does not exist")));
    }
    let owner = storage::name_of(world, source)?.owner;
    // A disk of another machine is called as it is there.
    let guest = owner.and_then(|o| world.state.guests.get(&o));
    let drive = guest.and_then(|g| g.conf.iter().find(|(_, v)| super::qemu_drive::volume(v) == source));
    let drive = drive.map_or_else(|| key.to_string(), |(k, _)| k.clone());
    let copy = Duplicate { source, drive: &drive, vmid: at.vmid, node: at.node, storage: Some(storage), format };
    duplicate(world, &copy, log).map_err(failed)
}

/// Makes a volume that shows what a base holds until it is written to, and answers its id.
///
/// # Errors
/// The base is not there, or its storage has no linked clones.
pub fn link(world: &mut World, vmid: u32, drive: &str, source: &str, log: &mut Vec<String>) -> Result<(String, u64)> {
    let volume = storage::volume(world, source)?.clone();
    let name = storage::name_of(world, source)?.storage;
    log.push(format!("create linked clone of drive {drive} ({source})"));
    let base = source.split_once(':').map_or("", |(_, b)| b).to_string();
    let (volid, file) = if in_files(world, &name) {
        let plain = storage::free_name(world, &name, vmid, "qcow2")?;
        let file = plain.rsplit('/').next().unwrap_or_default().to_string();
        log.push(format!("clone {base}: images, {file}, {vmid} to {file} (base=../{base})"));
        log.push(format!(
            "Formatting '{}', fmt=qcow2 cluster_size=131072 extended_l2=on preallocation=metadata \
             compression_type=zlib size={} backing_file=../{base} backing_fmt={} lazy_refcounts=off refcount_bits=16",
            storage::path(world, &plain),
            volume.size,
            volume.format
        ));
        (format!("{name}:{base}/{vmid}/{file}"), "qcow2")
    } else {
        let plain = storage::free_name(world, &name, vmid, "raw")?;
        let file = plain.split_once(':').map_or("", |(_, f)| f);
        // ZFS tells the base, thin volumes of LVM do not.
        let keeps = storage::of(world, &name)?.kind == "zfspool";
        (if keeps { format!("{name}:{base}/{file}") } else { plain.clone() }, "raw")
    };
    keep(world, &name, &volid, file, volume.size, vmid);
    Ok((volid, volume.size))
}

/// Whether a volume can be the base of a linked clone.
pub fn can_link(world: &World, volid: &str) -> bool {
    let Ok(name) = storage::name_of(world, volid) else { return false };
    let kind = world.state.storages.get(&name.storage).map_or("", |s| s.kind.as_str());
    let is_base = volid.contains("base-");
    match kind {
        "zfspool" | "lvmthin" | "rbd" => is_base,
        _ => is_base && (volid.ends_with(".qcow2") || volid.ends_with(".raw")),
    }
}

/// Whether snapshots of a volume can be taken.
pub fn can_snapshot(world: &World, volid: &str) -> bool {
    let Ok(name) = storage::name_of(world, volid) else { return false };
    let kind = world.state.storages.get(&name.storage).map_or("", |s| s.kind.as_str());
    matches!(kind, "zfspool" | "lvmthin" | "rbd" | "btrfs") || volid.ends_with(".qcow2")
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_told_as_in_the_log_of_a_copy() {
        for (bytes, told) in
            [(0, "0.0 B"), (268_435_456, "256.0 MiB"), (3_221_225_472, "3.0 GiB"), (1 << 30, "1.0 GiB")]
        {
            assert_eq!(super::human(bytes, 1), told);
        }
    }
}
