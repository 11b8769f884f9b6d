//! Traefik's read-only API.
use super::{
    Traefik,
    runtime::{ENTRY_POINTS, Runtime, SORTS},
};
use crate::sandbox::wire::{Api, Reply, Request};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::{future::Future, pin::Pin};

impl Api for Traefik {
    fn name(&self) -> &'static str {
        "traefik"
    }

    fn answer(&self, request: Request) -> Pin<Box<dyn Future<Output = Reply> + Send + '_>> {
        Box::pin(std::future::ready(self.serve(&request)))
    }
}

impl Traefik {
    fn serve(&self, request: &Request) -> Reply {
        if request.method != "GET" && request.method != "HEAD" {
            return text(405, "405 method not allowed\n");
        }
        let runtime = self.runtime();
        let decoded = percent_encoding::percent_decode_str(&request.path).decode_utf8_lossy();
        let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        match parts[..] {
            ["ping"] => text(200, "OK"),
            ["api", "version"] => {
                reply(&json!({ "Version": "3.7.9", "Codename": "sandbox", "startDate": self.started.to_string() }))
            }
            ["api", "rawdata"] => reply(&raw(&runtime)),
            ["api", "overview"] => reply(&overview(&runtime)),
            ["api", "entrypoints"] => reply(&ENTRY_POINTS.iter().map(|name| entry_point(name)).collect()),
            ["api", "entrypoints", name] if ENTRY_POINTS.contains(&name) => reply(&entry_point(name)),
            ["api", protocol, sort] if SORTS.contains(&(protocol, sort)) => list(&runtime, protocol, sort, request),
            ["api", protocol, sort, ..] if SORTS.contains(&(protocol, sort)) => {
                // An id is one percent-encoded segment; it may hold slashes.
                let id = decoded.splitn(5, '/').nth(4).unwrap_or_default();
                match runtime.one(protocol, sort, id) {
                    Some(value) => reply(&shown(id, sort, value)),
                    None => not_found(sort.trim_end_matches('s'), id),
                }
            }
            _ => text(404, "404 page not found\n"),
        }
    }
}

fn entry_point(name: &str) -> Value {
    let address = match name {
        "web" => ":80",
        "websecure" => ":443",
        _ => "127.0.0.1:8080",
    };
    json!({ "address": address, "http": {}, "name": name })
}

fn reply(value: &Value) -> Reply {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Reply { status: 200, headers, body: Bytes::from(format!("{value}\n")), ..Reply::default() }
}

fn text(status: u16, body: &str) -> Reply {
    let headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
    Reply { status, headers, body: Bytes::from(body.to_owned()), ..Reply::default() }
}

/// JSON that is sent as plain text, as Go's `http.Error` does.
fn refusal(status: u16, message: &str) -> Reply {
    text(status, &format!("{}\n", json!({ "message": message })))
}

fn not_found(what: &str, id: &str) -> Reply {
    refusal(404, &format!("{what} not found: {id}"))
}

/// As lists and single answers show it, with what raw data leaves to the key.
fn shown(name: &str, sort: &str, value: &Value) -> Value {
    let mut out = value.as_object().cloned().unwrap_or_default();
    out.insert("name".to_owned(), json!(name));
    out.insert("provider".to_owned(), json!(name.rsplit('@').next().unwrap_or_default()));
    if sort == "routers" {
        if let Some(priority) = out.get("priority").and_then(Value::as_i64) {
            out.insert("priorityStr".to_owned(), json!(priority.to_string()));
        }
    } else {
        let about = ["name", "provider", "status", "error", "usedBy", "serverStatus"];
        let kind = out.keys().find(|key| !about.contains(&key.as_str())).map(|key| key.to_ascii_lowercase());
        if let Some(kind) = kind {
            out.insert("type".to_owned(), json!(kind));
        }
    }
    Value::Object(out)
}

fn list(runtime: &Runtime, protocol: &str, sort: &str, request: &Request) -> Reply {
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(request.query.as_deref().unwrap_or_default().as_bytes()).into_owned().collect();
    let asked = |key: &str| query.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty());
    let number = |key: &str, otherwise: usize| match asked(key) {
        None => Ok(otherwise),
        Some(text) => text.parse::<usize>().map_err(|_| refusal(400, &format!("invalid request: {key}: {text}"))),
    };
    let (page, per_page) = match (number("page", 1), number("per_page", 100)) {
        (Ok(page), Ok(per_page)) => (page.max(1), if per_page == 0 { 100 } else { per_page }),
        (Err(refused), _) | (_, Err(refused)) => return refused,
    };
    let wanted = |name: &str, value: &Value| {
        let has = |key: &str, needle: &str| value.get(key).is_some_and(|v| v.to_string().contains(needle));
        let search = |s: &str| name.contains(s) || ["rule", "service"].iter().any(|key| has(key, s));
        asked("search").is_none_or(search)
            && asked("status")
                .is_none_or(|s| value.get("status").and_then(Value::as_str).is_some_and(|v| v.eq_ignore_ascii_case(s)))
            && asked("serviceName").is_none_or(|s| has("service", s.split('@').next().unwrap_or(s)))
            && asked("middlewareName").is_none_or(|s| has("middlewares", s.split('@').next().unwrap_or(s)))
    };
    let all: Vec<Value> =
        runtime.all(protocol, sort).filter(|(n, v)| wanted(n, v)).map(|(n, v)| shown(n, sort, v)).collect();
    let from = (page - 1) * per_page;
    if page > 1 && from >= all.len() {
        return refusal(400, &format!("invalid request: page: {page}, per_page: {per_page}"));
    }
    let next = if from + per_page < all.len() { page + 1 } else { 1 };
    let mut out = reply(&all.into_iter().skip(from).take(per_page).collect());
    out.headers.push(("x-next-page".to_owned(), next.to_string()));
    out
}

fn raw(runtime: &Runtime) -> Value {
    let mut out = Map::new();
    for (protocol, sort) in SORTS {
        let key = match protocol {
            "http" => sort.to_owned(),
            _ => format!("{protocol}{}{}", sort[..1].to_ascii_uppercase(), &sort[1..]),
        };
        let things: Map<String, Value> = runtime.all(protocol, sort).map(|(n, v)| (n.clone(), v.clone())).collect();
        if !things.is_empty() {
            out.insert(key, Value::Object(things));
        }
    }
    Value::Object(out)
}

fn overview(runtime: &Runtime) -> Value {
    let mut out = Map::new();
    for (protocol, sort) in SORTS {
        let with = |status: &str| runtime.all(protocol, sort).filter(|(_, v)| v["status"] == status).count();
        let total = runtime.all(protocol, sort).count();
        out.entry(protocol).or_insert(json!({}))[sort] =
            json!({ "total": total, "warnings": with("warning"), "errors": with("disabled") });
    }
    out.insert("features".to_owned(), json!({ "tracing": "", "metrics": "", "accessLog": false }));
    out.insert("providers".to_owned(), json!(["File"]));
    Value::Object(out)
}
