//! `/access/ticket` and `/access/password`: logging in with a password, and changing it.
use super::access_realms;
use crate::sandbox::proxmox::{
    access::Who,
    call::{Answer, Call, Endpoint, on},
    formats,
    login::{csrf, is_enabled, is_password, password_sum, ticket, verify_ticket},
    refusal::{Refusal, Result},
    schema::split_list,
    state::State,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/access/ticket", |_| Ok(Value::Null.into())),
    on("POST", "/access/ticket", create),
    on("PUT", "/access/password", change_password),
];

/// Nothing is said of why: names of users are not to be guessed.
fn refused() -> Refusal {
    Refusal::Answer { status: 401, message: "authentication failure".into(), errors: Map::new(), newline: true }
}

fn create(call: &mut Call<'_>) -> Result<Answer> {
    let mut user = call.arg("username").unwrap_or_default().to_string();
    if let Some(realm) = call.arg("realm") {
        user = format!("{user}@{realm}");
    }
    let password = call.arg("password").unwrap_or_default();
    let now = call.world.now / 1000;
    let state = &call.world.state;
    let access = &state.access;
    let owner = verify_ticket(access, password, now);
    let me = Who { user: user.clone(), token: None };
    let data = match (call.arg("path"), call.arg("privs")) {
        // Only whether they may, for other daemons.
        (Some(path), Some(privileges)) => {
            let logged_in = owner.as_ref() == Some(&user) || is_password(access, &user, password);
            let privileges = split_list(privileges);
            let needed: Vec<&str> = privileges.iter().map(String::as_str).collect();
            if !logged_in || needed.is_empty() || !state.may(&me, path, &needed, false) {
                return Err(refused());
            }
            json!({"username": user})
        }
        _ => {
            let by_ticket = owner.is_some_and(|o| o == user || o == "root@pam");
            if call.arg("tfa-challenge").is_some() || !(by_ticket || is_password(access, &user, password)) {
                return Err(refused());
            }
            json!({
                "username": user, "ticket": ticket(access, &user, now),
                "CSRFPreventionToken": csrf(access, &user, now),
            })
        }
    };
    if !is_enabled(access, &user, now) {
        return Err(refused());
    }
    let mut data = data;
    data["cap"] = capabilities(state, &me);
    Ok(data.into())
}

/// By the first part of a path: what begins with this is shown to the web interface.
const SHOWN: &[(&str, &[&str])] = &[
    ("vms", &["VM.", "Permissions.Modify"]),
    ("access", &["User.", "Group.", "Permissions.Modify"]),
    ("storage", &["Datastore.", "Permissions.Modify"]),
    ("nodes", &["Sys.", "Permissions.Modify"]),
    ("sdn", &["SDN.", "Permissions.Modify"]),
    ("dc", &["Sys.Audit", "Sys.Modify", "SDN."]),
    ("mapping", &["Mapping.", "Permissions.Modify"]),
];

/// What the web interface is told of one's privileges (`compute_api_permission`).
fn capabilities(state: &State, who: &Who) -> Value {
    let always = ["/", "/nodes", "/access/groups", "/vms", "/storage", "/sdn", "/mapping"];
    let listed = state.access.acl.iter().map(|e| e.path.as_str());
    let paths: BTreeSet<&str> = always.into_iter().chain(listed).collect();
    let mut found: Map<String, Value> = SHOWN.iter().map(|(part, _)| (part.to_string(), json!({}))).collect();
    let mut put = |part: &str, privilege: &str| found[part][privilege] = json!(1);
    for path in paths {
        let part = path.split('/').nth(1).filter(|p| !p.is_empty()).unwrap_or("dc");
        for privilege in state.privileges(who, path).keys() {
            let starts = |with: &[&str]| with.iter().any(|w| privilege.starts_with(w));
            match SHOWN.iter().find(|(p, _)| *p == part) {
                Some((_, shown)) if starts(shown) => put(part, privilege),
                None if part == "pool" => {
                    let both = privilege == "Permissions.Modify";
                    if both || privilege.starts_with("VM.") {
                        put("vms", privilege);
                    }
                    if both || privilege.starts_with("Datastore.") {
                        put("storage", privilege);
                    }
                }
                _ => {}
            }
        }
    }
    Value::Object(found)
}

fn change_password(call: &mut Call<'_>) -> Result<Answer> {
    let user = call.arg("userid").unwrap_or_default().to_string();
    let password = call.arg("password").unwrap_or_default().to_string();
    super::access::user_exists(call, &user)?;
    if !call.who.is_root() {
        if user == "root@pam" {
            return Err(Refusal::denied(""));
        }
        let Some(own) = call.arg("confirmation-password") else {
            return Err(Refusal::parameter("confirmation-password", "password is required to modify user"));
        };
        if !is_password(&call.world.state.access, &call.who.user, own) {
            return Err(Refusal::die("invalid credentials"));
        }
        if call.who.user != user && user.ends_with("@pam") {
            return Err(Refusal::denied(""));
        }
    }
    set_password(call, &user, &password)?;
    Ok(Value::Null.into())
}

/// Stores a user's password.
///
/// # Errors
/// 500: there is no such realm, or the user of the system is not there.
pub fn set_password(call: &mut Call<'_>, user: &str, password: &str) -> Result<()> {
    match user.rsplit_once('@').map(|(_, realm)| realm) {
        Some("pve") => {}
        // `usermod` of a user that the system does not have.
        Some("pam") if user != "root@pam" => return Err(Refusal::die("change password failed: exit code 6")),
        Some("pam") => {}
        realm => {
            let realm = realm.unwrap_or_default();
            return Err(Refusal::die(match access_realms::kind_of(&call.world.state.access, realm) {
                Some(kind) => format!("can't set password on auth type '{kind}'"),
                None => format!("auth domain '{realm}' does not exist"),
            }));
        }
    }
    if let Some(known) = call.world.state.access.users.get_mut(user) {
        known.password_sha256 = Some(password_sum(user, password));
    }
    call.world.touched = true;
    Ok(())
}

/// Demands that a text is the name of a user.
///
/// # Errors
/// 500.
pub fn is_user_id(id: &str) -> Result<()> {
    match formats::check("pve-userid", id) {
        Ok(()) => Ok(()),
        Err(_) => Err(Refusal::die(format!("value '{id}' does not look like a valid user name"))),
    }
}
