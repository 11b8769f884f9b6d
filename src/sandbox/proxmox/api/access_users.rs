//! `/access/users`, `/access/groups` and the tokens of users.
use super::{
    access::{find_user, user_exists},
    access_realms::kind_of,
    access_ticket::{is_user_id, set_password},
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    login::secret_sum,
    refusal::{Refusal, Result},
    schema::split_list,
    state::{Group, Token, User, Whom},
};
use serde_json::{Map, Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/access/users", list),
    on("POST", "/access/users", create),
    on("GET", "/access/users/{userid}", one),
    on("PUT", "/access/users/{userid}", update),
    on("DELETE", "/access/users/{userid}", delete),
    on("GET", "/access/users/{userid}/token", tokens),
    on("GET", "/access/users/{userid}/token/{tokenid}", token),
    on("POST", "/access/users/{userid}/token/{tokenid}", create_token),
    on("PUT", "/access/users/{userid}/token/{tokenid}", update_token),
    on("DELETE", "/access/users/{userid}/token/{tokenid}", delete_token),
    on("GET", "/access/groups", groups),
    on("POST", "/access/groups", create_group),
    on("GET", "/access/groups/{groupid}", group),
    on("PUT", "/access/groups/{groupid}", update_group),
    on("DELETE", "/access/groups/{groupid}", delete_group),
];

const PLAIN: &[&str] = &["comment", "email", "firstname", "lastname", "keys"];

fn groups_of(call: &Call<'_>, user: &str) -> Vec<String> {
    let groups = call.world.state.access.groups.iter();
    groups.filter(|(_, g)| g.users.contains(user)).map(|(n, _)| n.clone()).collect()
}

fn describe(user: &User) -> Map<String, Value> {
    let mut row: Map<String, Value> = user.more.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    // Its place in the line is there, and empty, where something stands behind it.
    if ["comment", "keys"].iter().any(|behind| user.more.contains_key(*behind)) {
        row.entry("email").or_insert(json!(""));
    }
    row.insert("enable".into(), json!(u8::from(user.enable)));
    row.insert("expire".into(), json!(user.expire));
    row
}

fn show(token: &Token) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("privsep".into(), json!(u8::from(token.privsep)));
    row.insert("expire".into(), json!(token.expire));
    if let Some(comment) = &token.comment {
        row.insert("comment".into(), json!(comment));
    }
    row
}

fn list(call: &mut Call<'_>) -> Result<Answer> {
    let state = &call.world.state;
    let any = ["User.Modify", "Sys.Audit"];
    let all = state.may(&call.who, "/access/groups", &any, true);
    let over = |id: &String| {
        let groups = state.access.groups.iter().filter(|(_, g)| g.users.contains(id));
        groups.into_iter().any(|(name, _)| state.may(&call.who, &format!("/access/groups/{name}"), &any, true))
    };
    let wanted = call.arg("enabled").map(|e| e == "1");
    let rows = state
        .access
        .users
        .iter()
        .filter(|(id, user)| (all || **id == call.who.id() || over(id)) && wanted.is_none_or(|w| user.enable == w));
    let rows = rows.map(|(id, user)| {
        let mut row = describe(user);
        row.insert("userid".into(), json!(id));
        let realm = id.rsplit_once('@').map_or("", |(_, realm)| realm);
        row.extend(kind_of(&state.access, realm).map(|kind| ("realm-type".to_string(), json!(kind))));
        if call.flag("full") {
            row.insert("groups".into(), json!(groups_of(call, id).join(",")));
            let tokens = user.tokens.iter().map(|(name, token)| {
                let mut row = show(token);
                row.insert("tokenid".into(), json!(name));
                Value::Object(row)
            });
            let tokens: Vec<Value> = tokens.collect();
            row.insert("tokens".into(), if tokens.is_empty() { Value::Null } else { Value::Array(tokens) });
        }
        Value::Object(row)
    });
    Ok(Value::Array(rows.collect()).into())
}

fn one(call: &mut Call<'_>) -> Result<Answer> {
    let id = call.arg("userid").unwrap_or_default().to_string();
    let user = find_user(call, &id)?;
    let mut row = describe(user);
    let tokens: Map<String, Value> = user.tokens.iter().map(|(n, t)| (n.clone(), Value::Object(show(t)))).collect();
    row.insert("tokens".into(), if tokens.is_empty() { Value::Null } else { Value::Object(tokens) });
    row.insert("groups".into(), json!(groups_of(call, &id)));
    Ok(Value::Object(row).into())
}

