//! What firewall rules may name: sets of addresses, aliases, groups of rules.
use super::{
    firewall::{of, of_mut},
    firewall_rule::{MACROS, Scope},
    lxc_config::unmodified,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    config_file,
    refusal::{Refusal, Result},
    state::{Conf, Firewall, FirewallGroup, FirewallSet},
};
use ipnet::IpNet;
use serde_json::{Map, Value, json};
use std::net::IpAddr;

/// The calls that every firewall with names below this path has.
macro_rules! named {
    ($base:literal) => {
        &[
            on("GET", concat!($base, "/refs"), refs),
            on("GET", concat!($base, "/ipset"), sets),
            on("POST", concat!($base, "/ipset"), create_set),
            on("GET", concat!($base, "/ipset/{name}"), entries),
            on("POST", concat!($base, "/ipset/{name}"), add),
            on("DELETE", concat!($base, "/ipset/{name}"), delete_set),
            on("GET", concat!($base, "/ipset/{name}/{cidr}"), entry),
            on("PUT", concat!($base, "/ipset/{name}/{cidr}"), change_entry),
            on("DELETE", concat!($base, "/ipset/{name}/{cidr}"), delete_entry),
            on("GET", concat!($base, "/aliases"), aliases),
            on("POST", concat!($base, "/aliases"), create_alias),
            on("GET", concat!($base, "/aliases/{name}"), alias),
            on("PUT", concat!($base, "/aliases/{name}"), change_alias),
            on("DELETE", concat!($base, "/aliases/{name}"), delete_alias),
        ]
    };
}

pub const CLUSTER: &[Endpoint] = named!("/cluster/firewall");
pub const LXC: &[Endpoint] = named!("/nodes/{node}/lxc/{vmid}/firewall");
pub const QEMU: &[Endpoint] = named!("/nodes/{node}/qemu/{vmid}/firewall");

pub const GROUPS: &[Endpoint] = &[
    on("GET", "/cluster/firewall/groups", groups),
    on("POST", "/cluster/firewall/groups", create_group),
    on("DELETE", "/cluster/firewall/groups/{group}", delete_group),
    on("GET", "/cluster/firewall/macros", |_| {
        Ok(Value::Array(MACROS.split_whitespace().map(|m| json!({"macro": m, "descr": m})).collect()).into())
    }),
];

