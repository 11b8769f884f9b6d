//! `/cluster`: resources, the next free number, options, status.
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    config_file, property,
    refusal::{Refusal, Result},
    schema::split_list,
    state::Guest,
};
use serde_json::{Map, Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/cluster/resources", resources),
    on("GET", "/cluster/nextid", next_id),
    on("GET", "/cluster/options", options),
    on("PUT", "/cluster/options", set_options),
    on("GET", "/cluster/status", status),
    on("GET", "/cluster/ha/resources", nothing),
    on("GET", "/cluster/ha/rules", nothing),
    on("GET", "/cluster/backup", nothing),
    on("GET", "/cluster/sdn/zones", nothing),
    on("GET", "/cluster/replication", nothing),
];

fn nothing(_: &mut Call<'_>) -> Result<Answer> {
    Ok(json!([]).into())
}

fn resources(call: &mut Call<'_>) -> Result<Answer> {
    let wanted = call.arg("type").unwrap_or_default();
    let mut rows = Vec::new();
    if matches!(wanted, "" | "vm") {
        rows.extend(guests(call));
    }
    let state = &call.world.state;
    if matches!(wanted, "" | "node") {
        rows.extend(state.nodes.iter().map(|(name, node)| {
            let mut row = json!({
                "id": format!("node/{name}"), "type": "node", "node": name, "status": "online", "level": "",
            });
            if state.may(&call.who, &format!("/nodes/{name}"), &["Sys.Audit"], false) {
                let more = json!({
                    "maxcpu": node.cpus, "maxmem": node.memory, "mem": node.memory / 16, "cpu": 0.05, "cgroup-mode": 2,
                    "uptime": call.world.now.saturating_sub(state.booted) / 1000,
                    "maxdisk": 270553174016u64, "disk": 26869193216u64,
                });
                merge(&mut row, more);
            }
            row
        }));
    }
    if matches!(wanted, "" | "storage") {
        for node in state.nodes.keys() {
            for (name, storage) in &state.storages {
                let any = ["Datastore.Audit", "Datastore.AllocateSpace"];
                if !state.may(&call.who, &format!("/storage/{name}"), &any, true) {
                    continue;
                }
                let content: Vec<&str> = storage.content.iter().map(String::as_str).collect();
                rows.push(json!({
                    "id": format!("storage/{node}/{name}"), "type": "storage", "node": node, "storage": name,
                    "status": "available", "plugintype": storage.kind, "content": content.join(","), "shared": 0,
                    "maxdisk": storage.total, "disk": used(storage),
                }));
            }
        }
    }
    if wanted.is_empty() && call.world.release().is_9() {
        for node in state.nodes.keys() {
            if state.may(&call.who, "/sdn/zones/localnetwork", &["SDN.Audit", "SDN.Use", "SDN.Allocate"], true) {
                rows.push(json!({
                    "id": format!("network/{node}/zone/localnetwork"), "type": "network", "network-type": "zone",
                    "network": "localnetwork", "node": node, "status": "ok",
                }));
            }
        }
    }
    Ok(Value::Array(rows).into())
}

/// How much of a storage is taken, in bytes.
pub fn used(storage: &crate::sandbox::proxmox::state::Storage) -> u64 {
    storage.volumes.values().map(|v| v.size).sum()
}

fn merge(row: &mut Value, more: Value) {
    if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
        row.extend(more);
    }
}

/// Guests: that one exists, its tags and its lock are as of now; the rest is what pvestatd said last.
fn guests(call: &Call<'_>) -> Vec<Value> {
    let state = &call.world.state;
    let mut rows = Vec::new();
    for (vmid, guest) in &state.guests {
        if !state.may(&call.who, &format!("/vms/{vmid}"), &["VM.Audit"], false) {
            continue;
        }
        let mut row = statistics(call, *vmid, guest);
        merge(&mut row, fresh(call, *vmid, guest));
        rows.push(row);
    }
    rows
}

/// A guest as pvestatd said last.
pub fn statistics(call: &Call<'_>, vmid: u32, guest: &Guest) -> Value {
    let kind = guest.kind.word();
    let mut row = json!({"id": format!("{kind}/{vmid}"), "vmid": vmid, "type": kind, "node": guest.node});
    let more = match call.world.seen(vmid, guest) {
        None => json!({"status": "unknown"}),
        Some(seen) => {
            let maxdisk = if seen.running { seen.disk / 20 * 19 } else { seen.disk };
            json!({
                "name": seen.name, "status": if seen.running { "running" } else { "stopped" },
                "template": u8::from(seen.template), "maxcpu": seen.cpus, "maxmem": seen.memory, "maxdisk": maxdisk,
                "uptime": seen.uptime, "cpu": 0, "mem": 0, "memhost": 0,
                "disk": if seen.running { 174247936 } else { 0 },
                "diskread": 0, "diskwrite": 0, "netin": 0, "netout": 0,
            })
        }
    };
    merge(&mut row, more);
    row
}

