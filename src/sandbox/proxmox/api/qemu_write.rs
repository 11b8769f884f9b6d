//! Making, changing and removing virtual machines.
use super::{
    lxc_config::unmodified,
    lxc_create::{are_keys, enabled, pool_exists, unused},
    lxc_hotplug::{forget_delete, remember_delete, tags},
    lxc_read::pending_deletes,
    lxc_volume::new_disk,
    storage,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on, unlocked},
    config_file,
    facts::Schema,
    formats,
    property::{self, Properties},
    refusal::{Refusal, Result},
    schema::split_list,
    state::{Conf, Guest, Kind, Running, Volume},
    task::Work,
    world::{World, is_disk},
};
use serde_json::Value;
use std::collections::BTreeMap;

pub const ENDPOINTS: &[Endpoint] = &[
    on("POST", "/nodes/{node}/qemu", create),
    on("PUT", "/nodes/{node}/qemu/{vmid}/config", |c| change(c, false)),
    on("POST", "/nodes/{node}/qemu/{vmid}/config", |c| change(c, true)),
    on("DELETE", "/nodes/{node}/qemu/{vmid}", delete),
    on("POST", "/nodes/{node}/qemu/{vmid}/status/start", start),
    on("POST", "/nodes/{node}/qemu/{vmid}/status/stop", |c| stop(c, "qmstop")),
    on("POST", "/nodes/{node}/qemu/{vmid}/status/shutdown", |c| stop(c, "qmshutdown")),
    on("POST", "/nodes/{node}/qemu/{vmid}/status/reboot", reboot),
];

/// Options that a running machine takes at once; network cards and disks too, all else waits for the next start.
const FAST: &[&str] = &["description", "name", "onboot", "protection", "startup", "tags", "lock", "hotplug"];
/// Parameters that never stand in the config.
const NOT_CONFIG: &[&str] = &[
    "node",
    "vmid",
    "pool",
    "start",
    "force",
    "archive",
    "unique",
    "storage",
    "bwlimit",
    "live-restore",
    "digest",
    "delete",
    "revert",
    "skiplock",
    "background_delay",
    "ha-managed",
    "import-working-storage",
];

/// What one must be allowed to in order to set an option.
fn privilege(key: &str) -> &'static str {
    let stem = key.trim_end_matches(|c: char| c.is_ascii_digit());
    match (stem, key) {
        (_, "cores" | "sockets" | "cpu" | "cpulimit" | "cpuunits" | "vcpus" | "numa" | "affinity") => "VM.Config.CPU",
        (_, "memory" | "balloon" | "shares" | "hugepages" | "keephugepages") => "VM.Config.Memory",
        ("net", _) => "VM.Config.Network",
        ("ipconfig", _) => "VM.Config.Cloudinit",
        (_, k) if k.starts_with("ci") || matches!(k, "sshkeys" | "nameserver" | "searchdomain") => {
            "VM.Config.Cloudinit"
        }
        (_, "scsihw" | "vga" | "machine" | "bios" | "serial0" | "arch" | "kvm" | "rng0" | "tablet") => {
            "VM.Config.HWType"
        }
        _ if is_disk(Kind::Qemu, key) || matches!(key, "boot" | "bootdisk") => "VM.Config.Disk",
        _ => "VM.Config.Options",
    }
}

fn permit<'a>(
    call: &Call<'_>,
    vmid: u32,
    pool: Option<&str>,
    keys: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<()> {
    for (key, value) in keys {
        call.world.state.demand_guest(&call.who, vmid, pool, &[privilege(key)])?;
        let volid = value.split(',').next().unwrap_or_default();
        if let Some((name, _)) = new_disk(volid).filter(|_| is_disk(Kind::Qemu, key)) {
            call.world.state.demand(&call.who, &format!("/storage/{name}"), &["Datastore.AllocateSpace"])?;
            storage::of(call.world, name)?;
            enabled(call.world, name)?;
        }
        if key.starts_with("net") {
            let bridge = parse(call.world, key, value).remove("bridge");
            if let Some(bridge) = bridge {
                call.world.state.demand(&call.who, &format!("/sdn/zones/localnetwork/{bridge}"), &["SDN.Use"])?;
            }
        }
    }
    Ok(())
}

fn format<'a>(world: &'a World, key: &str) -> Option<&'a BTreeMap<String, Schema>> {
    world.properties(Kind::Qemu, key)
}

fn parse(world: &World, key: &str, value: &str) -> Properties {
    format(world, key).and_then(|f| property::take_apart(f, value).ok()).unwrap_or_default()
}

