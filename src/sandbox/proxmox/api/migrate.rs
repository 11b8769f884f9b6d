//! Guests that move to another node: `POST …/migrate`.
use super::{
    ha, lxc_power, lxc_read,
    qemu_drive::{is_drive, is_numbered, volume},
    storage,
};
use crate::sandbox::proxmox::{
    access::Who,
    call::{Answer, Call, Endpoint, on, unlocked},
    refusal::{Refusal, Result},
    state::{Guest, Kind},
    task::Work,
    world::World,
};
use serde_json::json;

pub const ENDPOINTS: &[Endpoint] = &[
    on("POST", "/nodes/{node}/lxc/{vmid}/migrate", |c| migrate(c, Kind::Lxc)),
    on("POST", "/nodes/{node}/qemu/{vmid}/migrate", |c| migrate(c, Kind::Qemu)),
    on("GET", "/nodes/{node}/lxc/{vmid}/migrate", |c| preconditions(c, Kind::Lxc)),
    on("GET", "/nodes/{node}/qemu/{vmid}/migrate", |c| preconditions(c, Kind::Qemu)),
];

fn migrate(call: &mut Call<'_>, kind: Kind) -> Result<Answer> {
    let vmid = call.vmid();
    let target = call.arg("target").unwrap_or_default().to_string();
    let node = call.node();
    if target == node || target == "localhost" {
        return Err(Refusal::parameter("target", "target is local node."));
    }
    match call.world.state.nodes.get(&target) {
        None => return Err(Refusal::die(format!("no such cluster node '{target}'"))),
        Some(found) if found.offline => return Err(Refusal::die(format!("node '{target}' is not online"))),
        Some(_) => {}
    }
    super::qemu_power::for_root(call, &["force", "migration_type", "migration_network"])?;
    let guest = call.guest(kind)?.clone();
    if kind == Kind::Qemu {
        unlocked(&guest)?;
    }
    let (online, restart) = (call.flag("online"), call.flag("restart"));
    match kind {
        Kind::Lxc if guest.running.is_some() && !online && !restart => {
            return Err(Refusal::die("can't migrate running container without --online or --restart"));
        }
        Kind::Qemu if guest.running.is_some() && !online => {
            return Err(Refusal::die("can't migrate running VM without --online"));
        }
        _ => {}
    }
    let storage = call.arg(if kind == Kind::Lxc { "target-storage" } else { "targetstorage" }).map(str::to_string);
    if let Some(name) = storage.as_deref().filter(|s| *s != "1" && !s.contains(':')) {
        storage::of(call.world, name)?;
        call.world.state.demand(&call.who, &format!("/storage/{name}"), &["Datastore.AllocateSpace"])?;
    }
    if storage.is_some_and(|s| s != "1") {
        return Err(Refusal::not_simulated("moving to another storage of another node"));
    }
    available(call.world, &guest, &target)?;
    if ha::is_managed(call.world, vmid) {
        let said = format!("Requesting HA migration for {} {vmid} to node {target}", kind.title());
        by_the_cluster(call.world, vmid, &target);
        return Ok(call.fork("hamigrate", Work::Logs { log: vec![said] }, false));
    }
    let task = if kind == Kind::Lxc { "vzmigrate" } else { "qmigrate" };
    let (restart, disks) = (restart && kind == Kind::Lxc, call.flag("with-local-disks"));
    Ok(call.fork(task, Work::Migrate { vmid, target, restart, disks }, true))
}

/// The cluster moves a guest that it runs.
pub fn by_the_cluster(world: &mut World, vmid: u32, target: &str) {
    let Some(guest) = world.state.guests.get(&vmid) else { return };
    let (node, kind) = (guest.node.clone(), guest.kind);
    let task = if kind == Kind::Lxc { "vzmigrate" } else { "qmigrate" };
    let root = Who { user: "root@pam".into(), token: None };
    let work = Work::Migrate { vmid, target: target.into(), restart: kind == Kind::Lxc, disks: true };
    world.fork(&node, task, &vmid.to_string(), &root, work, Some(vmid));
}

fn volumes(world: &World, guest: &Guest) -> Vec<String> {
    match guest.kind {
        Kind::Lxc => super::lxc_snapshot::volumes(world, guest),
        Kind::Qemu => {
            let drives = guest.conf.iter().filter(|(k, _)| is_drive(k) || is_numbered(k, "unused"));
            drives.map(|(_, v)| volume(v).to_string()).filter(|v| v.contains(':')).collect()
        }
    }
}

/// Demands that every storage of a guest is there on the target node.
fn available(world: &World, guest: &Guest, target: &str) -> Result<()> {
    for volid in volumes(world, guest) {
        let name = storage::name_of(world, &volid)?.storage;
        if !storage::of(world, &name)?.is_on(target) {
            return Err(Refusal::die(format!("storage '{name}' is not available on node '{target}'")));
        }
    }
    Ok(())
}

