//! Who a request is from: a token, or a ticket with its token against forged requests (pve-access-control 9, `HTTPServer.pm`).
use super::{
    access::Who,
    state::{Access, User},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

/// How long a ticket is good, in seconds.
pub const TICKET_LIFETIME: u64 = 7200;
/// How far a ticket may lie in the future, in seconds: clocks of nodes differ.
const GRACE: u64 = 300;
const FAILED: &str = "Authentication failed!";

/// The calls that are open to those who have not logged in.
const OPEN: &[(&str, &str)] = &[
    ("GET", "/access/domains"),
    ("GET", "/access/ticket"),
    ("POST", "/access/ticket"),
    ("POST", "/access/vncticket"),
    ("POST", "/access/openid/login"),
    ("POST", "/access/openid/auth-url"),
];

/// What a request says of who sent it.
#[derive(Clone, Copy, Default)]
pub struct Credentials<'a> {
    pub authorization: Option<&'a str>,
    pub cookie: Option<&'a str>,
    /// `CSRFPreventionToken`.
    pub csrf: Option<&'a str>,
}

/// The sum under which a token's secret is kept.
pub fn secret_sum(secret: &str) -> String {
    hex(secret)
}

/// The sum under which a user's password is kept.
pub fn password_sum(user: &str, password: &str) -> String {
    hex(&format!("{user}\0{password}"))
}

fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

/// The value of `NAME=value` or `NAME value` in a header.
fn value_of(header: Option<&str>, name: &str) -> Option<String> {
    let header = header?;
    let start = header.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = header[..*at].chars().next_back();
        let after = header[at + name.len()..].chars().next();
        before.is_none_or(char::is_whitespace) && matches!(after, Some('=' | ' '))
    })?;
    let value = header[start + name.len() + 1..].split(';').next().unwrap_or_default();
    Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned()).filter(|v| !v.is_empty())
}

/// Finds out who sent a request. Nobody is `Who::nobody`, for the calls that are open to all.
///
/// # Errors
/// The reason phrase of a 401.
pub fn authenticate(
    access: &Access,
    given: Credentials<'_>,
    verb: &str,
    path: &str,
    now: u64,
) -> Result<Who, &'static str> {
    let cookie = |header| value_of(header, "PVEAuthCookie");
    let ticket = cookie(given.cookie).or_else(|| cookie(given.authorization));
    let token = if ticket.is_some() { None } else { value_of(given.authorization, "PVEAPIToken") };
    if OPEN.contains(&(verb, path.trim_end_matches('/'))) {
        let mut nobody = Who::nobody();
        // What is closed to tokens is closed to whatever calls itself one.
        nobody.token = token.map(|t| t.split('=').next().unwrap_or_default().to_string());
        return Ok(nobody);
    }
    if let Some(token) = token {
        return by_token(access, &token, now).ok_or(FAILED);
    }
    let user = verify_ticket(access, &ticket.ok_or("No ticket")?, now).filter(|u| is_enabled(access, u, now));
    let user = user.ok_or(FAILED)?;
    // Browsers send cookies unasked, forms of other sites among them; uploads come from forms of ours.
    let is_upload = verb == "POST" && path.starts_with("/nodes/") && path.ends_with("/upload");
    if verb != "GET" && !is_upload && !given.csrf.is_some_and(|t| verify_csrf(access, &user, t, now)) {
        return Err("Permission denied - invalid csrf token");
    }
    Ok(Who { user, token: None })
}

fn by_token(access: &Access, token: &str, now: u64) -> Option<Who> {
    let (id, secret) = token.split_once('=')?;
    let (user, token) = id.split_once('!')?;
    let known = access.users.get(user).filter(|_| is_enabled(access, user, now))?;
    let found = known.tokens.get(token).filter(|t| t.expire == 0 || t.expire > now)?;
    (found.secret_sha256 == secret_sum(secret)).then(|| Who { user: user.into(), token: Some(token.into()) })
}

/// Whether there is such a user who may log in.
pub fn is_enabled(access: &Access, user: &str, now: u64) -> bool {
    access.users.get(user).is_some_and(|u: &User| u.enable && (u.expire == 0 || u.expire > now))
}

