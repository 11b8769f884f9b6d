//! Reading containers: lists, config, pending, status, interfaces.
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    config_file,
    property::Properties,
    refusal::{Refusal, Result},
    state::{Conf, Guest, Kind},
    timing::Timing,
    world::World,
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, net::Ipv6Addr};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/nodes/{node}/lxc", list),
    on("GET", "/nodes/{node}/lxc/{vmid}", |c| index(c, BELOW)),
    on("GET", "/nodes/{node}/lxc/{vmid}/status", |c| index(c, STATUS)),
    on("GET", "/nodes/{node}/lxc/{vmid}/config", config),
    on("GET", "/nodes/{node}/lxc/{vmid}/pending", |c| pending(c, Kind::Lxc)),
    on("GET", "/nodes/{node}/lxc/{vmid}/status/current", current),
    on("GET", "/nodes/{node}/lxc/{vmid}/interfaces", interfaces),
];

const STATUS: &[&str] = &["current", "start", "stop", "shutdown", "reboot", "migrate"];
const BELOW: &[&str] = &[
    "config",
    "pending",
    "status",
    "vncproxy",
    "termproxy",
    "vncwebsocket",
    "spiceproxy",
    "migrate",
    "clone",
    "rrd",
    "rrddata",
    "firewall",
    "snapshot",
    "resize",
    "interfaces",
];

fn index(call: &mut Call<'_>, names: &[&str]) -> Result<Answer> {
    call.guest(Kind::Lxc)?;
    Ok(Value::Array(names.iter().map(|n| json!({"subdir": n})).collect()).into())
}

fn list(call: &mut Call<'_>) -> Result<Answer> {
    let node = call.node();
    let (state, who) = (&call.world.state, &call.who);
    let rows = state
        .guests
        .iter()
        .filter(|(vmid, guest)| {
            let audit = || state.may(who, &format!("/vms/{vmid}"), &["VM.Audit"], false);
            guest.kind == Kind::Lxc && guest.node == node && audit()
        })
        .map(|(vmid, guest)| Value::Object(status_of(call.world, *vmid, guest)));
    Ok(Value::Array(rows.collect()).into())
}

/// Bytes that a network card has sent by itself after so many milliseconds: IPv6 looks for neighbours and routers.
fn sent(uptime: u64) -> u64 {
    match uptime {
        0..2000 => 0,
        2000..4000 => 90,
        4000..8000 => 426,
        8000..20_000 => 586,
        _ => 656,
    }
}

/// What `vmstatus` tells of a container.
fn status_of(world: &World, vmid: u32, guest: &Guest) -> Map<String, Value> {
    let seen = world.reported(vmid, guest, world.now);
    let swap = guest.conf.get("swap").and_then(|s| s.trim().parse::<u64>().ok()).unwrap_or(0);
    let mut row = Map::new();
    let mut put = |key: &str, value: Value| {
        row.insert(key.into(), value);
    };
    put("vmid", json!(vmid));
    put("type", json!("lxc"));
    put("name", json!(seen.name));
    put("status", json!(if seen.running { "running" } else { "stopped" }));
    put("cpus", json!(seen.cpus));
    put("maxmem", json!(seen.memory));
    put("maxswap", json!(swap << 20));
    put("uptime", json!(seen.uptime));
    for key in ["cpu", "mem", "swap", "netin", "diskread", "diskwrite"] {
        put(key, json!(0));
    }
    let wired = networks(world, guest).iter().any(|(key, _)| !guest.unplugged.contains(key));
    put(
        "netout",
        json!(if wired { guest.running.as_ref().map_or(0, |r| sent(world.now.saturating_sub(r.since))) } else { 0 }),
    );
    match &guest.running {
        None => {
            put("maxdisk", json!(seen.disk));
            put("disk", json!(0));
        }
        Some(running) => {
            put("pid", json!(running.pid));
            put("maxdisk", json!(crate::sandbox::proxmox::ext4::usable(seen.disk)));
            put("disk", json!(174247936));
            if world.release().is_9() {
                for what in ["cpu", "io", "memory"] {
                    put(&format!("pressure{what}some"), json!("0.00"));
                    put(&format!("pressure{what}full"), json!("0.00"));
                }
            }
        }
    }
    for key in ["tags", "lock"] {
        if let Some(value) = guest.conf.get(key) {
            put(key, json!(value));
        }
    }
    if seen.template {
        put("template", json!(1));
    }
    row
}

