//! `/nodes/{node}/lxc/{vmid}/status/…`: starting and stopping.
use super::{lxc_config, lxc_create, lxc_hotplug, storage};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on, unlocked},
    refusal::{Refusal, Result},
    state::{Guest, Kind, Running},
    task::{Task, Work},
    world::World,
};

pub const ENDPOINTS: &[Endpoint] = &[
    on("POST", "/nodes/{node}/lxc/{vmid}/status/start", start),
    on("POST", "/nodes/{node}/lxc/{vmid}/status/stop", |c| halt(c, "vzstop", "CT", |vmid| Work::Stop { vmid })),
    on("POST", "/nodes/{node}/lxc/{vmid}/status/shutdown", |c| {
        halt(c, "vzshutdown", "CT", |vmid| Work::Shutdown { vmid })
    }),
    on("POST", "/nodes/{node}/lxc/{vmid}/status/reboot", |c| halt(c, "vzreboot", "VM", |vmid| Work::Reboot { vmid })),
    on("POST", "/nodes/{node}/lxc/{vmid}/status/suspend", |c| {
        halt(c, "vzsuspend", "CT", |vmid| checkpoint(vmid, "-s", "checkpoint: 182 Checkpointing"))
    }),
    on("POST", "/nodes/{node}/lxc/{vmid}/status/resume", resume),
];

fn runs(call: &Call<'_>) -> bool {
    call.world.state.guests.get(&call.vmid()).is_some_and(|g| g.kind == Kind::Lxc && g.running.is_some())
}

fn start(call: &mut Call<'_>) -> Result<Answer> {
    skips_lock(call)?;
    let vmid = call.vmid();
    if runs(call) {
        return Err(Refusal::die(format!("CT {vmid} already running")));
    }
    if super::ha::is_managed(call.world, vmid) {
        return Ok(super::ha::request(call, Kind::Lxc, "started"));
    }
    // Whether there is such a guest is found by the task.
    Ok(call.fork("vzstart", Work::Start { vmid }, true))
}

fn skips_lock(call: &Call<'_>) -> Result<()> {
    match call.flag("skiplock") && !call.who.is_root() {
        true => Err(Refusal::parameter("skiplock", "Only root may use this option.")),
        false => Ok(()),
    }
}

fn halt(call: &mut Call<'_>, kind: &str, title: &str, work: fn(u32) -> Work) -> Result<Answer> {
    skips_lock(call)?;
    let vmid = call.vmid();
    if !runs(call) {
        return Err(Refusal::die(format!("{title} {vmid} not running")));
    }
    overrule(call, "vzshutdown")?;
    if matches!(kind, "vzstop" | "vzshutdown") && super::ha::is_managed(call.world, vmid) {
        return Ok(super::ha::request(call, Kind::Lxc, "stopped"));
    }
    Ok(call.fork(kind, work(vmid), true))
}

/// Ends shutdowns of the guest that still wait, as far as they are the caller's own or it may end any (`abort_guest_tasks`,
/// pve-guest-common).
///
/// # Errors
/// 400 of a guest that the cluster runs.
pub fn overrule(call: &mut Call<'_>, kind: &str) -> Result<()> {
    let (node, vmid) = (call.node(), call.vmid());
    if !call.flag("overrule-shutdown") {
        return Ok(());
    }
    if super::ha::is_managed(call.world, vmid) {
        return Err(Refusal::parameter("overrule-shutdown", "Not applicable for HA resources."));
    }
    let any = call.world.state.may(&call.who, &format!("/nodes/{node}"), &["Sys.Modify"], false);
    let me = call.who.id();
    let about = |t: &&Task| !t.is_over() && t.kind == kind && t.id == vmid.to_string() && (any || t.who == me);
    let overruled: Vec<String> = call.world.state.tasks.iter().filter(about).map(|t| t.upid.clone()).collect();
    overruled.iter().for_each(|upid| call.world.interrupt(upid));
    Ok(())
}

