//! `/access/roles`.
use crate::sandbox::proxmox::{
    access,
    call::{Answer, Call, Endpoint, on},
    refusal::{Refusal, Result},
    roles::{BUILT_IN, built_in},
    schema::split_list,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/access/roles", list),
    on("POST", "/access/roles", create),
    on("GET", "/access/roles/{roleid}", one),
    on("PUT", "/access/roles/{roleid}", update),
    on("DELETE", "/access/roles/{roleid}", delete),
];

fn row(name: &str, privileges: &BTreeSet<String>, special: bool) -> Value {
    let privileges: Vec<&str> = privileges.iter().map(String::as_str).collect();
    json!({"roleid": name, "privs": privileges.join(","), "special": u8::from(special)})
}

fn list(call: &mut Call<'_>) -> Result<Answer> {
    let release = call.world.release();
    let own = call.world.state.access.roles.iter().map(|(name, privileges)| row(name, privileges, false));
    let special = BUILT_IN.iter().filter_map(|name| Some(row(name, built_in(name, release)?, true)));
    Ok(Value::Array(own.chain(special).collect()).into())
}

fn name(call: &Call<'_>) -> String {
    call.arg("roleid").unwrap_or_default().to_string()
}

fn one(call: &mut Call<'_>) -> Result<Answer> {
    let name = name(call);
    let missing = || Refusal::die(format!("role '{name}' does not exist"));
    let privileges = call.world.state.role(&name).ok_or_else(missing)?;
    Ok(Value::Object(privileges.iter().map(|p| (p.clone(), json!(1))).collect::<Map<_, _>>()).into())
}

fn given(call: &Call<'_>) -> Result<BTreeSet<String>> {
    let names = split_list(call.arg("privs").unwrap_or_default());
    access::known(call.world.release(), &names).map_err(|_| Refusal::die("invalid privilege"))
}

fn create(call: &mut Call<'_>) -> Result<Answer> {
    let name = name(call);
    if name.to_ascii_uppercase().starts_with("PVE") {
        let why = "cannot use role ID starting with the (case-insensitive) 'PVE' namespace";
        return Err(Refusal::parameter("roleid", why));
    }
    if call.world.state.role(&name).is_some() {
        return Err(Refusal::die(format!("create role failed: role '{name}' already exists")));
    }
    let privileges = given(call)?;
    call.world.state.access.roles.insert(name, privileges);
    call.world.touched = true;
    Ok(Value::Null.into())
}

fn update(call: &mut Call<'_>) -> Result<Answer> {
    let name = name(call);
    if BUILT_IN.contains(&name.as_str()) {
        return Err(Refusal::die(format!("auto-generated role '{name}' cannot be modified")));
    }
    let (privileges, append) = (given(call)?, call.flag("append"));
    let missing = || Refusal::die(format!("update role failed: role '{name}' does not exist"));
    let role = call.world.state.access.roles.get_mut(&name).ok_or_else(missing)?;
    if !append {
        role.clear();
    }
    role.extend(privileges);
    call.world.touched = true;
    Ok(Value::Null.into())
}

fn delete(call: &mut Call<'_>) -> Result<Answer> {
    let name = name(call);
    if BUILT_IN.contains(&name.as_str()) {
        return Err(Refusal::die(format!("auto-generated role '{name}' cannot be deleted")));
    }
    if call.world.state.access.roles.remove(&name).is_none() {
        return Err(Refusal::die(format!("delete role failed: role '{name}' does not exist")));
    }
    call.world.state.access.acl.retain(|e| e.role != name);
    call.world.touched = true;
    Ok(Value::Null.into())
}
