//! Tunnels of one account: their life, their configuration, their connections.
use super::{
    Call,
    envelope::{Refusal, Success},
    seed::Account,
    state::{State, Tunnel, next_id, next_uuid},
    time,
    zones::not_simulated,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

mod configuration;
mod connections;

/// Live tunnels that an account may have.
const MOST: usize = 1_000;

pub fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|g| g.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|g| g.chars().all(|c| c.is_ascii_hexdigit()))
}

pub fn serve(call: &mut Call<'_>, account: &Account) -> Result<Success, Refusal> {
    let template = call.operation.template.trim_start_matches("/accounts/{account_id}");
    let id = call.id("tunnel_id").to_owned();
    let now = call.now;
    let linger = call.seed.behaviour.connections_linger;
    connections::forget(call.state, &account.id, now, linger);
    match (call.method, template) {
        ("GET", "/cfd_tunnel") => Ok(list(call, account)),
        ("POST", "/cfd_tunnel") => create(call, account),
        ("GET", "/cfd_tunnel/{tunnel_id}") => find(call, account, &id, false).map(|t| object(t, &account.id).into()),
        ("PATCH", "/cfd_tunnel/{tunnel_id}") => patch(call, account, &id),
        ("DELETE", "/cfd_tunnel/{tunnel_id}") => delete(call, account, &id),
        ("GET", "/cfd_tunnel/{tunnel_id}/token") => {
            let tunnel = find(call, account, &id, true)?;
            let inside = json!({"a": account.id, "t": tunnel.id, "s": tunnel.secret}).to_string();
            Ok(Value::from(BASE64_STANDARD.encode(inside)).into())
        }
        ("GET", "/cfd_tunnel/{tunnel_id}/configurations") => {
            find(call, account, &id, true).map(|t| configuration::object(t, &account.id).into())
        }
        ("PUT", "/cfd_tunnel/{tunnel_id}/configurations") => {
            let config = call.body.get("config").cloned().unwrap_or(Value::Null);
            let tunnel = find_mut(call, account, &id)?;
            configuration::replace(tunnel, config, &time(now))?;
            Ok(configuration::object(tunnel, &account.id).into())
        }
        ("GET", "/cfd_tunnel/{tunnel_id}/connections") => {
            find(call, account, &id, false).map(|t| connections::clients(t).into())
        }
        ("DELETE", "/cfd_tunnel/{tunnel_id}/connections") => {
            let only = call.query("client_id").map(str::to_owned);
            connections::end(find_mut(call, account, &id)?, only.as_deref(), &time(now));
            Ok(Value::Null.into())
        }
        (method, template) => Err(not_simulated(method, template)),
    }
}

/// Puts in a tunnel of the seed.
pub fn plant(state: &mut State, account: &str, name: &str, now: Timestamp) {
    let tunnel = fresh(&mut state.counter, name, "cloudflare", None, now);
    state.tunnels.entry(account.to_owned()).or_default().insert(tunnel.id.clone(), tunnel);
}

fn not_found() -> Refusal {
    Refusal::new(404, 1003, "Tunnel not found")
}

/// `live`: a deleted one does not count.
fn find<'a>(call: &'a Call<'_>, account: &Account, id: &str, live: bool) -> Result<&'a Tunnel, Refusal> {
    let found = call.state.tunnels.get(&account.id).and_then(|all| all.get(id));
    found.filter(|t| !live || t.deleted_at.is_none()).ok_or_else(not_found)
}

fn find_mut<'a>(call: &'a mut Call<'_>, account: &Account, id: &str) -> Result<&'a mut Tunnel, Refusal> {
    let found = call.state.tunnels.get_mut(&account.id).and_then(|all| all.get_mut(id));
    found.filter(|t| t.deleted_at.is_none()).ok_or_else(not_found)
}

fn fresh(counter: &mut u64, name: &str, source: &str, secret: Option<&str>, now: Timestamp) -> Tunnel {
    let id = next_uuid(counter);
    // 32 bytes that look random and are the same in every run: this is a simulated secret.
    let made = || BASE64_STANDARD.encode(next_id(counter));
    Tunnel {
        secret: secret.map_or_else(made, str::to_owned),
        id,
        name: name.to_owned(),
        config_src: source.to_owned(),
        created_at: time(now),
        deleted_at: None,
        conns_active_at: None,
        conns_inactive_at: None,
        version: 0,
        config: None,
        configured_at: None,
        connectors: BTreeMap::new(),
    }
}

/// The tunnel as replies show it.
fn object(tunnel: &Tunnel, account: &str) -> Value {
    json!({
        "id": tunnel.id,
        "account_tag": account,
        "name": tunnel.name,
        "config_src": tunnel.config_src,
        "remote_config": tunnel.config_src == "cloudflare",
        "status": connections::status(tunnel),
        "created_at": tunnel.created_at,
        "deleted_at": tunnel.deleted_at,
        "connections": connections::flat(tunnel),
        "conns_active_at": tunnel.conns_active_at,
        "conns_inactive_at": tunnel.conns_inactive_at,
        "tun_type": "cfd_tunnel",
        "metadata": {},
    })
}