fn resume(call: &mut Call<'_>) -> Result<Answer> {
    let vmid = call.vmid();
    if runs(call) {
        return Err(Refusal::die(format!("CT {vmid} already running")));
    }
    Ok(call.fork("vzresume", checkpoint(vmid, "-r --foreground", ""), true))
}

/// Containers cannot be frozen where criu is not installed, and it never is.
fn checkpoint(vmid: u32, how: &str, what: &str) -> Work {
    let mut log = Vec::new();
    if !what.is_empty() {
        log.push(format!(
            "lxc-checkpoint: {vmid}: ../src/lxc/criu.c: criu_version_ok: 767 No such file or directory - execing criu \
             failed, is it installed?"
        ));
        log.push(format!("lxc-checkpoint: {vmid}: ../src/lxc/tools/lxc_checkpoint.c: {what} {vmid} failed"));
    }
    Work::Fails {
        why: format!("command 'lxc-checkpoint -n {vmid} {how} -D /var/lib/vz/dump' failed: exit code 1"),
        log,
    }
}

/// Starts a container: what is pending is applied first.
///
/// # Errors
/// The text that the task ends with.
pub fn perform_start(world: &mut World, vmid: u32, log: &mut Vec<String>) -> Result<()> {
    let mut guest = world.any(Kind::Lxc, vmid)?.clone();
    if guest.is_template() {
        return Err(Refusal::die("you can't start a CT if it's a template"));
    }
    if !is_mounted(&guest) {
        unlocked(&guest)?;
    }
    if guest.flag("unprivileged") && has_quota(world, &guest) {
        return Err(Refusal::die("Quotas are not supported by unprivileged containers."));
    }
    if guest.running.is_some() {
        return Err(Refusal::die(format!("CT {vmid} already running")));
    }
    if !guest.pending.is_empty() {
        lxc_hotplug::apply(world, vmid, &mut guest);
        world.state.guests.insert(vmid, guest.clone());
        world.write(vmid);
    }
    lxc_config::consistent(world, vmid)?;
    for (key, value) in guest.conf.iter().filter(|(k, _)| *k == "rootfs" || lxc_hotplug::is_numbered(k, "mp")) {
        let volid = lxc_hotplug::parse(world, key, value).remove("volume").unwrap_or_default();
        if super::lxc_volume::kind(&volid) == "volume" {
            storage::volume(world, &volid)?;
        }
    }
    lxc_create::nesting_hint(&guest.conf, log);
    let (since, pid) = (world.now, world.state.next_pid);
    world.state.next_pid += 1;
    let guest = world.any(Kind::Lxc, vmid)?;
    guest.running = Some(Running { since, pid, ..Running::default() });
    guest.unplugged.clear();
    Ok(())
}

/// A lock that hinders neither a start nor a stop.
fn is_mounted(guest: &Guest) -> bool {
    guest.conf.get("lock").is_some_and(|lock| lock == "mounted")
}

fn has_quota(world: &World, guest: &Guest) -> bool {
    let volumes = guest.conf.iter().filter(|(k, _)| *k == "rootfs" || lxc_hotplug::is_numbered(k, "mp"));
    volumes.into_iter().any(|(key, value)| lxc_hotplug::parse(world, key, value).get("quota").is_some_and(|q| q == "1"))
}

/// Stops a container. One that stopped meanwhile is no mistake.
///
/// # Errors
/// The guest is gone or locked.
pub fn perform_stop(world: &mut World, vmid: u32) -> Result<()> {
    let guest = world.any(Kind::Lxc, vmid)?;
    if !is_mounted(guest) {
        unlocked(guest)?;
    }
    guest.running = None;
    guest.unplugged.clear();
    // The hook that runs after a container stopped applies what is pending.
    let mut guest = guest.clone();
    if !guest.pending.is_empty() {
        lxc_hotplug::apply(world, vmid, &mut guest);
        world.state.guests.insert(vmid, guest);
        world.write(vmid);
    }
    Ok(())
}
