//! `/nodes/{node}/network`: the interfaces of a node. Changes wait in a second file until they are applied (pve-manager 9.2.11).
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    interfaces::{self, File, Iface},
    refusal::{Refusal, Result},
    schema::{Args, split_list},
    state::{Lack, Node, Staged},
    task::Work,
    world::World,
};
use serde_json::{Value, json};
use std::net::Ipv6Addr;

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/nodes/{node}/network", list),
    on("POST", "/nodes/{node}/network", create),
    on("PUT", "/nodes/{node}/network", apply),
    on("DELETE", "/nodes/{node}/network", revert),
    on("GET", "/nodes/{node}/network/{iface}", read),
    on("PUT", "/nodes/{node}/network/{iface}", update),
    on("DELETE", "/nodes/{node}/network/{iface}", delete),
];

fn node(call: &Call<'_>) -> Node {
    call.world.state.nodes.get(&call.node()).cloned().unwrap_or_default()
}

fn list(call: &mut Call<'_>) -> Result<Answer> {
    let wanted = call.arg("type").unwrap_or_default();
    let node = node(call);
    let (state, who) = (&call.world.state, &call.who);
    let any = ["SDN.Audit", "SDN.Use", "SDN.Allocate"];
    let visible = |bridge: &str| state.may(who, &format!("/sdn/zones/localnetwork/{bridge}"), &any, true);
    let fits = |name: &str, kind: &str| match wanted {
        "" => true,
        "any_bridge" | "any_local_bridge" => kind == "bridge" && visible(name),
        // Those of the software-defined network alone, of which there are none.
        "include_sdn" => false,
        _ => kind == wanted && (kind != "bridge" || visible(name)),
    };
    let file = node.staged_or_applied();
    let shown = file.ifaces.iter().filter(|(name, iface)| *name != "lo" && fits(name, &iface.kind));
    let rows = shown.map(|(name, iface)| {
        let mut row = iface.row(node.is_active(name));
        row.insert("iface".into(), json!(name));
        Value::Object(row)
    });
    let mut answer = Answer::from(Value::Array(rows.collect()));
    if let Some(changes) = node.staged_changes(state.booted) {
        answer.beside.insert("changes".into(), json!(changes));
    }
    Ok(answer)
}

fn read(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.arg("iface").unwrap_or_default();
    let node = node(call);
    let file = node.staged_or_applied();
    let iface = file.ifaces.get(name).ok_or_else(missing)?;
    Ok(Value::Object(iface.row(node.is_active(name))).into())
}

fn missing() -> Refusal {
    Refusal::parameter("iface", "interface does not exist")
}

fn create(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.take("iface").unwrap_or_default();
    let mut file = node(call).staged_or_applied();
    if file.ifaces.contains_key(&name) {
        return Err(Refusal::parameter("iface", "interface already exists"));
    }
    let mut given = settings(call);
    unique(&file, &name, &given)?;
    split_networks(&mut given)?;
    let kind = given.get("type").cloned().unwrap_or_default();
    if kind.starts_with("OVS") {
        return Err(Refusal::die("Open VSwitch is not installed (need package 'openvswitch-switch')"));
    }
    let mut iface = Iface::default();
    put(&mut iface, given)?;
    file.ifaces.insert(name, iface);
    stage(call, &file)
}

fn update(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.take("iface").unwrap_or_default();
    let gone = call.take("delete").unwrap_or_default();
    let mut file = node(call).staged_or_applied();
    let iface = file.ifaces.get_mut(&name).ok_or_else(missing)?;
    for key in split_list(&gone) {
        iface.remove(&key);
        if let "cidr" | "cidr6" = &*key {
            let suffix = key.trim_start_matches("cidr");
            iface.remove(&format!("address{suffix}"));
            iface.remove(&format!("netmask{suffix}"));
        }
    }
    let mut given = settings(call);
    split_networks(&mut given)?;
    unique(&file, &name, &given)?;
    if given.get("type").is_some_and(|kind| kind.starts_with("OVS")) {
        return Err(Refusal::not_simulated("interfaces of Open VSwitch"));
    }
    if let Some(iface) = file.ifaces.get_mut(&name) {
        put(iface, given)?;
    }
    stage(call, &file)
}

fn delete(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.take("iface").unwrap_or_default();
    let mut file = node(call).staged_or_applied();
    file.ifaces.remove(&name).ok_or_else(missing)?;
    stage(call, &file)
}

fn revert(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.node();
    call.world.touched = true;
    if let Some(node) = call.world.state.nodes.get_mut(&name) {
        node.staged = None;
    }
    Ok(Answer::default())
}

fn apply(call: &mut Call<'_>) -> Result<Answer> {
    if node(call).lacks.contains(&Lack::Ifupdown2) {
        return Err(Refusal::die("you need ifupdown2 to reload network configuration"));
    }
    let (node, who) = (call.node(), call.who.clone());
    let work = Work::ApplyInterfaces { node: node.clone() };
    Ok(json!(call.world.fork(&node, "srvreload", "networking", &who, work, None)).into())
}

