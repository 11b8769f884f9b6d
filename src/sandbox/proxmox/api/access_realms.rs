//! `/access/domains`: the realms (`domains.cfg`), as libpve-access-control 9.1 checks and keeps them. No directory and no
//! identity provider is there to be asked.
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    config_file, property,
    refusal::{Refusal, Result},
    schema::split_list,
    section::{self, Options},
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

/// What the sections of each type hold.
fn options(kind: &str) -> Options {
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
    const IDENTITY: &[&str] = &[
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
    ];
    let (required, optional, fixed): (&'static [&'static str], &[&'static str], &[&'static str]) = match kind {
        "ldap" => (&["base_dn", "server1", "user_attr"], DIRECTORY, &[]),
        "ad" => (&["domain", "server1"], DIRECTORY, &[]),
        "openid" => (&["client-id", "issuer-url"], IDENTITY, &["username-claim"]),
        _ => (&[], &["default", "comment", "tfa"], &[]),
    };
    Options { required, optional: optional.to_vec(), fixed: fixed.to_vec() }
}

fn is_directory(kind: &str) -> bool {
    matches!(kind, "ldap" | "ad")
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

/// The kind of second factor that a realm asks for: of `type=oath,step=30`, `oath`.
pub fn factor(realm: &Conf) -> Option<&str> {
    realm.get("tfa")?.split(',').find_map(|part| part.strip_prefix("type="))
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
        row.extend(factor(&conf).map(|kind| ("tfa".to_string(), json!(kind))));
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
    let typed = |(key, value): (&String, &String)| {
        (key.clone(), section::read(&call.world.facts, "/access/domains", key, value))
    };
    let mut row: Map<String, Value> = conf.iter().map(typed).collect();
    if name == "pam" {
        row.insert("plugin".into(), json!("PVE::Auth::PAM"));
    }
    row.insert("digest".into(), json!(digest(access)));
    Ok(Value::Object(row).into())
}

/// What was given for a section of this type, checked. `full` and `purge` became parts of `remove-vanished`.
fn checked(kind: &str, mut given: Conf, create: bool) -> std::result::Result<Conf, String> {
    if let Some(options) = given.get_mut("sync-defaults-options").filter(|_| is_directory(kind)) {
        *options = renewed(options);
    }
    options(kind).check(&given, create)?;
    Ok(given)
}

fn renewed(options: &str) -> String {
    let mut parts: Conf =
        options.split(',').filter_map(|part| part.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let mut took = |key: &str| parts.remove(key).is_some_and(|value| property::boolean(&value) == Some(true));
    let all = [("full", "entry"), ("full", "properties"), ("purge", "acl")];
    let old = [took("full"), took("purge")];
    let meant = all.iter().filter(|(key, _)| old[usize::from(*key == "purge")]).map(|(_, word)| *word);
    let meant = meant.collect::<Vec<_>>().join(";");
    if !meant.is_empty() {
        parts.entry("remove-vanished".into()).or_insert(meant);
    }
    parts.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// Whether a connection to the server is to be tried.
fn connects(kind: &str, asked: Option<String>) -> std::result::Result<bool, String> {
    match asked {
        Some(_) if !is_directory(kind) => {
            Err("'check-connection' parameter can only be set for realms of type 'ldap' or 'ad'".into())
        }
        asked => Ok(asked.is_some_and(|asked| asked == "1")),
    }
}

/// Whether a server answers, and what it holds, nobody can say here.
fn no_server() -> Refusal {
    Refusal::not_simulated("the directory of a realm")
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
    let failed = |why: String| Refusal::die(format!("add auth server failed: {why}"));
    let access = &mut call.world.state.access;
    if kind_of(access, &name).is_some() {
        return Err(failed(format!("domain '{name}' already exists")));
    }
    if BUILT_IN.iter().any(|(built_in, _)| *built_in == kind) {
        return Err(failed(format!("unable to create builtin type '{kind}'")));
    }
    let connects = connects(&kind, asked).map_err(failed)?;
    let mut conf = checked(&kind, given, true).map_err(failed)?;
    if connects {
        return Err(no_server());
    }
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
    let connects = connects(&kind, asked).map_err(failed)?;
    if delete.is_empty() && given.is_empty() && password.is_none() {
        return Err(failed("no options specified".into()));
    }
    let given = checked(&kind, given, false).map_err(failed)?;
    if connects {
        return Err(no_server());
    }
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
        Some(kind) if is_directory(kind) => {
            let conf = call.world.state.access.realms.get(&name);
            let defaults = conf.and_then(|conf| conf.get("sync-defaults-options"));
            let scoped = defaults.is_some_and(|d| d.split(',').any(|part| part.starts_with("scope=")));
            if call.arg("scope").is_none() && !scoped {
                let why = "Not passed as parameter and not defined in realm default sync options.";
                return Err(Refusal::parameter("scope", why));
            }
            Err(no_server())
        }
        Some(kind) => Err(Refusal::die(format!("Cannot sync realm type '{kind}'! Only LDAP/AD realms can be synced."))),
    }
}
