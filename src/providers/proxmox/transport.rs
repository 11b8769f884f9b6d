//! Requests and their answers over the wire of pveproxy: connections, endpoints, credentials.
use super::{Access, Patience, Release, encode, queue::Queue, reply::Refusal, strange, values::Pairs};
use crate::{
    model::{Answer, Class, Failure},
    providers::http,
};
use reqwest::{Method, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{OnceCell, Semaphore},
    time::Instant,
};
use url::Url;

/// pveproxy and pvedaemon have three workers each, and one slow call blocks a worker.
const IN_FLIGHT: usize = 4;
/// The server closes an unused connection after 5 s.
const IDLE: Duration = Duration::from_secs(4);

/// As whom a call is made.
#[derive(Clone)]
pub(super) enum Credential {
    /// `user@realm!id=secret`.
    Token(SecretString),
    /// What a login with a password brought. Writes carry the second value too, or a page in a browser could make them.
    Ticket { ticket: SecretString, csrf: SecretString },
    /// For the login itself.
    Nobody,
}

pub(super) struct Wire {
    pub(super) endpoints: Vec<Url>,
    /// The endpoint that answered last.
    pub(super) current: AtomicUsize,
    credential: Credential,
    reads: reqwest::Client,
    /// Never reuses a connection: one that the server closes at this moment would swallow the request, and whether a
    /// write was swallowed nobody can know.
    pub(super) writes: reqwest::Client,
    pub(super) slots: Semaphore,
    pub(super) queue: Queue,
    /// Asked for once, when something depends on it.
    pub(super) release: OnceCell<Release>,
    /// How far the server's clock is ahead of ours, in seconds, as of the last answer.
    ahead: Mutex<Option<i64>>,
}

/// Why an exchange brought nothing.
enum Broken {
    /// The API answered so.
    Said(Failure),
    /// No answer came, or none that is whole.
    Lost(Failure),
}

impl Wire {
    pub fn new(access: Access, patience: &Patience) -> Answer<Self> {
        let token = access.token.expose_secret().trim();
        if !token.split_once('!').is_some_and(|(user, rest)| user.contains('@') && rest.contains('=')) {
            return Err(unusable("the token is not of the form user@realm!id=secret".into()));
        }
        let credential = Credential::Token(SecretString::from(token));
        Self::with(access.endpoints, &access.trust, credential, patience)
    }

    pub fn with(endpoints: Vec<Url>, trust: &http::Trust, credential: Credential, patience: &Patience) -> Answer<Self> {
        if endpoints.is_empty() {
            return Err(unusable("no endpoint is given".into()));
        }
        if let Some(plain) = endpoints.iter().find(|e| e.scheme() != "https" || e.host().is_none()) {
            return Err(unusable(format!("{plain} is not an https address")).hint("https://HOST:8006"));
        }
        let options = http::Options {
            idle: IDLE,
            connect: patience.connect,
            timeout: patience.answer,
            ..http::Options::default()
        };
        let fresh = http::Options { idle: Duration::ZERO, ..options.clone() };
        Ok(Self {
            endpoints,
            current: AtomicUsize::new(0),
            credential,
            reads: http::client(trust, &options)?,
            writes: http::client(trust, &fresh)?,
            slots: Semaphore::new(IN_FLIGHT),
            queue: Queue::default(),
            release: OnceCell::new(),
            ahead: Mutex::default(),
        })
    }

    /// The same for each endpoint alone.
    pub fn each_endpoint(&self) -> Vec<(String, Self)> {
        let alone = |endpoint: &Url| Self {
            endpoints: vec![endpoint.clone()],
            current: AtomicUsize::new(0),
            credential: self.credential.clone(),
            reads: self.reads.clone(),
            writes: self.writes.clone(),
            slots: Semaphore::new(IN_FLIGHT),
            queue: Queue::default(),
            release: OnceCell::new(),
            ahead: Mutex::default(),
        };
        self.endpoints.iter().map(|endpoint| (named(endpoint), alone(endpoint))).collect()
    }

