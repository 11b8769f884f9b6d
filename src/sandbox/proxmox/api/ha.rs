//! High availability: `/cluster/ha`, and what it changes about starting and stopping (pve-ha-manager 5).
use crate::sandbox::proxmox::{
    access::Who,
    call::{Answer, Call, Endpoint, on},
    config_file,
    refusal::{Refusal, Result},
    schema::split_list,
    state::{Conf, Kind},
    task::Work,
    vm_work::VmWork,
    world::World,
};
use serde_json::{Map, Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/cluster/ha/resources", list),
    on("POST", "/cluster/ha/resources", create),
    on("GET", "/cluster/ha/resources/{sid}", one),
    on("PUT", "/cluster/ha/resources/{sid}", update),
    on("DELETE", "/cluster/ha/resources/{sid}", delete),
    on("POST", "/cluster/ha/resources/{sid}/migrate", migrate),
    on("GET", "/cluster/ha/rules", |_| Ok(json!([]).into())),
    on("GET", "/cluster/ha/groups", groups),
    on("GET", "/cluster/ha/status/current", status),
];

fn word(kind: Kind) -> &'static str {
    if kind == Kind::Lxc { "ct" } else { "vm" }
}

fn sid_of(world: &World, vmid: u32) -> Option<String> {
    world.state.guests.get(&vmid).map(|g| format!("{}:{vmid}", word(g.kind)))
}

/// Whether the cluster runs a guest: then starting and stopping are requests to it.
pub fn is_managed(world: &World, vmid: u32) -> bool {
    let resource = sid_of(world, vmid).and_then(|sid| world.state.ha.get(&sid));
    resource.is_some_and(|r| !matches!(r.get("state").map(String::as_str), Some("ignored" | "disabled")))
}

/// Whether the cluster knows a guest, whatever it is to do with it.
pub fn is_configured(world: &World, vmid: u32) -> bool {
    sid_of(world, vmid).is_some_and(|sid| world.state.ha.contains_key(&sid))
}

/// What the status of a guest says of it.
pub fn shown_of(world: &World, vmid: u32) -> Value {
    let resource = sid_of(world, vmid).and_then(|sid| world.state.ha.get(&sid));
    match resource {
        None => json!({"managed": 0}),
        Some(conf) => json!({"managed": 1, "state": conf.get("state").map_or("started", String::as_str)}),
    }
}

/// Hands a new guest to the cluster, as the last thing that its create does.
pub fn add(world: &mut World, vmid: u32, started: bool, log: &mut Vec<String>) {
    log.push("Add as HA resource".into());
    manage(world, vmid, if started { "started" } else { "stopped" });
}

/// Hands a guest to the cluster.
pub fn manage(world: &mut World, vmid: u32, state: &str) {
    if let Some(sid) = sid_of(world, vmid) {
        world.state.ha.entry(sid).or_default().insert("state".into(), state.into());
        world.touched = true;
    }
}

/// Asks the cluster to start or stop a guest: the task ends when that is noted down.
pub fn request(call: &mut Call<'_>, kind: Kind, state: &str) -> Answer {
    let vmid = call.vmid();
    let (task, verb) = if state == "started" { ("hastart", "start") } else { ("hastop", "stop") };
    let said = format!("Requesting HA {verb} for {} {vmid}", kind.title());
    call.fork(task, Work::HaRequest { vmid, state: state.into(), said }, false)
}

/// Notes a request down; the local resource manager of the guest's node then acts on it.
pub fn perform_request(world: &mut World, vmid: u32, state: &str) {
    manage(world, vmid, state);
    settle(world, vmid);
}

/// Brings a guest into the state that is asked for.
fn settle(world: &mut World, vmid: u32) {
    let Some(sid) = sid_of(world, vmid) else { return };
    let wanted = world.state.ha.get(&sid).and_then(|r| r.get("state")).map_or("started", String::as_str);
    let (wanted, guest) = (wanted == "started", &world.state.guests[&vmid]);
    if guest.running.is_some() == wanted {
        return;
    }
    let (node, kind) = (guest.node.clone(), guest.kind);
    let (task, work) = match (kind, wanted) {
        (Kind::Lxc, true) => ("vzstart", Work::Start { vmid }),
        (Kind::Lxc, false) => ("vzshutdown", Work::Stop { vmid }),
        (Kind::Qemu, true) => ("qmstart", Work::Vm { vmid, what: Box::new(VmWork::Start) }),
        (Kind::Qemu, false) => ("qmshutdown", Work::Vm { vmid, what: Box::new(VmWork::Stop) }),
    };
    let root = Who { user: "root@pam".into(), token: None };
    world.fork(&node, task, &vmid.to_string(), &root, work, Some(vmid));
}

fn digest(world: &World) -> String {
    let section = |(sid, conf): (&String, &Conf)| {
        let lines: String = conf.iter().map(|(k, v)| format!("\t{k} {v}\n")).collect();
        format!("{}\n{lines}\n", sid.replacen(':', ": ", 1))
    };
    config_file::sum(&world.state.ha.iter().map(section).collect::<String>())
}

fn shown(world: &World, sid: &str, conf: &Conf) -> Value {
    let mut row = Map::new();
    for (key, value) in conf {
        let number = matches!(key.as_str(), "max_restart" | "max_relocate" | "failback");
        let value = if number { json!(value.parse::<i64>().unwrap_or(0)) } else { json!(value) };
        row.insert(key.clone(), value);
    }
    row.insert("sid".into(), json!(sid));
    row.insert("type".into(), json!(sid.split(':').next()));
    row.insert("digest".into(), json!(digest(world)));
    Value::Object(row)
}