/// The task of an `apply`.
pub fn perform_apply(world: &mut World, node: &str) {
    let now = world.now;
    if let Some(node) = world.state.nodes.get_mut(node) {
        node.apply_interfaces(now);
    }
}

/// What a call sets of an interface.
fn settings(call: &Call<'_>) -> Args {
    call.given.but(&["node"])
}

/// One default gateway for the whole node, and each port on one interface.
fn unique(file: &File, name: &str, given: &Args) -> Result<()> {
    let set = |key: &str| given.get(key).is_some_and(|v| !v.is_empty() && v != "0");
    let mut others = file.ifaces.iter().filter(|(other, _)| *other != name);
    for (key, title) in [("gateway", "Default gateway"), ("gateway6", "Default ipv6 gateway")] {
        if let Some((other, _)) = others.clone().find(|(_, i)| set(key) && i.get(key).is_some()) {
            return Err(Refusal::parameter(key, format!("{title} already exists on interface '{other}'.")));
        }
    }
    const LISTS: [&str; 4] = ["bridge_ports", "ovs_ports", "slaves", "ovs_bonds"];
    let ports: Vec<String> = LISTS.iter().filter_map(|k| given.get(*k)).flat_map(|list| split_list(list)).collect();
    let blamed = LISTS.iter().find(|k| set(k)).copied().unwrap_or_default();
    let used = others.find_map(|(other, iface)| {
        let theirs: Vec<String> = LISTS.iter().filter_map(|k| iface.get(k)).flat_map(split_list).collect();
        theirs.into_iter().find(|p| ports.contains(p)).map(|p| (p, other))
    });
    match used {
        Some((port, other)) => {
            Err(Refusal::parameter(blamed, format!("{port} is already used on interface '{other}'.")))
        }
        None => Ok(()),
    }
}

/// Turns `cidr` into an address and the length of its network.
fn split_networks(given: &mut Args) -> Result<()> {
    for suffix in ["", "6"] {
        let key = |name: &str| format!("{name}{suffix}");
        let Some(cidr) = given.get(&key("cidr")).filter(|c| !c.is_empty()).cloned() else { continue };
        for name in ["address", "netmask"] {
            if given.contains_key(&key(name)) {
                return Err(Refusal::parameter(&key(name), format!("{} conflicts with {}", key(name), key("cidr"))));
            }
        }
        let (address, bits) = cidr.rsplit_once('/').unwrap_or((&cidr, ""));
        given.insert(key("address"), address.into());
        given.insert(key("netmask"), bits.into());
        given.remove(&key("cidr"));
    }
    let Some(address) = given.get("address6") else { return Ok(()) };
    let bits = given.get("netmask6").and_then(|b| b.parse::<i64>().ok()).unwrap_or(0);
    if !(0..=128).contains(&bits) {
        return Err(Refusal::parameter("netmask6", format!("{bits} is not a valid subnet length for ipv6")));
    }
    let kind = match address.parse::<Ipv6Addr>() {
        Ok(a) if a.is_multicast() => "MULTICAST",
        Ok(a) if a.is_loopback() => "LOOPBACK",
        Ok(a) if a.is_unspecified() => "UNSPECIFIED",
        _ => return Ok(()),
    };
    let why = format!("{address} with type '{kind}', cannot be used as host IPv6 address.");
    Err(Refusal::parameter("address", why))
}

/// Sets them. An interface has the families of which an address was given, or IPv4.
fn put(iface: &mut Iface, mut given: Args) -> Result<()> {
    if let Some(vids) = given.get_mut("bridge_vids").filter(|v| !v.is_empty()) {
        *vids = match split_list(vids).join(" ") {
            none if none.is_empty() => return Err(Refusal::parameter("bridge_vids", "VLAN list items are empty")),
            list => list,
        };
    }
    iface.families.clear();
    for (family, suffix) in [("inet", ""), ("inet6", "6")] {
        let addressed = given.get(&format!("address{suffix}")).is_some_and(|a| !a.is_empty());
        if addressed {
            iface.families.push(Some(family.into()));
        }
        iface.conf.insert(format!("method{suffix}"), if addressed { "static" } else { "manual" }.into());
        if addressed {
            iface.conf.remove(&format!("cidr{suffix}"));
        }
    }
    if iface.families.is_empty() {
        iface.families.push(Some("inet".into()));
    }
    for (key, value) in given {
        match &*key {
            "type" => iface.kind = value,
            "autostart" => iface.autostart = value == "1",
            _ => {
                iface.conf.insert(key, value);
            }
        }
    }
    Ok(())
}

fn stage(call: &mut Call<'_>, file: &File) -> Result<Answer> {
    let (name, at) = (call.node(), call.world.now);
    let text = interfaces::write(file).map_err(Refusal::die)?;
    call.world.touched = true;
    if let Some(node) = call.world.state.nodes.get_mut(&name) {
        node.staged = Some(Staged { text, at });
    }
    Ok(Answer::default())
}
