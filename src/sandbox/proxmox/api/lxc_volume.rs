//! Volumes of containers: allocating, attaching, growing.
use super::{
    lxc_config::unmodified,
    lxc_hotplug::parse,
    lxc_permission::{self, Change},
    storage,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on, unlocked},
    config_file, ext4, formats, property,
    refusal::{Refusal, Result},
    state::{Kind, Volume},
    task::Work,
    world::World,
};

pub const ENDPOINTS: &[Endpoint] = &[on("PUT", "/nodes/{node}/lxc/{vmid}/resize", resize)];

/// `volume`, `bind` or `device`, as the first part of a mount point says.
pub fn kind(volid: &str) -> &'static str {
    match volid {
        v if v.starts_with("/dev/") => "device",
        v if v.starts_with('/') => "bind",
        _ => "volume",
    }
}

/// `STORAGE:GIGABYTES`, which asks for a new volume: the storage, and the size in bytes.
pub fn new_disk(volid: &str) -> Option<(&str, u64)> {
    let (storage, size) = volid.split_once(':')?;
    let number = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = size.split_once('.').unwrap_or((size, "0"));
    if storage.contains(char::is_whitespace) || !number(whole) || !number(fraction) {
        return None;
    }
    // Whole mebibytes.
    Some((storage, ((size.parse::<f64>().ok()? * 1024.0) as u64) << 20))
}

/// Demands a storage that takes containers.
///
/// # Errors
/// 500.
pub fn for_containers(world: &World, name: &str) -> Result<()> {
    let storage = storage::of(world, name)?;
    match storage.content.contains("rootdir") {
        true => Ok(()),
        false => Err(Refusal::die(format!("storage '{name}' does not allow content type 'rootdir' (Container)"))),
    }
}

/// Makes or attaches the volume of a mount point (or of the root), and answers the value as it is stored.
///
/// # Errors
/// What the storage refuses, in the words of a task's end.
pub fn allocate(world: &mut World, vmid: u32, key: &str, value: &str, log: &mut Vec<String>) -> Result<String> {
    let mut parts = parse(world, key, value);
    let volid = parts.get("volume").cloned().unwrap_or_default();
    if kind(&volid) != "volume" {
        return Ok(value.to_string());
    }
    let (volid, size) = match new_disk(&volid) {
        Some((storage, size)) => make(world, vmid, storage, size, log)?,
        None => {
            let size = storage::volume(world, &volid)?.size;
            (volid, size)
        }
    };
    parts.insert("volume".into(), volid);
    parts.insert("size".into(), formats::print_bytes(size));
    Ok(world.properties(Kind::Lxc, key).map_or_else(|| value.to_string(), |f| property::print(f, &parts)))
}

/// The value of a mount point (or of the root) as it is stored.
pub fn print(world: &World, key: &str, parts: &property::Properties) -> String {
    world.properties(Kind::Lxc, key).map(|format| property::print(format, parts)).unwrap_or_default()
}

fn make(world: &mut World, vmid: u32, name: &str, size: u64, log: &mut Vec<String>) -> Result<(String, u64)> {
    let kind = storage::of(world, name)?.kind.clone();
    let format = match (kind.as_str(), size) {
        ("zfspool", _) | (_, 0) => "subvol",
        _ => "raw",
    };
    let volid = storage::free_name(world, name, vmid, format)?;
    let path = storage::path(world, &volid);
    if format == "raw" {
        // The largest file of ext4.
        if size >= 16 << 40 {
            let why =
                format!("unable to create image: qemu-img: {path}: The image size is too large for file format 'raw'");
            return Err(Refusal::die(why));
        }
        if kind == "dir" || kind == "btrfs" {
            log.push(format!("Formatting '{path}', fmt=raw size={size} preallocation=off"));
        }
        make_filesystem(world, size, log);
    }
    let now = world.now / 1000;
    let volume = Volume {
        content: "rootdir".into(),
        format: format.into(),
        size,
        vmid: Some(vmid),
        created: now,
        small_blocks: size < ext4::SMALL,
        ..Volume::default()
    };
    if let Some(storage) = world.state.storages.get_mut(name) {
        storage.volumes.insert(volid.clone(), volume);
    }
    Ok((volid, size))
}

/// What mkfs.ext4 prints.
fn make_filesystem(world: &mut World, size: u64, log: &mut Vec<String>) {
    let layout = ext4::Layout::of(size);
    let ext4::Layout { block, blocks, first, .. } = layout;
    let unit = if block == 1024 { "1k" } else { "4k" };
    log.push(format!("Creating filesystem with {blocks} {unit} blocks and {} inodes", layout.inodes()));
    log.push(format!("Filesystem UUID: {}", world.uuid()));
    log.push("Superblock backups stored on blocks: ".into());
    let group = block * 8;
    let sparse = |base: u64| (0..).map(move |p| base.pow(p)).take_while(move |g| g * group + first < blocks);
    let mut groups: Vec<u64> = sparse(3).chain(sparse(5)).chain(sparse(7)).collect();
    groups.sort_unstable();
    groups.dedup();
    let list: Vec<String> = groups.iter().map(|g| (g * group + first).to_string()).collect();
    log.push(format!("\t{}", list.join(", ")));
}

