//! What pveproxy does before and after an endpoint: verbs, bodies, login, routing, privileges, parameters, the answer's form.
use super::{
    access::Who,
    api,
    call::{Answer, Call},
    form,
    given::Given,
    login::{self, Credentials},
    parameters,
    refusal::{Refusal, Result},
    schema::{self, Raw},
    world::World,
};
use crate::sandbox::wire::{Reply, Request};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::io::Write;

/// A request that may be handled: it is somebody's, and it can be read.
pub struct Accepted {
    verb: String,
    path: String,
    /// `json` or `extjs`.
    format: Format,
    who: Who,
    given: Raw,
    upload: Option<(String, Bytes)>,
    /// The path as the facts have it; empty when there is none.
    pub template: String,
    /// When it arrived, in Unix milliseconds.
    arrived: u64,
}

impl Accepted {
    /// A call by root at a node's console, where nobody logs in and nothing comes between.
    pub fn at_console(verb: &str, path: &str, given: Raw) -> Self {
        let who = Who { user: "root@pam".into(), token: None };
        let (verb, path, template) = (verb.into(), path.into(), String::new());
        Self { verb, path, format: Format::Json, who, given, upload: None, template, arrived: u64::MAX }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    ExtJs,
}

/// Bodies of more than this are refused, but for uploads.
const LARGEST_BODY: usize = 512 * 1024;
/// The answer that closes a connection.
const PER_CONNECTION: u32 = 100;

fn plain(status: u16, reason: &str, body: bool) -> Reply {
    let body = if body { Bytes::copy_from_slice(reason.as_bytes()) } else { Bytes::new() };
    Reply { status, reason: Some(first_line(reason)), body, ..Reply::default() }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_string()
}

/// Reads a request up to the point where an endpoint would be asked.
///
/// # Errors
/// The reply of a request that gets no further.
pub fn receive(world: &World, request: &Request) -> std::result::Result<Accepted, Reply> {
    let verb = request.method.as_str();
    if !matches!(verb, "GET" | "POST" | "PUT" | "DELETE") {
        return Err(plain(501, &format!("method '{verb}' not available"), false));
    }
    let Some(below) = request.path.strip_prefix("/api2") else { return Err(no_page(&request.path)) };
    let Some((format, path)) = format_of(below) else { return Err(plain(501, "no such uri", true)) };
    let who = login(world, request, verb, path)?;
    if request.header("transfer-encoding").is_some_and(|t| t.contains("chunked")) {
        return Err(plain(501, "chunked transfer encoding not supported", true));
    }
    if !request.body.is_empty() && matches!(verb, "GET" | "DELETE") {
        return Err(plain(501, &format!("Unexpected content for method '{verb}'"), true));
    }
    let (mut given, upload) = body(request, path)?;
    given.extend(form::fields(request.query.as_deref().unwrap_or_default()));
    // Browsers add it, so that no answer is kept.
    given.remove("_dc");
    let format = match format {
        "json" => Format::Json,
        "extjs" => Format::ExtJs,
        "html" | "htmljs" | "png" | "spiceconfig" => {
            return Err(plain(501, &format!("not simulated: answers as {format}"), true));
        }
        _ => return Err(plain(501, &format!("no formatter for uri {path}, {format}"), true)),
    };
    let template = world.facts.find(verb, path).map(|f| f.template.to_string()).unwrap_or_default();
    Ok(Accepted { verb: verb.into(), path: path.into(), format, who, given, upload, template, arrived: world.now })
}

/// Takes what stands below `/api2` apart: `/json/version` is in the format `json`, the path is `/version`.
fn format_of(below: &str) -> Option<(&str, &str)> {
    let rest = below.trim_start_matches('/');
    let (format, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let named = format.len() > 1
        && format.starts_with(|c: char| c.is_ascii_lowercase())
        && format.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let apart = below.starts_with('/') && named;
    apart.then_some((format, if path.is_empty() { "/" } else { path }))
}

/// What is not below `/api2` are the pages of the web interface.
fn no_page(path: &str) -> Reply {
    match path {
        "/" => plain(501, "not simulated: the web interface", true),
        _ => plain(500, &format!("no such file '{path}'\n"), true),
    }
}

fn login(world: &World, request: &Request, verb: &str, path: &str) -> std::result::Result<Who, Reply> {
    let given = Credentials {
        authorization: request.header("authorization"),
        cookie: request.header("cookie"),
        csrf: request.header("csrfpreventiontoken"),
    };
    login::authenticate(&world.state.access, given, verb, path, world.now / 1000).map_err(|why| plain(401, why, false))
}

type Body = (Raw, Option<(String, Bytes)>);

fn body(request: &Request, path: &str) -> std::result::Result<Body, Reply> {
    if !matches!(request.method.as_str(), "POST" | "PUT") {
        return Ok((Raw::new(), None));
    }
    let said = request.header("content-type").unwrap_or_default();
    let kind = said.split([';', ',']).next().unwrap_or_default().trim();
    if kind == "multipart/form-data" && request.method == "POST" && path.ends_with("/upload") {
        return Ok(multipart(said, &request.body));
    }
    if request.body.len() > LARGEST_BODY {
        return Err(plain(501, "for data too large", true));
    }
    let text = String::from_utf8_lossy(&request.body);
    match kind {
        _ if request.body.is_empty() && kind != "application/json" => Ok((Raw::new(), None)),
        "" | "application/x-www-form-urlencoded" => Ok((form::fields(&text), None)),
        "application/json" => match form::json(&text) {
            Ok(given) => Ok((given, None)),
            Err(why) => {
                let mut reply = plain(500, &why.text(), true);
                reply.body = format!("{}\n", why.text()).into();
                Err(reply)
            }
        },
        _ => Err(plain(506, &format!("upload 'Content-Type '{said}' not implemented"), true)),
    }
}

/// Fields, then the file, as an upload sends them.
fn multipart(content_type: &str, body: &Bytes) -> Body {
    let boundary = content_type.split("boundary=").nth(1).unwrap_or_default().trim_matches('"');
    let mark = format!("--{boundary}");
    let (mut given, mut file) = (Raw::new(), None);
    for part in split(body, mark.as_bytes()) {
        let Some(gap) = find(part, b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&part[..gap]).into_owned();
        let content = part[gap + 4..].strip_suffix(b"\r\n").unwrap_or(&part[gap + 4..]);
        let attribute = |name: &str| {
            let rest = head.split(&format!("{name}=\"")).nth(1)?;
            rest.split('"').next().map(str::to_string)
        };
        match (attribute(" name"), attribute("filename")) {
            (Some(_), Some(name)) => {
                given.insert("filename".into(), json!(name));
                file = Some((name, Bytes::copy_from_slice(content)));
            }
            (Some(name), None) => {
                given.insert(name, json!(String::from_utf8_lossy(content)));
            }
            _ => {}
        }
    }
    (given, file)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w == what)
}

fn split<'a>(mut text: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(at) = find(text, mark) {
        parts.push(&text[..at]);
        text = &text[at + mark.len()..];
    }
    parts
}