/// Whether this is the user's password.
pub fn is_password(access: &Access, user: &str, password: &str) -> bool {
    let kept = access.users.get(user).and_then(|u| u.password_sha256.as_ref());
    !password.is_empty() && kept.is_some_and(|sum| *sum == password_sum(user, password))
}

fn sign(access: &Access, text: &str) -> String {
    STANDARD.encode(Sha256::digest(format!("{}\0{text}", access.ticket_key).as_bytes()))
}

/// A ticket of a user, as of these Unix seconds.
pub fn ticket(access: &Access, user: &str, now: u64) -> String {
    let plain = format!("PVE:{user}:{now:08X}");
    let signature = sign(access, &plain);
    format!("{plain}::{signature}")
}

/// The token that goes with a ticket in every write.
pub fn csrf(access: &Access, user: &str, now: u64) -> String {
    format!("{now:08X}:{}", sign(access, &format!("{now:08X}:{user}")).trim_end_matches('='))
}

fn is_current(time: &str, now: u64) -> bool {
    u64::from_str_radix(time, 16).is_ok_and(|t| now.saturating_sub(t) < TICKET_LIFETIME && t < now + GRACE)
}

/// Whose ticket this is, while it is good.
pub fn verify_ticket(access: &Access, ticket: &str, now: u64) -> Option<String> {
    let (plain, signature) = ticket.split_once("::")?;
    let (user, time) = plain.strip_prefix("PVE:")?.rsplit_once(':')?;
    (signature == sign(access, plain) && is_current(time, now)).then(|| user.to_string())
}

fn verify_csrf(access: &Access, user: &str, token: &str, now: u64) -> bool {
    let time = token.split(':').next().unwrap_or_default();
    let stamped = u64::from_str_radix(time, 16).is_ok_and(|t| token == csrf(access, user, t));
    stamped && is_current(time, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let mut access = Access { ticket_key: "key".into(), ..Access::default() };
        access.users.insert("a@pve".into(), User::default());
        access
    }

    #[test]
    fn a_ticket_is_good_for_two_hours_and_for_one_user() {
        let access = access();
        let made = ticket(&access, "a@pve", 10_000);
        for (ticket, now, whose) in [
            (made.clone(), 10_000, Some("a@pve")),
            (made.clone(), 10_000 + TICKET_LIFETIME - 1, Some("a@pve")),
            (made.clone(), 10_000 + TICKET_LIFETIME, None),
            (made.clone(), 9_701, Some("a@pve")),
            (made.clone(), 9_700, None),
            (made.replace("a@pve", "root@pam"), 10_000, None),
            ("PVE:a@pve:00002710::".into(), 10_000, None),
        ] {
            assert_eq!(verify_ticket(&access, &ticket, now).as_deref(), whose, "{ticket} at {now}");
        }
    }

    #[test]
    fn a_ticket_writes_only_with_its_token() {
        let access = access();
        let cookie = format!("lang=en; PVEAuthCookie={}", ticket(&access, "a@pve", 50).replace(':', "%3A"));
        let token = csrf(&access, "a@pve", 50);
        let ask = |verb, csrf| {
            authenticate(
                &access,
                Credentials { cookie: Some(&cookie), csrf, ..Credentials::default() },
                verb,
                "/pools",
                60,
            )
        };
        let denied = Err("Permission denied - invalid csrf token");
        assert_eq!(ask("GET", None).unwrap().id(), "a@pve");
        assert_eq!(ask("POST", None), denied);
        assert_eq!(ask("POST", Some("00000032:nonsense")), denied);
        let of_another = csrf(&access, "b@pve", 50);
        assert_eq!(ask("DELETE", Some(&of_another)), denied);
        assert_eq!(ask("POST", Some(&token)).unwrap().id(), "a@pve");
    }

    #[test]
    fn a_cookie_comes_before_a_token() {
        let access = access();
        let both = Credentials {
            authorization: Some("PVEAPIToken=a@pve!t=secret"),
            cookie: Some("PVEAuthCookie=bad"),
            csrf: None,
        };
        assert_eq!(authenticate(&access, both, "GET", "/version", 60), Err(FAILED));
        let other = Credentials { authorization: Some("Basic eDp5"), ..Credentials::default() };
        assert_eq!(authenticate(&access, other, "GET", "/version", 60), Err("No ticket"));
    }
}