/// A network card as it is stored: `virtio=BC:24:11:00:00:01,bridge=vmbr0`.
fn network(world: &mut World, key: &str, value: &str) -> String {
    let mut net = parse(world, key, value);
    let model = net.remove("model").unwrap_or_default();
    let mac = match net.remove("macaddr") {
        Some(mac) => mac,
        None => world.mac(),
    };
    let rest: String = net.iter().map(|(k, v)| format!(",{k}={v}")).collect();
    format!("{model}={mac}{rest}")
}

fn create(call: &mut Call<'_>) -> Result<Answer> {
    let (node, vmid) = (call.node(), call.vmid());
    if call.arg("archive").is_some() {
        return Err(Refusal::not_simulated("restoring a virtual machine from a backup"));
    }
    let failed = |why: Refusal| Refusal::die(format!("unable to create VM {vmid} - {}", why.text()));
    let pool = call.arg("pool").map(str::to_string);
    pool_exists(call.world, pool.as_deref())?;
    let in_pool =
        pool.as_ref().is_some_and(|p| call.world.state.may(&call.who, &format!("/pool/{p}"), &["VM.Allocate"], false));
    if !in_pool && !call.world.state.may(&call.who, &format!("/vms/{vmid}"), &["VM.Allocate"], false) {
        return Err(Refusal::denied(""));
    }
    let mut conf: Conf = call.args.clone();
    conf.retain(|k, _| !NOT_CONFIG.contains(&k.as_str()));
    keys_valid(&conf)?;
    permit(call, vmid, pool.as_deref(), conf.iter().map(|(k, v)| (k.as_str(), v.as_str())))?;
    unused(call.world, vmid).map_err(failed)?;
    let mut guest = Guest::new(Kind::Qemu, &node);
    guest.conf.insert("lock".into(), "create".into());
    call.world.state.guests.insert(vmid, guest);
    call.world.touched = true;
    let disks = conf.iter().filter(|(k, _)| is_disk(Kind::Qemu, k)).map(|(k, v)| (k.clone(), v.clone())).collect();
    conf.retain(|k, _| !is_disk(Kind::Qemu, k));
    let start = call.flag("start");
    Ok(call.fork("qmcreate", Work::CreateVm { vmid, conf, disks, pool, start }, true))
}

/// Demands that the keys for cloud-init, percent-encoded once more than the form needs, are keys.
fn keys_valid(conf: &Conf) -> Result<()> {
    let Some(encoded) = conf.get("sshkeys").filter(|k| !k.is_empty()) else { return Ok(()) };
    let keys = percent_encoding::percent_decode_str(encoded).decode_utf8_lossy();
    match are_keys(&keys) {
        true => Ok(()),
        false => Err(Refusal::die("SSH public key validation error")),
    }
}

/// Does the work of a create.
///
/// # Errors
/// The text that the task ends with; nothing is left.
pub fn perform_create(
    world: &mut World,
    vmid: u32,
    conf: Conf,
    disks: Conf,
    pool: Option<String>,
    start: bool,
    log: &mut Vec<String>,
) -> Result<()> {
    if let Err(why) = build(world, vmid, conf, disks, log) {
        world.forget_guest(vmid);
        for storage in world.state.storages.values_mut() {
            storage.volumes.retain(|_, v| v.vmid != Some(vmid));
        }
        return Err(Refusal::die(format!("unable to create VM {vmid} - {}", why.text())));
    }
    if let Some(pool) = pool.and_then(|p| world.state.pools.get_mut(&p)) {
        pool.vms.insert(vmid);
    }
    if start {
        log.push("Execute autostart".into());
        drop(perform_start(world, vmid));
    }
    Ok(())
}

