//! `/access`: permissions, the access control list.
use super::access_realms;
use crate::sandbox::proxmox::{
    access::Who,
    call::{Answer, Call, Endpoint, on},
    refusal::{Refusal, Result},
    schema::split_list,
    state::{Entry, User, Whom},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/access/permissions", permissions),
    on("GET", "/access/tfa", |_| Ok(json!([]).into())),
    on("GET", "/access/tfa/{userid}", |_| Ok(json!([]).into())),
    on("GET", "/access/tfa/{userid}/{id}", factor),
    on("GET", "/access/users/{userid}/tfa", factors),
    on("PUT", "/access/users/{userid}/unlock-tfa", |_| Ok(json!(0).into())),
    on("GET", "/access/acl", list),
    on("PUT", "/access/acl", update),
];

/// Nobody has a second factor.
fn factor(call: &mut Call<'_>) -> Result<Answer> {
    let message = format!("No such tfa entry '{}'", call.arg("id").unwrap_or_default());
    Err(Refusal::Answer { status: 404, message, errors: Map::new(), newline: true })
}

/// The kinds of factors that a user and its realm have.
fn factors(call: &mut Call<'_>) -> Result<Answer> {
    let realm = call.arg("userid").and_then(|user| user.rsplit_once('@')).map_or("", |(_, realm)| realm);
    let access = &call.world.state.access;
    if access_realms::kind_of(access, realm).is_none() {
        return Err(Refusal::die(format!("auth domain '{realm}' does not exist")));
    }
    let kind = access.realms.get(realm).and_then(access_realms::factor);
    let mut row: Map<String, Value> = kind.map(|kind| ("realm".to_string(), json!(kind))).into_iter().collect();
    if call.flag("multiple") {
        row.insert("user".into(), json!([]));
    }
    Ok(Value::Object(row).into())
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
            if user != call.who.id() {
                state.demand(&call.who, "/access", &["Sys.Audit"])?;
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

/// A user by name.
///
/// # Errors
/// 500.
pub fn find_user<'a>(call: &'a Call<'_>, id: &str) -> Result<&'a User> {
    call.world.state.access.users.get(id).ok_or_else(|| Refusal::die(format!("no such user ('{id}')")))
}

/// Demands that a user is there.
///
/// # Errors
/// 500.
pub fn user_exists(call: &Call<'_>, id: &str) -> Result<()> {
    find_user(call, id).map(|_| ())
}

fn list(call: &mut Call<'_>) -> Result<Answer> {
    let state = &call.world.state;
    let all = state.may(&call.who, "/access", &["Sys.Audit"], false);
    let visible = |e: &&Entry| all || state.may_modify(&call.who, &e.path).is_ok();
    let rows = state.access.acl.iter().filter(visible).map(
        |e| json!({"path": e.path, "type": e.whom, "ugid": e.id, "roleid": e.role, "propagate": u8::from(e.propagate)}),
    );
    Ok(Value::Array(rows.collect()).into())
}

/// `vms//101/` is `/vms/101`; `None` where it has characters that no path has.
fn normal(path: &str) -> Option<String> {
    let odd = |b: u8| !(b.is_ascii_alphanumeric() || b"/-_.".contains(&b));
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    (!path.is_empty() && !path.bytes().any(odd)).then(|| format!("/{}", parts.join("/")))
}

fn is_known(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').skip(1).filter(|p| !p.is_empty()).collect();
    let word = |p: &str| p.bytes().all(|b| b.is_ascii_alphanumeric());
    let vlan = |p: &str| p.len() <= 4 && !p.starts_with('0') && p.bytes().all(|b| b.is_ascii_digit());
    match parts.as_slice() {
        [] => true,
        [one] => ["access", "mapping", "nodes", "pool", "sdn", "storage", "vms"].contains(one),
        ["access", "groups" | "realm", ..] => parts.len() <= 3,
        ["mapping", ..] => parts.len() <= 3,
        ["nodes" | "storage", _] => true,
        ["pool", ..] => parts.len() <= 4,
        ["sdn", "controllers" | "dns" | "ipams" | "zones" | "fabrics" | "prefix-lists" | "route-maps"] => true,
        ["sdn", "controllers", _] => true,
        ["sdn", "dns" | "ipams" | "fabrics" | "prefix-lists" | "route-maps", name] => word(name),
        ["sdn", "zones", _] | ["sdn", "zones", _, _] => true,
        ["sdn", "zones", _, _, tag] => vlan(tag),
        ["vms", vmid] => vmid.len() >= 3 && !vmid.starts_with('0') && vmid.bytes().all(|b| b.is_ascii_digit()),
        _ => false,
    }
}

/// Somebody who may change a path only because they manage what lies there hands out no more than they have.
fn within_own(call: &Call<'_>, path: &str, role: &str, propagate: bool, delete: bool) -> Result<()> {
    let state = &call.world.state;
    let own = state.privileges(&call.who, path);
    if own.contains_key("Permissions.Modify") {
        return Ok(());
    }
    let verb = if delete { "remove" } else { "add" };
    // Perl puts the exception of the parameter into the text of the lock around it.
    let refuse = |why: &str| {
        let message = "ACL update failed: 400 Parameter verification failed.";
        Err(Refusal::die(format!("{message}\nrole: Cannot {verb} role '{role}' {why}")))
    };
    for privilege in state.role(role).into_iter().flatten() {
        match own.get(privilege) {
            None => return refuse("- requires 'Permissions.Modify' or superset of privileges."),
            Some(false) if propagate && !delete => {
                return refuse(
                    "with propagation - requires 'Permissions.Modify' or propagated superset of privileges.",
                );
            }
            _ => {}
        }
    }
    if role == "NoAccess" {
        return refuse("- requires 'Permissions.Modify'");
    }
    Ok(())
}

fn update(call: &mut Call<'_>) -> Result<Answer> {
    let named = |key: &str| split_list(call.arg(key).unwrap_or_default());
    let whom = [(Whom::Group, "groups"), (Whom::User, "users"), (Whom::Token, "tokens")];
    if whom.iter().all(|(_, key)| call.arg(key).is_none_or(|v| v.is_empty() || v == "0")) {
        let why = "either 'users', 'groups' or 'tokens' is required.";
        return Err(Refusal::parameters(whom.map(|(_, key)| (key.to_string(), why.to_string()))));
    }
    let (delete, propagate) = (call.flag("delete"), call.arg("propagate").is_none_or(|p| p == "1"));
    let given = call.arg("path").unwrap_or_default();
    let path = normal(given).filter(|p| delete || is_known(p));
    let path = path.ok_or_else(|| Refusal::parameter("path", format!("invalid ACL path '{given}'")))?;
    let failed = |why: String| Refusal::die(format!("ACL update failed: {why}"));
    let access = &call.world.state.access;
    let mut entries = Vec::new();
    for role in named("roles") {
        if call.world.state.role(&role).is_none() {
            return Err(failed(format!("role '{role}' does not exist")));
        }
        within_own(call, &path, &role, propagate, delete)?;
        for (whom, key) in whom {
            for id in named(key) {
                let (user, token) = id.split_once('!').unwrap_or((&id, ""));
                match whom {
                    Whom::Group if !access.groups.contains_key(&id) => {
                        return Err(failed(format!("group '{id}' does not exist")));
                    }
                    Whom::User if !access.users.contains_key(&id) => {
                        return Err(failed(format!("user '{id}' does not exist")));
                    }
                    Whom::Token if !access.users.contains_key(user) => {
                        return Err(failed(format!("no such user ('{user}')")));
                    }
                    Whom::Token if !access.users.get(user).is_some_and(|u| u.tokens.contains_key(token)) => {
                        return Err(failed(format!("no such token '{token}' for user '{user}'")));
                    }
                    _ => entries.push(Entry { path: path.clone(), whom, id, role: role.clone(), propagate }),
                }
            }
        }
    }
    let acl = &mut call.world.state.access.acl;
    let same = |a: &Entry, b: &Entry| (&a.path, a.whom, &a.id, &a.role) == (&b.path, b.whom, &b.id, &b.role);
    for entry in entries {
        acl.retain(|e| !same(e, &entry));
        if !delete {
            acl.push(entry);
        }
    }
    acl.sort();
    call.world.touched = true;
    Ok(Value::Null.into())
}
