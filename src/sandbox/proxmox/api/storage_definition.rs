//! Writing `/storage`: which storages there are.
use super::{
    storage::{digest, of},
    storage_plugin,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    refusal::{Refusal, Result},
    schema::split_list,
    state::{Conf, Storage},
};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("POST", "/storage", create),
    on("PUT", "/storage/{storage}", update),
    on("DELETE", "/storage/{storage}", delete),
];

/// `//srv/./x/` is `/srv/x` (`File::Spec->canonpath`).
fn canonical(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    format!("/{}", parts.join("/"))
}

/// What the config itself keeps: secrets lie in files of their own.
fn without_secrets(kind: &str, mut given: Conf) -> Conf {
    given.retain(|key, _| !storage_plugin::is_secret(kind, key));
    given
}

fn create(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.take("storage").unwrap_or_default();
    let kind = call.take("type").unwrap_or_default();
    let mut given = without_secrets(&kind, call.given.rest());
    if given.get("nodes").is_some_and(String::is_empty) {
        given.remove("nodes");
    }
    if matches!(kind.as_str(), "nfs" | "cifs" | "cephfs") && given.get("path").is_none_or(String::is_empty) {
        given.insert("path".into(), format!("/mnt/pve/{name}"));
    }
    if given.get("path").is_some_and(|p| !p.starts_with('/')) {
        let why = "invalid format - value does not look like a valid absolute path\n";
        return Err(Refusal::parameter("path", why));
    }
    let options = storage_plugin::options(&kind);
    options.map_or(Ok(()), |options| options.check(&given, true)).map_err(Refusal::die)?;
    let content = storage_plugin::content(&kind, given.remove("content").as_deref())?;
    let mut path = given.remove("path");
    if let Some(path) = path.as_mut().filter(|_| matches!(kind.as_str(), "dir" | "btrfs")) {
        let odd = |b: u8| !(b.is_ascii_alphanumeric() || b"-/_.@".contains(&b));
        if path.len() < 2 || path.bytes().any(odd) {
            return Err(Refusal::die(format!("illegal path for directory storage: {path}")));
        }
        *path = canonical(path);
    }
    let failed = |why: String| Refusal::die(format!("create storage failed: {why}"));
    if call.world.state.storages.contains_key(&name) {
        return Err(failed(format!("storage ID '{name}' already defined")));
    }
    let node = call.node();
    // A new directory lies on the node's own disk.
    let total = call.world.state.storages.values().map(|s| s.total).next().unwrap_or(100 << 30);
    let storage = Storage { kind: kind.clone(), content, path, total, more: given, ..Storage::default() };
    // Only what is switched on here is tried.
    if storage.is_on(&node) && storage.more.get("disable").is_none_or(|d| d != "1") {
        storage_plugin::reachable(&call.world.state, &name, &kind, &storage.more).map_err(|why| failed(why.text()))?;
    }
    call.world.state.storages.insert(name.clone(), storage);
    call.world.touched = true;
    Ok(json!({"storage": name, "type": kind}).into())
}

fn update(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.take("storage").unwrap_or_default();
    let failed = |why: String| Refusal::die(format!("update storage failed: {why}"));
    let current = digest(call.world);
    if call.take("digest").is_some_and(|given| given != current) {
        return Err(failed("detected modified configuration - file changed by other user? Try again.".into()));
    }
    let kind = of(call.world, &name).map_err(|why| failed(why.text()))?.kind.clone();
    let mut delete = split_list(&call.take("delete").unwrap_or_default());
    delete.retain(|key| !storage_plugin::is_secret(&kind, key));
    let mut given = without_secrets(&kind, call.given.rest());
    if let Some(options) = storage_plugin::options(&kind) {
        options.check(&given, false).map_err(failed)?;
        delete.iter().try_for_each(|key| options.deletable(key, &given)).map_err(failed)?;
    }
    let named = given.remove("content");
    let content = match (&named, delete.iter().any(|key| key == "content")) {
        (None, false) => None,
        _ => Some(storage_plugin::content(&kind, named.as_deref()).map_err(|why| failed(why.text()))?),
    };
    let Some(storage) = call.world.state.storages.get_mut(&name) else { return Ok(Value::Null.into()) };
    storage.content = content.unwrap_or_else(|| std::mem::take(&mut storage.content));
    for key in &delete {
        storage.more.remove(key);
    }
    storage.more.extend(given);
    // A list of no nodes is none.
    storage.more.retain(|key, value| key != "nodes" || !value.is_empty());
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
