//! What QEMU on a node can do (qemu-server 9.2).
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    cpu_models,
    refusal::{Refusal, Result},
    state::Lack,
};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/nodes/{node}/capabilities", |_| Ok(json!([{"name": "qemu"}]).into())),
    on("GET", "/nodes/{node}/capabilities/qemu", index),
    on("GET", "/nodes/{node}/capabilities/qemu/cpu", models),
    on("GET", "/nodes/{node}/capabilities/qemu/cpu-flags", flags),
    on("GET", "/nodes/{node}/capabilities/qemu/machines", machines),
    on("GET", "/nodes/{node}/capabilities/qemu/migration", |_| Ok(json!({"has-dbus-vmstate": 1}).into())),
];

fn index(call: &mut Call<'_>) -> Result<Answer> {
    let below = call.world.facts.below("/nodes/{node}/capabilities/qemu");
    Ok(Value::Array(below.iter().map(|n| json!({"name": n})).collect()).into())
}

fn arm(call: &Call<'_>) -> bool {
    call.arg("arch") == Some("aarch64")
}

fn models(call: &mut Call<'_>) -> Result<Answer> {
    let is_9 = call.world.release().is_9();
    let rows: Vec<Value> = match arm(call) {
        true => {
            cpu_models::aarch64().map(|(name, vendor)| json!({"name": name, "vendor": vendor, "custom": 0})).collect()
        }
        false => cpu_models::x86_64()
            .map(|(name, vendor, level)| match level && is_9 {
                true => json!({"name": name, "vendor": vendor, "custom": 0, "abstract": 1}),
                false => json!({"name": name, "vendor": vendor, "custom": 0}),
            })
            .collect(),
    };
    Ok(Value::Array(rows).into())
}

fn flags(call: &mut Call<'_>) -> Result<Answer> {
    if arm(call) {
        return Ok(json!([]).into());
    }
    let lacking = if call.arg("accel") == Some("tcg") { Lack::PatchedQemu } else { Lack::Kvm };
    let nodes = call.world.state.nodes.iter().filter(|(_, node)| !node.lacks.contains(&lacking));
    let nodes: Vec<&String> = nodes.map(|(name, _)| name).collect();
    let rows = cpu_models::FLAGS.iter();
    let rows = rows.map(|(name, what)| json!({"name": name, "description": what, "supported-on": nodes}));
    Ok(Value::Array(rows.collect()).into())
}

/// The newest machine types of QEMU as pve-qemu-kvm packages it.
fn machines(call: &mut Call<'_>) -> Result<Answer> {
    let node = call.world.state.nodes.get(&call.node()).cloned().unwrap_or_default();
    if node.lacks.contains(&Lack::PatchedQemu) {
        let file = "/usr/share/kvm/machine-versions-x86_64.json";
        let why =
            format!("could not load supported machine versions - can't open '{file}' - No such file or directory\n");
        return Err(Refusal::die(why));
    }
    let versions: &[&str] = if call.world.release().is_9() {
        &["10.1", "10.0", "9.2", "9.1", "9.0", "8.2", "8.1", "8.0"]
    } else {
        &["9.2", "9.1", "9.0", "8.2", "8.1", "8.0"]
    };
    let of = |kind: &'static str| {
        let name = if kind == "q35" { "pc-q35" } else { "pc-i440fx" };
        versions.iter().map(move |v| json!({"id": format!("{name}-{v}"), "type": kind, "version": v}))
    };
    Ok(Value::Array(of("q35").chain(of("i440fx")).collect()).into())
}
