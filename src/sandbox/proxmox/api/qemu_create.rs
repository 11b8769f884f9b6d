//! `POST /nodes/{node}/qemu`.
use super::{
    lxc_create::{are_keys, pool_exists, unused},
    lxc_hotplug::tags,
    qemu_alloc::{self, Place},
    qemu_drive::{default_boot, is_drive, is_numbered, network, parse, print, print_boot, tidy},
    qemu_permission::{Change, drive_parameters},
    restore_vm, storage,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    refusal::{Refusal, Result},
    state::{Conf, Guest, Kind},
    task::Work,
    vm_work::{CreateVm, VmWork},
    world::World,
};

pub const ENDPOINTS: &[Endpoint] = &[on("POST", "/nodes/{node}/qemu", create)];

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
    "ha-managed",
    "import-working-storage",
];

fn create(call: &mut Call<'_>) -> Result<Answer> {
    let (node, vmid) = (call.node(), call.vmid());
    let archive = call.arg("archive").map(str::to_string);
    let failed = |why: Refusal| Refusal::die(format!("unable to create VM {vmid} - {}", why.text()));
    let mut conf: Conf = call.given.but(NOT_CONFIG);
    keys_valid(&conf)?;
    let pool = call.arg("pool").map(str::to_string);
    pool_exists(call.world, pool.as_deref())?;
    let (start, ha) = (call.flag("start"), call.flag("ha-managed"));
    let change = Change { who: &call.who, vmid, pool: pool.as_deref() };
    let state = &call.world.state;
    if let Some(storage) = call.arg("storage") {
        state.demand(&call.who, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
    }
    if ha {
        state.demand(&call.who, "/", &["Sys.Console"])?;
    }
    // New in qemu-server 9.
    if start && call.world.release().is_9() {
        state.demand_guest(&call.who, vmid, pool.as_deref(), &["VM.PowerMgmt"])?;
    }
    let may = |path: String| state.may(&call.who, &path, &["VM.Allocate"], false);
    // Whoever may back a machine up may also put it back.
    let there = archive.is_some() && call.flag("force") && call.guest(Kind::Qemu).is_ok();
    let back = there && state.may(&call.who, &format!("/vms/{vmid}"), &["VM.Backup"], false);
    if !back && !may(format!("/vms/{vmid}")) && !pool.as_ref().is_some_and(|p| may(format!("/pool/{p}"))) {
        return Err(Refusal::denied(""));
    }
    if let Some(archive) = &archive {
        restore_vm::readable(call, &conf, archive)?;
    }
    change.storages(call.world, &conf)?;
    change.options(call.world, conf.keys().map(String::as_str))?;
    change.values(call.world, None, &conf)?;
    drive_parameters(call.world, &conf)?;
    for key in conf.keys().filter(|k| is_numbered(k, "net")).cloned().collect::<Vec<_>>() {
        let value = network(call.world, &key, &conf[&key]);
        conf.insert(key, value);
    }
    if let Some(archive) = archive {
        return restore_vm::begin(call, conf, archive);
    }
    unused(call.world, vmid).map_err(failed)?;
    let mut guest = Guest::new(Kind::Qemu, &node);
    guest.conf.insert("lock".into(), "create".into());
    call.world.state.guests.insert(vmid, guest);
    call.world.touched = true;
    let work = VmWork::Create(CreateVm { conf, pool, start, ha });
    Ok(call.fork("qmcreate", Work::Vm { vmid, what: Box::new(work) }, true))
}

/// Demands that the keys for cloud-init, percent-encoded once more than the form needs, are keys.
///
/// # Errors
/// 500.
pub fn keys_valid(conf: &Conf) -> Result<()> {
    let Some(encoded) = conf.get("sshkeys").filter(|k| !k.is_empty()) else { return Ok(()) };
    let keys = percent_encoding::percent_decode_str(encoded).decode_utf8_lossy();
    match are_keys(&keys) {
        true => Ok(()),
        false => Err(Refusal::die("SSH public key validation error")),
    }
}

/// A password as it is kept.
pub fn hidden(password: &str) -> String {
    match password.starts_with('$') {
        true => password.to_string(),
        false => format!("$5$sandbox${}", crate::sandbox::proxmox::login::secret_sum(password)),
    }
}

/// A share of the processor as it is kept: control groups know 1 to 10000.
pub fn clamped(value: &str) -> String {
    value.parse::<u64>().map_or_else(|_| value.to_string(), |n| n.clamp(1, 10_000).to_string())
}

/// Windows is confused by another type of machine: it keeps the one of the QEMU that made it.
fn pin_machine(world: &World, conf: &mut Conf, log: &mut Vec<String>) {
    const WINDOWS: [&str; 10] = ["wxp", "w2k", "w2k3", "w2k8", "wvista", "win7", "win8", "win10", "win11", "w2k12"];
    if !conf.get("ostype").is_some_and(|os| WINDOWS.contains(&os.as_str())) {
        return;
    }
    let mut parts = parse(world, "machine", conf.get("machine").map_or("", String::as_str));
    let version = if world.release().is_9() { "10.0" } else { "9.2" };
    let pinned = match parts.get("type").map(String::as_str) {
        None | Some("pc") => format!("pc-i440fx-{version}"),
        Some("q35") => format!("pc-q35-{version}"),
        Some(_) => return,
    };
    log.push(format!("pinning machine type to '{pinned}' for Windows guest OS"));
    parts.insert("type".into(), pinned);
    let printed = print(world, "machine", &parts);
    conf.insert("machine".into(), printed);
}

/// Does the work of the task.
///
/// # Errors
/// The text that the task ends with; nothing is left.
pub fn perform(world: &mut World, vmid: u32, create: CreateVm, log: &mut Vec<String>) -> Result<()> {
    let mut made = Vec::new();
    if let Err(why) = build(world, vmid, create.conf, &mut made, log) {
        for volid in made {
            drop(storage::remove(world, &volid));
        }
        world.forget_guest(vmid);
        return Err(Refusal::die(format!("unable to create VM {vmid} - {}", why.text())));
    }
    if let Some(pool) = create.pool.and_then(|p| world.state.pools.get_mut(&p)) {
        pool.vms.insert(vmid);
    }
    if create.ha {
        super::ha::add(world, vmid, create.start, log);
    }
    if create.start {
        log.push("Execute autostart".into());
        world.fork_start(vmid);
    }
    Ok(())
}

fn build(world: &mut World, vmid: u32, mut conf: Conf, made: &mut Vec<String>, log: &mut Vec<String>) -> Result<()> {
    let node = world.any(Kind::Qemu, vmid)?.node.clone();
    for key in conf.keys().filter(|k| is_drive(k)).cloned().collect::<Vec<_>>() {
        let others: Conf = conf.iter().filter(|(k, _)| **k != key).map(|(k, v)| (k.clone(), v.clone())).collect();
        let before: Vec<String> = volumes_of(world, vmid);
        let value = qemu_alloc::make(world, Place { vmid, node: &node, conf: &others }, &key, &conf[&key], log);
        made.extend(volumes_of(world, vmid).into_iter().filter(|v| !before.contains(v)));
        conf.insert(key, value?);
    }
    pin_machine(world, &mut conf, log);
    if let Some(given) = conf.get("tags") {
        let tags = tags(world, given);
        conf.insert("tags".into(), tags);
    }
    for (key, how) in [("cipassword", hidden as fn(&str) -> String), ("cpuunits", clamped)] {
        if let Some(value) = conf.get(key) {
            let value = how(value);
            conf.insert(key.into(), value);
        }
    }
    if conf.get("boot").is_none_or(|b| b.is_empty()) {
        let boot = print_boot(&default_boot(world, &conf));
        conf.insert("boot".into(), boot);
    }
    let (smbios, vmgenid) = (world.uuid(), world.uuid());
    conf.entry("smbios1".into()).or_insert(format!("uuid={smbios}"));
    if conf.get("vmgenid").is_none_or(|v| v == "1") {
        conf.insert("vmgenid".into(), vmgenid);
    }
    let qemu = if world.release().is_9() { "10.0.13" } else { "9.2.0" };
    conf.insert("meta".into(), format!("creation-qemu={qemu},ctime={}", world.now / 1000));
    let guest = world.any(Kind::Qemu, vmid)?;
    guest.conf = conf;
    tidy(guest);
    world.write(vmid);
    Ok(())
}

fn volumes_of(world: &World, vmid: u32) -> Vec<String> {
    let all = world.state.storages.values().flat_map(|s| &s.volumes);
    all.filter(|(_, v)| v.vmid == Some(vmid)).map(|(id, _)| id.clone()).collect()
}
