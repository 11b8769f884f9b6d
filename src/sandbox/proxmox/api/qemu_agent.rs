//! The agent inside a machine. Where it is configured, every simulated machine has one that answers soon after its start.
use super::qemu_drive::{is_numbered, parse};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    refusal::{Refusal, Result},
    state::{Conf, Guest, Kind},
    timing::Timing,
    world::World,
};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/nodes/{node}/qemu/{vmid}/agent", index),
    on("POST", "/nodes/{node}/qemu/{vmid}/agent", command),
    on("GET", "/nodes/{node}/qemu/{vmid}/agent/network-get-interfaces", interfaces),
    on("GET", "/nodes/{node}/qemu/{vmid}/agent/get-osinfo", |c| told(c, OS_INFO)),
    on("GET", "/nodes/{node}/qemu/{vmid}/agent/get-host-name", host_name),
    on("GET", "/nodes/{node}/qemu/{vmid}/agent/info", |c| told(c, r#"{"version":"10.0.2","supported_commands":[]}"#)),
    on("POST", "/nodes/{node}/qemu/{vmid}/agent/ping", |c| told(c, "{}")),
    on("POST", "/nodes/{node}/qemu/{vmid}/agent/exec", inside),
    on("GET", "/nodes/{node}/qemu/{vmid}/agent/exec-status", inside),
    on("GET", "/nodes/{node}/qemu/{vmid}/agent/file-read", inside),
    on("POST", "/nodes/{node}/qemu/{vmid}/agent/file-write", inside),
    on("POST", "/nodes/{node}/qemu/{vmid}/agent/fsfreeze-freeze", inside),
    on("POST", "/nodes/{node}/qemu/{vmid}/agent/fsfreeze-status", inside),
    on("POST", "/nodes/{node}/qemu/{vmid}/agent/fsfreeze-thaw", inside),
    on("POST", "/nodes/{node}/qemu/{vmid}/agent/fstrim", inside),
    on("GET", "/nodes/{node}/qemu/{vmid}/agent/get-fsinfo", inside),
    on("GET", "/nodes/{node}/qemu/{vmid}/agent/get-memory-block-info", inside),
    on("GET", "/nodes/{node}/qemu/{vmid}/agent/get-memory-blocks", inside),
    on("GET", "/nodes/{node}/qemu/{vmid}/agent/get-time", inside),
    on("GET", "/nodes/{node}/qemu/{vmid}/agent/get-timezone", inside),
    on("GET", "/nodes/{node}/qemu/{vmid}/agent/get-users", inside),
    on("GET", "/nodes/{node}/qemu/{vmid}/agent/get-vcpus", inside),
    on("POST", "/nodes/{node}/qemu/{vmid}/agent/set-user-password", inside),
    on("POST", "/nodes/{node}/qemu/{vmid}/agent/shutdown", inside),
    on("POST", "/nodes/{node}/qemu/{vmid}/agent/suspend-disk", inside),
    on("POST", "/nodes/{node}/qemu/{vmid}/agent/suspend-hybrid", inside),
    on("POST", "/nodes/{node}/qemu/{vmid}/agent/suspend-ram", inside),
];

const OS_INFO: &str = r#"{"id":"debian","name":"Debian GNU/Linux","pretty-name":"Debian GNU/Linux 13 (trixie)","version":"13 (trixie)","version-id":"13","machine":"x86_64","kernel-release":"6.12.48+deb13-amd64"}"#;
/// How long after its start the agent answers, in milliseconds.
const COMES_UP: u64 = 4000;

/// The commands of `/agent`, as its index lists them.
const COMMANDS: &[&str] = &[
    "exec",
    "exec-status",
    "file-read",
    "file-write",
    "fsfreeze-freeze",
    "fsfreeze-status",
    "fsfreeze-thaw",
    "fstrim",
    "get-fsinfo",
    "get-host-name",
    "get-memory-block-info",
    "get-memory-blocks",
    "get-osinfo",
    "get-time",
    "get-timezone",
    "get-users",
    "get-vcpus",
    "info",
    "network-get-interfaces",
    "ping",
    "set-user-password",
    "shutdown",
    "suspend-disk",
    "suspend-hybrid",
    "suspend-ram",
];

/// Whether the config says that there is an agent.
pub fn has_agent(conf: &Conf) -> bool {
    conf.get("agent").is_some_and(|a| a.split(',').any(|p| matches!(p, "1" | "enabled=1")))
}

/// Whether the agent of a machine answers QEMU.
pub fn answers(guest: &Guest) -> bool {
    let up = guest.running.as_ref().is_some_and(|running| !running.paused && !running.without_agent);
    has_agent(&guest.conf) && up
}

fn index(_: &mut Call<'_>) -> Result<Answer> {
    Ok(Value::Array(COMMANDS.iter().map(|c| json!({"name": c})).collect()).into())
}

/// The machine whose agent answers.
fn answering<'a>(call: &'a Call<'_>) -> Result<&'a Guest> {
    let guest = call.guest(Kind::Qemu)?;
    if !has_agent(&guest.conf) {
        return Err(Refusal::die("No QEMU guest agent configured"));
    }
    let Some(running) = &guest.running else {
        return Err(Refusal::die(format!("VM {} is not running", call.vmid())));
    };
    let early = call.world.timing == Timing::Real && call.world.now < running.since + COMES_UP;
    match early || running.paused || running.without_agent {
        true => Err(Refusal::die("QEMU guest agent is not running")),
        false => Ok(guest),
    }
}

fn told(call: &mut Call<'_>, result: &str) -> Result<Answer> {
    answering(call)?;
    let result: Value = serde_json::from_str(result).unwrap_or_default();
    Ok(json!({ "result": result }).into())
}

/// No program runs inside a simulated machine.
fn inside(call: &mut Call<'_>) -> Result<Answer> {
    answering(call)?;
    Err(Refusal::not_simulated("what runs and lies inside a virtual machine"))
}

fn command(call: &mut Call<'_>) -> Result<Answer> {
    match call.arg("command") {
        Some("network-get-interfaces") => interfaces(call),
        Some("get-host-name") => host_name(call),
        Some("get-osinfo") => told(call, OS_INFO),
        Some("ping") => told(call, "{}"),
        _ => inside(call),
    }
}

fn host_name(call: &mut Call<'_>) -> Result<Answer> {
    let name = answering(call)?.conf.get("name").cloned().unwrap_or_else(|| "localhost".into());
    Ok(json!({"result": {"host-name": name}}).into())
}

/// A network card of a machine: its name inside, its parts, and the addresses that cloud-init or DHCP gave it.
pub fn cards(
    world: &World,
    guest: &Guest,
) -> Vec<(String, crate::sandbox::proxmox::property::Properties, Vec<String>)> {
    let nets = guest.conf.iter().filter(|(k, _)| is_numbered(k, "net"));
    nets.map(|(key, value)| {
        let number = key.trim_start_matches("net");
        let name = format!("eth{number}");
        let mut parts = parse(world, key, value);
        let settings = guest.conf.get(&format!("ipconfig{number}")).map_or("", String::as_str);
        let mut addresses = Vec::new();
        for (key, value) in settings.split(',').filter_map(|p| p.split_once('=')) {
            match key {
                "ip" | "ip6" if value.contains('/') => addresses.push(value.to_string()),
                "ip" | "ip6" | "gw" | "gw6" => drop(parts.insert(key.into(), value.into())),
                _ => {}
            }
        }
        addresses.extend(guest.leases.get(&name).into_iter().flatten().map(ToString::to_string));
        (name, parts, addresses)
    })
    .collect()
}

fn interfaces(call: &mut Call<'_>) -> Result<Answer> {
    let guest = answering(call)?;
    let address = |cidr: &String| {
        let (address, prefix) = cidr.split_once('/')?;
        let family = if address.contains(':') { "ipv6" } else { "ipv4" };
        let prefix: u8 = prefix.parse().ok()?;
        Some(json!({"ip-address": address, "ip-address-type": family, "prefix": prefix}))
    };
    let statistics: Value = ["rx", "tx"]
        .iter()
        .flat_map(|way| ["bytes", "dropped", "errs", "packets"].map(|what| (format!("{way}-{what}"), json!(0))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let row = |name: &str, mac: &str, addresses: &[String]| {
        json!({
            "name": name, "hardware-address": mac, "statistics": statistics,
            "ip-addresses": addresses.iter().filter_map(address).collect::<Vec<_>>(),
        })
    };
    let mut rows = vec![row("lo", "00:00:00:00:00:00", &["127.0.0.1/8".into(), "::1/128".into()])];
    for (name, parts, mut addresses) in cards(call.world, guest) {
        let mac = parts.get("macaddr").cloned().unwrap_or_default().to_lowercase();
        addresses.extend(super::lxc_read::link_local(&mac).map(|a| format!("{a}/64")));
        rows.push(row(&name, &mac, &addresses));
    }
    Ok(json!({ "result": rows }).into())
}
