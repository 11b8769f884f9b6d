//! Reads about a node that nothing in the simulated world changes: services, hardware, packages (pve-manager 9.2.11).
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    refusal::{Refusal, Result},
    task::Work,
};
use serde_json::{Map, Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/nodes/{node}/services", services),
    on("GET", "/nodes/{node}/services/{service}", |_| {
        Ok(json!(["state", "start", "stop", "restart", "reload"].map(|s| json!({"subdir": s}))).into())
    }),
    on("GET", "/nodes/{node}/services/{service}/state", service),
    on("POST", "/nodes/{node}/services/{service}/start", |c| act(c, "srvstart")),
    on("POST", "/nodes/{node}/services/{service}/stop", |c| act(c, "srvstop")),
    on("POST", "/nodes/{node}/services/{service}/restart", |c| act(c, "srvrestart")),
    on("POST", "/nodes/{node}/services/{service}/reload", |c| act(c, "srvreload")),
    on("POST", "/nodes/{node}/wakeonlan", wake),
    on("GET", "/nodes/{node}/hardware", |_| Ok(json!([{"type": "pci"}, {"type": "usb"}]).into())),
    on("GET", "/nodes/{node}/hardware/pci", none),
    on("GET", "/nodes/{node}/hardware/usb", none),
    on("GET", "/nodes/{node}/apt/update", none),
    on("GET", "/nodes/{node}/replication", none),
    on("GET", "/nodes/{node}/netstat", netstat),
    on("GET", "/nodes/{node}/subscription", subscription),
    on("GET", "/nodes/{node}/vzdump/defaults", backup_defaults),
    on("GET", "/nodes/{node}/apt", |_| {
        Ok(json!(["changelog", "repositories", "update", "versions"].map(|id| json!({"id": id}))).into())
    }),
    on("GET", "/nodes/{node}/scan", |_| {
        Ok(json!(["cifs", "iscsi", "lvm", "nfs", "pbs", "zfs"].map(|m| json!({"method": m}))).into())
    }),
    on("GET", "/nodes/{node}/disks", |_| {
        let names = ["list", "initgpt", "smart", "lvm", "lvmthin", "directory", "wipedisk", "zfs"];
        Ok(json!(names.map(|n| json!({"name": n}))).into())
    }),
    on("GET", "/nodes/{node}/disks/list", disks),
    on("GET", "/nodes/{node}/disks/directory", none),
    on("GET", "/nodes/{node}/disks/zfs", none),
    on("GET", "/nodes/{node}/disks/lvmthin", none),
    on("GET", "/nodes/{node}/disks/lvm", |_| Ok(json!({"leaf": 0, "children": []}).into())),
];

/// There are none of these.
#[expect(clippy::unnecessary_wraps, reason = "the shape of an endpoint")]
fn none(_: &mut Call<'_>) -> Result<Answer> {
    Ok(json!([]).into())
}

/// Units of systemd with what they are called. Those without a name are not installed.
const SERVICES: &[(&str, &str)] = &[
    ("chrony", ""),
    ("corosync", ""),
    ("cron", ""),
    ("ksmtuned", ""),
    ("lxcfs", "FUSE filesystem for LXC"),
    ("postfix", "Postfix Mail Transport Agent"),
    ("proxmox-firewall", "Proxmox nftables firewall"),
    ("pve-cluster", "The Proxmox VE cluster filesystem"),
    ("pve-firewall", "Proxmox VE firewall"),
    ("pve-ha-crm", "PVE Cluster HA Resource Manager Daemon"),
    ("pve-ha-lrm", "PVE Local HA Resource Manager Daemon"),
    ("pve-lxc-syscalld", "Proxmox VE LXC Syscall Daemon"),
    ("pvedaemon", "PVE API Daemon"),
    ("pvefw-logger", "Proxmox VE firewall logger"),
    ("pveproxy", "PVE API Proxy Server"),
    ("pvescheduler", "Proxmox VE scheduler"),
    ("pvestatd", "PVE Status Daemon"),
    ("qmeventd", "PVE Qemu Event Daemon"),
    ("spiceproxy", "PVE SPICE Proxy Server"),
    ("sshd", "OpenBSD Secure Shell server"),
    ("syslog", ""),
    ("systemd-journald", "Journal Service"),
    ("systemd-timesyncd", "Network Time Synchronization"),
];

/// Services that are never stopped by a call.
const ESSENTIAL: &[&str] = &["pve-cluster", "pvedaemon", "pveproxy"];

fn state_of(name: &str, title: &str, stopped: bool) -> Value {
    let title = if title.is_empty() { format!("{name}.service") } else { title.to_string() };
    let (state, active, unit) = match name {
        _ if title.ends_with(".service") => ("dead", "inactive", "not-found"),
        _ if stopped => ("dead", "inactive", "enabled"),
        "systemd-journald" => ("running", "active", "static"),
        _ => ("running", "active", "enabled"),
    };
    json!({
        "service": name, "name": name, "desc": title, "state": state, "active-state": active, "unit-state": unit,
    })
}

fn services(call: &mut Call<'_>) -> Result<Answer> {
    let known = call.world.facts.method("GET", "/nodes/{node}/services/{service}/state");
    let known = known.and_then(|m| m.parameters.property("service")).and_then(|s| s.one_of.clone());
    // The older release knows fewer of them.
    let rows = SERVICES.iter().filter(|(name, _)| known.as_ref().is_none_or(|k| k.iter().any(|n| n == name)));
    let rows = rows.map(|(name, title)| state_of(name, title, is_stopped(call, name)));
    Ok(Value::Array(rows.collect()).into())
}

