//! Snapshots of machines.
use super::{
    lxc_read::snapshot_config,
    qemu_alloc::can_snapshot,
    qemu_drive::{is_cdrom, is_drive, is_numbered, parse, volume},
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on, unlocked},
    config_file,
    refusal::{Refusal, Result},
    state::{Conf, Kind},
    task::Work,
    vm_work::VmWork,
    world::World,
};
use serde_json::{Map, Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/nodes/{node}/qemu/{vmid}/snapshot", list),
    on("POST", "/nodes/{node}/qemu/{vmid}/snapshot", create),
    on("GET", "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}", |_| {
        Ok(json!([{"cmd": "rollback"}, {"cmd": "config"}]).into())
    }),
    on("GET", "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config", config),
    on("PUT", "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config", describe),
    on("DELETE", "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}", delete),
    on("POST", "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}/rollback", rollback),
];

/// Keys of a config that no snapshot keeps.
const NOT_KEPT: &[&str] = &["lock", "parent", "snaptime", "description", "vmstate"];

fn name(call: &Call<'_>) -> String {
    call.arg("snapname").unwrap_or_default().to_string()
}

fn fork(call: &mut Call<'_>, kind: &str, what: VmWork) -> Answer {
    let vmid = call.vmid();
    call.fork(kind, Work::Vm { vmid, what: Box::new(what) }, true)
}

fn missing(name: &str) -> Refusal {
    Refusal::die(format!("snapshot '{name}' does not exist"))
}

fn list(call: &mut Call<'_>) -> Result<Answer> {
    let guest = call.guest(Kind::Qemu)?;
    let mut rows: Vec<Value> = Vec::new();
    for (name, conf) in &guest.snapshots {
        let mut row = Map::new();
        row.insert("name".into(), json!(name));
        row.insert("description".into(), json!(conf.get("description").map_or("", String::as_str)));
        row.insert("vmstate".into(), json!(u8::from(conf.contains_key("vmstate"))));
        row.insert("snaptime".into(), json!(conf.get("snaptime").and_then(|t| t.parse::<u64>().ok()).unwrap_or(0)));
        if let Some(parent) = conf.get("parent") {
            row.insert("parent".into(), json!(parent));
        }
        rows.push(Value::Object(row));
    }
    let mut now = json!({
        "name": "current", "description": "You are here!", "digest": config_file::digest(guest),
        "running": u8::from(guest.running.is_some()),
    });
    if let Some(parent) = guest.conf.get("parent") {
        now["parent"] = json!(parent);
    }
    rows.push(now);
    Ok(Value::Array(rows).into())
}

fn create(call: &mut Call<'_>) -> Result<Answer> {
    let name = name(call);
    if name == "current" || name == "pending" {
        return Err(Refusal::die(format!("unable to use snapshot name '{name}' (reserved name)")));
    }
    let description = call.arg("description").map(str::to_string);
    let memory = call.flag("vmstate");
    Ok(fork(call, "qmsnapshot", VmWork::Snapshot { name, description, memory }))
}

fn config(call: &mut Call<'_>) -> Result<Answer> {
    let mut data = snapshot_config(call, Kind::Qemu, &name(call))?;
    if let Some(data) = data.as_object_mut() {
        data.remove("digest");
    }
    Ok(data.into())
}

fn describe(call: &mut Call<'_>) -> Result<Answer> {
    let (vmid, name, description) = (call.vmid(), name(call), call.arg("description").map(str::to_string));
    call.world.lock(vmid)?;
    let guest = call.guest_mut(Kind::Qemu)?;
    unlocked(guest)?;
    let snapshot = guest.snapshots.get_mut(&name).ok_or_else(|| missing(&name))?;
    if let Some(description) = description {
        snapshot.insert("description".into(), description);
    }
    call.world.write(vmid);
    Ok(Value::Null.into())
}

fn delete(call: &mut Call<'_>) -> Result<Answer> {
    let name = name(call);
    Ok(fork(call, "qmdelsnapshot", VmWork::DeleteSnapshot { name }))
}

fn rollback(call: &mut Call<'_>) -> Result<Answer> {
    let (name, start) = (name(call), call.flag("start"));
    Ok(fork(call, "qmrollback", VmWork::Rollback { name, start }))
}

