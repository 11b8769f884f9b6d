//! Tokens that verify themselves, and the zones and accounts that they see.
use super::{
    Call,
    envelope::{Refusal, Success},
    seed::{Status, Token, Zone, ZonePermission},
    time,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What belongs to the caller.
pub fn user(call: &Call<'_>, token: &Token) -> Result<Success, Refusal> {
    match (call.operation.template, call.method) {
        ("/user/tokens/verify" | "/accounts/{account_id}/tokens/verify", "GET") => Ok(verified(token)),
        ("/accounts", "GET") if token.account.is_some() => {
            Err(Refusal::new(400, 1001, "List accounts endpoint does not support account owned tokens"))
        }
        ("/accounts", "GET") => {
            let seen = call.seed.accounts.iter().filter(|a| token.accounts.contains_key(&a.id));
            let all = seen.map(|a| json!({"id": a.id, "name": a.name, "type": "standard"})).collect();
            let (page, per_page) = call.page(20);
            Ok(Success::page(all, page, per_page))
        }
        ("/zones", "GET") => Ok(list(call, token)),
        (template, method) => Err(not_simulated(method, template)),
    }
}

/// The path exists at Cloudflare; this simulator says that it has none of it.
pub fn not_simulated(method: &str, template: &str) -> Refusal {
    Refusal::new(501, 7000, format!("{method} {template} is not simulated"))
}

fn verified(token: &Token) -> Success {
    let id: String = Sha256::digest(&token.secret).iter().take(16).map(|b| format!("{b:02x}")).collect();
    let status = match token.status {
        Status::Active => "active",
        Status::Disabled => "disabled",
        Status::Expired => "expired",
    };
    let valid = json!({"code": 10000, "message": "This API Token is valid and active", "type": null});
    let messages = if token.status == Status::Active { vec![valid] } else { vec![] };
    Success { messages, ..json!({"id": id, "status": status}).into() }
}

fn list(call: &Call<'_>, token: &Token) -> Success {
    let seen = |zone: &&Zone| {
        token.zones.get(&zone.id).is_some_and(|p| p.contains(&ZonePermission::ZoneRead))
            && call.query("name").is_none_or(|name| name.eq_ignore_ascii_case(&zone.name))
            && call.query("account.id").is_none_or(|id| id == zone.account)
            && call.query("status").is_none_or(|status| status == "active")
    };
    let all = call.seed.zones.iter().filter(seen).map(|zone| object(call, zone)).collect();
    let (page, per_page) = call.page(20);
    Success::page(all, page, per_page)
}

/// One zone.
pub fn one(call: &Call<'_>, zone: &Zone) -> Result<Success, Refusal> {
    match call.method {
        "GET" => Ok(object(call, zone).into()),
        method => Err(not_simulated(method, call.operation.template)),
    }
}

fn object(call: &Call<'_>, zone: &Zone) -> Value {
    let account = call.seed.accounts.iter().find(|a| a.id == zone.account);
    let since = time(Timestamp::UNIX_EPOCH);
    json!({
        "id": zone.id,
        "name": zone.name,
        "status": "active",
        "paused": false,
        "type": "full",
        "development_mode": 0,
        "name_servers": ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"],
        "original_name_servers": null,
        "original_registrar": null,
        "original_dnshost": null,
        "created_on": since,
        "modified_on": since,
        "activated_on": since,
        "meta": {"step": 2, "custom_certificate_quota": 0, "page_rule_quota": 3, "phishing_detected": false},
        "owner": {"id": null, "type": "user", "email": null},
        "account": {"id": zone.account, "name": account.map(|a| &a.name)},
        "permissions": ["#zone:read", "#dns_records:edit", "#dns_records:read"],
        "plan": {"id": "0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "name": zone.plan.name()},
    })
}