fn list(call: &Call<'_>, account: &Account) -> Success {
    let shown = |tunnel: &&Tunnel| {
        let deleted = tunnel.deleted_at.is_some();
        // Without the filter deleted ones are listed too.
        call.query("is_deleted").is_none_or(|wanted| (wanted == "true") == deleted)
            && call.query("name").is_none_or(|name| name == tunnel.name)
            && call.query("uuid").is_none_or(|uuid| uuid.eq_ignore_ascii_case(&tunnel.id))
            && call.query("include_prefix").is_none_or(|prefix| tunnel.name.starts_with(prefix))
            && call.query("exclude_prefix").is_none_or(|prefix| !tunnel.name.starts_with(prefix))
            && call.query("status").is_none_or(|status| status == connections::status(tunnel))
    };
    let mut found: Vec<&Tunnel> =
        call.state.tunnels.get(&account.id).into_iter().flat_map(BTreeMap::values).filter(shown).collect();
    found.sort_by(|a, b| (&b.created_at, &b.id).cmp(&(&a.created_at, &a.id)));
    let all = found.into_iter().map(|t| object(t, &account.id)).collect();
    let (page, per_page) = call.page(100);
    Success::page(all, page, per_page)
}

fn name_taken(call: &Call<'_>, account: &Account, name: &str, except: &str) -> Result<(), Refusal> {
    let mut live = call.state.tunnels.get(&account.id).into_iter().flat_map(BTreeMap::values);
    match live.any(|t| t.deleted_at.is_none() && t.name == name && t.id != except) {
        true => Err(Refusal::new(
            409,
            1013,
            "You already have a tunnel with this name. Delete the existing tunnel, or choose a different name.",
        )),
        false => Ok(()),
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    match name.is_empty() || is_uuid(name) || name.len() > 100 {
        true => Err(Refusal::new(400, 1001, "The tunnel name is invalid: 1 to 100 characters, and not a UUID")),
        false => Ok(()),
    }
}

fn check_secret(secret: Option<&str>) -> Result<(), Refusal> {
    let long_enough = |text: &str| BASE64_STANDARD.decode(text).is_ok_and(|bytes| bytes.len() >= 32);
    match secret.is_none_or(long_enough) {
        true => Ok(()),
        false => Err(Refusal::new(400, 1001, "tunnel_secret must be base64 of at least 32 bytes")),
    }
}

fn create(call: &mut Call<'_>, account: &Account) -> Result<Success, Refusal> {
    let name = call.body["name"].as_str().unwrap_or_default().to_owned();
    let source = call.body["config_src"].as_str().unwrap_or("local").to_owned();
    let secret = call.body["tunnel_secret"].as_str().map(str::to_owned);
    check_name(&name)?;
    check_secret(secret.as_deref())?;
    name_taken(call, account, &name, "")?;
    let live = call.state.tunnels.get(&account.id).into_iter().flat_map(BTreeMap::values);
    if live.filter(|t| t.deleted_at.is_none()).count() >= MOST {
        return Err(Refusal::new(400, 1001, format!("The account has {MOST} tunnels already")));
    }
    let tunnel = fresh(&mut call.state.counter, &name, &source, secret.as_deref(), call.now);
    let mut result = object(&tunnel, &account.id);
    result["credentials_file"] = json!({
        "AccountTag": account.id,
        "TunnelID": tunnel.id,
        "TunnelName": tunnel.name,
        "TunnelSecret": tunnel.secret,
    });
    let token = json!({"a": account.id, "t": tunnel.id, "s": tunnel.secret}).to_string();
    result["token"] = BASE64_STANDARD.encode(token).into();
    call.state.tunnels.entry(account.id.clone()).or_default().insert(tunnel.id.clone(), tunnel);
    Ok(result.into())
}

fn patch(call: &mut Call<'_>, account: &Account, id: &str) -> Result<Success, Refusal> {
    let field = |name: &str| call.body[name].as_str().map(str::to_owned);
    let (name, secret) = (field("name"), field("tunnel_secret"));
    check_secret(secret.as_deref())?;
    if let Some(name) = &name {
        check_name(name)?;
        name_taken(call, account, name, id)?;
    }
    let tunnel = find_mut(call, account, id)?;
    tunnel.name = name.unwrap_or_else(|| tunnel.name.clone());
    tunnel.secret = secret.unwrap_or_else(|| tunnel.secret.clone());
    Ok(object(tunnel, &account.id).into())
}

fn delete(call: &mut Call<'_>, account: &Account, id: &str) -> Result<Success, Refusal> {
    let (now, cascade) = (time(call.now), call.query("cascade") == Some("true"));
    let tunnel = find_mut(call, account, id)?;
    if cascade {
        connections::end(tunnel, None, &now);
    }
    if !tunnel.connectors.is_empty() {
        return Err(Refusal::new(400, 1022, "Cannot delete tunnel because it has active connections"));
    }
    tunnel.deleted_at = Some(now);
    Ok(object(tunnel, &account.id).into())
}
