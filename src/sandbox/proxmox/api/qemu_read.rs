//! Reading virtual machines.
use super::lxc_read::{merged, pending, shown, snapshot_config};
use super::qemu_agent::has_agent;
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    config_file,
    refusal::Result,
    state::{Guest, Kind},
    world::World,
};
use serde_json::{Map, Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/nodes/{node}/qemu", list),
    on("GET", "/nodes/{node}/qemu/{vmid}", |c| index(c, BELOW)),
    on("GET", "/nodes/{node}/qemu/{vmid}/status", |c| index(c, STATUS)),
    on("GET", "/nodes/{node}/qemu/{vmid}/config", config),
    on("GET", "/nodes/{node}/qemu/{vmid}/pending", |c| pending(c, Kind::Qemu)),
    on("GET", "/nodes/{node}/qemu/{vmid}/status/current", current),
];

const STATUS: &[&str] = &["current", "start", "stop", "reset", "shutdown", "suspend", "reboot"];
const BELOW: &[&str] = &[
    "config",
    "cloudinit",
    "pending",
    "status",
    "unlink",
    "vncproxy",
    "termproxy",
    "migrate",
    "resize",
    "move",
    "rrd",
    "rrddata",
    "monitor",
    "agent",
    "snapshot",
    "spiceproxy",
    "sendkey",
    "firewall",
    "mtunnel",
    "remote_migrate",
];

fn index(call: &mut Call<'_>, names: &[&str]) -> Result<Answer> {
    call.guest(Kind::Qemu)?;
    Ok(Value::Array(names.iter().map(|n| json!({"subdir": n})).collect()).into())
}

fn list(call: &mut Call<'_>) -> Result<Answer> {
    let node = call.node();
    let (state, who) = (&call.world.state, &call.who);
    let rows = state.guests.iter().filter(|(vmid, guest)| {
        let audit = || state.may(who, &format!("/vms/{vmid}"), &["VM.Audit"], false);
        guest.kind == Kind::Qemu && guest.node == node && audit()
    });
    Ok(Value::Array(rows.map(|(vmid, guest)| Value::Object(status_of(call.world, *vmid, guest))).collect()).into())
}

fn status_of(world: &World, vmid: u32, guest: &Guest) -> Map<String, Value> {
    let seen = world.reported(vmid, guest, world.now);
    let mut row = Map::new();
    let mut put = |key: &str, value: Value| drop(row.insert(key.into(), value));
    put("vmid", json!(vmid));
    put("name", json!(seen.name));
    put("status", json!(if seen.running { "running" } else { "stopped" }));
    put("cpus", json!(seen.cpus));
    put("maxmem", json!(seen.memory));
    put("maxdisk", json!(seen.disk));
    put("uptime", json!(seen.uptime));
    for key in ["cpu", "mem", "memhost", "netin", "netout", "disk"] {
        put(key, json!(0));
    }
    if let Some(running) = &guest.running {
        put("pid", json!(running.pid));
        put("diskread", json!(0));
        put("diskwrite", json!(0));
    }
    for key in ["tags", "lock"] {
        if let Some(value) = guest.conf.get(key) {
            put(key, json!(value));
        }
    }
    if seen.template {
        put("template", json!(1));
    }
    if guest.conf.keys().any(|k| k.starts_with("serial")) {
        put("serial", json!(1));
    }
    if let Some(least) = guest.conf.get("balloon").and_then(|b| b.parse::<u64>().ok()).filter(|b| *b > 0) {
        put("balloon_min", json!(least << 20));
        put("shares", json!(guest.conf.get("shares").and_then(|s| s.parse().ok()).unwrap_or(1000u64)));
    }
    row
}

fn current(call: &mut Call<'_>) -> Result<Answer> {
    let guest = call.guest(Kind::Qemu)?;
    let mut row = status_of(call.world, call.vmid(), guest);
    row.insert("ha".into(), super::ha::shown_of(call.world, call.vmid()));
    let state = match &guest.running {
        Some(running) if running.paused => "paused",
        Some(_) => "running",
        None => "stopped",
    };
    row.insert("qmpstatus".into(), json!(state));
    if has_agent(&guest.conf) {
        row.insert("agent".into(), json!(1));
    }
    if guest.conf.contains_key("vga") {
        row.insert("clipboard".into(), Value::Null);
    }
    Ok(Value::Object(row).into())
}

fn config(call: &mut Call<'_>) -> Result<Answer> {
    if let Some(snapshot) = call.arg("snapshot").filter(|s| !s.is_empty()) {
        return Ok(snapshot_config(call, Kind::Qemu, snapshot)?.into());
    }
    let guest = call.guest(Kind::Qemu)?;
    let conf = if call.flag("current") { guest.conf.clone() } else { merged(guest) };
    let mut data: Map<String, Value> =
        conf.iter().map(|(k, v)| (k.clone(), shown(call.world, Kind::Qemu, k, v))).collect();
    data.insert("digest".into(), json!(config_file::digest(guest)));
    Ok(Value::Object(data).into())
}
