//! `POST /nodes/{node}/qemu` with `archive`: a machine out of a backup (`restore_vma_archive`, qemu-server 9.2).
use super::{
    backup_vm::{device, map},
    lxc_create::{enabled, unused},
    qemu_alloc,
    qemu_create::{clamped, hidden},
    qemu_drive::{is_cloud_init, is_drive, is_numbered, network, parse, print},
    qemu_permission::Change,
    storage,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, unlocked},
    config_file, property,
    refusal::{Refusal, Result},
    state::{Archive, Conf, Guest, Kind},
    task::Work,
    vm_work::{RestoreVm, VmWork},
    world::World,
};

/// The size of the drive with the data for cloud-init.
const CLOUD_INIT_SIZE: u64 = 4 << 20;

/// Demands that a backup can be read, and that no disk is given beside it.
///
/// # Errors
/// 400, 403, or 500 where there is no such backup.
pub fn readable(call: &Call<'_>, conf: &Conf, volid: &str) -> Result<()> {
    if let Some(key) = conf.keys().find(|key| is_drive(key)) {
        return Err(Refusal::parameter(key, "option conflicts with option 'archive'"));
    }
    if volid == "-" {
        return Err(Refusal::die("pipe requires cli environment"));
    }
    storage::may_use(call.world, &call.who, Some(call.vmid()), volid, "backup")?;
    storage::volume(call.world, volid).map(|_| ())
}

/// Starts the task.
///
/// # Errors
/// 500: the number is taken, or the machine that is to be overwritten is locked.
pub fn begin(call: &mut Call<'_>, conf: Conf, archive: String) -> Result<Answer> {
    let (node, vmid) = (call.node(), call.vmid());
    let failed = |why: Refusal| Refusal::die(format!("unable to restore VM {vmid} - {}", why.text()));
    let before = call.world.guest(Kind::Qemu, &node, vmid).ok().filter(|_| call.flag("force"));
    match before {
        Some(guest) => unlocked(guest),
        None => unused(call.world, vmid),
    }
    .map_err(failed)?;
    let storage = call.arg("storage").map(str::to_string);
    let pool = call.arg("pool").map(str::to_string);
    let denied = denied(call, &archive, &conf, storage.as_deref(), pool.as_deref()).err();
    let work = RestoreVm {
        conf,
        archive,
        storage,
        pool,
        start: call.flag("start"),
        unique: call.flag("unique"),
        ha: call.flag("ha-managed"),
        denied: denied.map(|why| format!("403 {}", why.text())),
    };
    let guest = call.world.state.guests.entry(vmid).or_insert_with(|| Guest::new(Kind::Qemu, &node));
    guest.conf.insert("lock".into(), "create".into());
    call.world.touched = true;
    Ok(call.fork("qmrestore", Work::Vm { vmid, what: Box::new(VmWork::Restore(work)) }, true))
}

/// What the backup itself needs: room on its storages, its bridges and its devices.
fn denied(call: &Call<'_>, archive: &str, given: &Conf, on: Option<&str>, pool: Option<&str>) -> Result<()> {
    let Ok(archive) = opened(call.world, archive) else { return Ok(()) };
    let change = Change { who: &call.who, vmid: call.vmid(), pool };
    for drive in archive.drives.values() {
        let name = on.unwrap_or(&drive.storage);
        call.world.state.demand(&call.who, &format!("/storage/{name}"), &["Datastore.AllocateSpace"])?;
    }
    let cards = archive.conf.iter().filter(|(key, _)| is_numbered(key, "net") && !given.contains_key(*key));
    cards.into_iter().try_for_each(|(key, value)| change.bridge(call.world, key, value))?;
    change.mapped_devices(call.world, &archive.conf)
}

/// What is in a backup of a machine.
fn opened(world: &World, volid: &str) -> Result<Archive> {
    let found = storage::volume(world, volid)?.archive.as_ref().filter(|a| a.kind == Kind::Qemu);
    found.map(|archive| (**archive).clone()).ok_or_else(|| {
        let path = storage::path(world, volid);
        Refusal::die(format!("ERROR: file '{path}' does not look like a QemuServer vzdump backup"))
    })
}

/// Does the work of the task.
///
/// # Errors
/// The text that the task ends with. What there is of the machine stays.
pub fn perform(world: &mut World, vmid: u32, restore: RestoreVm, log: &mut Vec<String>) -> Result<()> {
    let (start, pool, ha) = (restore.start, restore.pool.clone(), restore.ha);
    if let Err(why) = build(world, vmid, restore, log) {
        world.any(Kind::Qemu, vmid)?.conf.remove("lock");
        world.write(vmid);
        let state = "some or all disks were not completely restored";
        log.push(format!("error before or during data restore, {state}. VM {vmid} state is NOT cleaned up."));
        return Err(why);
    }
    if let Some(pool) = pool.and_then(|p| world.state.pools.get_mut(&p)) {
        pool.vms.insert(vmid);
    }
    if start {
        log.push("Execute autostart".into());
        world.fork_start(vmid);
    }
    if ha {
        let state = if start { "started" } else { "stopped" };
        log.push(format!("Add HA resource with request-state '{state}'"));
        super::ha::manage(world, vmid, state);
    }
    Ok(())
}

