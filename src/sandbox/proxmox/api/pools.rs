//! `/pools`.
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    refusal::{Refusal, Result},
    schema::split_list,
    state::Pool,
};
use serde_json::{Map, Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/pools", list),
    on("POST", "/pools", create),
    on("PUT", "/pools", update),
    on("DELETE", "/pools", delete),
    on("GET", "/pools/{poolid}", one),
    on("PUT", "/pools/{poolid}", update),
    on("DELETE", "/pools/{poolid}", delete),
];

fn list(call: &mut Call<'_>) -> Result<Answer> {
    if let Some(name) = call.arg("poolid").map(str::to_string) {
        // Who may not see it sees it all the same: the real one does not look at what its check says.
        let mut row = described(call, &name)?;
        row.insert("poolid".into(), json!(name));
        return Ok(json!([row]).into());
    }
    let (state, who) = (&call.world.state, &call.who);
    let rows = state.pools.iter().filter(|(n, _)| state.may(who, &format!("/pool/{n}"), &["Pool.Audit"], false));
    let rows = rows.map(|(name, pool)| match &pool.comment {
        Some(comment) => json!({"poolid": name, "comment": comment}),
        None => json!({"poolid": name}),
    });
    Ok(Value::Array(rows.collect()).into())
}

fn find<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Pool> {
    call.world.state.pools.get(name).ok_or_else(|| Refusal::die(format!("pool '{name}' does not exist")))
}

fn described(call: &Call<'_>, name: &str) -> Result<Map<String, Value>> {
    let pool = find(call, name)?;
    let state = &call.world.state;
    let mut members: Vec<Value> = pool
        .vms
        .iter()
        .filter_map(|vmid| Some(super::cluster::statistics(call, *vmid, state.guests.get(vmid)?)))
        .collect();
    members.extend(pool.storages.iter().filter_map(|name| {
        let storage = state.storages.get(name)?;
        let node = state.nodes.keys().next()?;
        Some(json!({
            "id": format!("storage/{node}/{name}"), "type": "storage", "storage": name, "node": node,
            "status": "available", "plugintype": storage.kind, "shared": 0, "maxdisk": storage.total,
            "disk": super::cluster::used(state, storage),
            "content": storage.content.iter().map(String::as_str).collect::<Vec<_>>().join(","),
        }))
    }));
    let mut row = Map::new();
    row.insert("members".into(), Value::Array(members));
    if let Some(comment) = &pool.comment {
        row.insert("comment".into(), json!(comment));
    }
    Ok(row)
}

fn one(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.arg("poolid").unwrap_or_default().to_string();
    let mut row = described(call, &name)?;
    row.insert("poolid".into(), json!(name));
    Ok(Value::Object(row).into())
}

fn create(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.arg("poolid").unwrap_or_default().to_string();
    let comment = call.arg("comment").map(str::to_string);
    if call.world.state.pools.contains_key(&name) {
        return Err(Refusal::die(format!("create pool failed: pool '{name}' already exists")));
    }
    if let Some((parent, _)) = name.rsplit_once('/').filter(|(p, _)| !call.world.state.pools.contains_key(*p)) {
        return Err(Refusal::die(format!("create pool failed: parent '{parent}' of pool '{name}' does not exist")));
    }
    call.world.state.pools.insert(name, Pool { comment, ..Pool::default() });
    call.world.touched = true;
    Ok(Value::Null.into())
}

fn update(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.arg("poolid").unwrap_or_default().to_string();
    let failed = |why: String| Refusal::die(format!("update pools failed: {why}"));
    let mut pool = match call.world.state.pools.get(&name) {
        Some(pool) => pool.clone(),
        None => return Err(failed(format!("pool '{name}' does not exist"))),
    };
    if let Some(comment) = call.arg("comment") {
        pool.comment = Some(comment.to_string());
    }
    let (delete, moves) = (call.flag("delete"), call.flag("allow-move"));
    for vmid in split_list(call.arg("vms").unwrap_or_default()) {
        let vmid: u32 = vmid.parse().unwrap_or_default();
        call.world.state.may_modify(&call.who, &format!("/vms/{vmid}"))?;
        let held = call.world.state.pools.iter().find(|(_, p)| p.vms.contains(&vmid)).map(|(n, _)| n.clone());
        if delete {
            if !pool.vms.remove(&vmid) {
                return Err(failed(format!("VM {vmid} is not a pool member")));
            }
            continue;
        }
        match held {
            Some(held) if held == name => return Err(failed(format!("VM {vmid} is already a pool member"))),
            Some(held) if !moves => {
                return Err(failed(format!("VM {vmid} belongs already to pool '{held}' and 'allow-move' is not set")));
            }
            Some(held) => {
                call.world.state.demand(&call.who, &format!("/pool/{held}"), &["Pool.Allocate"])?;
                if let Some(held) = call.world.state.pools.get_mut(&held) {
                    held.vms.remove(&vmid);
                }
            }
            None => {}
        }
        pool.vms.insert(vmid);
    }
    for storage in split_list(call.arg("storage").unwrap_or_default()) {
        call.world.state.may_modify(&call.who, &format!("/storage/{storage}"))?;
        let changed = if delete { pool.storages.remove(&storage) } else { pool.storages.insert(storage.clone()) };
        if !changed {
            let how = if delete { "not a" } else { "already a" };
            return Err(failed(format!("Storage '{storage}' is {how} pool member")));
        }
    }
    call.world.state.pools.insert(name, pool);
    call.world.touched = true;
    Ok(Value::Null.into())
}

fn delete(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.arg("poolid").unwrap_or_default().to_string();
    let failed = |why: String| Refusal::die(format!("delete pool failed: {why}"));
    match call.world.state.pools.get(&name) {
        None => return Err(failed(format!("pool '{name}' does not exist"))),
        Some(pool) => {
            // Members that are gone do not count.
            let below = call.world.state.pools.keys().find(|p| p.starts_with(&format!("{name}/")));
            let vm = pool.vms.iter().find(|v| call.world.state.guests.contains_key(v));
            let what = match (below, vm, pool.storages.first()) {
                (Some(below), ..) => Some(format!("contains pool '{below}'")),
                (_, Some(vmid), _) => Some(format!("contains VM {vmid}")),
                (.., Some(storage)) => Some(format!("contains storage '{storage}'")),
                _ => None,
            };
            if let Some(what) = what {
                return Err(failed(format!("pool '{name}' is not empty ({what})")));
            }
        }
    }
    call.world.state.pools.remove(&name);
    call.world.touched = true;
    Ok(Value::Null.into())
}