fn service(call: &mut Call<'_>) -> Result<Answer> {
    let wanted = call.arg("service").unwrap_or_default();
    let found = SERVICES.iter().find(|(name, _)| *name == wanted);
    Ok(state_of(wanted, found.map_or("", |(_, title)| title), is_stopped(call, wanted)).into())
}

fn is_stopped(call: &Call<'_>, service: &str) -> bool {
    call.world.state.nodes.get(&call.node()).is_some_and(|n| n.stopped.contains(service))
}

/// A service runs when that is over, or is stopped: at once, though the task is still to end.
fn act(call: &mut Call<'_>, kind: &str) -> Result<Answer> {
    let (node, who) = (call.node(), call.who.clone());
    let service = call.arg("service").unwrap_or_default().to_string();
    let installed = SERVICES.iter().any(|(name, title)| *name == service && !title.is_empty());
    let mut work = Work::Nothing;
    if kind == "srvstop" && ESSENTIAL.contains(&service.as_str()) {
        let why = format!("invalid service cmd '{service} stop': refusing to stop essential service!");
        work = Work::Fails { why, log: Vec::new() };
    } else if let Some(node) = call.world.state.nodes.get_mut(&node).filter(|_| installed) {
        match kind {
            "srvstop" => node.stopped.insert(service.clone()),
            "srvreload" => false,
            _ => node.stopped.remove(&service),
        };
        call.world.touched = true;
    }
    Ok(json!(call.world.fork(&node, kind, &service, &who, work, None)).into())
}

/// No node has an address for that.
fn wake(call: &mut Call<'_>) -> Result<Answer> {
    let node = call.arg("node").unwrap_or_default();
    if node == "localhost" || node == call.world.state.local() {
        return Err(Refusal::die(format!("'{node}' is local node, cannot wake my self!")));
    }
    if !call.world.state.nodes.contains_key(node) {
        return Err(Refusal::die(format!("no such cluster node '{node}'")));
    }
    Err(Refusal::die(format!("No wake on LAN MAC address defined for '{node}'!")))
}

/// A line for each card of a guest that runs: what went in and out is not counted here.
fn netstat(call: &mut Call<'_>) -> Result<Answer> {
    let node = call.node();
    let running = call.world.state.guests.iter().filter(|(_, g)| g.node == node && g.running.is_some());
    let rows = running.flat_map(|(vmid, guest)| {
        let cards = guest.conf.keys().filter(|k| k.strip_prefix("net").is_some_and(|n| n.parse::<u32>().is_ok()));
        cards.map(move |card| json!({"vmid": vmid.to_string(), "dev": card, "in": "0", "out": "0"}))
    });
    Ok(Value::Array(rows.collect()).into())
}

/// The one disk of a simulated node: it holds the system and tells nothing of itself, as a disk of virtio.
fn disks(call: &mut Call<'_>) -> Result<Answer> {
    // It is in use, and not by partitions or LVM.
    if call.arg("type").is_some() {
        return Ok(json!([]).into());
    }
    Ok(json!([{
        "devpath": "/dev/vda", "size": 256u64 << 30, "used": "mounted", "mounted": 1, "gpt": 0, "type": "unknown",
        "rpm": -1, "health": "UNKNOWN", "wearout": "N/A", "vendor": "0x1af4", "model": "unknown", "serial": "unknown",
        "wwn": "unknown", "osdid": -1, "osdid-list": null,
    }])
    .into())
}

fn subscription(call: &mut Call<'_>) -> Result<Answer> {
    let node = call.node();
    let mut found = json!({
        "status": "notfound", "message": "There is no subscription key",
        "url": "https://www.proxmox.com/en/proxmox-virtual-environment/pricing",
    });
    if call.world.state.may(&call.who, &format!("/nodes/{node}"), &["Sys.Audit"], false) {
        let sum = crate::sandbox::proxmox::login::secret_sum(&node).to_uppercase();
        found["serverid"] = json!(sum[..32]);
    }
    Ok(found.into())
}

/// The defaults of `PVE::VZDump`, with what a storage says about its backups.
fn backup_defaults(call: &mut Call<'_>) -> Result<Answer> {
    let (node, storage) = (call.node(), call.arg("storage").unwrap_or("local").to_string());
    let (state, who) = (&call.world.state, &call.who);
    state.demand_any(who, &format!("/storage/{storage}"), &["Datastore.Audit", "Datastore.AllocateSpace"])?;
    let found = super::storage::of(call.world, &storage)?;
    if !found.content.contains("backup") {
        return Err(Refusal::die(format!("can't use storage '{storage}' for backups - wrong content type")));
    }
    let mut row = json!({
        "all": 0, "bwlimit": 0, "compress": "0", "ionice": 7, "lockwait": 180, "mode": "snapshot", "pigz": 0, "quiet": 0,
        "mailnotification": "always", "notification-mode": "auto", "remove": 1, "stdexcludes": 1, "stop": 0,
        "stopwait": 10, "storage": storage, "zstd": 1, "fleecing": {"enabled": 0},
        "performance": {"max-workers": 16, "pbs-entries-max": 1_048_576},
    })
    .as_object()
    .cloned()
    .unwrap_or_else(Map::new);
    let keep = found.more.get("prune-backups").map_or("keep-all=1", String::as_str);
    row.insert("prune-backups".into(), json!(keep));
    if let Some(path) = &found.path {
        row.insert("dumpdir".into(), json!(format!("{path}/dump")));
    }
    if !state.may(who, &format!("/nodes/{node}"), &["Sys.Audit"], false) {
        row.remove("dumpdir");
        row.remove("ionice");
    }
    Ok(Value::Object(row).into())
}
