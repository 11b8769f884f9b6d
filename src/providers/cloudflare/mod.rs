//! A thin client of Cloudflare's v4 API: zones, DNS records, tunnels.
//!
//! It decodes leniently (fields come and go), checks the HTTP status and the envelope both, matches error codes and texts
//! so that nobody else has to, stays inside the budget of requests, and decides nothing.
use crate::{
    model::{Answer, Class, Failure},
    providers::http::Trust,
};
use secrecy::SecretString;
use serde_json::Value;
use std::sync::Arc;
use url::Url;
use wire::Wire;

pub mod normal;
mod page;
mod records;
mod reply;
mod tunnels;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

pub use records::{Batch, Batched, Record, RecordBody, RecordPatch};
pub use tunnels::{Configuration, Connector, Tunnel};
pub use wire::Pause;

/// Where Cloudflare's API is.
pub const API: &str = "https://api.cloudflare.com/client/v4";

/// How to reach the API.
#[derive(Clone, Debug)]
pub struct Access {
    /// With the path `/client/v4`; [`API`] but for tests and the sandbox.
    pub base: Url,
    /// An API token, of a user or of an account. White space around it is left out: a final newline from a file would
    /// be refused (code 6111).
    pub token: SecretString,
    pub trust: Trust,
}

/// The client. All clones share its connections and its budget.
#[derive(Clone)]
pub struct Cloudflare {
    wire: Arc<Wire>,
}

/// A DNS zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    pub id: String,
    /// The domain, in lower case.
    pub name: String,
    /// `active`, `pending`, `initializing`, `moved`.
    pub status: String,
    /// The plan's name, such as `Free Website`; empty where the token may not see it.
    pub plan: String,
}

impl Cloudflare {
    /// Prepares the client; nothing is sent yet.
    ///
    /// # Errors
    /// `Invalid` when the authorities are no PEM or the token cannot stand in a header.
    pub fn connect(access: &Access) -> Answer<Self> {
        Self::connect_with(access, wire::real_pause())
    }

    /// The same with another way of passing time, for tests.
    ///
    /// # Errors
    /// As [`Cloudflare::connect`].
    pub fn connect_with(access: &Access, pause: Pause) -> Answer<Self> {
        Ok(Self { wire: Arc::new(Wire::new(access, pause)?) })
    }

    /// Whether the token is known and active. A token that an account owns is unknown to the user's endpoint
    /// (401/1000), so that of the account is asked next.
    ///
    /// # Errors
    /// `Denied` when it is neither.
    pub async fn verify(&self, account: &str) -> Answer<()> {
        let attempted = "verify the Cloudflare token";
        let answer = match self.wire.get(attempted, "/user/tokens/verify", &[]).await {
            Err(failure) if failure.class == Class::Denied => {
                self.wire.get(attempted, &format!("/accounts/{account}/tokens/verify"), &[]).await
            }
            answer => answer,
        }?;
        match answer.result["status"].as_str() {
            Some("active") => Ok(()),
            status => Err(Failure::new(
                Class::Denied,
                attempted,
                format!("the token is {}", status.unwrap_or("of unknown status")),
            )),
        }
    }

    /// One zone by id. Needs Zone Read.
    ///
    /// # Errors
    /// `Denied` when the token does not reach it, and all that any read may bring.
    pub async fn zone(&self, id: &str) -> Answer<Zone> {
        let attempted = format!("read the zone {id}");
        let zone = self.wire.get(&attempted, &format!("/zones/{id}"), &[]).await?.result;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match zone["name"].as_str() {
            Some(name) => Ok(Zone {
                id: id.to_owned(),
                name: normal::name(name),
                status: text(&zone["status"]),
                plan: text(&zone["plan"]["name"]),
            }),
            None => Err(strange(&attempted, "the reply names no zone")),
        }
    }
}

/// A reply that makes no sense; it may be a passing fault of something in between.
fn strange(attempted: &str, what: impl Into<String>) -> Failure {
    Failure::new(Class::Transient, attempted, what)
}
