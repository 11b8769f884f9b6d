//! `/cluster`: resources, the next free number, options, status.
use super::tag_permission;
use crate::sandbox::proxmox::{
    calendar,
    call::{Answer, Call, Endpoint, on},
    property,
    refusal::{Refusal, Result},
    schema::split_list,
    state::{Conf, Guest, Kind, State, Storage},
};
use serde_json::{Map, Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/cluster/resources", resources),
    on("GET", "/cluster/nextid", next_id),
    on("GET", "/cluster/options", options),
    on("PUT", "/cluster/options", set_options),
    on("GET", "/cluster/status", status),
    on("GET", "/cluster/sdn/zones", nothing),
    on("GET", "/cluster/replication", nothing),
    on("GET", "/cluster/sdn/vnets", nothing),
    on("GET", "/cluster/mapping/dir", nothing),
    on("GET", "/cluster/mapping/pci", nothing),
    on("GET", "/cluster/mapping/usb", nothing),
    on("GET", "/cluster/metrics/server", nothing),
    on("GET", "/cluster/bulk-action", |_| Ok(json!([{"name": "guest"}]).into())),
    on("GET", "/cluster/config/nodes", members),
    on("GET", "/cluster/config/join", join),
    on("GET", "/cluster/notifications/targets", notifications),
    on("GET", "/cluster/log", log),
    on("GET", "/cluster/jobs/schedule-analyze", analyze),
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
                "id": format!("node/{name}"), "type": "node", "node": name, "level": "",
                "status": if node.offline { "offline" } else { "online" },
            });
            if !node.offline && state.may(&call.who, &format!("/nodes/{name}"), &["Sys.Audit"], false) {
                let more = json!({
                    "maxcpu": node.cpus, "maxmem": node.memory, "mem": node.memory / 16, "cpu": 0.05, "cgroup-mode": 2,
                    "uptime": call.world.now.saturating_sub(state.booted) / 1000,
                    "maxdisk": super::node::ROOT.0, "disk": super::node::ROOT.1,
                });
                merge(&mut row, more);
            }
            row
        }));
    }
    if matches!(wanted, "" | "storage") {
        for (node, found) in &state.nodes {
            for (name, storage) in state.storages.iter().filter(|(_, s)| s.is_on(node)) {
                if !state.may(&call.who, &format!("/storage/{name}"), &["Datastore.Audit"], false) {
                    continue;
                }
                let content: Vec<&str> = storage.content.iter().map(String::as_str).collect();
                rows.push(json!({
                    "id": format!("storage/{node}/{name}"), "type": "storage", "node": node, "storage": name,
                    "status": if found.offline { "unknown" } else { "available" }, "plugintype": storage.kind,
                    "content": content.join(","), "shared": u8::from(storage.is_shared()),
                    "maxdisk": storage.total, "disk": used(state, storage),
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

/// How much of a storage is taken, in bytes. Directories of one size lie on one file system, and each tells of all that is on
/// it; unless the directory is said to be a mount point.
pub fn used(state: &State, storage: &Storage) -> u64 {
    let own = |storage: &Storage| storage.volumes.values().map(|v| v.size).sum::<u64>();
    let shares = |s: &&Storage| s.kind == "dir" && s.total == storage.total && !s.more.contains_key("is_mountpoint");
    match shares(&storage) {
        true => state.storages.values().filter(shares).map(own).sum(),
        false => own(storage),
    }
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
    let away = call.world.state.nodes.get(&guest.node).is_some_and(|n| n.offline);
    let more = match call.world.seen(vmid, guest).filter(|_| !away) {
        None => json!({"status": "unknown"}),
        Some(seen) => {
            let is_mounted = seen.running && guest.kind == Kind::Lxc;
            let maxdisk = if is_mounted { crate::sandbox::proxmox::ext4::usable(seen.disk) } else { seen.disk };
            // A guest on a network says something now and then.
            let sent = if seen.running { 300 + 7 * seen.uptime } else { 0 };
            json!({
                "name": seen.name, "status": if seen.running { "running" } else { "stopped" },
                "template": u8::from(seen.template), "maxcpu": as_number(&seen.cpus), "maxmem": seen.memory, "maxdisk": maxdisk,
                "uptime": seen.uptime, "cpu": 0, "mem": 0, "memhost": 0,
                "disk": if seen.running { 174247936 } else { 0 },
                "diskread": 0, "diskwrite": 0, "netin": 0, "netout": sent,
            })
        }
    };
    merge(&mut row, more);
    row
}

/// A figure as a number, although it was told as text.
pub fn as_number(told: &Value) -> Value {
    match told.as_str().and_then(|text| text.parse::<f64>().ok()) {
        Some(number) if number.fract() == 0.0 => json!(number as u64),
        Some(number) => json!(number),
        None => told.clone(),
    }
}

/// What is read from the config file itself.
fn fresh(call: &Call<'_>, vmid: u32, guest: &Guest) -> Value {
    let mut row = Map::new();
    for key in ["tags", "lock"] {
        if let Some(value) = guest.conf.get(key) {
            row.insert(key.into(), json!(value));
        }
    }
    let state = &call.world.state;
    let pool = state.pools.iter().find(|(_, p)| p.vms.contains(&vmid));
    let seen = |name: &str| state.may(&call.who, &format!("/pool/{name}"), &["Pool.Audit"], false);
    if let Some((pool, _)) = pool.filter(|(name, _)| seen(name)) {
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
        if !all && !["console", "tag-style"].contains(&key.as_str()) {
            continue;
        }
        data.insert(key.clone(), split(call, key, value));
    }
    if all {
        data.entry("mac_prefix").or_insert(json!("BC:24:11"));
        data.entry("description").or_insert(json!(""));
    }
    data.insert("allowed-tags".into(), json!(tag_permission::allowed(call.world, &call.who)));
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
        _ if key == "registered-tags" => json!(value.split(';').collect::<Vec<_>>()),
        _ => json!(value),
    }
}

/// What a further write makes of options that stand in the file: lists of tags get their order.
fn rewritten(key: &str, value: &str) -> String {
    let sorted = |list: &str| {
        let mut tags: Vec<&str> = list.split(';').collect();
        tags.sort_unstable();
        tags.join(";")
    };
    match key {
        "registered-tags" => sorted(value),
        "user-tag-access" => {
            let part = |p: &str| match p.strip_prefix("user-allow-list=") {
                Some(list) => format!("user-allow-list={}", sorted(list)),
                None => p.to_string(),
            };
            value.split(',').map(part).collect::<Vec<_>>().join(",")
        }
        _ => value.to_string(),
    }
}

/// Puts today's names in the place of those that are kept for old clients.
fn renew(options: &mut Conf) {
    if options.get("console").is_some_and(|c| c == "applet") {
        options.insert("console".into(), "html5".into());
    }
    if !options.contains_key("migration")
        && let Some(unsecure) = options.remove("migration_unsecure")
    {
        let how = if unsecure == "1" { "insecure" } else { "secure" };
        options.insert("migration".into(), format!("type={how}"));
    }
}

fn set_options(call: &mut Call<'_>) -> Result<Answer> {
    let delete = split_list(&call.take("delete").unwrap_or_default());
    if let Some(next) = call.arg("next-id") {
        let (lower, upper) = range(next);
        if lower > upper {
            return Err(Refusal::die(format!("lower ({lower}) <= upper ({upper}) boundary rule broken")));
        }
    }
    let args = call.given.rest();
    let options = &mut call.world.state.options;
    for (key, value) in options.iter_mut() {
        *value = rewritten(key, value);
    }
    options.extend(args);
    for key in &delete {
        options.remove(key);
    }
    renew(options);
    match options.get("description").map(|d| d.trim_end_matches('\n').to_string()) {
        Some(empty) if empty.is_empty() => options.remove("description"),
        Some(notes) => options.insert("description".into(), format!("{notes}\n")),
        None => None,
    };
    call.world.touched = true;
    Ok(Value::Null.into())
}

fn status(call: &mut Call<'_>) -> Result<Answer> {
    let state = &call.world.state;
    let (local, several) = (state.local(), state.nodes.len() > 1);
    let nodes = state.nodes.iter().enumerate().map(|(i, (name, node))| {
        json!({
            "id": format!("node/{name}"), "type": "node", "name": name, "ip": node.address, "level": "",
            "online": u8::from(!node.offline), "local": u8::from(*name == local),
            "nodeid": if several { i + 1 } else { 0 },
        })
    });
    let mut rows: Vec<Value> = nodes.collect();
    if several {
        let online = state.nodes.values().filter(|n| !n.offline).count();
        rows.insert(
            0,
            json!({
                "id": "cluster", "type": "cluster", "name": "sandbox", "version": rows.len(), "nodes": rows.len(),
                "quorate": u8::from(online * 2 > rows.len()),
            }),
        );
    }
    Ok(Value::Array(rows).into())
}

/// What stands in corosync's config: nothing where there is one node.
fn members(call: &mut Call<'_>) -> Result<Answer> {
    let nodes = &call.world.state.nodes;
    let rows = nodes.iter().enumerate().filter(|_| nodes.len() > 1).map(|(i, (name, node))| {
        json!({
            "node": name, "name": name, "nodeid": (i + 1).to_string(), "quorum_votes": "1", "ring0_addr": node.address,
        })
    });
    Ok(Value::Array(rows.collect()).into())
}

fn join(call: &mut Call<'_>) -> Result<Answer> {
    if call.world.state.nodes.len() > 1 {
        return Err(Refusal::not_simulated("joining a cluster"));
    }
    let message = "node is not in a cluster, no join info available!".into();
    Err(Refusal::Answer { status: 424, message, errors: Map::new(), newline: false })
}

fn notifications(_: &mut Call<'_>) -> Result<Answer> {
    Ok(json!([{
        "name": "mail-to-root", "type": "sendmail", "origin": "builtin",
        "comment": "Send mails to root@pam's email address",
    }])
    .into())
}

/// The cluster's log holds the beginning and end of every task; without `Sys.Syslog` one sees one's own.
/// When a schedule comes next.
fn analyze(call: &mut Call<'_>) -> Result<Answer> {
    let number = |key: &str| call.arg(key).and_then(|n| n.parse::<i64>().ok());
    let (count, from) = (number("iterations").unwrap_or(10), number("starttime"));
    let now = i64::try_from(call.world.now / 1000).unwrap_or(i64::MAX);
    let schedule = call.arg("schedule").unwrap_or_default();
    let calendar = calendar::parse(schedule).map_err(Refusal::die)?;
    let mut at =
        jiff::Timestamp::from_second(from.unwrap_or(now)).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    let mut rows = Vec::new();
    while let Some(next) = calendar.next(&at).filter(|_| (rows.len() as i64) < count) {
        rows.push(json!({
            "timestamp": next.timestamp().as_second(),
            "utc": next.with_time_zone(jiff::tz::TimeZone::UTC).strftime("%a %b %e %H:%M:%S %Y").to_string(),
        }));
        at = next;
    }
    Ok(Value::Array(rows).into())
}

fn log(call: &mut Call<'_>) -> Result<Answer> {
    let max = call.arg("max").and_then(|m| m.parse::<usize>().ok()).unwrap_or(50);
    let state = &call.world.state;
    let everything = state.may(&call.who, "/", &["Sys.Syslog"], false);
    let mut lines: Vec<(u64, String, &crate::sandbox::proxmox::task::Task)> = Vec::new();
    for task in state.tasks.iter().filter(|t| everything || t.who == call.who.id()) {
        lines.push((task.started, format!("starting task {}", task.upid), task));
        if let Some(exit) = &task.exit {
            lines.push((task.ends, format!("end task {} {exit}", task.upid), task));
        }
    }
    lines.sort_by_key(|(at, ..)| *at);
    let numbered = lines.iter().enumerate().rev().take(max);
    let rows = numbered.map(|(i, (at, message, task))| {
        json!({
            "id": format!("{}:{}", i + 1, task.node), "uid": (i + 1).to_string(), "node": task.node, "pid": task.pid,
            "pri": 6, "tag": "pvedaemon", "time": at / 1000, "user": task.who, "msg": message,
        })
    });
    Ok(Value::Array(rows.collect()).into())
}