/// The digest of a list, as answers show it and writes take it.
pub fn digest_of(list: &[Conf]) -> String {
    let line = |conf: &Conf| conf.iter().map(|(k, v)| format!("{k}:{v}\n")).collect::<String>();
    config_file::sum(&list.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// The names that rules of this firewall may use: its own, and for a guest those of the cluster.
pub fn scope(call: &Call<'_>, firewall: &Firewall) -> Scope {
    let guest = call.arg("vmid").is_some();
    let mut scope = Scope { guest, ..Scope::default() };
    let all = [(&call.world.state.cluster_firewall, "dc"), (firewall, if guest { "guest" } else { "dc" })];
    for (firewall, prefix) in all {
        for name in firewall.sets.keys() {
            scope.sets.extend([name.to_lowercase(), format!("{prefix}/{}", name.to_lowercase())]);
        }
        for (name, alias) in &firewall.aliases {
            let cidr = alias.get("cidr").cloned().unwrap_or_default();
            scope.aliases.insert(format!("{prefix}/{name}"), cidr.clone());
            scope.aliases.insert(name.clone(), cidr);
        }
    }
    scope
}

fn name(call: &Call<'_>) -> String {
    call.arg("name").unwrap_or_default().to_string()
}

fn text(call: &Call<'_>, key: &str) -> Option<String> {
    call.arg(key).map(str::to_string)
}

fn refs(call: &mut Call<'_>) -> Result<Answer> {
    let firewall = of(call);
    let guest = call.arg("vmid").is_some();
    let own = (&firewall, if guest { "guest" } else { "dc" });
    let dc = call.world.state.cluster_firewall.clone();
    let all = [Some(own), guest.then_some((&dc, "dc"))];
    let wanted = call.arg("type");
    let mut rows = Vec::new();
    let mut put = |kind: &str, name: &str, reference: String, scope: &str, comment: Option<&String>| {
        if wanted.is_none_or(|w| w == kind) {
            let mut row = json!({"type": kind, "name": name, "ref": reference, "scope": scope});
            if let Some(comment) = comment {
                row["comment"] = json!(comment);
            }
            rows.push(row);
        }
    };
    for (firewall, scope) in all.into_iter().flatten() {
        for (name, set) in &firewall.sets {
            put("ipset", name, format!("+{name}"), scope, set.comment.as_ref());
        }
        for alias in firewall.aliases.values() {
            let name = alias.get("name").map_or("", String::as_str);
            put("alias", name, name.to_string(), scope, alias.get("comment"));
        }
    }
    Ok(Value::Array(rows).into())
}

fn titles<'a>(all: impl Iterator<Item = (&'a String, &'a Option<String>)>, key: &str) -> Vec<Conf> {
    all.map(|(name, comment)| {
        let mut row: Conf = [(key.to_string(), name.clone())].into();
        row.extend(comment.iter().map(|c| ("comment".to_string(), c.clone())));
        row
    })
    .collect()
}

fn with_digest(list: &[Conf], digest: &str) -> Answer {
    let typed = |k: &String, v: &String| match matches!(k.as_str(), "nomatch" | "ipversion") {
        true => json!(v.parse::<i64>().unwrap_or(0)),
        false => json!(v),
    };
    let rows = list.iter().map(|conf| {
        let mut row: Map<String, Value> = conf.iter().map(|(k, v)| (k.clone(), typed(k, v))).collect();
        row.insert("digest".into(), json!(digest));
        Value::Object(row)
    });
    Value::Array(rows.collect()).into()
}

fn sets(call: &mut Call<'_>) -> Result<Answer> {
    let firewall = of(call);
    let list = titles(firewall.sets.iter().map(|(n, s)| (n, &s.comment)), "name");
    Ok(with_digest(&list, &digest_of(&list)))
}

fn create_set(call: &mut Call<'_>) -> Result<Answer> {
    let (name, rename, comment) = (name(call), text(call, "rename"), text(call, "comment"));
    let sets = &mut of_mut(call).sets;
    if let Some(old) = rename {
        let Some(mut set) = sets.remove(&old) else {
            return Err(Refusal::parameter("name", format!("IPSet '{old}' does not exist")));
        };
        if sets.contains_key(&name) {
            sets.insert(old, set);
            return Err(Refusal::parameter("name", format!("IPSet '{name}' already exists")));
        }
        set.comment = comment.or(set.comment);
        sets.insert(name, set);
        return Ok(Value::Null.into());
    }
    if sets.contains_key(&name) {
        return Err(Refusal::parameter("name", format!("IPSet '{name}' already exists")));
    }
    sets.insert(name, FirewallSet { comment, entries: Vec::new() });
    Ok(Value::Null.into())
}

fn no_set(name: &str) -> Refusal {
    Refusal::die(format!("no such IPSet '{name}'"))
}

fn set(call: &Call<'_>) -> Result<FirewallSet> {
    of(call).sets.remove(&name(call)).ok_or_else(|| no_set(&name(call)))
}

fn set_mut<'a>(call: &'a mut Call<'_>) -> Result<&'a mut FirewallSet> {
    let name = name(call);
    of_mut(call).sets.get_mut(&name).ok_or_else(|| no_set(&name))
}

fn entries(call: &mut Call<'_>) -> Result<Answer> {
    let list = set(call)?.entries;
    Ok(with_digest(&list, &digest_of(&list)))
}

/// A network without host bits; a single address without its prefix.
fn canonical(call: &Call<'_>, given: &str) -> Result<String> {
    if let Ok(address) = given.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    match given.parse::<IpNet>() {
        Ok(net) if net.prefix_len() == 0 => {
            Err(Refusal::parameter("cidr", "a zero prefix is not allowed in ipset entries"))
        }
        Ok(net) if net.prefix_len() == net.max_prefix_len() => Ok(net.addr().to_string()),
        Ok(net) => Ok(net.trunc().to_string()),
        Err(_) => match scope(call, &of(call)).aliases.contains_key(&given.to_lowercase()) {
            true => Ok(given.to_string()),
            false => Err(Refusal::die(format!("no such alias '{given}'"))),
        },
    }
}

fn add(call: &mut Call<'_>) -> Result<Answer> {
    set(call)?;
    let given = call.arg("cidr").unwrap_or_default().to_string();
    let cidr = canonical(call, &given)?;
    let mut entry: Conf = [("cidr".to_string(), cidr.clone())].into();
    for key in ["comment", "nomatch"] {
        entry.extend(text(call, key).filter(|v| v != "0").map(|v| (key.to_string(), v)));
    }
    let entries = &mut set_mut(call)?.entries;
    if entries.iter().any(|e| e.get("cidr") == Some(&cidr)) {
        return Err(Refusal::parameter("cidr", format!("address '{given}' already exists")));
    }
    entries.insert(0, entry);
    entries.sort();
    Ok(Value::Null.into())
}

fn delete_set(call: &mut Call<'_>) -> Result<Answer> {
    let name = name(call);
    if !set(call)?.entries.is_empty() && !call.flag("force") {
        return Err(Refusal::die(format!("IPSet '{name}' is not empty")));
    }
    of_mut(call).sets.remove(&name);
    Ok(Value::Null.into())
}

fn entry(call: &mut Call<'_>) -> Result<Answer> {
    let list = set(call)?.entries;
    let cidr = call.arg("cidr").unwrap_or_default();
    let found = list.iter().find(|e| e.get("cidr").is_some_and(|c| c == cidr)).cloned();
    let found = found.ok_or_else(|| Refusal::parameter("cidr", "no such IP/Network"))?;
    let shown = with_digest(&[found], &digest_of(&list)).data;
    Ok(shown[0].clone().into())
}

fn change_entry(call: &mut Call<'_>) -> Result<Answer> {
    let list = set(call)?.entries;
    unmodified(call.arg("digest"), &digest_of(&list))?;
    let cidr = call.arg("cidr").unwrap_or_default().to_string();
    let mut changed: Conf = [("cidr".to_string(), cidr.clone())].into();
    for key in ["comment", "nomatch"] {
        changed.extend(text(call, key).filter(|v| v != "0").map(|v| (key.to_string(), v)));
    }
    let entries = &mut set_mut(call)?.entries;
    let found = entries.iter_mut().find(|e| e.get("cidr") == Some(&cidr));
    *found.ok_or_else(|| Refusal::parameter("cidr", "no such IP/Network"))? = changed;
    Ok(Value::Null.into())
}

fn delete_entry(call: &mut Call<'_>) -> Result<Answer> {
    let list = set(call)?.entries;
    unmodified(call.arg("digest"), &digest_of(&list))?;
    let cidr = call.arg("cidr").unwrap_or_default().to_string();
    set_mut(call)?.entries.retain(|e| e.get("cidr") != Some(&cidr));
    Ok(Value::Null.into())
}

fn aliases(call: &mut Call<'_>) -> Result<Answer> {
    let list: Vec<Conf> = of(call).aliases.into_values().collect();
    Ok(with_digest(&list, &digest_of(&list)))
}

fn new_alias(call: &Call<'_>, name: &str) -> Result<Conf> {
    let cidr = call.arg("cidr").unwrap_or_default();
    let six = match (cidr.parse::<IpAddr>(), cidr.parse::<IpNet>()) {
        (Ok(address), _) => address.is_ipv6(),
        (_, Ok(net)) => net.addr().is_ipv6(),
        _ => {
            let why = "invalid format - value does not look like a valid IP address or CIDR network\n";
            return Err(Refusal::parameter("cidr", why));
        }
    };
    let version = if six { "6" } else { "4" };
    let mut alias = Conf::new();
    for (key, value) in [("name", name), ("cidr", cidr), ("ipversion", version)] {
        alias.insert(key.into(), value.into());
    }
    alias.extend(text(call, "comment").map(|c| ("comment".to_string(), c)));
    Ok(alias)
}

fn create_alias(call: &mut Call<'_>) -> Result<Answer> {
    let name = name(call);
    let alias = new_alias(call, &name)?;
    let aliases = &mut of_mut(call).aliases;
    if aliases.contains_key(&name.to_lowercase()) {
        return Err(Refusal::parameter("name", format!("alias '{name}' already exists")));
    }
    aliases.insert(name.to_lowercase(), alias);
    Ok(Value::Null.into())
}

fn find_alias(call: &Call<'_>) -> Result<Conf> {
    let found = of(call).aliases.remove(&name(call).to_lowercase());
    found.ok_or_else(|| Refusal::parameter("name", "no such alias"))
}

fn alias(call: &mut Call<'_>) -> Result<Answer> {
    let mut shown = with_digest(&[find_alias(call)?], "").data;
    if let Some(row) = shown[0].as_object_mut() {
        row.remove("digest");
    }
    Ok(shown[0].clone().into())
}

/// What is not given again is gone.
fn change_alias(call: &mut Call<'_>) -> Result<Answer> {
    find_alias(call)?;
    let list: Vec<Conf> = of(call).aliases.into_values().collect();
    unmodified(call.arg("digest"), &digest_of(&list))?;
    let (old, new) = (name(call), text(call, "rename").unwrap_or_else(|| name(call)));
    let alias = new_alias(call, &new)?;
    let aliases = &mut of_mut(call).aliases;
    if old.to_lowercase() != new.to_lowercase() && aliases.contains_key(&new.to_lowercase()) {
        return Err(Refusal::parameter("name", format!("alias '{new}' already exists")));
    }
    aliases.remove(&old.to_lowercase());
    aliases.insert(new.to_lowercase(), alias);
    Ok(Value::Null.into())
}

fn delete_alias(call: &mut Call<'_>) -> Result<Answer> {
    let name = name(call).to_lowercase();
    of_mut(call).aliases.remove(&name);
    Ok(Value::Null.into())
}

fn groups(call: &mut Call<'_>) -> Result<Answer> {
    let firewall = of(call);
    let list = titles(firewall.groups.iter().map(|(n, g)| (n, &g.comment)), "group");
    Ok(with_digest(&list, &digest_of(&list)))
}

fn create_group(call: &mut Call<'_>) -> Result<Answer> {
    let name = text(call, "group").unwrap_or_default();
    let (rename, comment) = (text(call, "rename"), text(call, "comment"));
    let groups = &mut of_mut(call).groups;
    if let Some(old) = rename {
        let missing = || Refusal::parameter("group", format!("Security group '{old}' does not exist"));
        let mut group = groups.get(&old).cloned().ok_or_else(missing)?;
        if old != name && groups.contains_key(&name) {
            return Err(Refusal::parameter("group", format!("Security group '{name}' already exists")));
        }
        groups.remove(&old);
        group.comment = comment.or(group.comment);
        groups.insert(name, group);
        return Ok(Value::Null.into());
    }
    if groups.contains_key(&name) {
        return Err(Refusal::parameter("group", format!("Security group '{name}' already exists")));
    }
    groups.insert(name, FirewallGroup { comment, rules: Vec::new() });
    Ok(Value::Null.into())
}

fn delete_group(call: &mut Call<'_>) -> Result<Answer> {
    let name = text(call, "group").unwrap_or_default();
    let groups = &mut of_mut(call).groups;
    match groups.get(&name) {
        None => Err(Refusal::die(format!("no such security group '{name}'"))),
        Some(group) if !group.rules.is_empty() => Err(Refusal::die(format!("Security group '{name}' is not empty"))),
        Some(_) => {
            groups.remove(&name);
            Ok(Value::Null.into())
        }
    }
}