    /// Reads. A connection that went away under it is made once more, then the next endpoint is asked.
    pub async fn get(&self, attempted: &str, path: &str, query: &[(&str, &str)]) -> Answer<Value> {
        self.exchange(attempted, Method::GET, path, &encode::form(query.iter().copied())).await
    }

    /// Writes, once: `POST` and `PUT` carry the parameters as a form, `DELETE` in the query.
    pub async fn write(&self, attempted: &str, method: Method, path: &str, pairs: &Pairs) -> Answer<Value> {
        let encoded = encode::form(pairs.iter().map(|(k, v)| (k, v)));
        self.exchange(attempted, method, path, &encoded).await
    }

    /// How far the server's clock is ahead of ours, in whole seconds; `None` before it answered.
    pub fn ahead(&self) -> Option<i64> {
        *lock(&self.ahead)
    }
    /// `user@realm!id`, where a token is used.
    pub fn identity(&self) -> Option<&str> {
        match &self.credential {
            Credential::Token(token) => token.expose_secret().split_once('=').map(|(id, _)| id),
            _ => None,
        }
    }

    async fn exchange(&self, attempted: &str, method: Method, path: &str, encoded: &str) -> Answer<Value> {
        let _slot = self.slots.acquire().await.map_err(|e| strange(attempted, &e.to_string()))?;
        let (first, many) = (self.current.load(Ordering::Relaxed), self.endpoints.len());
        let mut tried: Vec<(String, Failure)> = vec![];
        for at in (first..first + many).map(|n| n % many) {
            let host = &self.endpoints[at];
            let mut outcome = self.send(attempted, &method, host, path, encoded).await;
            let passing = |o: &Result<Value, Broken>| matches!(o, Err(Broken::Said(f) | Broken::Lost(f)) if f.class == Class::Transient);
            if method == Method::GET && passing(&outcome) {
                outcome = self.send(attempted, &method, host, path, encoded).await;
            }
            match outcome {
                Ok(value) => {
                    self.prefer(first, at);
                    return Ok(value);
                }
                // Nothing was executed, or nothing that is asked for twice does harm: the next endpoint may do better.
                Err(Broken::Said(f)) if f.class == Class::Unreachable => tried.push((named(host), f)),
                Err(Broken::Lost(f)) if matches!(f.class, Class::Unreachable | Class::Transient) => {
                    tried.push((named(host), f));
                }
                Err(Broken::Said(f)) => {
                    self.prefer(first, at);
                    return Err(f);
                }
                Err(Broken::Lost(f)) => {
                    // Whoever looks what became of it shall not have to wait for this endpoint too.
                    self.prefer(first, (at + 1) % many);
                    return Err(Failure { reason: format!("{}: {}", named(host), f.reason), ..f });
                }
            }
        }
        Err(together(attempted, tried))
    }

    /// Asks another endpoint first from now on, unless somebody else has chosen one meanwhile.
    fn prefer(&self, before: usize, at: usize) {
        let _ = self.current.compare_exchange(before, at, Ordering::Relaxed, Ordering::Relaxed);
    }

    async fn send(
        &self,
        attempted: &str,
        method: &Method,
        host: &Url,
        path: &str,
        encoded: &str,
    ) -> Result<Value, Broken> {
        let write = *method != Method::GET;
        let mut url = format!("{}/api2/json{path}", host.as_str().trim_end_matches('/'));
        let in_query = matches!(*method, Method::GET | Method::DELETE);
        if in_query && !encoded.is_empty() {
            url = format!("{url}?{encoded}");
        }
        let client = if write { &self.writes } else { &self.reads };
        let headers = self.authorization(attempted, write).map_err(Broken::Said)?;
        let mut request = client.request(method.clone(), url).headers(headers);
        if !in_query {
            // A body of known length, because pveproxy refuses chunks.
            request = request
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(header::CONTENT_LENGTH, encoded.len())
                .body(encoded.to_owned());
        }
        self.answer(attempted, write, path, request).await
    }

