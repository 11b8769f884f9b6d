//! Firewalls of the cluster, of nodes and of guests: options and rules. What is set is kept and checked; no packet is filtered.
use super::{
    firewall_names::{self, digest_of},
    firewall_rule::{self, NUMBERS},
    lxc_config::unmodified,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    refusal::{Refusal, Result},
    schema::split_list,
    state::{Conf, Firewall},
};
use serde_json::{Map, Value, json};

/// The calls that every firewall below this path has.
macro_rules! common {
    ($base:literal) => {
        &[
            on("GET", concat!($base, "/options"), options),
            on("PUT", concat!($base, "/options"), set_options),
            on("GET", concat!($base, "/rules"), rules),
            on("POST", concat!($base, "/rules"), create),
            on("GET", concat!($base, "/rules/{pos}"), one),
            on("PUT", concat!($base, "/rules/{pos}"), update),
            on("DELETE", concat!($base, "/rules/{pos}"), delete),
        ]
    };
}

pub const CLUSTER: &[Endpoint] = common!("/cluster/firewall");
pub const NODE: &[Endpoint] = common!("/nodes/{node}/firewall");
pub const LXC: &[Endpoint] = common!("/nodes/{node}/lxc/{vmid}/firewall");
pub const QEMU: &[Endpoint] = common!("/nodes/{node}/qemu/{vmid}/firewall");

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/cluster/firewall", |c| index(c, &["aliases", "groups", "ipset", "macros", "options", "refs", "rules"])),
    on("GET", "/nodes/{node}/firewall", |c| index(c, &["rules", "options", "log"])),
    on("GET", "/nodes/{node}/lxc/{vmid}/firewall", |c| index(c, GUEST)),
    on("GET", "/nodes/{node}/qemu/{vmid}/firewall", |c| index(c, GUEST)),
    on("GET", "/nodes/{node}/firewall/log", log),
    on("GET", "/nodes/{node}/lxc/{vmid}/firewall/log", log),
    on("GET", "/nodes/{node}/qemu/{vmid}/firewall/log", log),
    on("POST", "/cluster/firewall/groups/{group}", create),
    on("GET", "/cluster/firewall/groups/{group}", rules),
    on("GET", "/cluster/firewall/groups/{group}/{pos}", one),
    on("PUT", "/cluster/firewall/groups/{group}/{pos}", update),
    on("DELETE", "/cluster/firewall/groups/{group}/{pos}", delete),
];

const GUEST: &[&str] = &["rules", "aliases", "ipset", "refs", "options"];

fn index(_: &mut Call<'_>, names: &[&str]) -> Result<Answer> {
    Ok(Value::Array(names.iter().map(|n| json!({"name": n})).collect()).into())
}

fn log(_: &mut Call<'_>) -> Result<Answer> {
    let mut answer = Answer::from(json!([{"n": 1, "t": "unable to open file - No such file or directory"}]));
    answer.beside.insert("total".into(), json!(1));
    Ok(answer)
}

/// The firewall that a call is about. One that was never written to is empty; a guest's may be there without the guest.
pub fn of(call: &Call<'_>) -> Firewall {
    let state = &call.world.state;
    let found = match (call.arg("vmid"), call.arg("node")) {
        (Some(_), _) => state.firewalls.get(&call.vmid()),
        (None, Some(_)) => state.node_firewalls.get(&call.node()),
        (None, None) => Some(&state.cluster_firewall),
    };
    found.cloned().unwrap_or_default()
}

/// The same, to be changed.
pub fn of_mut<'a>(call: &'a mut Call<'_>) -> &'a mut Firewall {
    let (vmid, node) = (call.vmid(), call.node());
    let (of_guest, of_node) = (call.arg("vmid").is_some(), call.arg("node").is_some());
    call.world.touched = true;
    let state = &mut call.world.state;
    match (of_guest, of_node) {
        (true, _) => state.firewalls.entry(vmid).or_default(),
        (false, true) => state.node_firewalls.entry(node).or_default(),
        (false, false) => &mut state.cluster_firewall,
    }
}

fn options(call: &mut Call<'_>) -> Result<Answer> {
    let options = of(call).options;
    let number = |v: &String| v.parse::<i64>().map_or_else(|_| json!(v), |n| json!(n));
    let mut data: Map<String, Value> = options.iter().map(|(k, v)| (k.clone(), number(v))).collect();
    data.insert("digest".into(), json!(digest_of(&[options])));
    Ok(Value::Object(data).into())
}

fn set_options(call: &mut Call<'_>) -> Result<Answer> {
    let delete = split_list(&call.take("delete").unwrap_or_default());
    let digest = call.take("digest");
    let mut set = call.given.but(&["node", "vmid"]);
    let firewall = of(call);
    unmodified(digest.as_deref(), &digest_of(&[firewall.options]))?;
    let base = match (call.arg("vmid"), call.arg("node")) {
        (Some(_), _) => "/nodes/{node}/lxc/{vmid}/firewall/options",
        (None, Some(_)) => "/nodes/{node}/firewall/options",
        _ => "/cluster/firewall/options",
    };
    let known = call.world.facts.method("PUT", base).map(|m| &m.parameters);
    let unknown = |k: &&String| {
        known.is_none_or(|p| p.property(k).is_none()) || matches!(k.as_str(), "node" | "vmid" | "digest" | "delete")
    };
    if let Some(other) = delete.iter().find(unknown) {
        return Err(Refusal::parameter("delete", format!("no such option '{other}'")));
    }
    if let Some(now) = set.get_mut("enable").filter(|_| base.starts_with("/cluster")) {
        // The cluster's is a time when it was last switched on.
        if now.parse::<u64>().is_ok_and(|n| n > 1) {
            *now = "1".into();
        }
    }
    let options = &mut of_mut(call).options;
    options.retain(|k, _| !delete.contains(k));
    options.extend(set);
    Ok(Value::Null.into())
}