fn build(world: &mut World, vmid: u32, mut conf: Conf, disks: Conf, log: &mut Vec<String>) -> Result<()> {
    for (key, value) in &disks {
        let value = disk(world, vmid, key, value, log)?;
        conf.insert(key.clone(), value);
    }
    for key in conf.keys().filter(|k| k.starts_with("net")).cloned().collect::<Vec<_>>() {
        let value = network(world, &key, &conf[&key]);
        conf.insert(key, value);
    }
    if let Some(given) = conf.get("tags") {
        let tags = tags(world, given);
        conf.insert("tags".into(), tags);
    }
    // Disks first, then drives, then network cards.
    let is = |k: &str, stems: &[&str]| stems.iter().any(|s| k.starts_with(s)) && is_numbered(k);
    let hard = conf.iter().filter(|(k, v)| is(k, &["scsi", "virtio", "sata", "ide"]) && !v.contains("media=cdrom"));
    let drives = conf.iter().filter(|(k, v)| is(k, &["scsi", "sata", "ide"]) && v.contains("media=cdrom"));
    let nets = conf.iter().filter(|(k, _)| is(k, &["net"])).take(1);
    let order: Vec<&str> = hard.take(1).chain(drives.take(1)).chain(nets).map(|(k, _)| k.as_str()).collect();
    let boot = if order.is_empty() { String::new() } else { format!("order={}", order.join(";")) };
    conf.entry("boot".into()).or_insert(boot);
    let (smbios, vmgenid) = (world.uuid(), world.uuid());
    conf.entry("smbios1".into()).or_insert(format!("uuid={smbios}"));
    conf.entry("vmgenid".into()).or_insert(vmgenid);
    let qemu = if world.release().is_9() { "10.0.13" } else { "9.2.0" };
    conf.entry("meta".into()).or_insert(format!("creation-qemu={qemu},ctime={}", world.now / 1000));
    world.any(Kind::Qemu, vmid)?.conf = conf;
    world.write(vmid);
    Ok(())
}

fn is_numbered(key: &str) -> bool {
    key.ends_with(|c: char| c.is_ascii_digit())
}

/// Makes the volume of a disk, and answers the disk as it is stored.
fn disk(world: &mut World, vmid: u32, key: &str, value: &str, log: &mut Vec<String>) -> Result<String> {
    let mut parts = parse(world, key, value);
    let file = parts.get("file").cloned().unwrap_or_default();
    let (volid, size, made) = if let Some((name, size)) = new_disk(&file) {
        if parts.contains_key("import-from") {
            return Err(Refusal::not_simulated("importing a disk"));
        }
        let format = parts.remove("format").unwrap_or_else(|| "raw".into());
        let volid = storage::free_name(world, name, vmid, &format)?;
        let path = storage::path(world, &volid);
        log.push(format!("Formatting '{path}', fmt={format} size={size} preallocation=off"));
        if size >= 16 << 40 {
            let why =
                format!("unable to create image: qemu-img: {path}: The image size is too large for file format 'raw'");
            return Err(Refusal::die(why));
        }
        (volid, size, true)
    } else if let Some(name) = file.strip_suffix(":cloudinit") {
        storage::of(world, name)?;
        let volid = format!("{name}:{vmid}/vm-{vmid}-cloudinit.qcow2");
        let path = storage::path(world, &volid);
        log.push(format!(
            "Formatting '{path}', fmt=qcow2 cluster_size=65536 extended_l2=off preallocation=metadata \
             compression_type=zlib size=4194304 lazy_refcounts=off refcount_bits=16"
        ));
        parts.insert("media".into(), "cdrom".into());
        (volid, 4 << 20, true)
    } else {
        if file.contains(':') {
            let size = storage::volume(world, &file)?.size;
            if parts.get("media").is_none_or(|m| m != "cdrom") {
                parts.insert("size".into(), formats::print_bytes(size));
            }
        }
        (file, 0, false)
    };
    if made {
        let format = volid.rsplit_once('.').map_or("raw", |(_, e)| e).to_string();
        let created = world.now / 1000;
        let name = storage::name_of(world, &volid)?.storage;
        let volume = Volume { content: "images".into(), format, size, vmid: Some(vmid), created, ..Volume::default() };
        if let Some(storage) = world.state.storages.get_mut(&name) {
            storage.volumes.insert(volid.clone(), volume);
        }
        if parts.get("media").is_none_or(|m| m != "cdrom") {
            parts.insert("size".into(), formats::print_bytes(size));
        }
    }
    parts.insert("file".into(), volid);
    let printed = format(world, key).map_or_else(|| value.to_string(), |f| property::print(f, &parts));
    if made {
        log.push(format!("{key}: successfully created disk '{printed}'"));
    }
    Ok(printed)
}

