//! `/access/domains`: the realms (`domains.cfg`), as libpve-access-control 9.1 checks and keeps them. No directory and no
//! identity provider is there to be asked.
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    config_file,
    refusal::{Refusal, Result},
    schema::split_list,
    state::{Access, Conf},
};
use serde_json::{Map, Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/access/domains", list),
    on("POST", "/access/domains", create),
    on("GET", "/access/domains/{realm}", one),
    on("PUT", "/access/domains/{realm}", update),
    on("DELETE", "/access/domains/{realm}", delete),
    on("POST", "/access/domains/{realm}/sync", sync),
];

/// Realms that come with every installation.
const BUILT_IN: &[(&str, &str)] =
    &[("pam", "Linux PAM standard authentication"), ("pve", "Proxmox VE authentication server")];

/// What the sections of each type hold: what is required, what may be given, what is never changed.
fn options(kind: &str) -> [&'static [&'static str]; 3] {
    const DIRECTORY: &[&str] = &[
        "server2",
        "port",
        "secure",
        "sslversion",
        "default",
        "comment",
        "tfa",
        "verify",
        "capath",
        "cert",
        "certkey",
        "base_dn",
        "bind_dn",
        "user_attr",
        "filter",
        "sync_attributes",
        "user_classes",
        "group_dn",
        "group_name_attr",
        "group_filter",
        "group_classes",
        "sync-defaults-options",
        "mode",
        "case-sensitive",
    ];
    match kind {
        "ldap" => [&["base_dn", "server1", "user_attr"], DIRECTORY, &[]],
        "ad" => [&["domain", "server1"], DIRECTORY, &[]],
        "openid" => [
            &["client-id", "issuer-url"],
            &[
                "client-key",
                "autocreate",
                "username-claim",
                "groups-claim",
                "groups-autocreate",
                "groups-overwrite",
                "prompt",
                "scopes",
                "acr-values",
                "audiences",
                "default",
                "comment",
                "query-userinfo",
            ],
            &["username-claim"],
        ],
        _ => [&[], &["default", "comment", "tfa"], &[]],
    }
}

/// Realms by name: the built-in ones are always there.
fn all(access: &Access) -> impl Iterator<Item = (String, Conf)> + '_ {
    let missing = BUILT_IN.iter().filter(|(name, _)| !access.realms.contains_key(*name));
    let missing = missing.map(|(name, _)| ((*name).to_string(), Conf::new()));
    let there = access.realms.iter().map(|(name, conf)| (name.clone(), conf.clone()));
    there.chain(missing).map(|(name, mut conf)| {
        if let Some((kind, comment)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            conf.insert("type".into(), (*kind).to_string());
            conf.entry("comment".into()).or_insert_with(|| (*comment).to_string());
        }
        conf.retain(|key, value| key != "comment" || !value.is_empty());
        (name, conf)
    })
}

/// The type of a realm; `None` when there is no such realm.
pub fn kind_of(access: &Access, realm: &str) -> Option<String> {
    all(access).find(|(name, _)| name == realm)?.1.remove("type")
}

/// The digest of `domains.cfg`, which is empty until something is written.
fn digest(access: &Access) -> String {
    let section = |(name, conf): (String, Conf)| {
        let kind = conf.get("type").cloned().unwrap_or_default();
        let lines = conf.iter().filter(|(key, _)| *key != "type").map(|(key, value)| format!("\t{key} {value}\n"));
        format!("{kind}: {name}\n{}\n", lines.collect::<String>())
    };
    let text = if access.realms.is_empty() { String::new() } else { all(access).map(section).collect() };
    config_file::sum(&text)
}

fn list(call: &mut Call<'_>) -> Result<Answer> {
    let rows = all(&call.world.state.access).map(|(name, conf)| {
        let mut row = Map::from_iter([("realm".to_string(), json!(name)), ("type".to_string(), json!(conf["type"]))]);
        row.extend(conf.get("comment").map(|comment| ("comment".to_string(), json!(comment))));
        row.extend(conf.get("default").filter(|d| *d == "1").map(|_| ("default".to_string(), json!(1))));
        let factor = conf.get("tfa").and_then(|tfa| tfa.split(',').find_map(|part| part.strip_prefix("type=")));
        row.extend(factor.map(|kind| ("tfa".to_string(), json!(kind))));
        Value::Object(row)
    });
    Ok(Value::Array(rows.collect()).into())
}

fn name(call: &mut Call<'_>) -> String {
    call.take("realm").unwrap_or_default()
}

fn one(call: &mut Call<'_>) -> Result<Answer> {
    let name = name(call);
    let access = &call.world.state.access;
    let missing = || Refusal::die(format!("domain '{name}' does not exist"));
    let (_, conf) = all(access).find(|(realm, _)| *realm == name).ok_or_else(missing)?;
    let schema = call.world.facts.method("POST", "/access/domains");
    let typed = |(key, value): (&String, &String)| {
        let schema = schema.and_then(|m| m.parameters.properties.get(key));
        let number = schema.is_some_and(|s| ["boolean", "integer"].iter().any(|kind| s.is(kind)));
        (key.clone(), value.parse::<i64>().ok().filter(|_| number).map_or_else(|| json!(value), |n| json!(n)))
    };
    let mut row: Map<String, Value> = conf.iter().map(typed).collect();
    if name == "pam" {
        row.insert("plugin".into(), json!("PVE::Auth::PAM"));
    }
    row.insert("digest".into(), json!(digest(access)));
    Ok(Value::Object(row).into())
}