fn create(call: &mut Call<'_>) -> Result<Answer> {
    let id = call.arg("userid").unwrap_or_default().to_string();
    is_user_id(&id)?;
    if call.world.state.access.users.contains_key(&id) {
        return Err(Refusal::die(format!("create user failed: user '{id}' already exists")));
    }
    call.world.state.access.users.insert(id.clone(), User::default());
    let mut failed = match call.arg("password").map(str::to_string) {
        Some(password) => set_password(call, &id, &password),
        None => Ok(()),
    };
    failed = failed.map_err(|why| Refusal::die(format!("create user failed: {}", why.text())));
    let failed = failed.and_then(|()| apply(call, &id, "create user failed"));
    if failed.is_err() {
        call.world.state.access.users.remove(&id);
    }
    failed
}

fn update(call: &mut Call<'_>) -> Result<Answer> {
    let id = call.arg("userid").unwrap_or_default().to_string();
    find_user(call, &id)?;
    apply(call, &id, "update user failed")
}

fn apply(call: &mut Call<'_>, id: &str, failed: &str) -> Result<Answer> {
    if let Some(groups) = call.arg("groups").map(split_list) {
        let known = &call.world.state.access.groups;
        if let Some(bad) = groups.iter().find(|g| !known.contains_key(*g)) {
            return Err(Refusal::die(format!("{failed}: no such group '{bad}'")));
        }
        let append = call.flag("append");
        for (name, group) in &mut call.world.state.access.groups {
            if groups.contains(name) {
                group.users.insert(id.into());
            } else if !append {
                group.users.remove(id);
            }
        }
    }
    let (enable, expire) = (call.arg("enable").map(|e| e == "1"), call.arg("expire").and_then(|e| e.parse().ok()));
    let more = call.given.chosen(|key| PLAIN.contains(&key));
    if let Some(user) = call.world.state.access.users.get_mut(id) {
        user.enable = enable.unwrap_or(user.enable);
        user.expire = expire.unwrap_or(user.expire);
        user.more.extend(more);
        // What is emptied does not stand in the file.
        user.more.retain(|_, value| !value.is_empty());
    }
    call.world.touched = true;
    Ok(Value::Null.into())
}

fn delete(call: &mut Call<'_>) -> Result<Answer> {
    let id = call.arg("userid").unwrap_or_default().to_string();
    find_user(call, &id)?;
    let access = &mut call.world.state.access;
    access.users.remove(&id);
    for group in access.groups.values_mut() {
        group.users.remove(&id);
    }
    access.acl.retain(|e| e.id != id && !e.id.starts_with(&format!("{id}!")));
    call.world.touched = true;
    Ok(Value::Null.into())
}

fn tokens(call: &mut Call<'_>) -> Result<Answer> {
    let id = call.arg("userid").unwrap_or_default().to_string();
    let rows = find_user(call, &id)?.tokens.iter().map(|(name, token)| {
        let mut row = show(token);
        row.insert("tokenid".into(), json!(name));
        Value::Object(row)
    });
    Ok(Value::Array(rows.collect()).into())
}

fn names(call: &Call<'_>) -> (String, String) {
    let text = |name: &str| call.arg(name).unwrap_or_default().to_string();
    (text("userid"), text("tokenid"))
}

fn find_token<'a>(call: &'a mut Call<'_>, user: &str, token: &str) -> Result<&'a mut Token> {
    user_exists(call, user)?;
    call.world.touched = true;
    let found = call.world.state.access.users.get_mut(user).and_then(|u| u.tokens.get_mut(token));
    found.ok_or_else(|| Refusal::die(format!("no such token '{token}' for user '{user}'")))
}

fn token(call: &mut Call<'_>) -> Result<Answer> {
    let (user, token) = names(call);
    Ok(Value::Object(show(find_token(call, &user, &token)?)).into())
}

fn create_token(call: &mut Call<'_>) -> Result<Answer> {
    let (user, name) = names(call);
    if find_user(call, &user)?.tokens.contains_key(&name) {
        return Err(Refusal::parameter("tokenid", "Token already exists."));
    }
    let secret = call.world.uuid();
    // What was given is answered as it was given; only the default is a number.
    let mut info = Map::new();
    for key in ["comment", "expire", "privsep"] {
        if let Some(value) = call.arg(key) {
            info.insert(key.into(), json!(value));
        }
    }
    info.entry("privsep").or_insert(json!(1));
    let token = Token {
        secret_sha256: secret_sum(&secret),
        privsep: call.arg("privsep").is_none_or(|p| p == "1"),
        expire: call.arg("expire").and_then(|e| e.parse().ok()).unwrap_or(0),
        comment: call.arg("comment").map(str::to_string),
    };
    if let Some(user) = call.world.state.access.users.get_mut(&user) {
        user.tokens.insert(name.clone(), token);
    }
    call.world.touched = true;
    Ok(json!({"full-tokenid": format!("{user}!{name}"), "value": secret, "info": info}).into())
}