fn list<'a>(call: &Call<'_>, firewall: &'a Firewall) -> Result<&'a Vec<Conf>> {
    match call.arg("group") {
        None => Ok(&firewall.rules),
        Some(group) => firewall
            .groups
            .get(group)
            .map(|g| &g.rules)
            .ok_or_else(|| Refusal::die(format!("no such security group '{group}'"))),
    }
}

fn list_mut<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Vec<Conf>> {
    let group = call.arg("group").map(str::to_string);
    let firewall = of_mut(call);
    match group {
        None => Ok(&mut firewall.rules),
        Some(group) => firewall
            .groups
            .get_mut(&group)
            .map(|g| &mut g.rules)
            .ok_or_else(|| Refusal::die(format!("no such security group '{group}'"))),
    }
}

fn shown(call: &Call<'_>, firewall: &Firewall, rule: &Conf) -> Map<String, Value> {
    let typed = |k: &String, v: &String| match NUMBERS.contains(&k.as_str()) {
        true => json!(v.parse::<i64>().unwrap_or(0)),
        false => json!(v),
    };
    let mut row: Map<String, Value> = rule.iter().map(|(k, v)| (k.clone(), typed(k, v))).collect();
    let scope = firewall_names::scope(call, firewall);
    match firewall_rule::verify(&scope, rule) {
        Ok(Some(version)) => drop(row.insert("ipversion".into(), json!(version))),
        Ok(None) => {}
        Err(errors) => drop(row.insert("errors".into(), json!(errors))),
    }
    row
}

/// The digest of rules as they are read: the version of IP that a rule's addresses have is a part of it.
fn digest(call: &Call<'_>, firewall: &Firewall, list: &[Conf]) -> String {
    let scope = firewall_names::scope(call, firewall);
    let read = list.iter().cloned().map(|mut rule| {
        if let Ok(Some(version)) = firewall_rule::verify(&scope, &rule) {
            rule.insert("ipversion".into(), version.to_string());
        }
        rule
    });
    digest_of(&read.collect::<Vec<_>>())
}

fn rules(call: &mut Call<'_>) -> Result<Answer> {
    let firewall = of(call);
    let list = list(call, &firewall)?;
    let digest = digest(call, &firewall, list);
    let rows = list.iter().enumerate().map(|(pos, rule)| {
        let mut row = shown(call, &firewall, rule);
        row.insert("pos".into(), json!(pos));
        row.insert("digest".into(), json!(digest));
        Value::Object(row)
    });
    Ok(Value::Array(rows.collect()).into())
}

fn position(call: &Call<'_>, list: &[Conf]) -> Result<usize> {
    let pos = call.arg("pos").unwrap_or_default();
    let found = pos.parse::<usize>().ok().filter(|p| *p < list.len());
    found.ok_or_else(|| Refusal::die(format!("no rule at position {pos}")))
}

fn one(call: &mut Call<'_>) -> Result<Answer> {
    let firewall = of(call);
    let list = list(call, &firewall)?;
    let pos = position(call, list)?;
    let mut row = shown(call, &firewall, &list[pos]);
    row.insert("pos".into(), json!(pos.to_string()));
    row.insert("digest".into(), json!(digest(call, &firewall, list)));
    Ok(Value::Object(row).into())
}

/// The parameters that are the rule's own.
fn given(call: &Call<'_>) -> Conf {
    call.given.but(&["node", "vmid", "pos", "digest", "delete", "moveto", "group"])
}

fn valid(call: &Call<'_>, firewall: &Firewall, rule: &Conf) -> Result<()> {
    firewall_rule::verify(&firewall_names::scope(call, firewall), rule).map(|_| ()).map_err(Refusal::parameters)
}

/// A new rule is the first, whatever position is asked for; without `enable` it is off.
fn create(call: &mut Call<'_>) -> Result<Answer> {
    let firewall = of(call);
    unmodified(call.arg("digest"), &digest(call, &firewall, list(call, &firewall)?))?;
    let mut rule = given(call);
    rule.entry("enable".into()).or_insert("0".into());
    valid(call, &firewall, &rule)?;
    list_mut(call)?.insert(0, rule);
    Ok(Value::Null.into())
}

fn update(call: &mut Call<'_>) -> Result<Answer> {
    let firewall = of(call);
    let now = list(call, &firewall)?;
    unmodified(call.arg("digest"), &digest(call, &firewall, now))?;
    let pos = position(call, now)?;
    if let Some(target) = call.arg("moveto").and_then(|m| m.parse::<usize>().ok()) {
        let list = list_mut(call)?;
        let rule = list.remove(pos);
        // It comes before what was at the target.
        let at = if target > pos { target - 1 } else { target };
        list.insert(at.min(list.len()), rule);
        return Ok(Value::Null.into());
    }
    let mut rule = now[pos].clone();
    for key in split_list(call.arg("delete").unwrap_or_default()) {
        if matches!(key.as_str(), "type" | "action") {
            return Err(Refusal::parameter("delete", format!("unable to delete required property '{key}'")));
        }
        rule.remove(&key);
    }
    rule.extend(given(call));
    valid(call, &firewall, &rule)?;
    list_mut(call)?[pos] = rule;
    Ok(Value::Null.into())
}

fn delete(call: &mut Call<'_>) -> Result<Answer> {
    let firewall = of(call);
    let now = list(call, &firewall)?;
    unmodified(call.arg("digest"), &digest(call, &firewall, now))?;
    let pos = position(call, now)?;
    list_mut(call)?.remove(pos);
    Ok(Value::Null.into())
}
