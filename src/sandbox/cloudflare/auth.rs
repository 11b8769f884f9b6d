//! Who calls, and whether they may.
use super::{
    envelope::Refusal,
    facts::Operation,
    seed::{Account, AccountPermission as A, Seed, Status, Token, Zone, ZonePermission as Z},
};
use crate::sandbox::wire::Request;
use std::collections::BTreeMap;

/// The token that the headers name.
pub fn token<'a>(seed: &'a Seed, request: &Request) -> Result<&'a Token, Refusal> {
    let bearer = request.header("authorization");
    let (key, email) = (request.header("x-auth-key"), request.header("x-auth-email"));
    let Some(bearer) = bearer else {
        return Err(match (key, email) {
            (None, None) => Refusal::new(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers"),
            (Some(key), _) if key.len() != 37 || !key.chars().all(|c| c.is_ascii_hexdigit()) => {
                Refusal::headers(6103, "Invalid format for X-Auth-Key header")
            }
            _ => Refusal::new(403, 9103, "Unknown X-Auth-Key or X-Auth-Email"),
        });
    };
    if key.is_some() || email.is_some() {
        return Err(Refusal::headers(6111, "Authorization and X-Auth headers must not be sent together"));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let Some(secret) = bearer.strip_prefix("Bearer ").filter(|s| !s.is_empty() && s.chars().all(allowed)) else {
        return Err(Refusal::headers(6111, "Invalid format for Authorization header"));
    };
    let verify = request.path.ends_with("/tokens/verify");
    match seed.tokens.iter().find(|t| t.secret == secret) {
        Some(token) if verify || token.status == Status::Active => Ok(token),
        None if verify => Err(Refusal::new(401, 1000, "Invalid API Token")),
        _ => Err(Refusal::new(403, 9109, "Invalid access token")),
    }
}

/// Where a path leads.
pub enum Place<'a> {
    /// What belongs to the caller: verification, the lists of zones and accounts.
    User,
    Account(&'a Account),
    Zone(&'a Zone),
}

/// Finds the zone or account of the path and whether the token may do this there.
pub fn place<'a>(
    seed: &'a Seed,
    token: &Token,
    operation: &Operation,
    ids: &BTreeMap<&'static str, String>,
    path: &str,
) -> Result<Place<'a>, Refusal> {
    let unroutable =
        || Refusal::new(400, 7003, format!("Could not route to {path}, perhaps your object identifier is invalid?"));
    if ids.iter().any(|(name, id)| !well_formed(name, id)) {
        return Err(unroutable());
    }
    let foreign = || Refusal::new(403, 9109, "Unauthorized to access requested resource");
    let denied = || Refusal::new(403, 10000, "Authentication error");
    if let Some(id) = ids.get("zone_id") {
        let zone = seed.zones.iter().find(|z| z.id == *id);
        let held = token.zones.get(id).ok_or_else(foreign)?;
        let zone = zone.ok_or_else(foreign)?;
        let enough: &[Z] = match operation.template {
            "/zones/{zone_id}" => &[Z::ZoneRead],
            _ if operation.reads() => &[Z::DnsRead, Z::DnsWrite],
            _ => &[Z::DnsWrite],
        };
        return if held.iter().any(|p| enough.contains(p)) { Ok(Place::Zone(zone)) } else { Err(denied()) };
    }
    if let Some(id) = ids.get("account_id") {
        if operation.template.ends_with("/tokens/verify") {
            let own = token.account.as_ref() == Some(id);
            return if own { Ok(Place::User) } else { Err(Refusal::new(401, 1000, "Invalid API Token")) };
        }
        let account = seed.accounts.iter().find(|a| a.id == *id);
        let held = token.accounts.get(id).ok_or_else(foreign)?;
        let account = account.ok_or_else(foreign)?;
        let enough: &[A] = match operation.template {
            template if template.ends_with("/token") => &[A::TunnelWrite],
            _ if operation.reads() => &[A::TunnelRead, A::TunnelWrite],
            _ => &[A::TunnelWrite],
        };
        return if held.iter().any(|p| enough.contains(p)) { Ok(Place::Account(account)) } else { Err(denied()) };
    }
    if token.account.is_some() && operation.template == "/user/tokens/verify" {
        return Err(Refusal::new(401, 1000, "Invalid API Token"));
    }
    Ok(Place::User)
}

fn well_formed(name: &str, id: &str) -> bool {
    let hex = |text: &str| text.chars().all(|c| c.is_ascii_digit() || matches!(c, 'a'..='f'));
    match name {
        "zone_id" | "account_id" | "dns_record_id" => id.len() == 32 && hex(id),
        "tunnel_id" => super::tunnel::is_uuid(id),
        _ => true,
    }
}
