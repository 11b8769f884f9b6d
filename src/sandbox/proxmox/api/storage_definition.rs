//! Writing `/storage`: which storages there are.
use super::storage::{digest, of};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    refusal::{Refusal, Result},
    schema::split_list,
    state::Storage,
};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("POST", "/storage", create),
    on("PUT", "/storage/{storage}", update),
    on("DELETE", "/storage/{storage}", delete),
];

/// What a plugin cannot do without.
fn required(kind: &str) -> &'static [&'static str] {
    match kind {
        "dir" | "btrfs" => &["path"],
        "nfs" => &["export", "server"],
        "cifs" => &["server", "share"],
        "lvm" => &["vgname"],
        "lvmthin" => &["thinpool", "vgname"],
        "zfspool" => &["pool"],
        "pbs" => &["datastore", "server"],
        _ => &[],
    }
}

fn create(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.take("storage").unwrap_or_default();
    let kind = call.take("type").unwrap_or_default();
    if let Some(missing) = required(&kind).iter().find(|k| call.arg(k).is_none()) {
        return Err(Refusal::die(format!("missing value for required option '{missing}'")));
    }
    if call.arg("path").is_some_and(|p| !p.starts_with('/')) {
        let why = "invalid format - value does not look like a valid absolute path\n";
        return Err(Refusal::parameter("path", why));
    }
    if call.world.state.storages.contains_key(&name) {
        return Err(Refusal::die(format!("create storage failed: storage ID '{name}' already defined")));
    }
    let content = match call.take("content") {
        Some(given) => split_list(&given).into_iter().collect(),
        None => ["images", "rootdir"].map(str::to_string).into(),
    };
    // A new directory lies on the node's own disk.
    let total = call.world.state.storages.values().map(|s| s.total).next().unwrap_or(100 << 30);
    let path = call.take("path");
    let more = call.given.rest();
    let storage = Storage { kind: kind.clone(), content, path, total, more, ..Storage::default() };
    call.world.state.storages.insert(name.clone(), storage);
    call.world.touched = true;
    Ok(json!({"storage": name, "type": kind}).into())
}

fn update(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.take("storage").unwrap_or_default();
    let failed = |why: String| Refusal::die(format!("update storage failed: {why}"));
    of(call.world, &name).map_err(|why| failed(why.text()))?;
    let current = digest(call.world);
    if call.take("digest").is_some_and(|given| given != current) {
        return Err(failed("detected modified configuration - file changed by other user? Try again.".into()));
    }
    let delete = split_list(&call.take("delete").unwrap_or_default());
    let content = call.take("content");
    let more = call.given.rest();
    let Some(storage) = call.world.state.storages.get_mut(&name) else { return Ok(Value::Null.into()) };
    if let Some(content) = content {
        storage.content = split_list(&content).into_iter().collect();
    }
    storage.more.extend(more);
    for key in &delete {
        storage.more.remove(key);
    }
    let kind = storage.kind.clone();
    call.world.touched = true;
    Ok(json!({"storage": name, "type": kind}).into())
}

/// Only the definition goes: the files stay where they are, and are there again under the same path.
fn delete(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.take("storage").unwrap_or_default();
    if call.world.state.storages.remove(&name).is_none() {
        return Err(Refusal::die(format!("delete storage failed: storage '{name}' does not exist")));
    }
    call.world.touched = true;
    Ok(Value::Null.into())
}