fn change(call: &mut Call<'_>, as_task: bool) -> Result<Answer> {
    let (node, vmid) = (call.node(), call.vmid());
    let digest = call.take("digest");
    let force = call.flag("force");
    let list = |call: &Call<'_>, key: &str| split_list(call.arg(key).unwrap_or_default());
    let (delete, revert) = (list(call, "delete"), list(call, "revert"));
    let mut set: Conf = call.args.clone();
    set.retain(|k, _| !NOT_CONFIG.contains(&k.as_str()));
    let nothing_set = set.is_empty();
    // An empty list of keys changes nothing.
    set.retain(|k, v| k != "sshkeys" || !v.is_empty());
    if nothing_set && delete.is_empty() && revert.is_empty() {
        return Err(Refusal::die("no options specified"));
    }
    for (which, keys) in [("revert", &revert), ("delete", &delete)] {
        for key in keys {
            if set.contains_key(key) {
                let why = format!("you can't use '-{key}' and -{which} {key}' at the same time");
                return Err(Refusal::parameter(which, why));
            }
            if call.world.option(Kind::Qemu, key).is_none() || NOT_CONFIG.contains(&key.as_str()) {
                return Err(Refusal::parameter(which, format!("unknown option '{key}'")));
            }
        }
    }
    call.world.guest(Kind::Qemu, &node, vmid)?;
    if (set.contains_key("lock") || delete.iter().any(|k| k == "lock")) && !call.who.is_root() {
        return Err(Refusal::die("only root can set 'lock' config"));
    }
    keys_valid(&set)?;
    let keys = set.iter().map(|(k, v)| (k.as_str(), v.as_str())).chain(delete.iter().map(|k| (k.as_str(), "")));
    permit(call, vmid, None, keys)?;
    call.world.lock(vmid)?;
    let guest = call.world.guest(Kind::Qemu, &node, vmid)?;
    unmodified(digest.as_deref(), &config_file::digest(guest))
        .map_err(|_| Refusal::die("checksum mismatch (file change by other user?)"))?;
    unlocked(guest)?;
    if as_task {
        return Ok(call.fork("qmconfig", Work::ConfigureVm { vmid, set, delete, revert, force }, true));
    }
    perform_change(call.world, vmid, set, delete, revert, force, &mut Vec::new())?;
    Ok(Value::Null.into())
}

/// Changes the config of a machine: at once, or pending where it runs and the option must wait.
///
/// # Errors
/// 500, or the text that the task ends with.
pub fn perform_change(
    world: &mut World,
    vmid: u32,
    set: Conf,
    delete: Vec<String>,
    revert: Vec<String>,
    force: bool,
    log: &mut Vec<String>,
) -> Result<()> {
    let mut guest = world.any(Kind::Qemu, vmid)?.clone();
    unlocked(&guest)?;
    for key in &revert {
        guest.pending.remove(key);
        forget_delete(&mut guest, key);
    }
    for key in delete
        .iter()
        .filter(|k| guest.conf.contains_key(*k) || guest.pending.contains_key(*k))
        .cloned()
        .collect::<Vec<_>>()
    {
        guest.pending.remove(&key);
        remember_delete(&mut guest, &key);
    }
    for (key, value) in &set {
        let value = match key.as_str() {
            k if k.starts_with("net") && is_numbered(k) => network(world, key, value),
            k if is_disk(Kind::Qemu, k) => disk(world, vmid, key, value, log)?,
            "tags" => tags(world, value),
            _ => value.clone(),
        };
        forget_delete(&mut guest, key);
        match guest.conf.get(key) == Some(&value) {
            true => drop(guest.pending.remove(key)),
            false => drop(guest.pending.insert(key.clone(), value)),
        }
    }
    let running = guest.running.is_some();
    let at_once = |key: &str| {
        !running || FAST.contains(&key) || (key.starts_with("net") && is_numbered(key)) || is_disk(Kind::Qemu, key)
    };
    settle(world, &mut guest, force, at_once)?;
    world.state.guests.insert(vmid, guest);
    world.write(vmid);
    Ok(())
}

/// Makes pending values the current ones.
fn settle(world: &mut World, guest: &mut Guest, force: bool, at_once: impl Fn(&str) -> bool) -> Result<()> {
    for (key, _) in pending_deletes(guest).into_iter().filter(|(k, _)| at_once(k)) {
        let old = guest.conf.remove(&key);
        forget_delete(guest, &key);
        let volid = old.as_deref().and_then(|o| o.split(',').next()).unwrap_or_default().to_string();
        if is_disk(Kind::Qemu, &key) && volid.contains(':') {
            if force || key.starts_with("unused") || volid.contains("cloudinit") {
                storage::remove(world, &volid)?;
            } else {
                let free = (0..256).map(|i| format!("unused{i}")).find(|k| !guest.conf.contains_key(k));
                guest.conf.insert(free.unwrap_or_default(), volid);
            }
            if let Some(boot) = guest.conf.get_mut("boot") {
                let kept: Vec<&str> = boot
                    .trim_start_matches("order=")
                    .split(';')
                    .filter(|d| *d != key && !d.trim().is_empty())
                    .collect();
                *boot = if kept.is_empty() { " ".into() } else { format!("order={}", kept.join(";")) };
            }
        }
    }
    let keys: Vec<String> = guest.pending.keys().filter(|k| *k != "delete" && at_once(k)).cloned().collect();
    for key in keys {
        if let Some(value) = guest.pending.remove(&key) {
            guest.conf.insert(key, value);
        }
    }
    Ok(())
}