/// Routes, checks and runs a request.
///
/// # Errors
/// What the answer is to say.
pub fn run(world: &mut World, accepted: &Accepted) -> Result<Answer> {
    let Accepted { verb, path, who, given, upload, .. } = accepted;
    let facts = world.facts.clone();
    if verb == "GET" && path.trim_matches('/').is_empty() {
        let names = ["version", "cluster", "nodes", "storage", "access", "pools"];
        return Ok(Value::Array(names.iter().map(|n| json!({"subdir": n})).collect()).into());
    }
    let found = facts.find(verb, path)?;
    let mut given = given.clone();
    for (name, value) in &found.uri {
        if given.get(name).is_some_and(|v| schema::text(v) != *value) {
            let why = "duplicate parameter (already defined in URI) with conflicting values!";
            return Err(Refusal::parameter(name, why));
        }
        given.insert(name.clone(), json!(value));
    }
    if who.token.is_some() && found.method.allowtoken == 0 {
        let uri = format!("/{}", path.trim_matches('/'));
        return Err(Refusal::denied(format!("URI '{uri}' not available with API token, need proper ticket.\n")));
    }
    world.state.permit(who, found.method.permissions.as_ref(), &given)?;
    if found.method.proxyto.as_deref() == Some("node") {
        let node = given.get("node").map(schema::text).unwrap_or_default();
        if node != "localhost" && !world.state.nodes.contains_key(&node) {
            return Err(Refusal::die(format!(
                "hostname lookup '{node}' failed - failed to get address info for: {node}: Temporary failure in name \
                 resolution"
            )));
        }
        if world.state.nodes.get(&node).is_some_and(|n| n.offline) {
            return Err(Refusal::unreachable());
        }
    }
    let args = schema::verify(&found.method.parameters, given)?;
    let endpoint = format!("{verb} {}", found.template);
    let run = api::endpoint(verb, found.template).ok_or_else(|| Refusal::not_simulated(&endpoint))?;
    parameters::simulated(&endpoint, &args)?;
    let given = Given::new(args, found.uri.into_iter().map(|(name, _)| name));
    let mut call = Call { world, who: who.clone(), given, upload: upload.clone(), arrived: accepted.arrived };
    let answer = run(&mut call)?;
    // A read changes nothing: a filter of a list that is empty is nothing that could be missed.
    if verb != "GET" {
        parameters::heeded(&endpoint, &call.given)?;
    }
    Ok(answer)
}

