//! A recorded request as bytes, with our values in place of theirs.
use super::{
    names::{Class, Names, encode},
    recording::{Auth, Exchange, Part, Sent},
};
use regex::{Captures, Regex};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// The secret of the tokens that are there at the start.
pub const SECRET: &str = "00000000-0000-4000-a000-000000000000";
/// Stands for a password that was taken out of the recording.
const PASSWORD: &str = "taken-out-of-the-recording";
/// What was taken out of a recording.
pub const REDACTED: &str = "<redacted>";

static REPEATED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?s)^(.).*<repeated to (\d+) characters>$").ok());
static DESCRIBED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^"(.*)" followed by (\d+) times "(.*)"$"#).ok());

/// The bytes to send.
pub fn bytes(exchange: &Exchange, names: &mut Names) -> Vec<u8> {
    let sent = &exchange.request;
    let (body, kind) = body(sent, names);
    let mut target = format!(
        "{}{}",
        exchange.base.as_deref().unwrap_or("/api2/json"),
        names.translate(&exchange.path).replace(' ', "%20")
    );
    let query = sent.query.as_ref().map(|q| pairs(q, names));
    if let Some(query) = query.or_else(|| sent.raw_query.as_ref().map(|q| names.translate(q))) {
        target.push('?');
        target.push_str(&query);
    }
    let version = if exchange.notes("HTTP/1.0") { "1.0" } else { "1.1" };
    let mut head = format!("{} {target} HTTP/{version}\r\nHost: localhost\r\n", exchange.method);
    let mut header = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
    if let Some(kind) = kind.or_else(|| sent.content_type.clone()) {
        header("Content-Type", &kind);
    }
    for (name, value) in credentials(exchange, names) {
        header(name, &value);
    }
    for (name, value) in &sent.headers {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        if value != REDACTED {
            header(name, &value);
        }
    }
    let told = sent.headers.keys().any(|name| name.eq_ignore_ascii_case("content-length"));
    let mut all = Vec::new();
    if sent.chunked {
        header("Transfer-Encoding", "chunked");
        all.extend(format!("{:x}\r\n", body.len()).bytes());
        all.extend(&body);
        all.extend(b"\r\n0\r\n\r\n");
    } else {
        if !told && (!body.is_empty() || matches!(exchange.method.as_str(), "POST" | "PUT")) {
            header("Content-Length", &body.len().to_string());
        }
        all = body;
    }
    [head.as_bytes(), b"\r\n", &all].concat()
}

/// The body, and its content type where it is not the recorded one.
fn body(sent: &Sent, names: &mut Names) -> (Vec<u8>, Option<String>) {
    if let Some(form) = &sent.form {
        return (pairs(form, names).into_bytes(), None);
    }
    if let Some(json) = &sent.json {
        return (names.translate(&unredacted(json).to_string()).into_bytes(), None);
    }
    if let Some(raw) = &sent.raw {
        // Bytes that are no text were kept as one character each.
        let bytewise = !raw.is_ascii() && raw.chars().all(|c| u32::from(c) < 256);
        let bytes = match bytewise {
            true => raw.chars().filter_map(|c| u8::try_from(u32::from(c)).ok()).collect(),
            false => names.translate(raw).into_bytes(),
        };
        return (bytes, None);
    }
    if let Some(described) = &sent.raw_desc {
        let repeated = DESCRIBED.as_ref().and_then(|d| d.captures(described)).map(|c| {
            let times = c[2].parse().unwrap_or(0);
            format!("{}{}", &c[1], c[3].repeat(times))
        });
        return (repeated.unwrap_or_default().into_bytes(), None);
    }
    match &sent.multipart {
        Some(parts) => multipart(parts, sent.content_type.as_deref().unwrap_or_default(), names),
        None => (Vec::new(), None),
    }
}

/// The SHA-256 of what is sent in place of an uploaded file.
pub fn sum(sent: &Sent) -> Option<String> {
    let size = sent.multipart.iter().flatten().find_map(|part| part.bytes)?;
    Some(Sha256::digest(vec![0; size]).iter().map(|b| format!("{b:02x}")).collect())
}

fn multipart(parts: &[Part], kind: &str, names: &Names) -> (Vec<u8>, Option<String>) {
    let boundary = kind.split("boundary=").nth(1).unwrap_or("----part").to_string();
    let mut body = Vec::new();
    for part in parts {
        let file = part.filename.as_ref().map(|f| format!("; filename=\"{f}\"")).unwrap_or_default();
        let kind = part.kind.as_ref().map(|k| format!("Content-Type: {k}\r\n")).unwrap_or_default();
        let head =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"{file}\r\n{kind}\r\n", part.name);
        body.extend(head.bytes());
        match &part.value {
            Some(value) => body.extend(names.ours(Class::Sum, value).unwrap_or(value).bytes()),
            // Of a file only its size was kept.
            None => body.resize(body.len() + part.bytes.unwrap_or(0), 0),
        }
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").bytes());
    (body, Some(format!("multipart/form-data; boundary={boundary}")))
}

fn pairs(pairs: &[(String, Value)], names: &mut Names) -> String {
    let mut encoded = Vec::new();
    for (key, value) in pairs {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        let text = if text == REDACTED { PASSWORD.to_string() } else { names.translate(&repeated(&text)) };
        encoded.push(format!("{}={}", encode(key), encode(&text)));
    }
    encoded.join("&")
}

/// A text that was shortened because it only repeats a character.
fn repeated(text: &str) -> String {
    let whole = REPEATED.as_ref().and_then(|r| r.captures(text)).map(|c: Captures<'_>| {
        let times = c[2].parse().unwrap_or(0);
        c[1].repeat(times)
    });
    whole.unwrap_or_else(|| text.to_string())
}

fn unredacted(json: &Value) -> Value {
    match json {
        Value::String(text) if text == REDACTED => Value::String(PASSWORD.into()),
        Value::Array(all) => all.iter().map(unredacted).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), unredacted(v))).collect()),
        other => other.clone(),
    }
}

/// The headers that say who asks.
fn credentials(exchange: &Exchange, names: &Names) -> Vec<(&'static str, String)> {
    let who = exchange.who.as_deref().unwrap_or("root@pam!full");
    match exchange.auth {
        Auth::None => Vec::new(),
        // What was sent is not in the recording but for the note.
        Auth::Bad => vec![(
            "Authorization",
            if exchange.notes("another scheme") {
                "Basic bm86Ym9keQ==".into()
            } else if exchange.notes("malformed") {
                "PVEAPIToken=malformed".into()
            } else {
                format!("PVEAPIToken={who}={}", "1".repeat(36))
            },
        )],
        Auth::Full | Auth::Limited => match who.strip_suffix(" (ticket)") {
            Some(user) => {
                let secret = |what: &str| names.ours(Class::Secret, &format!("{what} {user}")).map(encode);
                let cookie = secret("ticket").map(|t| ("Cookie", format!("PVEAuthCookie={t}")));
                let csrf = exchange.request.headers.contains_key("CSRFPreventionToken");
                let token = names.ours(Class::Secret, &format!("csrf {user}")).filter(|_| csrf);
                cookie.into_iter().chain(token.map(|t| ("CSRFPreventionToken", t.to_string()))).collect()
            }
            None => {
                let secret = names.ours(Class::Secret, who).unwrap_or(SECRET);
                vec![("Authorization", format!("PVEAPIToken={who}={secret}"))]
            }
        },
    }
}