    /// The headers that say who asks; no log shows them.
    pub(super) fn authorization(&self, attempted: &str, write: bool) -> Answer<header::HeaderMap> {
        let mut headers = header::HeaderMap::new();
        let mut put = |name: header::HeaderName, text: String| {
            let mut value = header::HeaderValue::from_str(&text).map_err(|_| {
                Failure::new(Class::Invalid, attempted, "the credential holds characters that no header takes")
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
            Ok(())
        };
        match &self.credential {
            Credential::Token(token) => {
                put(header::AUTHORIZATION, format!("PVEAPIToken={}", token.expose_secret()))?;
            }
            Credential::Ticket { ticket, csrf } => {
                put(header::COOKIE, format!("PVEAuthCookie={}", encode::segment(ticket.expose_secret())))?;
                if write {
                    put(header::HeaderName::from_static("csrfpreventiontoken"), csrf.expose_secret().to_owned())?;
                }
            }
            Credential::Nobody => {}
        }
        Ok(headers)
    }

    /// Sends a request that somebody else has put together, and reads what came of it.
    pub(super) async fn answered(
        &self,
        attempted: &str,
        write: bool,
        path: &str,
        request: reqwest::RequestBuilder,
    ) -> Answer<Value> {
        let outcome = self.answer(attempted, write, path, request).await;
        outcome.map_err(|broken| match broken {
            Broken::Said(failure) | Broken::Lost(failure) => failure,
        })
    }

    async fn answer(
        &self,
        attempted: &str,
        write: bool,
        path: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<Value, Broken> {
        let lost = |e: reqwest::Error| Broken::Lost(http::failed(attempted, !write, &e));
        let started = Instant::now();
        let answer = request.send().await.map_err(lost)?;
        let status = answer.status().as_u16();
        let reason = answer.extensions().get::<hyper::ext::ReasonPhrase>();
        let reason = reason.map(|r| String::from_utf8_lossy(r.as_bytes()).into_owned());
        let header = |name: header::HeaderName| answer.headers().get(name).and_then(|v| v.to_str().ok());
        let retry_after = header(header::RETRY_AFTER).and_then(|v| v.parse().ok());
        if let Some(there) = header(header::DATE).and_then(|v| jiff::fmt::rfc2822::parse(v).ok()) {
            let here = jiff::Timestamp::now().as_second();
            *lock(&self.ahead) = Some(there.timestamp().as_second() - here);
        }
        let body = answer.bytes().await.map_err(lost)?;
        tracing::debug!(path, status, ms = started.elapsed().as_millis(), "proxmox");
        if status >= 400 {
            let retry_after = retry_after.map(Duration::from_secs);
            let refusal = Refusal { attempted, write, status, reason: reason.as_deref(), body: &body, retry_after };
            return Err(Broken::Said(refusal.failure()));
        }
        let unreadable = |what: &str| {
            Broken::Said(match write {
                // It was accepted by something; what became of it is not said.
                true => Failure { class: Class::UnknownOutcome, ..strange(attempted, what) },
                false => strange(attempted, what),
            })
        };
        let mut body: Value = serde_json::from_slice(&body).map_err(|e| unreadable(&e.to_string()))?;
        match body.get_mut("data") {
            Some(data) if (200..300).contains(&status) => Ok(data.take()),
            _ => Err(unreadable(&format!("HTTP status {status} without `data`"))),
        }
    }
}

fn unusable(why: String) -> Failure {
    Failure::new(Class::Invalid, "set up the Proxmox VE client", why)
}

/// `pve1:8006`.
fn named(endpoint: &Url) -> String {
    let port = endpoint.port_or_known_default().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", endpoint.host_str().unwrap_or_default())
}

/// What every endpoint said, in one failure.
fn together(attempted: &str, tried: Vec<(String, Failure)>) -> Failure {
    let hint = tried.iter().find_map(|(_, failure)| failure.hint.clone());
    let said: Vec<String> = tried.iter().map(|(host, failure)| format!("{host}: {}", failure.reason)).collect();
    match tried.into_iter().next_back() {
        Some((_, last)) => Failure { reason: said.join("; "), hint, ..last },
        None => strange(attempted, "no endpoint"),
    }
}

/// A map of times holds no invariant that a panic elsewhere could have broken.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