fn build(world: &mut World, vmid: u32, restore: RestoreVm, log: &mut Vec<String>) -> Result<()> {
    let old = world.any(Kind::Qemu, vmid)?.clone();
    if old.flag("protection") {
        return Err(Refusal::die(format!("unable to restore VM {vmid} - - protection mode enabled")));
    }
    if old.running.is_some() {
        return Err(Refusal::die(format!("unable to restore VM {vmid} - vm is running")));
    }
    if let Some(why) = restore.denied {
        return Err(Refusal::die(why));
    }
    let archive = opened(world, &restore.archive)?;
    log.push(format!("restore vma archive: {}", command(world, vmid, &restore.archive)));
    let mut backed_up = Guest::new(Kind::Qemu, &old.node);
    backed_up.conf = archive.conf.clone();
    let size = config_file::text(&backed_up).len() + map(&archive).len();
    log.push(format!("CFG: size: {size} name: qemu-server.conf"));
    for (n, (key, drive)) in archive.drives.iter().enumerate() {
        log.push(format!("DEV: dev_id={} size: {} devname: {}", n + 1, drive.size, device(key)));
    }
    let created = storage::volume(world, &restore.archive)?.created;
    let moment = jiff::Timestamp::from_second(i64::try_from(created).unwrap_or_default()).unwrap_or_default();
    log.push(format!("CTIME: {}", moment.strftime("%a %b %e %H:%M:%S %Y")));
    let on = restore.storage.as_deref();
    let disks = volumes(world, vmid, &archive, on, &old, log)?;
    for (key, volid) in disks.iter().filter(|(key, _)| archive.drives.contains_key(*key)) {
        let path = storage::path(world, volid);
        log.push(format!("map '{}' to '{path}' (write zeros = 0)", device(key)));
    }
    read(&archive, log);
    let mut conf = lines(world, &archive, &disks, restore.unique);
    for (key, value) in restore.conf {
        let value = match key.as_str() {
            "cipassword" => hidden(&value),
            "cpuunits" => clamped(&value),
            _ => value,
        };
        conf.insert(key, value);
    }
    if conf.get("template").is_some_and(|t| t == "1") {
        for key in disks.keys() {
            if let Some(value) = conf.get(key).cloned() {
                let value = qemu_alloc::base(world, key, &value);
                conf.insert(key.clone(), value);
            }
        }
    }
    if let Some(firewall) = archive.firewall {
        world.state.firewalls.insert(vmid, firewall);
    }
    log.push("rescan volumes...".into());
    left_over(world, vmid, &mut conf, log);
    let guest = world.any(Kind::Qemu, vmid)?;
    *guest = Guest { conf, ..Guest::new(Kind::Qemu, &old.node) };
    world.write(vmid);
    if archive.conf.get("template").is_some_and(|t| t == "1") {
        log.push("Convert to template.".into());
    }
    Ok(())
}

/// How the archive is unpacked, as the log spells it.
fn command(world: &World, vmid: u32, volid: &str) -> String {
    let path = storage::path(world, volid);
    let unpack = match path.rsplit('.').next() {
        Some("zst") => "zstd -q -d -c ",
        Some("gz") => "zcat ",
        Some("lzo") => "lzop -d -c ",
        _ => "",
    };
    let at_work =
        |t: &&crate::sandbox::proxmox::Task| t.kind == "qmrestore" && t.id == vmid.to_string() && !t.is_over();
    let pid = world.state.tasks.iter().rev().find(at_work).map_or(0, |t| t.pid);
    let folder = format!("/var/tmp/vzdumptmp{pid}");
    match unpack {
        "" => format!("vma extract -v -r {folder}.fifo {path} {folder}"),
        _ => format!("{unpack}{path} | vma extract -v -r {folder}.fifo - {folder}"),
    }
}

