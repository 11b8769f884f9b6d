//! What pvestatd said over time: `…/rrddata` of nodes, guests and storages (`PVE::RRD` of pve-cluster 9, the data sources
//! of `pmxcfs/status.c`). Figures are those of the simulated world: a history that it does not keep has none.
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    refusal::{Refusal, Result},
    timing::Timing,
};
use serde_json::{Map, Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/nodes/{node}/rrddata", node),
    on("GET", "/nodes/{node}/lxc/{vmid}/rrddata", guest),
    on("GET", "/nodes/{node}/qemu/{vmid}/rrddata", guest),
    on("GET", "/nodes/{node}/storage/{storage}/rrddata", storage),
];

/// Seconds between two rows, and how many there are.
fn span(timeframe: &str, is_9: bool) -> (u64, u64) {
    match (timeframe, is_9) {
        ("hour", true) => (60, 60),
        ("day", true) => (60, 1440),
        ("week", true) => (60 * 30, 336),
        ("month", true) => (60 * 30, 1440),
        ("year", true) => (3600 * 6, 1440),
        ("hour", false) => (60, 70),
        ("day", false) => (60 * 30, 70),
        ("week", false) => (60 * 180, 70),
        ("month", false) => (60 * 720, 70),
        ("year", false) => (60 * 10_080, 70),
        _ => (86_400 * 7, 570),
    }
}

/// Rows up to now, each with what was said in its time (Unix milliseconds).
fn rows(call: &Call<'_>, said: impl Fn(u64) -> Map<String, Value>) -> Answer {
    let (step, count) = span(call.arg("timeframe").unwrap_or_default(), call.world.release().is_9());
    let end = call.world.now / 1000 / step * step;
    let rows = (0..count).map(|n| {
        // A row is named by the end of its time.
        let time = end.saturating_sub(step * (count - 1 - n));
        let mut row = said(time.saturating_sub(step) * 1000);
        row.insert("time".into(), json!(time));
        Value::Object(row)
    });
    Value::Array(rows.collect()).into()
}

fn fields<const N: usize>(of: [(&str, Value); N]) -> Map<String, Value> {
    of.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
}

fn missing(call: &Call<'_>, kind: &str, of: &str) -> Refusal {
    let version = if call.world.release().is_9() { format!("pve-{kind}-9.0") } else { format!("pve2-{kind}") };
    Refusal::die(format!("RRD error: opening '/var/lib/rrdcached/db/{version}/{of}': No such file or directory"))
}

fn node(call: &mut Call<'_>) -> Result<Answer> {
    let (state, is_9) = (&call.world.state, call.world.release().is_9());
    let name = call.arg("node").unwrap_or_default();
    let Some(node) = state.nodes.get(name) else { return Err(missing(call, "node", name)) };
    Ok(rows(call, |at| {
        if at < state.booted {
            return Map::new();
        }
        let mut row = fields([
            ("loadavg", json!(0.1)),
            ("maxcpu", json!(node.cpus)),
            ("cpu", json!(0.05)),
            ("iowait", json!(0)),
            ("memtotal", json!(node.memory)),
            ("memused", json!(node.memory / 16)),
            ("swaptotal", json!(0)),
            ("swapused", json!(0)),
            ("roottotal", json!(super::node::ROOT.0)),
            ("rootused", json!(super::node::ROOT.1)),
            ("netin", json!(0)),
            ("netout", json!(0)),
        ]);
        if is_9 {
            row.insert("memavailable".into(), json!(node.memory - node.memory / 16));
            let more = [
                "arcsize",
                "pressurecpusome",
                "pressureiosome",
                "pressureiofull",
                "pressurememorysome",
                "pressurememoryfull",
            ];
            row.extend(more.map(|key| (key.to_string(), json!(0))));
        }
        row
    }))
}

/// A guest has a file once pvestatd has told of its number, and keeps it when it is gone.
fn guest(call: &mut Call<'_>) -> Result<Answer> {
    let (vmid, is_9) = (call.vmid(), call.world.release().is_9());
    let state = &call.world.state;
    let known = match call.world.timing {
        Timing::Real => state.first_reported.get(&vmid).copied(),
        Timing::Fast => state.guests.get(&vmid).map(|_| call.world.now),
    };
    let Some(first) = known else { return Err(missing(call, "vm", &vmid.to_string())) };
    let Some(guest) = state.guests.get(&vmid) else { return Ok(rows(call, |_| Map::new())) };
    let seen = call.world.reported(vmid, guest, call.world.now);
    let since = guest.running.as_ref().map(|r| r.since);
    Ok(rows(call, |at| {
        if at < first {
            return Map::new();
        }
        let mut row = fields([
            ("maxcpu", super::cluster::as_number(&seen.cpus)),
            ("maxmem", json!(seen.memory)),
            ("maxdisk", json!(seen.disk)),
            ("disk", json!(0)),
        ]);
        if since.is_some_and(|since| at >= since) {
            row.extend(
                ["cpu", "mem", "netin", "netout", "diskread", "diskwrite"].map(|key| (key.to_string(), json!(0))),
            );
            let pressed = ["cpu", "io", "memory"].into_iter().filter(|_| is_9);
            row.extend(pressed.flat_map(|w| ["some", "full"].map(|how| (format!("pressure{w}{how}"), json!(0)))));
        }
        row
    }))
}

fn storage(call: &mut Call<'_>) -> Result<Answer> {
    let (node, name) = (call.node(), call.arg("storage").unwrap_or_default());
    let state = &call.world.state;
    let found = state.storages.get(name).filter(|s| s.is_on(&node));
    let Some(found) = found else { return Err(missing(call, "storage", &format!("{node}/{name}"))) };
    let row = fields([("total", json!(found.total)), ("used", json!(super::cluster::used(state, found)))]);
    Ok(rows(call, |at| if at < state.booted { Map::new() } else { row.clone() }))
}