fn update_token(call: &mut Call<'_>) -> Result<Answer> {
    let (user, name) = names(call);
    let given = call.given.chosen(|key| matches!(key, "privsep" | "expire" | "comment"));
    let secret = call.world.uuid();
    let regenerate = call.flag("regenerate");
    let delete = split_list(call.arg("delete").unwrap_or_default());
    find_token(call, &user, &name)?;
    if let Some(other) = delete.iter().find(|k| *k != "comment") {
        let message = "updating token info failed: 400 Parameter verification failed.";
        return Err(Refusal::die(format!("{message}\ndelete: unknown option '{other}'")));
    }
    let token = find_token(call, &user, &name)?;
    if let Some(privsep) = given.get("privsep") {
        token.privsep = privsep == "1";
    }
    if let Some(expire) = given.get("expire") {
        token.expire = expire.parse().unwrap_or(0);
    }
    if let Some(comment) = given.get("comment") {
        token.comment = Some(comment.clone()).filter(|c| !c.is_empty());
    }
    if !delete.is_empty() {
        token.comment = None;
    }
    let mut row = show(token);
    let token_has_comment = token.comment.is_some();
    if regenerate {
        token.secret_sha256 = secret_sum(&secret);
        row.insert("value".into(), json!(secret));
        row.insert("full-tokenid".into(), json!(format!("{user}!{name}")));
    }
    for key in ["privsep", "expire", "comment"] {
        if let Some(value) = given.get(key).filter(|_| key != "comment" || token_has_comment) {
            row.insert(key.into(), json!(value));
        }
    }
    if row.get("expire") == Some(&json!(0)) && !given.contains_key("expire") {
        row.remove("expire");
    }
    Ok(Value::Object(row).into())
}

fn delete_token(call: &mut Call<'_>) -> Result<Answer> {
    let (user, name) = names(call);
    find_token(call, &user, &name)?;
    let access = &mut call.world.state.access;
    if let Some(user) = access.users.get_mut(&user) {
        user.tokens.remove(&name);
    }
    let id = format!("{user}!{name}");
    access.acl.retain(|e| e.whom != Whom::Token || e.id != id);
    Ok(Value::Null.into())
}

fn groups(call: &mut Call<'_>) -> Result<Answer> {
    let (state, who) = (&call.world.state, &call.who);
    let any = ["User.Modify", "Sys.Audit", "Group.Allocate"];
    let rows = state.access.groups.iter().filter(|(n, _)| state.may(who, &format!("/access/groups/{n}"), &any, true));
    let rows = rows.map(|(name, group)| {
        let users: Vec<&str> = group.users.iter().map(String::as_str).collect();
        let mut row = json!({"groupid": name, "users": users.join(",")});
        if let (Some(comment), Some(row)) = (&group.comment, row.as_object_mut()) {
            row.insert("comment".into(), json!(comment));
        }
        row
    });
    Ok(Value::Array(rows.collect()).into())
}

fn find_group<'a>(call: &'a mut Call<'_>) -> Result<(String, &'a mut Group)> {
    let name = call.arg("groupid").unwrap_or_default().to_string();
    match call.world.state.access.groups.get_mut(&name) {
        Some(group) => Ok((name, group)),
        None => Err(Refusal::die(format!("group '{name}' does not exist"))),
    }
}

fn group(call: &mut Call<'_>) -> Result<Answer> {
    let (_, group) = find_group(call)?;
    let mut row = json!({"members": group.users});
    if let (Some(comment), Some(row)) = (&group.comment, row.as_object_mut()) {
        row.insert("comment".into(), json!(comment));
    }
    Ok(row.into())
}

fn create_group(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.arg("groupid").unwrap_or_default().to_string();
    let comment = call.arg("comment").filter(|c| !c.is_empty()).map(str::to_string);
    if call.world.state.access.groups.contains_key(&name) {
        return Err(Refusal::die(format!("create group failed: group '{name}' already exists")));
    }
    call.world.state.access.groups.insert(name, Group { comment, ..Group::default() });
    call.world.touched = true;
    Ok(Value::Null.into())
}

fn update_group(call: &mut Call<'_>) -> Result<Answer> {
    let comment = call.arg("comment").map(str::to_string);
    let (_, group) = find_group(call).map_err(|why| Refusal::die(format!("update group failed: {}", why.text())))?;
    if let Some(comment) = comment {
        group.comment = Some(comment).filter(|c| !c.is_empty());
    }
    call.world.touched = true;
    Ok(Value::Null.into())
}

fn delete_group(call: &mut Call<'_>) -> Result<Answer> {
    let found = find_group(call).map_err(|why| Refusal::die(format!("delete group failed: {}", why.text())));
    let (name, _) = found?;
    call.world.touched = true;
    let access = &mut call.world.state.access;
    access.groups.remove(&name);
    access.acl.retain(|e| e.whom != Whom::Group || e.id != name);
    Ok(Value::Null.into())
}
