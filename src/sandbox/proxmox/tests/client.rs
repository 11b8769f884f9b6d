//! A client without a wire.
use crate::sandbox::{
    proxmox::{Clock, Seed, Simulator, Timing},
    wire::{Api, Reply, Request},
};
use bytes::Bytes;
use serde_json::{Value, json};

/// A request as tests write it.
pub fn request(verb: &str, path: &str, query: Option<&str>) -> Request {
    Request {
        method: verb.into(),
        path: format!("/api2/json{path}"),
        query: query.map(str::to_string),
        headers: Vec::new(),
        body: Bytes::new(),
        connection: 1,
        nth: 1,
    }
}

/// Percent-encodes a value for a form.
pub fn encode(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
}

pub fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
    pairs.join("&")
}

/// A simulator with a token to speak to it.
pub struct Client {
    pub simulator: Simulator,
    pub clock: Clock,
    pub token: String,
}

impl Client {
    /// Root's token `full` on a fresh cluster in which nothing takes time.
    pub fn fast() -> Self {
        Self::with(Seed::default(), Timing::Fast)
    }

    pub fn with(seed: Seed, timing: Timing) -> Self {
        let token = format!("PVEAPIToken={}={}", seed.tokens[0].id, seed.tokens[0].secret);
        let clock = Clock::starting_at(1_795_269_900_000);
        Self { simulator: Simulator::by(&seed, None, timing, clock.clone()).unwrap(), clock, token }
    }

    pub async fn send(&self, mut request: Request) -> (Reply, Value) {
        request.headers.push(("authorization".into(), self.token.clone()));
        let reply = self.simulator.answer(request).await;
        let body = serde_json::from_slice(&reply.body).unwrap_or(json!(String::from_utf8_lossy(&reply.body)));
        (reply, body)
    }

    pub async fn get(&self, path: &str) -> Value {
        let (path, query) = path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q)));
        let (reply, body) = self.send(request("GET", path, query)).await;
        assert_eq!(reply.status, 200, "GET {path}: {body}");
        body["data"].clone()
    }

    /// The status and the body of any call with a form.
    pub async fn call(&self, verb: &str, path: &str, pairs: &[(&str, &str)]) -> (u16, Value) {
        let encoded = form(pairs);
        let mut request = request(verb, path, None);
        match verb {
            "POST" | "PUT" => {
                request.body = encoded.into();
                request.headers.push(("content-type".into(), "application/x-www-form-urlencoded".into()));
            }
            _ => request.query = Some(encoded),
        }
        let (reply, body) = self.send(request).await;
        (reply.status, body)
    }

    /// A call that starts a task, awaited: how the task ended.
    pub async fn task(&self, verb: &str, path: &str, pairs: &[(&str, &str)]) -> String {
        let (status, body) = self.call(verb, path, pairs).await;
        assert_eq!(status, 200, "{verb} {path}: {body}");
        let upid = body["data"].as_str().unwrap_or_default().to_string();
        let path = format!("/nodes/pve1/tasks/{}/status", encode(&upid));
        loop {
            let status = self.get(&path).await;
            if let Some(exit) = status["exitstatus"].as_str() {
                return exit.to_string();
            }
            self.clock.wait(200).await;
        }
    }
}
