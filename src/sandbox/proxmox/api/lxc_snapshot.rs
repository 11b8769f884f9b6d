//! Snapshots of containers, and which features their storage has.
use super::{lxc_create, lxc_hotplug, lxc_power, lxc_read, storage};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on, unlocked},
    config_file,
    refusal::{Refusal, Result},
    state::{Conf, Guest, Kind},
    task::Work,
    world::World,
};
use serde_json::{Map, Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/nodes/{node}/lxc/{vmid}/feature", feature),
    on("GET", "/nodes/{node}/lxc/{vmid}/snapshot", list),
    on("POST", "/nodes/{node}/lxc/{vmid}/snapshot", create),
    on("GET", "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}", |_| {
        Ok(json!([{"cmd": "rollback"}, {"cmd": "config"}]).into())
    }),
    on("GET", "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config", config),
    on("PUT", "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config", describe),
    on("DELETE", "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}", delete),
    on("POST", "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}/rollback", rollback),
];

/// Keys of a config that say how it is used now, and that no snapshot keeps.
const NOT_KEPT: &[&str] = &["lock", "parent", "snaptime", "digest", "template", "unused"];

/// Whether all volumes of a guest lie where snapshots (or linked clones) are possible.
pub fn can_snapshot(world: &World, guest: &Guest) -> bool {
    volumes(world, guest).iter().all(|volid| {
        let storage = volid.split_once(':').map_or("", |(s, _)| s);
        let kind = world.state.storages.get(storage).map_or("", |s| s.kind.as_str());
        matches!(kind, "btrfs" | "zfspool" | "lvmthin" | "rbd") || volid.ends_with(".subvol") && kind == "btrfs"
    })
}

/// The volume ids of a container.
pub fn volumes(world: &World, guest: &Guest) -> Vec<String> {
    let of = |(key, value): (&String, &String)| {
        let is_one = key == "rootfs" || lxc_hotplug::is_numbered(key, "mp");
        is_one.then(|| lxc_hotplug::parse(world, key, value).remove("volume").unwrap_or_default())
    };
    guest.conf.iter().filter_map(of).filter(|v| super::lxc_volume::kind(v) == "volume").collect()
}

fn feature(call: &mut Call<'_>) -> Result<Answer> {
    let guest = call.guest(Kind::Lxc)?;
    if let Some(name) = call.arg("snapname").filter(|name| !guest.snapshots.contains_key(*name)) {
        return Err(Refusal::die(format!("snapshot '{name}' does not exist")));
    }
    let has = match call.arg("feature") {
        Some("snapshot") => can_snapshot(call.world, guest),
        Some("clone") => guest.is_template() && can_snapshot(call.world, guest),
        _ => true,
    };
    Ok(json!({"hasFeature": u8::from(has)}).into())
}

fn list(call: &mut Call<'_>) -> Result<Answer> {
    let guest = call.guest(Kind::Lxc)?;
    let mut rows: Vec<Value> = guest
        .snapshots
        .iter()
        .map(|(name, conf)| {
            let mut row = Map::new();
            row.insert("name".into(), json!(name));
            row.insert("description".into(), json!(conf.get("description").map_or("", String::as_str)));
            if let Some(time) = conf.get("snaptime").and_then(|t| t.parse::<u64>().ok()) {
                row.insert("snaptime".into(), json!(time));
            }
            if let Some(parent) = conf.get("parent") {
                row.insert("parent".into(), json!(parent));
            }
            Value::Object(row)
        })
        .collect();
    let mut now = json!({
        "name": "current", "description": "You are here!", "digest": config_file::digest(guest),
        "running": u8::from(guest.running.is_some()),
    });
    if let (Some(parent), Some(now)) = (guest.conf.get("parent"), now.as_object_mut()) {
        now.insert("parent".into(), json!(parent));
    }
    rows.push(now);
    Ok(Value::Array(rows).into())
}

fn name(call: &Call<'_>) -> String {
    call.arg("snapname").unwrap_or_default().to_string()
}

fn create(call: &mut Call<'_>) -> Result<Answer> {
    let (vmid, name) = (call.vmid(), name(call));
    if name == "current" || name == "vzdump" {
        return Err(Refusal::die(format!("unable to use snapshot name '{name}' (reserved name)")));
    }
    let description = call.arg("description").map(str::to_string);
    Ok(call.fork("vzsnapshot", Work::Snapshot { vmid, name, description }, true))
}

fn config(call: &mut Call<'_>) -> Result<Answer> {
    let mut data = lxc_read::snapshot_config(call, Kind::Lxc, &name(call))?;
    if let Some(data) = data.as_object_mut() {
        data.remove("digest");
    }
    Ok(data.into())
}