fn list(call: &mut Call<'_>) -> Result<Answer> {
    let wanted = call.arg("type");
    let rows = call.world.state.ha.iter().filter(|(sid, _)| wanted.is_none_or(|t| sid.starts_with(&format!("{t}:"))));
    Ok(Value::Array(rows.map(|(sid, conf)| shown(call.world, sid, conf)).collect()).into())
}

/// The resource of the call; a bare number is the guest of that number.
fn named(call: &Call<'_>) -> Result<String> {
    let given = call.arg("sid").unwrap_or_default();
    if given.contains(':') {
        return Ok(given.to_string());
    }
    let vmid = given.parse().unwrap_or_default();
    sid_of(call.world, vmid).ok_or_else(|| Refusal::die(format!("unable do find resource type for '{given}'")))
}

fn one(call: &mut Call<'_>) -> Result<Answer> {
    let sid = named(call)?;
    let missing = || Refusal::die(format!("no such resource '{sid}'"));
    let conf = call.world.state.ha.get(&sid).ok_or_else(missing)?;
    Ok(shown(call.world, &sid, conf).into())
}

fn vmid_of(sid: &str) -> u32 {
    sid.split_once(':').and_then(|(_, v)| v.parse().ok()).unwrap_or_default()
}

fn given(call: &Call<'_>) -> Conf {
    call.given.but(&["sid", "type", "digest", "delete"])
}

fn create(call: &mut Call<'_>) -> Result<Answer> {
    let sid = named(call)?;
    let kind = sid.split(':').next().unwrap_or_default();
    if call.arg("type").is_some_and(|t| t != kind) {
        return Err(Refusal::die("types does not match"));
    }
    let vmid = vmid_of(&sid);
    match call.world.state.guests.get(&vmid) {
        None => return Err(Refusal::die(format!("resource '{sid}' does not exist in cluster"))),
        Some(guest) if word(guest.kind) != kind => {
            return Err(Refusal::die(format!(
                "resource '{sid}' - guest with ID {vmid} is not a {}",
                if kind == "vm" { "VM" } else { "CT" }
            )));
        }
        Some(_) => {}
    }
    let conf = given(call);
    if conf.contains_key("group") && call.world.release().is_9() {
        return Err(Refusal::die("invalid parameter 'group': ha groups have been migrated to rules"));
    }
    if call.world.state.ha.contains_key(&sid) {
        return Err(Refusal::die(format!("create resource failed: resource ID '{sid}' already defined")));
    }
    call.world.state.ha.insert(sid, conf);
    call.world.touched = true;
    settle(call.world, vmid);
    Ok(Value::Null.into())
}

fn update(call: &mut Call<'_>) -> Result<Answer> {
    let sid = named(call)?;
    let (set, delete) = (given(call), split_list(call.arg("delete").unwrap_or_default()));
    super::lxc_config::unmodified(call.arg("digest"), &digest(call.world))?;
    let missing = || Refusal::die(format!("no such resource '{sid}'"));
    let conf = call.world.state.ha.get_mut(&sid).ok_or_else(missing)?;
    for key in &delete {
        conf.remove(key);
    }
    conf.extend(set);
    call.world.touched = true;
    settle(call.world, vmid_of(&sid));
    Ok(Value::Null.into())
}

fn delete(call: &mut Call<'_>) -> Result<Answer> {
    let sid = named(call)?;
    if call.world.state.ha.remove(&sid).is_none() {
        return Err(Refusal::die(format!("cannot delete service '{sid}', not HA managed!")));
    }
    call.world.touched = true;
    Ok(Value::Null.into())
}

fn migrate(call: &mut Call<'_>) -> Result<Answer> {
    let sid = named(call)?;
    let node = call.arg("node").unwrap_or_default().to_string();
    let vmid = vmid_of(&sid);
    if !call.world.state.ha.contains_key(&sid) {
        return Err(Refusal::die(format!("service '{sid}' not managed by HA")));
    }
    super::migrate::by_the_cluster(call.world, vmid, &node);
    Ok(json!({"sid": sid, "requested-node": node}).into())
}

fn groups(call: &mut Call<'_>) -> Result<Answer> {
    match call.world.release().is_9() {
        true => Err(Refusal::die("cannot index groups: ha groups have been migrated to rules")),
        false => Ok(json!([]).into()),
    }
}

fn status(call: &mut Call<'_>) -> Result<Answer> {
    let world = &*call.world;
    let node = world.state.nodes.keys().next().cloned().unwrap_or_default();
    let mut rows = vec![json!({"id": "quorum", "type": "quorum", "node": node, "status": "OK", "quorate": 1})];
    if world.release().is_9() {
        rows.push(json!({
            "id": "fencing", "type": "fencing", "node": node, "armed-state": "standby",
            "status": "standby (CRM watchdog standby)",
        }));
    }
    for (sid, conf) in &world.state.ha {
        let Some(guest) = world.state.guests.get(&vmid_of(sid)) else { continue };
        let state = if guest.running.is_some() { "started" } else { "stopped" };
        rows.push(json!({
            "id": format!("service:{sid}"), "type": "service", "sid": sid, "node": guest.node, "state": state,
            "crm_state": state, "request_state": conf.get("state").map_or("started", String::as_str),
            "status": format!("{sid} ({}, {state})", guest.node), "max_restart": 1, "max_relocate": 1,
        }));
    }
    Ok(Value::Array(rows).into())
}
