//! The budget of requests: 1,200 in five minutes for all that a user does; over it, nothing is answered until the
//! window ends.
use super::{
    envelope::Refusal,
    seed::{Behaviour, ThrottledBody},
};
use crate::sandbox::wire::Reply;
use jiff::Timestamp;

/// Seconds.
const WINDOW: i64 = 300;

/// The window that is running. It is not part of the state: a restart begins a new one.
#[derive(Default)]
pub struct Window {
    /// Seconds since the epoch.
    began: i64,
    used: u32,
}

impl Window {
    /// Counts one request, or refuses it.
    pub fn enter(&mut self, behaviour: &Behaviour, now: Timestamp) -> Result<(), Reply> {
        if now.as_second() - self.began >= WINDOW {
            *self = Self { began: now.as_second(), used: 0 };
        }
        self.used = self.used.saturating_add(1);
        let Some(limit) = behaviour.rate_limit.filter(|limit| self.used > *limit) else { return Ok(()) };
        let text = format!(
            "More than {limit} requests per {WINDOW} seconds reached. Please wait and consider throttling your request speed"
        );
        let mut reply = match behaviour.throttled_body {
            ThrottledBody::Envelope => Refusal::new(429, 10100, text).reply(),
            ThrottledBody::Empty => plain("application/json", "{}"),
            ThrottledBody::Html => plain("text/html", "<html><body><h1>429 Too Many Requests</h1></body></html>"),
        };
        reply.headers.push(("retry-after".into(), self.left(now).to_string()));
        Err(reply)
    }

    /// Seconds until the window ends.
    fn left(&self, now: Timestamp) -> i64 {
        (self.began + WINDOW - now.as_second()).max(1)
    }

    /// What every reply says about the budget.
    pub fn headers(&self, behaviour: &Behaviour, now: Timestamp) -> Vec<(String, String)> {
        let Some(limit) = behaviour.rate_limit else { return vec![] };
        let remaining = limit.saturating_sub(self.used);
        vec![
            ("ratelimit".into(), format!("\"default\";r={remaining};t={}", self.left(now))),
            ("ratelimit-policy".into(), format!("\"default\";q={limit};w={WINDOW}")),
        ]
    }
}

fn plain(kind: &str, body: &'static str) -> Reply {
    Reply {
        status: 429,
        headers: vec![("content-type".into(), kind.into())],
        body: bytes::Bytes::from_static(body.as_bytes()),
        ..Reply::default()
    }
}