fn resize(call: &mut Call<'_>) -> Result<Answer> {
    let (node, vmid) = (call.node(), call.vmid());
    let (disk, wanted) = (call.take("disk").unwrap_or_default(), call.take("size").unwrap_or_default());
    let digest = call.take("digest");
    let guest = call.world.guest(Kind::Lxc, &node, vmid)?.clone();
    unlocked(&guest)?;
    // What is checked is an option of the name `disk`, which is like any other.
    let new = [("disk".to_string(), disk.clone())].into();
    let (who, old, unprivileged) = (&call.who, Some(&guest.conf), guest.flag("unprivileged"));
    lxc_permission::check(call.world, &Change { who, vmid, pool: None, old, new: &new, delete: &[], unprivileged })?;
    unmodified(digest.as_deref(), &config_file::digest(&guest))?;
    let Some(value) = guest.conf.get(&disk) else { return Err(no_volume(&disk)) };
    let volid = parse(call.world, &disk, value).remove("volume").unwrap_or_default();
    let (storage, _) = volid.split_once(':').unwrap_or(("", ""));
    storage::name_of(call.world, &volid)?;
    call.world.state.demand(&call.who, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
    let size = storage::volume(call.world, &volid)?.size;
    let by = formats::bytes(wanted.trim_start_matches('+')).unwrap_or_default();
    let new = if wanted.starts_with('+') { size + by } else { by };
    if new < size {
        return Err(Refusal::die("unable to shrink disk size"));
    }
    if new == size {
        return Err(Refusal::die("disk is already at specified size"));
    }
    call.world.lock(vmid)?;
    Ok(call.fork("resize", Work::Resize { vmid, disk, size: new }, true))
}

/// 500: what parsing a mount point says that is not there.
pub fn no_volume(disk: &str) -> Refusal {
    let missing = "property is missing and it is not optional";
    let keys: &[&str] = if disk == "rootfs" { &["volume"] } else { &["mp", "volume"] };
    Refusal::Answer {
        status: 500,
        message: "format error".into(),
        errors: keys.iter().map(|k| (k.to_string(), missing.into())).collect(),
        newline: true,
    }
}

/// What e2fsck goes through.
const PASSES: [&str; 5] = [
    "Checking inodes, blocks, and sizes",
    "Checking directory structure",
    "Checking directory connectivity",
    "Checking reference counts",
    "Checking group summary information",
];

/// Grows a volume.
///
/// # Errors
/// The guest or its volume is gone.
pub fn grow(world: &mut World, vmid: u32, disk: &str, size: u64, log: &mut Vec<String>) -> Result<()> {
    let guest = world.any(Kind::Lxc, vmid)?;
    let running = guest.running.is_some();
    let value = guest.conf.get(disk).cloned().ok_or_else(|| no_volume(disk))?;
    let mut parts = parse(world, disk, &value);
    let volid = parts.get("volume").cloned().unwrap_or_default();
    let path = storage::path(world, &volid);
    let name = storage::name_of(world, &volid)?.storage;
    let volume = world.state.storages.get_mut(&name).and_then(|s| s.volumes.get_mut(&volid));
    let volume = volume.ok_or_else(|| Refusal::die(format!("volume '{volid}' does not exist")))?;
    // The image that others are made from cannot be written to.
    if volid.contains("base-") {
        return Err(Refusal::die(format!(
            "command '/usr/bin/qemu-img resize -f raw {path} {size}' failed: exit code 1"
        )));
    }
    let blocks_before = volume.size / if volume.small_blocks { 1024 } else { 4096 };
    // The file is as large as its last block; the config keeps what was asked for.
    volume.size = size.div_ceil(1024) * 1024;
    let block = if volume.small_blocks { 1024 } else { 4096 };
    let (unit, before) = (if volume.small_blocks { "1k" } else { "4k" }, blocks_before);
    log.push("Image resized.".into());
    if !running {
        log.push("e2fsck 1.47.2 (1-Jan-2025)".into());
        for (n, what) in PASSES.iter().enumerate() {
            log.push(format!("Pass {}: {what}", n + 1));
        }
        log.push(format!("{path}: 12/{before} files (0.0% non-contiguous), 12/{before} blocks"));
    }
    log.push("resize2fs 1.47.2 (1-Jan-2025)".into());
    let what = if running { "/dev/loop0".to_string() } else { path };
    if size / block == before {
        log.push(format!("The filesystem is already {before} ({unit}) blocks long.  Nothing to do!"));
    } else {
        log.push(format!("Resizing the filesystem on {what} to {} ({unit}) blocks.", size / block));
        log.push(format!("The filesystem on {what} is now {} ({unit}) blocks long.", size / block));
    }
    log.push(String::new());
    parts.insert("size".into(), formats::print_bytes(size));
    let printed = world.properties(Kind::Lxc, disk).map(|f| property::print(f, &parts));
    if let Some(printed) = printed {
        world.any(Kind::Lxc, vmid)?.conf.insert(disk.into(), printed);
    }
    world.write(vmid);
    Ok(())
}
