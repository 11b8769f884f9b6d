//! Starting, stopping and removing virtual machines.
use super::{
    ha,
    qemu_config::skips_lock,
    qemu_drive::{is_drive, is_numbered, lacks, parse, volume},
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on, unlocked},
    refusal::{Refusal, Result},
    state::{Guest, Kind, Lack, Running},
    task::Work,
    vm_work::VmWork,
    world::World,
};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("DELETE", "/nodes/{node}/qemu/{vmid}", delete),
    on("POST", "/nodes/{node}/qemu/{vmid}/status/start", start),
    on("POST", "/nodes/{node}/qemu/{vmid}/status/stop", |c| stop(c, "qmstop")),
    on("POST", "/nodes/{node}/qemu/{vmid}/status/shutdown", |c| stop(c, "qmshutdown")),
    on("POST", "/nodes/{node}/qemu/{vmid}/status/reboot", |c| while_running(c, "qmreboot", VmWork::Reboot)),
    on("POST", "/nodes/{node}/qemu/{vmid}/status/reset", |c| while_running(c, "qmreset", VmWork::Reset)),
    on("POST", "/nodes/{node}/qemu/{vmid}/status/suspend", suspend),
    on("POST", "/nodes/{node}/qemu/{vmid}/status/resume", resume),
    on("PUT", "/nodes/{node}/qemu/{vmid}/sendkey", sendkey),
    on("POST", "/nodes/{node}/qemu/{vmid}/monitor", monitor),
];

fn fork(call: &mut Call<'_>, kind: &str, what: VmWork) -> Answer {
    let vmid = call.vmid();
    call.fork(kind, Work::Vm { vmid, what: Box::new(what) }, true)
}

fn deletable(world: &World, guest: &Guest, vmid: u32, purge: bool) -> Result<()> {
    if guest.flag("protection") {
        return Err(Refusal::die(format!("can't remove VM {vmid} - protection mode enabled")));
    }
    if !purge && ha::is_configured(world, vmid) {
        let why = format!("unable to remove VM {vmid} - used in HA resources and purge parameter not set.");
        return Err(Refusal::die(why));
    }
    match guest.running.is_some() {
        true => Err(Refusal::die(format!("VM {vmid} is running - destroy failed"))),
        false => Ok(()),
    }
}

fn delete(call: &mut Call<'_>) -> Result<Answer> {
    let vmid = call.vmid();
    let (purge, unreferenced) = (call.flag("purge"), call.flag("destroy-unreferenced-disks"));
    skips_lock(call)?;
    let guest = call.guest(Kind::Qemu)?;
    deletable(call.world, guest, vmid, purge)?;
    if !call.flag("skiplock") {
        unlocked(guest)?;
    }
    Ok(call.fork("qmdestroy", Work::Destroy { vmid, force: false, purge, unreferenced }, true))
}

/// What only root's own session may say.
///
/// # Errors
/// 400.
pub fn for_root(call: &Call<'_>, names: &[&str]) -> Result<()> {
    match names.iter().find(|name| call.arg(name).is_some_and(|v| !v.is_empty() && v != "0")) {
        Some(name) if !call.who.is_root() => Err(Refusal::parameter(name, "Only root may use this option.")),
        _ => Ok(()),
    }
}

fn start(call: &mut Call<'_>) -> Result<Answer> {
    skips_lock(call)?;
    for_root(call, &["migration_type", "migration_network", "with-conntrack-state"])?;
    if ha::is_managed(call.world, call.vmid()) {
        return Ok(ha::request(call, Kind::Qemu, "started"));
    }
    Ok(fork(call, "qmstart", VmWork::Start))
}

/// Stopping what does not run is no mistake: the task ends well.
fn stop(call: &mut Call<'_>, kind: &str) -> Result<Answer> {
    skips_lock(call)?;
    for_root(call, &["keepActive"])?;
    let paused = call.guest(Kind::Qemu).is_ok_and(|g| g.running.as_ref().is_some_and(|r| r.paused));
    if kind == "qmshutdown" && paused && !call.flag("forceStop") {
        return Err(Refusal::die("VM is paused - cannot shutdown"));
    }
    super::lxc_power::overrule(call, "qmshutdown")?;
    if ha::is_managed(call.world, call.vmid()) {
        return Ok(ha::request(call, Kind::Qemu, "stopped"));
    }
    Ok(fork(call, kind, VmWork::Stop))
}

fn running<'a>(call: &'a Call<'_>) -> Result<&'a Running> {
    let guest = call.guest(Kind::Qemu).ok();
    guest.and_then(|g| g.running.as_ref()).ok_or_else(|| Refusal::die(format!("VM {} not running", call.vmid())))
}

fn while_running(call: &mut Call<'_>, kind: &str, what: VmWork) -> Result<Answer> {
    skips_lock(call)?;
    let paused = running(call)?.paused;
    if kind == "qmreboot" && paused {
        return Err(Refusal::die("VM is paused - cannot shutdown"));
    }
    Ok(fork(call, kind, what))
}

fn suspend(call: &mut Call<'_>) -> Result<Answer> {
    skips_lock(call)?;
    running(call)?;
    let to_disk = call.flag("todisk");
    if to_disk {
        if ha::is_managed(call.world, call.vmid()) {
            return Err(Refusal::die("Cannot suspend HA managed VM to disk"));
        }
        call.world.state.demand(&call.who, &format!("/vms/{}", call.vmid()), &["VM.Config.Disk"])?;
    }
    Ok(fork(call, if to_disk { "qmsuspend" } else { "qmpause" }, VmWork::Suspend { to_disk }))
}