fn preconditions(call: &mut Call<'_>, kind: Kind) -> Result<Answer> {
    let guest = call.guest(kind)?;
    let world = &*call.world;
    unlocked(guest)?;
    if kind == Kind::Lxc {
        // Where its storages are is not looked at.
        let others: Vec<&String> = world.state.nodes.keys().filter(|name| **name != guest.node).collect();
        let running = u8::from(guest.running.is_some());
        let mut row = json!({"running": running, "allowed-nodes": others, "not-allowed-nodes": {}});
        if ha::is_managed(world, call.vmid()) {
            row["dependent-ha-resources"] = json!([]);
        }
        return Ok(row.into());
    }
    let others = world.state.nodes.iter().filter(|(name, node)| **name != guest.node && !node.offline);
    let allowed: Vec<&String> =
        others.filter(|(name, _)| available(world, guest, name).is_ok()).map(|(name, _)| name).collect();
    let local = volumes(world, guest).into_iter().filter(|v| !storage::is_shared(world, v));
    let local: Vec<_> = local.map(|v| json!({"volid": v, "cdrom": 0, "is_unused": 0})).collect();
    Ok(json!({
        "running": u8::from(guest.running.is_some()), "allowed_nodes": allowed, "local_disks": local,
        "local_resources": [], "mapped-resources": [], "not_allowed_nodes": {},
    })
    .into())
}

/// Moves a guest: its volumes where they are local, then its config file.
///
/// # Errors
/// The text that the task ends with; the guest is where it was.
pub fn perform(
    world: &mut World,
    vmid: u32,
    target: &str,
    (restart, disks): (bool, bool),
    log: &mut Vec<String>,
) -> Result<()> {
    let Some(guest) = world.state.guests.get(&vmid).cloned() else {
        return Err(Refusal::die(format!("Configuration file of guest {vmid} does not exist")));
    };
    let (title, from) = (guest.kind.title(), guest.node.clone());
    let address = world.state.nodes.get(target).map(|n| n.address.clone()).unwrap_or_default();
    log.push(format!("starting migration of {title} {vmid} to node '{target}' ({address})"));
    let aborted = |why: Refusal| {
        log_failure(&why);
        Refusal::die(format!("migration aborted: {}", why.text()))
    };
    unlocked(&guest).map_err(aborted)?;
    available(world, &guest, target).map_err(aborted)?;
    if world.state.nodes.get(target).is_none_or(|n| n.offline) {
        return Err(Refusal::die("migration aborted"));
    }
    let bridges = world.state.nodes.get(target).map(|n| n.bridges.clone()).unwrap_or_default();
    let nets = lxc_read::networks(world, &guest);
    let missing = nets.iter().filter_map(|(_, n)| n.get("bridge")).find(|b| !bridges.contains_key(*b)).cloned();
    let was_running = guest.running.is_some();
    if was_running && restart {
        log.push("shutdown CT".to_string());
    }
    if was_running && !disks && guest.kind == Kind::Qemu {
        stays_with_its_disks(world, &guest, log)?;
    }
    for volid in volumes(world, &guest) {
        let shared = storage::is_shared(world, &volid);
        log.push(match shared {
            true => format!("volume '{volid}' is on shared storage '{}'", volid.split(':').next().unwrap_or_default()),
            false => format!("found local volume '{volid}' (in current VM config)"),
        });
        if !shared {
            storage::move_to(world, &volid, target);
        }
    }
    let Some(guest) = world.state.guests.get_mut(&vmid) else { return Ok(()) };
    guest.node = target.into();
    if guest.kind == Kind::Lxc {
        guest.running = None;
    } else if let (Some(bridge), true) = (&missing, was_running) {
        guest.node = from;
        log.push(format!("[{target}] bridge '{bridge}' does not exist"));
        return Err(Refusal::die("migration aborted: start failed: QEMU exited with code 1"));
    }
    world.touched = true;
    if was_running && restart {
        log.push("start container on target node".into());
        // A container that does not start there has been moved all the same.
        if let Err(why) = lxc_power::perform_start(world, vmid, &mut Vec::new()) {
            log.push(format!("WARN: {}", why.text()));
        }
    }
    log.push("migration finished successfully (duration 00:00:02)".into());
    Ok(())
}

/// The disks of a running machine move only where that is asked for. The drive of cloud-init always does.
fn stays_with_its_disks(world: &World, guest: &Guest, log: &mut Vec<String>) -> Result<()> {
    let attached = guest.conf.iter().filter(|(k, v)| is_drive(k) && !v.contains("-cloudinit"));
    let local = attached.map(|(_, v)| volume(v)).filter(|v| v.contains(':') && !storage::is_shared(world, v));
    let why = "can't live migrate attached local disks without with-local-disks option";
    let lines: Vec<String> = local.map(|v| format!("can't migrate local disk '{v}': {why}")).collect();
    if lines.is_empty() {
        return Ok(());
    }
    log.extend(lines);
    log.push("ERROR: Problem found while scanning volumes - can't migrate VM - check log".into());
    log.push("aborting phase 1 - cleanup resources".into());
    Err(Refusal::die("migration aborted"))
}

fn log_failure(why: &Refusal) {
    tracing::debug!("a simulated migration ends: {}", why.text());
}