/// Takes a snapshot.
///
/// # Errors
/// The text that the task ends with.
pub fn perform_create(
    world: &mut World,
    vmid: u32,
    name: &str,
    description: Option<String>,
    memory: bool,
    log: &mut Vec<String>,
) -> Result<()> {
    let guest = world.any(Kind::Qemu, vmid)?.clone();
    if guest.is_template() {
        return Err(Refusal::die("you can't take a snapshot if it's a template"));
    }
    unlocked(&guest)?;
    if guest.snapshots.contains_key(name) {
        return Err(Refusal::die(format!("snapshot name '{name}' already used")));
    }
    let mut disks = Vec::new();
    for (key, value) in guest.conf.iter().filter(|(k, _)| is_drive(k)) {
        if !is_cdrom(&parse(world, key, value)) {
            if !can_snapshot(world, volume(value)) {
                return Err(Refusal::die("snapshot feature is not available"));
            }
            disks.push(format!("snapshotting 'drive-{key}' ({})", volume(value)));
        }
    }
    let mut kept: Conf = guest.conf.clone();
    kept.retain(|k, _| !NOT_KEPT.contains(&k.as_str()) && !is_numbered(k, "unused"));
    kept.insert("snaptime".into(), (world.now / 1000).to_string());
    if let Some(description) = description {
        kept.insert("description".into(), description);
    }
    if let Some(parent) = guest.conf.get("parent") {
        kept.insert("parent".into(), parent.clone());
    }
    if memory && guest.running.is_some() {
        let storage = disks.first().and_then(|d| d.split(['(', ':']).nth(1)).unwrap_or("local").to_string();
        log.push(format!("saving VM state and RAM using storage '{storage}'"));
        kept.insert("vmstate".into(), format!("{storage}:{vmid}/vm-{vmid}-state-{name}.raw"));
    }
    log.append(&mut disks);
    let guest = world.any(Kind::Qemu, vmid)?;
    guest.snapshots.insert(name.into(), kept);
    guest.conf.insert("parent".into(), name.into());
    world.write(vmid);
    Ok(())
}

/// Goes back to a snapshot. A running machine is stopped; it runs again where its memory was kept.
///
/// # Errors
/// The text that the task ends with.
pub fn perform_rollback(world: &mut World, vmid: u32, name: &str, start: bool, log: &mut Vec<String>) -> Result<()> {
    let fresh = world.uuid();
    let guest = world.any(Kind::Qemu, vmid)?;
    if guest.is_template() {
        return Err(Refusal::die("you can't rollback if vm is a template"));
    }
    let mut conf = guest.snapshots.get(name).ok_or_else(|| missing(name))?.clone();
    unlocked(guest)?;
    let with_memory = conf.remove("vmstate").is_some();
    for key in ["snaptime", "description"] {
        conf.remove(key);
    }
    // What is not part of a snapshot stays: the notes, and disks that nothing uses.
    for (key, value) in &guest.conf {
        if key == "description" || is_numbered(key, "unused") {
            conf.insert(key.clone(), value.clone());
        }
    }
    if conf.contains_key("vmgenid") {
        conf.insert("vmgenid".into(), fresh);
    }
    conf.insert("parent".into(), name.into());
    guest.conf = conf;
    guest.pending.clear();
    guest.running = None;
    world.write(vmid);
    match start || with_memory {
        true => super::qemu_power::perform_start(world, vmid, log),
        false => Ok(()),
    }
}

/// Removes a snapshot; those that came after it get its parent.
///
/// # Errors
/// The text that the task ends with.
pub fn perform_delete(world: &mut World, vmid: u32, name: &str) -> Result<()> {
    let guest = world.any(Kind::Qemu, vmid)?;
    unlocked(guest)?;
    let gone = guest.snapshots.remove(name).ok_or_else(|| missing(name))?;
    for conf in guest.snapshots.values_mut().chain([&mut guest.conf]) {
        if conf.get("parent").is_some_and(|p| p == name) {
            match gone.get("parent") {
                Some(parent) => conf.insert("parent".into(), parent.clone()),
                None => conf.remove("parent"),
            };
        }
    }
    world.write(vmid);
    Ok(())
}