fn resume(call: &mut Call<'_>) -> Result<Answer> {
    skips_lock(call)?;
    for_root(call, &["nocheck"])?;
    let suspended = call.guest(Kind::Qemu).is_ok_and(|g| g.conf.get("lock").is_some_and(|l| l == "suspended"));
    if !suspended {
        running(call)?;
    }
    Ok(fork(call, "qmresume", VmWork::Resume))
}

fn sendkey(call: &mut Call<'_>) -> Result<Answer> {
    skips_lock(call)?;
    running(call)?;
    Ok(Value::Null.into())
}

/// The monitor itself is not simulated; that nobody listens is.
fn monitor(call: &mut Call<'_>) -> Result<Answer> {
    call.guest(Kind::Qemu)?;
    // Whatever it says: nobody reads it.
    call.arg("command");
    match running(call) {
        Err(why) => Ok(json!(format!("ERROR: {}\n", why.text())).into()),
        Ok(_) => Err(Refusal::not_simulated("the monitor of a running machine")),
    }
}

/// Starts a machine: what is pending is applied first.
///
/// # Errors
/// The text that the task ends with.
pub fn perform_start(world: &mut World, vmid: u32, log: &mut Vec<String>) -> Result<()> {
    let guest = world.any(Kind::Qemu, vmid)?.clone();
    if guest.is_template() {
        return Err(Refusal::die("you can't start a vm if it's a template"));
    }
    let suspended = guest.conf.get("lock").is_some_and(|l| l == "suspended");
    if !suspended {
        unlocked(&guest)?;
    }
    if guest.running.is_some() {
        return Err(Refusal::die(format!("VM {vmid} already running")));
    }
    super::qemu_apply::at_start(world, vmid)?;
    let mut guest = world.any(Kind::Qemu, vmid)?.clone();
    bootable(world, vmid, &guest, log)?;
    if suspended {
        guest.conf.remove("lock");
        guest.conf.remove("vmstate");
    }
    let (since, pid) = (world.now, world.state.next_pid);
    world.state.next_pid += 1;
    guest.running = Some(Running { since, pid, ..Running::default() });
    world.state.guests.insert(vmid, guest);
    world.write(vmid);
    Ok(())
}

/// Demands that QEMU comes up with this config on its node.
pub fn bootable(world: &World, vmid: u32, guest: &Guest, log: &mut Vec<String>) -> Result<()> {
    for (_, value) in guest.conf.iter().filter(|(k, _)| is_drive(k)) {
        let volid = volume(value);
        if volid.contains(':') {
            super::storage::volume(world, volid)?;
        }
    }
    if guest.conf.get("kvm").is_none_or(|k| k != "0") && lacks(world, &guest.node, Lack::Kvm) {
        return Err(Refusal::die(
            "KVM virtualisation configured, but not available. Either disable in VM configuration or enable in BIOS.",
        ));
    }
    let failed = || Err(Refusal::die("start failed: QEMU exited with code 1"));
    if lacks(world, &guest.node, Lack::PatchedQemu) {
        log.push("kvm: -id: invalid option".into());
        return failed();
    }
    let node = world.state.nodes.get(&guest.node);
    if let Some(node) = node {
        let cores = |k: &str| guest.conf.get(k).and_then(|v| v.parse::<u32>().ok()).unwrap_or(1);
        let (cores, most) = (cores("cores") * cores("sockets"), node.cpus);
        if cores > most {
            return Err(Refusal::die(format!("MAX {most} vcpus allowed per VM on this node")));
        }
    }
    for (key, value) in guest.conf.iter().filter(|(k, _)| is_numbered(k, "net")) {
        let bridge = parse(world, key, value).remove("bridge");
        if let Some(bridge) = bridge.filter(|b| node.is_some_and(|n| !n.bridges.contains_key(b))) {
            let number = key.trim_start_matches("net");
            log.push(format!("bridge '{bridge}' does not exist"));
            log.push(format!(
                "kvm: -netdev type=tap,id={key},ifname=tap{vmid}i{number},script=/usr/libexec/qemu-server/pve-bridge: \
                 network script /usr/libexec/qemu-server/pve-bridge failed with status 512"
            ));
            return failed();
        }
    }
    Ok(())
}

/// Stops a machine, and applies what is pending. One that does not run stays as it is.
///
/// # Errors
/// The guest is gone or locked.
pub fn perform_stop(world: &mut World, vmid: u32) -> Result<()> {
    let guest = world.any(Kind::Qemu, vmid)?;
    if guest.running.is_none() {
        return Ok(());
    }
    unlocked(guest)?;
    guest.running = None;
    super::qemu_apply::at_start(world, vmid)
}

/// Pauses a machine, or writes what it holds in memory to a disk and stops it.
///
/// # Errors
/// The guest is gone, locked or does not run.
pub fn perform_suspend(world: &mut World, vmid: u32, to_disk: bool) -> Result<()> {
    let guest = world.any(Kind::Qemu, vmid)?;
    unlocked(guest)?;
    let Some(running) = guest.running.as_mut() else {
        return Err(Refusal::die(format!("VM {vmid} not running")));
    };
    running.paused = true;
    if to_disk {
        guest.running = None;
        guest.conf.insert("lock".into(), "suspended".into());
    }
    world.write(vmid);
    Ok(())
}

/// Lets a paused machine go on, or starts one from its disk.
///
/// # Errors
/// The guest is gone, locked, or cannot start.
pub fn perform_resume(world: &mut World, vmid: u32, log: &mut Vec<String>) -> Result<()> {
    let guest = world.any(Kind::Qemu, vmid)?;
    match guest.running.as_mut() {
        Some(running) => running.paused = false,
        None => return perform_start(world, vmid, log),
    }
    world.touched = true;
    Ok(())
}