fn delete(call: &mut Call<'_>) -> Result<Answer> {
    let vmid = call.vmid();
    let guest = call.guest(Kind::Qemu)?;
    if guest.flag("protection") {
        return Err(Refusal::die(format!("can't remove VM {vmid} - protection mode enabled")));
    }
    unlocked(guest)?;
    if guest.running.is_some() {
        return Err(Refusal::die(format!("VM {vmid} is running - destroy failed")));
    }
    let (purge, unreferenced) = (call.flag("purge"), call.flag("destroy-unreferenced-disks"));
    Ok(call.fork("qmdestroy", Work::Destroy { vmid, force: false, purge, unreferenced }, true))
}

fn skips_lock(call: &Call<'_>) -> Result<()> {
    match call.flag("skiplock") && !call.who.is_root() {
        true => Err(Refusal::parameter("skiplock", "Only root may use this option.")),
        false => Ok(()),
    }
}

fn runs(call: &Call<'_>) -> bool {
    call.guest(Kind::Qemu).is_ok_and(|g| g.running.is_some())
}

fn start(call: &mut Call<'_>) -> Result<Answer> {
    skips_lock(call)?;
    let vmid = call.vmid();
    Ok(call.fork("qmstart", Work::StartVm { vmid }, true))
}

/// Stopping what does not run is no mistake: the task ends well.
fn stop(call: &mut Call<'_>, kind: &str) -> Result<Answer> {
    skips_lock(call)?;
    let vmid = call.vmid();
    Ok(call.fork(kind, Work::StopVm { vmid }, true))
}

fn reboot(call: &mut Call<'_>) -> Result<Answer> {
    let vmid = call.vmid();
    if !runs(call) {
        return Err(Refusal::die(format!("VM {vmid} not running")));
    }
    Ok(call.fork("qmreboot", Work::RebootVm { vmid }, true))
}

/// Starts a machine: what is pending is applied first.
///
/// # Errors
/// The text that the task ends with.
pub fn perform_start(world: &mut World, vmid: u32) -> Result<()> {
    let mut guest = world.any(Kind::Qemu, vmid)?.clone();
    unlocked(&guest)?;
    if guest.is_template() {
        return Err(Refusal::die("you can't start a vm if it's a template"));
    }
    if guest.running.is_some() {
        return Err(Refusal::die(format!("VM {vmid} already running")));
    }
    settle(world, &mut guest, false, |_| true)?;
    let bridges = world.state.nodes.get(&guest.node).map(|n| n.bridges.clone()).unwrap_or_default();
    for (key, value) in guest.conf.iter().filter(|(k, _)| k.starts_with("net") && is_numbered(k)) {
        if let Some(bridge) = parse(world, key, value).remove("bridge").filter(|b| !bridges.contains_key(b)) {
            return Err(Refusal::die(format!("bridge '{bridge}' does not exist")));
        }
    }
    let (since, pid) = (world.now, world.state.next_pid);
    world.state.next_pid += 1;
    guest.running = Some(Running { since, pid });
    world.state.guests.insert(vmid, guest);
    world.write(vmid);
    Ok(())
}

/// Stops a machine, and applies what is pending.
///
/// # Errors
/// The guest is gone or locked.
pub fn perform_stop(world: &mut World, vmid: u32) -> Result<()> {
    let mut guest = world.any(Kind::Qemu, vmid)?.clone();
    unlocked(&guest)?;
    guest.running = None;
    settle(world, &mut guest, false, |_| true)?;
    world.state.guests.insert(vmid, guest);
    world.write(vmid);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_follow_the_option() {
        for (key, wanted) in [
            ("net0", "VM.Config.Network"),
            ("scsi0", "VM.Config.Disk"),
            ("scsihw", "VM.Config.HWType"),
            ("ipconfig1", "VM.Config.Cloudinit"),
            ("name", "VM.Config.Options"),
        ] {
            assert_eq!(privilege(key), wanted, "{key}");
        }
    }
}