fn current(call: &mut Call<'_>) -> Result<Answer> {
    let vmid = call.vmid();
    call.guest(Kind::Lxc)?;
    // A guest that is being started or stopped answers when that is over.
    let moving = |kind: &str| matches!(kind, "vzstart" | "vzstop" | "vzshutdown" | "vzreboot");
    let busy = call.world.state.tasks.iter().any(|t| !t.is_over() && t.holds == Some(vmid) && moving(&t.kind));
    if busy && call.world.timing == Timing::Real {
        call.world.lock(vmid)?;
    }
    let mut row = status_of(call.world, vmid, call.guest(Kind::Lxc)?);
    row.insert("ha".into(), super::ha::shown_of(call.world, vmid));
    Ok(Value::Object(row).into())
}

fn config(call: &mut Call<'_>) -> Result<Answer> {
    if let Some(snapshot) = call.arg("snapshot").filter(|s| !s.is_empty()) {
        if call.flag("current") {
            let why = "cannot use 'snapshot' parameter with 'current'";
            return Err(Refusal::parameters(["snapshot", "current"].map(|name| (name.into(), why.into()))));
        }
        let mut data = snapshot_config(call, Kind::Lxc, snapshot)?;
        if let Some(data) = data.as_object_mut().filter(|_| !sees_environment(call)) {
            data.remove("env");
        }
        return Ok(data.into());
    }
    let guest = call.guest(Kind::Lxc)?;
    let mut conf = if call.flag("current") { guest.conf.clone() } else { merged(guest) };
    if !sees_environment(call) {
        conf.remove("env");
    }
    let mut data = call.world.typed(Kind::Lxc, &conf);
    data.insert("digest".into(), json!(config_file::digest(guest)));
    Ok(Value::Object(data).into())
}

/// Whether the caller may read a container's environment, which often holds secrets (pve-container 6.1).
fn sees_environment(call: &Call<'_>) -> bool {
    call.world.state.may(&call.who, &format!("/vms/{}", call.vmid()), &["VM.Config.Options"], false)
}

/// The config of a snapshot.
///
/// # Errors
/// 500 when there is no such snapshot.
pub fn snapshot_config(call: &Call<'_>, kind: Kind, name: &str) -> Result<Value> {
    let guest = call.guest(kind)?;
    let missing = || Refusal::die(format!("snapshot '{name}' does not exist"));
    let mut data = call.world.typed(kind, guest.snapshots.get(name).ok_or_else(missing)?);
    data.insert("digest".into(), json!(config_file::digest(guest)));
    Ok(Value::Object(data))
}

/// The config as it will be after the next restart.
pub fn merged(guest: &Guest) -> Conf {
    let mut conf = guest.conf.clone();
    for (key, _) in pending_deletes(guest) {
        conf.remove(&key);
    }
    conf.extend(guest.pending.iter().filter(|(k, _)| *k != "delete").map(|(k, v)| (k.clone(), v.clone())));
    conf
}

/// Keys whose deletion is pending, with whether it is forced.
pub fn pending_deletes(guest: &Guest) -> Vec<(String, bool)> {
    let list = guest.pending.get("delete").map_or("", String::as_str);
    let keys = list.split([',', ' ', ';']).filter(|k| !k.is_empty());
    keys.map(|k| k.strip_prefix('!').map_or((k.to_string(), false), |k| (k.to_string(), true))).collect()
}