/// Checks what a section is to hold.
fn check(kind: &str, given: &Conf, create: bool) -> Result<(), String> {
    let [required, optional, fixed] = options(kind);
    for (key, value) in given {
        let key = key.as_str();
        if !create && fixed.contains(&key) {
            return Err(format!("can't change value of fixed parameter '{key}'"));
        }
        if !required.contains(&key) && !optional.contains(&key) {
            return Err(format!("unexpected property '{key}'"));
        }
        // A comment is encoded before it is written.
        if key != "comment" && value.contains(['\n', '\r']) {
            return Err("property contains a line feed".into());
        }
    }
    let missing = required.iter().find(|key| create && !given.contains_key(**key));
    missing.map_or(Ok(()), |key| Err(format!("missing value for required option '{key}'")))
}

/// Who is to be asked whether the server answers, and can be.
fn connection(kind: &str, asked: Option<String>) -> Result<(), String> {
    match asked {
        Some(_) if !matches!(kind, "ldap" | "ad") => {
            Err("'check-connection' parameter can only be set for realms of type 'ldap' or 'ad'".into())
        }
        Some(asked) if asked == "1" => Err("connect: Connection refused".into()),
        _ => Ok(()),
    }
}

/// There is one default at most.
fn keep_one_default(access: &mut Access, name: &str) {
    if access.realms.get(name).and_then(|conf| conf.get("default")).is_some_and(|d| d == "1") {
        for (_, conf) in access.realms.iter_mut().filter(|(other, _)| *other != name) {
            conf.remove("default");
        }
    }
}

fn create(call: &mut Call<'_>) -> Result<Answer> {
    let name = name(call);
    let kind = call.take("type").unwrap_or_default();
    // The password lies in a file of its own.
    call.take("password");
    let asked = call.take("check-connection");
    let given = call.given.rest();
    let access = &mut call.world.state.access;
    let reserved = |name: &str| BUILT_IN.iter().any(|(built_in, _)| *built_in == name);
    let refused = match () {
        () if kind_of(access, &name).is_some() => Err(format!("domain '{name}' already exists")),
        () if reserved(&kind) => Err(format!("unable to create builtin type '{kind}'")),
        () if asked.is_some() && !matches!(kind.as_str(), "ldap" | "ad") => connection(&kind, asked.clone()),
        () => check(&kind, &given, true).and_then(|()| connection(&kind, asked)),
    };
    refused.map_err(|why| Refusal::die(format!("add auth server failed: {why}")))?;
    let mut conf = given;
    conf.insert("type".into(), kind);
    access.realms.insert(name.clone(), conf);
    keep_one_default(access, &name);
    call.world.touched = true;
    Ok(Value::Null.into())
}

fn update(call: &mut Call<'_>) -> Result<Answer> {
    let name = name(call);
    let failed = |why: String| Refusal::die(format!("update auth server failed: {why}"));
    let access = &call.world.state.access;
    let current = digest(access);
    let there = all(access).find(|(realm, _)| *realm == name).map(|(_, conf)| conf);
    if call.take("digest").is_some_and(|given| given != current) {
        return Err(failed("detected modified configuration - file changed by other user? Try again.".into()));
    }
    let Some(mut conf) = there else { return Err(failed(format!("domain '{name}' does not exist"))) };
    let kind = conf.get("type").cloned().unwrap_or_default();
    let (password, asked) = (call.take("password"), call.take("check-connection"));
    let delete = split_list(&call.take("delete").unwrap_or_default());
    let given = call.given.rest();
    if asked.is_some() && !matches!(kind.as_str(), "ldap" | "ad") {
        connection(&kind, asked.clone()).map_err(failed)?;
    }
    if delete.is_empty() && given.is_empty() && password.is_none() {
        return Err(failed("no options specified".into()));
    }
    check(&kind, &given, false).and_then(|()| connection(&kind, asked)).map_err(failed)?;
    for key in &delete {
        conf.remove(key);
    }
    conf.extend(given);
    let access = &mut call.world.state.access;
    access.realms.insert(name.clone(), conf);
    keep_one_default(access, &name);
    call.world.touched = true;
    Ok(Value::Null.into())
}

/// A built-in realm is there again at once, without what was set of it.
fn delete(call: &mut Call<'_>) -> Result<Answer> {
    let name = name(call);
    let access = &mut call.world.state.access;
    if kind_of(access, &name).is_none() {
        let why = format!("delete auth server failed: authentication domain '{name}' does not exist");
        return Err(Refusal::die(why));
    }
    access.realms.remove(&name);
    call.world.touched = true;
    Ok(Value::Null.into())
}

fn sync(call: &mut Call<'_>) -> Result<Answer> {
    let name = name(call);
    match kind_of(&call.world.state.access, &name).as_deref() {
        None => Err(Refusal::parameter("realm", "Realm does not exist.")),
        Some("ldap" | "ad") => {
            let conf = call.world.state.access.realms.get(&name);
            let defaults = conf.and_then(|conf| conf.get("sync-defaults-options"));
            let scoped = defaults.is_some_and(|d| d.split(',').any(|part| part.starts_with("scope=")));
            if call.arg("scope").is_none() && !scoped {
                let why = "Not passed as parameter and not defined in realm default sync options.";
                return Err(Refusal::parameter("scope", why));
            }
            Err(Refusal::not_simulated("the directory of a realm"))
        }
        Some(kind) => Err(Refusal::die(format!("Cannot sync realm type '{kind}'! Only LDAP/AD realms can be synced."))),
    }
}
