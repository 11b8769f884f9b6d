//! `/access`: permissions, users, tokens, roles, the access control list.
use crate::sandbox::proxmox::{
    access::Who,
    call::{Answer, Call, Endpoint, on},
    refusal::{Refusal, Result},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/access/permissions", permissions),
    on("GET", "/access/ticket", |_| Ok(Value::Null.into())),
    on("GET", "/access/domains", domains),
];

fn domains(_: &mut Call<'_>) -> Result<Answer> {
    Ok(json!([
        {"realm": "pam", "type": "pam", "comment": "Linux PAM standard authentication"},
        {"realm": "pve", "type": "pve", "comment": "Proxmox VE authentication server"},
    ])
    .into())
}

/// Paths that the whole answer shows even when no entry names them.
const TOP: &[&str] = &["/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"];

fn permissions(call: &mut Call<'_>) -> Result<Answer> {
    let state = &call.world.state;
    let who = match call.arg("userid").filter(|u| *u != call.who.id()) {
        None => call.who.clone(),
        Some(other) => {
            let (user, token) = other.split_once('!').map_or((other, None), |(u, t)| (u, Some(t.to_string())));
            // One's own tokens may be asked about; anything else needs to see users.
            if user != call.who.user || call.who.token.is_some() {
                state.demand(&call.who, "/access", &["Sys.Audit"])?;
            }
            let known =
                state.access.users.get(user).is_some_and(|u| token.as_ref().is_none_or(|t| u.tokens.contains_key(t)));
            if !known {
                return Err(Refusal::die(format!("no such user ('{other}')")));
            }
            Who { user: user.into(), token }
        }
    };
    let paths: BTreeSet<String> = match call.arg("path") {
        Some(path) => [path.to_string()].into(),
        None => {
            let listed = state.access.acl.iter().map(|e| e.path.clone());
            let pooled = state.pools.values().flat_map(|p| {
                p.vms.iter().map(|v| format!("/vms/{v}")).chain(p.storages.iter().map(|s| format!("/storage/{s}")))
            });
            TOP.iter().map(|p| p.to_string()).chain(listed).chain(pooled).collect()
        }
    };
    let mut data = Map::new();
    for path in paths {
        let held = state.privileges(&who, &path);
        if !held.is_empty() {
            let held: Map<String, Value> = held.into_iter().map(|(p, down)| (p, json!(u8::from(down)))).collect();
            data.insert(path, Value::Object(held));
        }
    }
    Ok(Value::Object(data).into())
}