/// Puts what came out into the form that was asked for.
pub fn reply(outcome: Result<Answer>, accepted: &Accepted) -> Reply {
    let extjs = accepted.format == Format::ExtJs;
    let (status, reason, body) = match outcome {
        Ok(Answer { plain: Some(text), file, .. }) => {
            let mut headers = vec![("content-type".to_string(), "text/plain".to_string())];
            headers.extend(file.map(|f| ("content-disposition".into(), format!("attachment; filename=\"{f}\""))));
            return Reply { status: 200, headers, body: text.into(), ..Reply::default() };
        }
        Ok(answer) => {
            let mut body = answer.beside;
            body.insert("data".into(), answer.data);
            if extjs {
                body.insert("success".into(), json!(1));
            }
            (200, "OK".to_string(), body)
        }
        // The proxy's own errors have no body.
        Err(Refusal::Answer { status: status @ 595..=599, message, .. }) => return plain(status, &message, false),
        Err(refusal) => {
            let text = refusal.text();
            let (status, errors, newline) = match refusal {
                Refusal::Answer { status, errors, newline, .. } => (status, errors, newline),
                Refusal::Held { .. } => (500, Map::new(), true),
            };
            let mut body = Map::new();
            body.insert("data".into(), Value::Null);
            body.insert("message".into(), json!(if newline { format!("{text}\n") } else { text.clone() }));
            if !errors.is_empty() {
                body.insert("errors".into(), Value::Object(errors));
            }
            if extjs {
                body.insert("success".into(), json!(0));
                body.insert("status".into(), json!(status));
            }
            (if extjs { 200 } else { status }, if extjs { "OK".into() } else { first_line(&text) }, body)
        }
    };
    Reply {
        status,
        reason: Some(reason),
        headers: vec![("content-type".into(), "application/json;charset=UTF-8".into())],
        body: Value::Object(body).to_string().into(),
        close: false,
    }
}

/// What every reply carries, and whether the connection ends with it.
pub fn finish(reply: &mut Reply, request: &Request) {
    for (name, value) in [("cache-control", "max-age=0"), ("pragma", "no-cache"), ("server", "pve-api-daemon/3.0")] {
        reply.headers.push((name.into(), value.into()));
    }
    // What was uploaded has used the connection up.
    let upload = request.header("content-type").is_some_and(|t| t.starts_with("multipart/form-data"));
    let packs = request.header("accept-encoding").is_some_and(|t| t.contains("gzip"));
    if packs && reply.status == 200 && reply.body.len() > 1024 {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        // Writing into memory does not fail.
        if let Some(packed) = packer.write_all(&reply.body).ok().and_then(|()| packer.finish().ok()) {
            reply.body = packed.into();
            reply.headers.push(("content-encoding".into(), "gzip".into()));
        }
    }
    let asked = request.header("connection").is_some_and(|c| c.eq_ignore_ascii_case("close"));
    reply.close = reply.close || upload || reply.status >= 400 || request.nth >= PER_CONNECTION || asked;
}