/// What is read from the config file itself.
fn fresh(call: &Call<'_>, vmid: u32, guest: &Guest) -> Value {
    let mut row = Map::new();
    for key in ["tags", "lock"] {
        if let Some(value) = guest.conf.get(key) {
            row.insert(key.into(), json!(value));
        }
    }
    let pool = call.world.state.pools.iter().find(|(_, p)| p.vms.contains(&vmid));
    if let Some((pool, _)) = pool {
        row.insert("pool".into(), json!(pool));
    }
    Value::Object(row)
}

fn next_id(call: &mut Call<'_>) -> Result<Answer> {
    let guests = &call.world.state.guests;
    if let Some(vmid) = call.arg("vmid") {
        if vmid.parse::<u32>().is_ok_and(|v| guests.contains_key(&v)) {
            return Err(Refusal::parameter("vmid", format!("VM {vmid} already exists")));
        }
        return Ok(json!(vmid).into());
    }
    let (lower, upper) = range(call.world.state.options.get("next-id").map_or("", String::as_str));
    match (lower..upper).find(|v| !guests.contains_key(v)) {
        Some(free) => Ok(json!(free.to_string()).into()),
        None => Err(Refusal::die(format!("unable to get any free VMID in range [{lower}, {upper}]"))),
    }
}

fn range(option: &str) -> (u32, u32) {
    let number = |name: &str| option.split(',').find_map(|p| p.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
    (number("lower").unwrap_or(100), number("upper").unwrap_or(1_000_000))
}

fn options(call: &mut Call<'_>) -> Result<Answer> {
    let state = &call.world.state;
    let all = state.may(&call.who, "/", &["Sys.Audit"], false);
    let mut data = Map::new();
    for (key, value) in &state.options {
        // Without Sys.Audit only what the interface needs is shown.
        if !all && !["console", "tag-style", "user-tag-access"].contains(&key.as_str()) {
            continue;
        }
        data.insert(key.clone(), split(call, key, value));
    }
    if all {
        data.entry("mac_prefix").or_insert(json!("BC:24:11"));
        data.entry("description").or_insert(json!(""));
    }
    let allowed = registered(state.options.get("registered-tags").map_or("", String::as_str));
    let may = state.may(&call.who, "/", &["Sys.Modify"], false);
    data.insert("allowed-tags".into(), if may { json!(allowed) } else { json!([]) });
    Ok(Value::Object(data).into())
}

/// Property strings of `datacenter.cfg` are answered as objects.
fn split(call: &Call<'_>, key: &str, value: &str) -> Value {
    use crate::sandbox::proxmox::facts::Format;
    let schema = call.world.facts.method("PUT", "/cluster/options").and_then(|m| m.parameters.property(key));
    match schema.and_then(|s| s.format.as_ref()) {
        Some(Format::Properties(inner)) if !matches!(key, "bwlimit") => match property::take_apart(inner, value) {
            Ok(parts) => {
                let typed = |k: &str, v: &String| match inner.get(k) {
                    Some(s) if s.is("boolean") => v.parse::<i64>().map_or_else(|_| json!(v), |n| json!(n)),
                    _ if k == "user-allow-list" => json!(v.split(';').collect::<Vec<_>>()),
                    _ => json!(v),
                };
                Value::Object(parts.iter().map(|(k, v)| (k.clone(), typed(k, v))).collect())
            }
            Err(_) => json!(value),
        },
        _ if key == "registered-tags" => json!(registered(value)),
        _ => json!(value),
    }
}

fn registered(value: &str) -> Vec<String> {
    let mut tags = split_list(value);
    tags.sort();
    tags
}

fn set_options(call: &mut Call<'_>) -> Result<Answer> {
    let delete = split_list(&call.take("delete").unwrap_or_default());
    if let Some(next) = call.arg("next-id") {
        let (lower, upper) = range(next);
        if lower > upper {
            return Err(Refusal::die(format!("lower ({lower}) <= upper ({upper}) boundary rule broken")));
        }
    }
    let args = std::mem::take(&mut call.args);
    let options = &mut call.world.state.options;
    options.extend(args);
    for key in &delete {
        options.remove(key);
    }
    match options.get("description").map(|d| d.trim_end_matches('\n').to_string()) {
        Some(empty) if empty.is_empty() => options.remove("description"),
        Some(notes) => options.insert("description".into(), format!("{notes}\n")),
        None => None,
    };
    call.world.touched = true;
    Ok(Value::Null.into())
}

fn status(call: &mut Call<'_>) -> Result<Answer> {
    let nodes = call.world.state.nodes.iter().enumerate().map(|(i, (name, node))| {
        json!({
            "id": format!("node/{name}"), "type": "node", "name": name, "ip": node.address, "online": 1, "level": "",
            "local": u8::from(i == 0), "nodeid": 0,
        })
    });
    Ok(Value::Array(nodes.collect()).into())
}

/// The digest of a config that is not there.
pub fn empty_digest() -> String {
    config_file::sum("")
}