/// What is and what will be, key by key.
///
/// # Errors
/// 500 when there is no such guest.
pub fn pending(call: &mut Call<'_>, kind: Kind) -> Result<Answer> {
    let guest = call.guest(kind)?;
    let deletes = pending_deletes(guest);
    let keys: BTreeSet<&String> = guest.conf.keys().chain(guest.pending.keys().filter(|k| *k != "delete")).collect();
    let mut rows = vec![json!({"key": "digest", "value": config_file::digest(guest)})];
    let hidden = (kind == Kind::Lxc && !sees_environment(call)).then_some("env");
    for key in keys.into_iter().filter(|key| Some(key.as_str()) != hidden) {
        let mut row = Map::new();
        row.insert("key".into(), json!(key));
        if let Some(value) = guest.conf.get(key) {
            row.insert("value".into(), shown(call.world, kind, key, value));
        }
        if let Some(value) = guest.pending.get(key) {
            row.insert("pending".into(), shown(call.world, kind, key, value));
        }
        if let Some((_, forced)) = deletes.iter().find(|(k, _)| k == key) {
            row.insert("delete".into(), json!(if *forced { 2 } else { 1 }));
        }
        rows.push(Value::Object(row));
    }
    Ok(Value::Array(rows).into())
}

/// A value as GET answers it; a password is hidden.
pub fn shown(world: &World, kind: Kind, key: &str, value: &str) -> Value {
    if key == "cipassword" { json!("**********") } else { world.typed_value(kind, key, value) }
}

fn interfaces(call: &mut Call<'_>) -> Result<Answer> {
    // A guest that is not there is not running.
    let running = call.guest(Kind::Lxc).ok().and_then(|g| Some((g, g.running.as_ref()?)));
    let Some((guest, running)) = running else { return Ok(Value::Null.into()) };
    // Addresses come up inside the guest a little after its start.
    let up = call.world.timing == Timing::Fast || call.world.now >= running.since + 1200;
    let mut rows = vec![interface("lo", "00:00:00:00:00:00", &["127.0.0.1/8".into(), "::1/128".into()])];
    for (key, net) in networks(call.world, guest) {
        if guest.unplugged.contains(&key) {
            continue;
        }
        let mac = net.get("hwaddr").cloned().unwrap_or_default().to_lowercase();
        let mut addresses = if up { addresses(guest, &net) } else { Vec::new() };
        if up && net.get("link_down").is_none_or(|v| v != "1") {
            addresses.extend(link_local(&mac).map(|a| format!("{a}/64")));
        }
        rows.push(interface(net.get("name").map_or("", String::as_str), &mac, &addresses));
    }
    Ok(Value::Array(rows).into())
}

/// The networks of a container's config, by key.
pub fn networks(world: &World, guest: &Guest) -> Vec<(String, Properties)> {
    let of = |key: &str, value: &str| {
        let parts = crate::sandbox::proxmox::property::take_apart(world.properties(guest.kind, key)?, value).ok()?;
        Some((key.to_string(), parts))
    };
    let is_net = |key: &str| key.strip_prefix("net").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    guest.conf.iter().filter(|(k, _)| is_net(k)).filter_map(|(k, v)| of(k, v)).collect()
}

/// The addresses of one interface: as configured, or as DHCP gave them.
pub fn addresses(guest: &Guest, net: &Properties) -> Vec<String> {
    let fixed = ["ip", "ip6"].iter().filter_map(|k| net.get(*k)).filter(|v| v.contains('/')).cloned();
    let name = net.get("name").map_or("", String::as_str);
    let leased = guest.leases.get(name).into_iter().flatten().map(ToString::to_string);
    fixed.chain(leased).collect()
}

/// The link-local address that Linux makes of a MAC address.
pub fn link_local(mac: &str) -> Option<Ipv6Addr> {
    let bytes: Vec<u16> = mac.split(':').filter_map(|p| u16::from_str_radix(p, 16).ok()).collect();
    let [a, b, c, d, e, f] = bytes[..] else { return None };
    Some(Ipv6Addr::new(0xfe80, 0, 0, 0, ((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f))
}

fn interface(name: &str, mac: &str, addresses: &[String]) -> Value {
    let mut row = Map::new();
    row.insert("name".into(), json!(name));
    row.insert("hwaddr".into(), json!(mac));
    row.insert("hardware-address".into(), json!(mac));
    let list: Vec<Value> = addresses
        .iter()
        .filter_map(|cidr| {
            let (address, prefix) = cidr.split_once('/')?;
            let kind = if address.contains(':') { "inet6" } else { "inet" };
            row.insert(kind.into(), json!(cidr));
            Some(json!({"ip-address": address, "prefix": prefix, "ip-address-type": kind}))
        })
        .collect();
    row.insert("ip-addresses".into(), Value::Array(list));
    Value::Object(row)
}
