//! One request and its answer over the wire of pveproxy.
use super::{Access, encode, reply::Refusal, strange};
use crate::{
    model::{Answer, Class, Failure},
    providers::http,
};
use reqwest::{Method, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, time::Instant};
use url::Url;

/// pveproxy and pvedaemon have three workers each, and one slow call blocks a worker.
const IN_FLIGHT: usize = 4;
/// The server closes an unused connection after 5 s.
const IDLE: Duration = Duration::from_secs(4);
/// The proxy inside Proxmox gives up after 30 s and says so (596); this is for when it does not even say that.
const TIMEOUT: Duration = Duration::from_secs(45);

/// Parameters in the order in which they are sent.
pub(super) type Pairs = Vec<(String, String)>;

pub(super) struct Wire {
    pub(super) endpoints: Vec<Url>,
    /// The endpoint that answered last.
    pub(super) current: AtomicUsize,
    token: SecretString,
    reads: reqwest::Client,
    /// Never reuses a connection: one that the server closes at this moment would swallow the request, and whether a
    /// write was swallowed nobody can know.
    pub(super) writes: reqwest::Client,
    pub(super) slots: Semaphore,
    touched: Mutex<HashMap<u32, Instant>>,
}

impl Wire {
    pub fn new(access: Access) -> Answer<Self> {
        let invalid = |why: String| Failure::new(Class::Invalid, "set up the Proxmox VE client", why);
        if access.endpoints.is_empty() {
            return Err(invalid("no endpoint is given".into()));
        }
        if let Some(plain) = access.endpoints.iter().find(|e| e.scheme() != "https" || e.host().is_none()) {
            return Err(invalid(format!("{plain} is not an https address")).hint("https://HOST:8006"));
        }
        let token = access.token.expose_secret().trim();
        if !token.split_once('!').is_some_and(|(user, rest)| user.contains('@') && rest.contains('=')) {
            return Err(invalid("the token is not of the form user@realm!id=secret".into()));
        }
        let options = http::Options { idle: IDLE, timeout: TIMEOUT, ..http::Options::default() };
        let fresh = http::Options { idle: Duration::ZERO, ..options.clone() };
        Ok(Self {
            endpoints: access.endpoints,
            current: AtomicUsize::new(0),
            token: SecretString::from(token),
            reads: http::client(&access.trust, &options)?,
            writes: http::client(&access.trust, &fresh)?,
            slots: Semaphore::new(IN_FLIGHT),
            touched: Mutex::default(),
        })
    }

    /// Reads; asked once more when the connection went away under it.
    pub async fn get(&self, attempted: &str, path: &str, query: &[(&str, &str)]) -> Answer<Value> {
        let query = encode::form(query.iter().copied());
        match self.exchange(attempted, Method::GET, path, &query).await {
            Err(f) if f.class == Class::Transient => self.exchange(attempted, Method::GET, path, &query).await,
            other => other,
        }
    }

    /// Writes, once: `POST` and `PUT` carry the parameters as a form, `DELETE` in the query.
    pub async fn write(&self, attempted: &str, method: Method, path: &str, pairs: &Pairs) -> Answer<Value> {
        let encoded = encode::form(pairs.iter().map(|(k, v)| (k, v)));
        self.exchange(attempted, method, path, &encoded).await
    }

    /// Notes that the power state of a guest is being changed.
    pub fn touch(&self, vmid: u32) {
        lock(&self.touched).insert(vmid, Instant::now());
    }
    /// When this client last changed the power state of a guest.
    pub fn touched(&self, vmid: u32) -> Option<Instant> {
        lock(&self.touched).get(&vmid).copied()
    }

    async fn exchange(&self, attempted: &str, method: Method, path: &str, encoded: &str) -> Answer<Value> {
        let _slot = self.slots.acquire().await.map_err(|e| strange(attempted, &e.to_string()))?;
        let first = self.current.load(Ordering::Relaxed);
        let mut last = None;
        // The next endpoint is asked only when the connection could not be made: then nothing was sent.
        for n in 0..self.endpoints.len() {
            let at = (first + n) % self.endpoints.len();
            match self.send(attempted, method.clone(), &self.endpoints[at], path, encoded).await {
                Err(f) if f.class == Class::Unreachable && n + 1 < self.endpoints.len() => last = Some(f),
                other => {
                    self.current.store(at, Ordering::Relaxed);
                    return other;
                }
            }
        }
        Err(last.unwrap_or_else(|| strange(attempted, "no endpoint")))
    }

    async fn send(&self, attempted: &str, method: Method, host: &Url, path: &str, encoded: &str) -> Answer<Value> {
        let write = method != Method::GET;
        let mut url = format!("{}/api2/json{path}", host.as_str().trim_end_matches('/'));
        let in_query = matches!(method, Method::GET | Method::DELETE);
        if in_query && !encoded.is_empty() {
            url = format!("{url}?{encoded}");
        }
        let client = if write { &self.writes } else { &self.reads };
        let mut request = client.request(method, url).header(header::AUTHORIZATION, self.authorization(attempted)?);
        if !in_query {
            // A body of known length, because pveproxy refuses chunks.
            request = request
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(header::CONTENT_LENGTH, encoded.len())
                .body(encoded.to_owned());
        }
        answered(attempted, write, path, request).await
    }

    /// The token as a header that no log shows.
    pub(super) fn authorization(&self, attempted: &str) -> Answer<header::HeaderValue> {
        let token = format!("PVEAPIToken={}", self.token.expose_secret());
        let mut value = header::HeaderValue::from_str(&token)
            .map_err(|_| Failure::new(Class::Invalid, attempted, "the token holds characters that no header takes"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Sends a request and reads what came of it.
pub(super) async fn answered(
    attempted: &str,
    write: bool,
    path: &str,
    request: reqwest::RequestBuilder,
) -> Answer<Value> {
    let started = Instant::now();
    let answer = request.send().await.map_err(|e| http::failed(attempted, !write, &e))?;
    let status = answer.status().as_u16();
    let reason = answer.extensions().get::<hyper::ext::ReasonPhrase>();
    let reason = reason.map(|r| String::from_utf8_lossy(r.as_bytes()).into_owned());
    let retry_after = answer.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
    let body = answer.bytes().await.map_err(|e| http::failed(attempted, !write, &e))?;
    tracing::debug!(path, status, ms = started.elapsed().as_millis(), "proxmox");
    if status >= 400 {
        return Err(Refusal {
            attempted,
            write,
            status,
            reason: reason.as_deref(),
            body: &body,
            retry_after: retry_after.map(Duration::from_secs),
        }
        .failure());
    }
    let unreadable = |what: &str| match write {
        // It was accepted by something; what became of it is not said.
        true => Failure { class: Class::UnknownOutcome, ..strange(attempted, what) },
        false => strange(attempted, what),
    };
    let mut body: Value = serde_json::from_slice(&body).map_err(|e| unreadable(&e.to_string()))?;
    match body.get_mut("data") {
        Some(data) if (200..300).contains(&status) => Ok(data.take()),
        _ => Err(unreadable(&format!("HTTP status {status} without `data`"))),
    }
}

/// A map of times holds no invariant that a panic elsewhere could have broken.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