fn describe(call: &mut Call<'_>) -> Result<Answer> {
    let (vmid, name) = (call.vmid(), name(call));
    let Some(description) = call.arg("description").map(str::to_string) else { return Ok(Value::Null.into()) };
    call.world.lock(vmid)?;
    let guest = call.guest_mut(Kind::Lxc)?;
    unlocked(guest)?;
    let missing = || Refusal::die(format!("snapshot '{name}' does not exist"));
    let snapshot = guest.snapshots.get_mut(&name).ok_or_else(missing)?;
    snapshot.insert("description".into(), description);
    call.world.write(vmid);
    Ok(Value::Null.into())
}

fn delete(call: &mut Call<'_>) -> Result<Answer> {
    let (vmid, name) = (call.vmid(), name(call));
    Ok(call.fork("vzdelsnapshot", Work::DeleteSnapshot { vmid, name }, true))
}

fn rollback(call: &mut Call<'_>) -> Result<Answer> {
    let (vmid, name, start) = (call.vmid(), name(call), call.flag("start"));
    Ok(call.fork("vzrollback", Work::Rollback { vmid, name, start }, true))
}

/// Takes a snapshot.
///
/// # Errors
/// The text that the task ends with.
pub fn perform_create(world: &mut World, vmid: u32, name: &str, description: Option<String>) -> Result<()> {
    let guest = world.any(Kind::Lxc, vmid)?.clone();
    if guest.is_template() {
        return Err(Refusal::die("you can't take a snapshot if it's a template"));
    }
    unlocked(&guest)?;
    if guest.snapshots.contains_key(name) {
        return Err(Refusal::die(format!("snapshot name '{name}' already used")));
    }
    if !can_snapshot(world, &guest) {
        return Err(Refusal::die("snapshot feature is not available"));
    }
    let mut kept: Conf = guest.conf.clone();
    kept.retain(|k, _| !NOT_KEPT.contains(&k.as_str()) && k != "description" && !lxc_hotplug::is_numbered(k, "unused"));
    kept.insert("snaptime".into(), (world.now / 1000).to_string());
    if let Some(description) = description {
        kept.insert("description".into(), description);
    }
    if let Some(parent) = guest.conf.get("parent") {
        kept.insert("parent".into(), parent.clone());
    }
    let guest = world.any(Kind::Lxc, vmid)?;
    guest.snapshots.insert(name.into(), kept);
    guest.conf.insert("parent".into(), name.into());
    world.write(vmid);
    Ok(())
}

/// Goes back to a snapshot. A running container is stopped.
///
/// # Errors
/// The text that the task ends with.
pub fn perform_rollback(world: &mut World, vmid: u32, name: &str, start: bool) -> Result<()> {
    let guest = world.any(Kind::Lxc, vmid)?;
    if guest.is_template() {
        return Err(Refusal::die("you can't rollback if vm is a template"));
    }
    let missing = || Refusal::die(format!("snapshot '{name}' does not exist"));
    let mut conf = guest.snapshots.get(name).ok_or_else(missing)?.clone();
    unlocked(guest)?;
    conf.remove("snaptime");
    conf.remove("description");
    let stays = |key: &str| key == "description" || lxc_hotplug::is_numbered(key, "unused");
    conf.extend(guest.conf.iter().filter(|(k, _)| stays(k)).map(|(k, v)| (k.clone(), v.clone())));
    conf.insert("parent".into(), name.into());
    guest.conf = conf;
    guest.pending.clear();
    guest.running = None;
    world.write(vmid);
    if start { lxc_power::perform_start(world, vmid, &mut Vec::new()) } else { Ok(()) }
}

/// Removes a snapshot; those that came after it get its parent.
///
/// # Errors
/// The text that the task ends with.
pub fn perform_delete(world: &mut World, vmid: u32, name: &str) -> Result<()> {
    let guest = world.any(Kind::Lxc, vmid)?;
    if !guest.snapshots.contains_key(name) {
        return Err(Refusal::die(format!("snapshot '{name}' does not exist")));
    }
    unlocked(guest)?;
    let Some(gone) = guest.snapshots.remove(name) else { return Ok(()) };
    let parent = gone.get("parent").cloned();
    for conf in guest.snapshots.values_mut().chain([&mut guest.conf]) {
        if conf.get("parent").is_some_and(|p| p == name) {
            match &parent {
                Some(parent) => conf.insert("parent".into(), parent.clone()),
                None => conf.remove("parent"),
            };
        }
    }
    world.write(vmid);
    Ok(())
}

/// Demands that a storage may take a new volume of this user.
///
/// # Errors
/// 500 or 403.
pub fn may_allocate(call: &Call<'_>, name: &str) -> Result<()> {
    storage::of(call.world, name)?;
    lxc_create::enabled(call.world, name)?;
    call.world.state.demand(&call.who, &format!("/storage/{name}"), &["Datastore.AllocateSpace"])
}