/// Makes the volumes that the data goes to, and answers them by their drives. What the machine had in their place goes.
fn volumes(
    world: &mut World,
    vmid: u32,
    archive: &Archive,
    on: Option<&str>,
    old: &Guest,
    log: &mut Vec<String>,
) -> Result<Conf> {
    let mut wanted: Vec<(String, String, String, u64)> = Vec::new();
    for (key, drive) in &archive.drives {
        wanted.push((key.clone(), on.unwrap_or(&drive.storage).into(), drive.format.clone(), drive.size));
    }
    for (key, value) in archive.conf.iter().filter(|(key, _)| is_drive(key)) {
        let parts = parse(world, key, value);
        if is_cloud_init(&parts) && !archive.drives.contains_key(key) {
            let volid = parts.get("file").cloned().unwrap_or_default();
            let storage = volid.split_once(':').map_or("", |(s, _)| s);
            let format = volid.rsplit_once('.').map_or("raw", |(_, format)| format);
            wanted.push((key.clone(), on.unwrap_or(storage).into(), format.into(), CLOUD_INIT_SIZE));
        }
    }
    wanted.sort();
    for (_, storage, ..) in &wanted {
        if !storage::of(world, storage)?.content.contains("images") {
            return Err(Refusal::die(format!("Content type 'images' is not available on storage '{storage}'")));
        }
        enabled(world, storage)?;
    }
    for (_, value) in old.conf.iter().filter(|(key, _)| wanted.iter().any(|(wanted, ..)| wanted == *key)) {
        let gone = super::qemu_drive::volume(value);
        if storage::volume(world, gone).is_ok_and(|v| v.vmid == Some(vmid)) {
            storage::remove(world, gone)?;
        }
    }
    let mut made = Conf::new();
    for (key, storage, format, size) in wanted {
        let is_image = archive.drives.contains_key(&key);
        let volid = match is_image {
            true => qemu_alloc::allocate(world, &storage, vmid, Some(&format), size, log)?,
            false => qemu_alloc::cloud_init(world, &storage, vmid, Some(&format), log)?,
        };
        log.push(format!("new volume ID is '{volid}'"));
        made.insert(key, volid);
    }
    Ok(made)
}

/// What `vma extract -v` counts.
fn read(archive: &Archive, log: &mut Vec<String>) {
    let size: u64 = archive.drives.values().map(|d| d.size).sum();
    if size == 0 {
        return;
    }
    for percent in 1..=100_u64 {
        let at = (u128::from(size) * u128::from(percent) / 100) as u64 / 65_536 * 65_536;
        let at = if percent == 100 { size } else { at };
        log.push(format!("progress {percent}% (read {at} bytes, duration 0 sec)"));
    }
    let sparse = size.saturating_sub(archive.holds);
    let share = sparse as f64 * 100.0 / size as f64;
    log.push(format!("total bytes read {size}, sparse bytes {sparse} ({share:.3}%)"));
    log.push("space reduction due to 4K zero blocks 0%".into());
}

/// The config as it stands in the backup, with its new volumes (`restore_update_config_line`).
fn lines(world: &mut World, archive: &Archive, disks: &Conf, unique: bool) -> Conf {
    let (mut conf, mut notes) = (Conf::new(), Vec::new());
    for (key, value) in &archive.conf {
        if matches!(key.as_str(), "lock" | "parent") || is_numbered(key, "unused") {
            continue;
        }
        let mut value = value.clone();
        if is_drive(key) {
            let mut parts = parse(world, key, &value);
            if parts.get("backup").and_then(|b| property::boolean(b)) == Some(false) {
                notes.push(format!("{key}: {value}"));
                continue;
            }
            if let Some(volid) = disks.get(key) {
                parts.remove("format");
                parts.insert("file".into(), volid.clone());
                value = print(world, key, &parts);
            }
        } else if key == "vmgenid" && value != "0" {
            value = world.uuid();
        } else if unique && key == "smbios1" {
            let mut parts = parse(world, key, &value);
            parts.insert("uuid".into(), world.uuid());
            value = print(world, key, &parts);
        } else if unique && is_numbered(key, "net") {
            // A card without an address gets a new one.
            let model = value.split(',').next().unwrap_or_default();
            let bare = model.split('=').next().unwrap_or_default();
            let without = value.replacen(model, bare, 1);
            value = network(world, key, &without);
        }
        conf.insert(key.clone(), value);
    }
    // A disk that is in no backup stands there as a comment, and comments are the notes.
    if !notes.is_empty() {
        let before = conf.get("description").cloned().into_iter();
        let all: Vec<String> = before.chain(notes).collect();
        conf.insert("description".into(), all.join("\n"));
    }
    conf
}

/// Volumes of the machine that nothing names any more.
fn left_over(world: &World, vmid: u32, conf: &mut Conf, log: &mut Vec<String>) {
    let named = |conf: &Conf, volid: &str| conf.values().any(|v| super::qemu_drive::volume(v) == volid);
    let storages = world.state.storages.values().flat_map(|s| &s.volumes);
    let own = storages.filter(|(_, v)| v.vmid == Some(vmid) && v.content == "images").map(|(volid, _)| volid);
    for volid in own.filter(|volid| !volid.contains("-state-")) {
        if named(conf, volid) {
            continue;
        }
        let key = (0..256).map(|n| format!("unused{n}")).find(|k| !conf.contains_key(k)).unwrap_or_default();
        log.push(format!("VM {vmid} add unreferenced volume '{volid}' as '{key}' to config"));
        conf.insert(key, volid.clone());
    }
}
