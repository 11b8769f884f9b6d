use super::*;
use crate::sandbox::wire::Request;
use jiff::ToSpan;
use serde_json::json;

mod batches;
mod gates;
mod passes;
mod records;
mod tunnels;

pub const ZONE: &str = "7d5e3c1b9a8f4602b3d4e5f6a7b8c9d0";
pub const ACCOUNT: &str = "0f2c6d1e9b7a4385a1c4f7e2d8b6093c";

pub fn seed() -> Seed {
    let seed = json!({
        "accounts": [{"id": ACCOUNT, "name": "decent cloud"}],
        "zones": [{"id": ZONE, "name": "decent-cloud.org", "account": ACCOUNT}],
        "tokens": [
            {
                "secret": "all",
                "zones": {ZONE: ["zone_read", "dns_write"]},
                "accounts": {ACCOUNT: ["tunnel_write"]},
            },
            {"secret": "reads", "zones": {ZONE: ["dns_read"]}, "accounts": {ACCOUNT: ["tunnel_read"]}},
            {"secret": "cfat_owned", "account": ACCOUNT, "accounts": {ACCOUNT: ["tunnel_write"]}},
            {"secret": "off", "status": "disabled", "zones": {ZONE: ["dns_write"]}},
        ],
    });
    serde_json::from_value(seed).unwrap()
}

/// A simulator with a clock that stands still until it is moved.
pub struct Site {
    pub simulator: Simulator,
    now: Arc<Mutex<Timestamp>>,
}

impl Site {
    pub fn new(seed: &Seed) -> Self {
        Self::with(seed, State::default())
    }

    pub fn with(seed: &Seed, state: State) -> Self {
        let now = Arc::new(Mutex::new("2026-11-21T12:00:00Z".parse::<Timestamp>().unwrap()));
        let clock = now.clone();
        let simulator = Simulator::with_clock(seed, state, Arc::new(move || *clock.lock().unwrap())).unwrap();
        Self { simulator, now }
    }

    pub fn pass(&self, seconds: i64) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(seconds.seconds()).unwrap();
    }

    pub async fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (path, None),
        };
        let request = Request {
            method: method.into(),
            path: format!("{BASE}{path}"),
            query,
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            body: bytes::Bytes::copy_from_slice(body.as_bytes()),
            connection: 1,
            nth: 1,
        };
        self.simulator.answer(request).await
    }

    pub async fn call_as(&self, token: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.raw(method, path, &headers, &body).await;
        (reply.status, serde_json::from_slice(&reply.body).unwrap_or(Value::Null))
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.call_as("all", method, path, body).await
    }

    /// The result of a call that must succeed.
    pub async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, reply) = self.call(method, path, body).await;
        assert_eq!((status, &reply["success"]), (200, &json!(true)), "{method} {path}: {reply}");
        reply["result"].clone()
    }

    /// Status and code of a call that must be refused; of a wrapper, the cause.
    pub async fn refused(&self, method: &str, path: &str, body: Value) -> (u16, u64) {
        let (status, reply) = self.call(method, path, body).await;
        assert_eq!(reply["success"], false, "{method} {path}: {reply}");
        assert!(reply["result"].is_null());
        let error = &reply["errors"][0];
        let cause = error.pointer("/error_chain/0/code").unwrap_or(&error["code"]);
        (status, cause.as_u64().unwrap())
    }
}

pub fn records() -> String {
    format!("/zones/{ZONE}/dns_records")
}

pub fn tunnels() -> String {
    format!("/accounts/{ACCOUNT}/cfd_tunnel")
}

pub fn a(name: &str, content: &str) -> Value {
    json!({"type": "A", "name": name, "content": content, "ttl": 300})
}
