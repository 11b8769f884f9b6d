//! `/nodes`: the nodes and their status.
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    refusal::Result,
    state::Lack,
};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[on("GET", "/nodes", list), on("GET", "/nodes/{node}/status", status)];

/// The kernel that every simulated node runs.
const KERNEL: &str = "6.17.2-1-pve";
/// The bytes of a node's root file system, and how many of them are taken.
pub const ROOT: (u64, u64) = (270_553_174_016, 26_869_193_216);
const BUILD: &str = "#1 SMP PREEMPT_DYNAMIC";

fn list(call: &mut Call<'_>) -> Result<Answer> {
    let state = &call.world.state;
    let rows = state.nodes.iter().map(|(name, node)| {
        let mut row = json!({
            "id": format!("node/{name}"), "type": "node", "node": name, "level": "",
            "status": if node.offline { "offline" } else { "online" },
            "ssl_fingerprint": fingerprint(name),
        });
        let audit = state.may(&call.who, &format!("/nodes/{name}"), &["Sys.Audit"], false);
        if let (true, Some(row)) = (audit && !node.offline, row.as_object_mut()) {
            row.insert("maxcpu".into(), json!(node.cpus));
            row.insert("maxmem".into(), json!(node.memory));
            row.insert("mem".into(), json!(node.memory / 16));
            row.insert("cpu".into(), json!(0.05));
            row.insert("maxdisk".into(), json!(ROOT.0));
            row.insert("disk".into(), json!(ROOT.1));
            row.insert("uptime".into(), json!(call.world.now.saturating_sub(state.booted) / 1000));
        }
        row
    });
    Ok(Value::Array(rows.collect()).into())
}

/// The real one shows that of its certificate, which the front of the sandbox owns; this stands for it.
fn fingerprint(node: &str) -> String {
    let sum = crate::sandbox::proxmox::login::secret_sum(node).to_uppercase();
    let pairs: Vec<&str> = (0..32).map(|i| &sum[2 * i..2 * i + 2]).collect();
    pairs.join(":")
}

fn status(call: &mut Call<'_>) -> Result<Answer> {
    let (version, _, build) = call.world.release().spelled();
    let state = &call.world.state;
    let name = call.node();
    let node = state.nodes.get(&name).cloned().unwrap_or_default();
    let (used, swap) = (node.memory / 16, 0);
    Ok(json!({
        "pveversion": format!("pve-manager/{version}/{build}"),
        "kversion": format!("Linux {KERNEL} {BUILD}"),
        "current-kernel": {"sysname": "Linux", "release": KERNEL, "version": BUILD, "machine": "x86_64"},
        "boot-info": {"mode": "legacy-bios"}, "uptime": call.world.now.saturating_sub(state.booted) / 1000,
        "cpu": 0.05, "wait": 0, "idle": 0, "loadavg": ["0.10", "0.10", "0.10"],
        "memory": {"total": node.memory, "used": used, "free": node.memory - used, "available": node.memory - used},
        "swap": {"total": swap, "used": swap, "free": swap},
        "rootfs": {"total": ROOT.0, "used": ROOT.1, "free": ROOT.0 - ROOT.1, "avail": 230000000000u64},
        "cpuinfo": {
            "cpus": node.cpus, "cores": node.cpus, "sockets": 1, "user_hz": 100, "model": "AMD EPYC",
            "vendor": "AuthenticAMD", "family": "26", "mhz": "2596.122", "flags": "fpu tsc msr pae cx8 apic sse sse2 syscall nx",
            "hvm": if node.lacks.contains(&Lack::Kvm) { "" } else { "1" },
        },
        "ksm": {"shared": 0},
    })
    .into())
}
