//! One request and its reply: budget, patience, repetition.
use super::{
    Access,
    reply::{self, Reply},
};
use crate::{
    model::{Answer, Class, Failure},
    providers::http,
};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use rand::RngExt as _;
use reqwest::{Method, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::{
    future::Future,
    num::NonZeroU32,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How the client passes time while it waits.
pub type Pause = Arc<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Real time.
pub(super) fn real_pause() -> Pause {
    Arc::new(|length| Box::pin(tokio::time::sleep(length)))
}

/// The budget is 1,200 requests in five minutes for everything that a user does, people in the dashboard included.
const WINDOW: Duration = Duration::from_secs(300);
/// What this program takes of it; the rest is for others.
const SHARE: u32 = 1_000;
/// Attempts at something that may be repeated: three within three seconds. What takes longer to pass is for the next pass.
const ATTEMPTS: u32 = 3;
/// An attempt that took so long is not repeated: nothing answers there.
const LONG: Duration = Duration::from_secs(5);
/// Longest that one request waits for the budget of the account, all attempts together. After one whole window it
/// should have worked.
const PATIENCE: Duration = Duration::from_secs(330);
/// When a 429 does not say how long.
const UNSAID: Duration = Duration::from_secs(60);

pub(super) struct Wire {
    base: String,
    authorization: SecretString,
    client: reqwest::Client,
    budget: DefaultDirectRateLimiter,
    pause: Pause,
    /// Set when all attempts at something have failed, cleared by whatever is answered. Meanwhile everything is tried
    /// once: a pass has several things to look at here, several times, and must not be patient with each anew.
    down: AtomicBool,
}

impl Wire {
    pub fn new(access: &Access, pause: Pause) -> Answer<Self> {
        let host = access.base.host_str().unwrap_or_default();
        let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let options = http::Options { proxies: !local, connect: LONG, ..http::Options::default() };
        let token = access.token.expose_secret().trim();
        if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
            let why = if token.is_empty() { "the token is empty" } else { "the token contains white space" };
            return Err(Failure::new(Class::Invalid, "use the Cloudflare token", why)
                .hint("it must be the API token alone, on one line"));
        }
        let share = NonZeroU32::new(SHARE).unwrap_or(NonZeroU32::MIN);
        // The quota can only be empty for a period of zero.
        let quota = Quota::with_period(WINDOW / SHARE).unwrap_or(Quota::per_second(NonZeroU32::MIN));
        Ok(Self {
            base: access.base.as_str().trim_end_matches('/').to_owned(),
            authorization: format!("Bearer {token}").into(),
            client: http::client(&access.trust, &options)?,
            budget: RateLimiter::direct(quota.allow_burst(share)),
            pause,
            down: AtomicBool::new(false),
        })
    }

    pub async fn get(&self, attempted: &str, path: &str, query: &[(&str, String)]) -> Answer<Reply> {
        self.send(attempted, &Method::GET, path, query, None, true).await
    }

    /// A change that may be sent twice: the second has no further effect.
    pub async fn repeatable(&self, attempted: &str, method: Method, path: &str, body: Option<&Value>) -> Answer<Reply> {
        self.send(attempted, &method, path, &[], body, true).await
    }

    /// A change that must not be sent twice: when its reply is lost the outcome is unknown.
    pub async fn once(&self, attempted: &str, method: Method, path: &str, body: &Value) -> Answer<Reply> {
        self.send(attempted, &method, path, &[], Some(body), false).await
    }

    async fn send(
        &self,
        attempted: &str,
        method: &Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
        repeatable: bool,
    ) -> Answer<Reply> {
        let mut waited = Duration::ZERO;
        let mut attempt = 1;
        loop {
            let began = Instant::now();
            let failure = match self.exchange(attempted, method, path, query, body, repeatable).await {
                Ok(reply) => {
                    self.down.store(false, Ordering::Relaxed);
                    return Ok(reply);
                }
                Err(failure) => failure,
            };
            let silent = matches!(failure.class, Class::Transient | Class::Unreachable | Class::UnknownOutcome);
            let patient = attempt < ATTEMPTS && began.elapsed() < LONG && !self.down.load(Ordering::Relaxed);
            let length = match failure.class {
                // Refused before anything was done, so this is safe for every method.
                Class::Throttled => {
                    let length = failure.retry_after.unwrap_or(UNSAID).max(Duration::from_secs(1));
                    if waited + length > PATIENCE {
                        return Err(failure);
                    }
                    tracing::warn!(
                        seconds = length.as_secs(),
                        path,
                        "Cloudflare's budget of requests is used up: waiting"
                    );
                    length
                }
                Class::Transient | Class::Unreachable if repeatable && patient => {
                    let base = 100u64 << (2 * attempt);
                    attempt += 1;
                    Duration::from_millis(base + rand::rng().random_range(0..base / 2))
                }
                _ => {
                    // One lost reply says nothing yet; a series of them, or a long silence, does.
                    self.down.store(silent && (repeatable || began.elapsed() >= LONG), Ordering::Relaxed);
                    return Err(failure);
                }
            };
            waited += length;
            (self.pause)(length).await;
        }
    }

    async fn exchange(
        &self,
        attempted: &str,
        method: &Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
        repeatable: bool,
    ) -> Answer<Reply> {
        if self.budget.check().is_err() {
            tracing::warn!(path, "our share of Cloudflare's budget of requests is used up: going slowly");
            self.budget.until_ready().await;
        }
        let invalid = |_| Failure::new(Class::Invalid, attempted, "the token cannot stand in a header");
        let mut bearer = header::HeaderValue::from_str(self.authorization.expose_secret()).map_err(invalid)?;
        bearer.set_sensitive(true);
        let mut request = self
            .client
            .request(method.clone(), format!("{}{path}", self.base))
            .header(header::AUTHORIZATION, bearer)
            .header(header::ACCEPT, "application/json");
        if !query.is_empty() {
            request = request.query(query);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let lost = |error: reqwest::Error| http::failed(attempted, repeatable, &error);
        let answer = request.send().await.map_err(lost)?;
        let status = answer.status().as_u16();
        let retry_after = answer
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let body = answer.bytes().await.map_err(lost)?;
        tracing::debug!(%method, path, status, bytes = body.len(), "cloudflare");
        reply::read(attempted, status, retry_after, &body, repeatable)
    }
}
