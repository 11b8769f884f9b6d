//! What a simulated account holds before anybody calls: who may do what, which zones, and what others made there.
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// Everything about the simulated accounts that no request changes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Seed {
    pub accounts: Vec<Account>,
    pub zones: Vec<Zone>,
    pub tokens: Vec<Token>,
    /// Records that somebody else made before; the body of a POST each. They are put in once, into an empty state.
    pub records: BTreeMap<String, Vec<Value>>,
    /// Names of tunnels that somebody else made before, per account. They are put in once.
    pub tunnels: BTreeMap<String, Vec<String>>,
    pub behaviour: Behaviour,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// 32 hexadecimal digits.
    pub id: String,
    pub name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// 32 hexadecimal digits.
    pub id: String,
    pub name: String,
    /// Id of the account that it belongs to.
    pub account: String,
    #[serde(default)]
    pub plan: Plan,
}

/// What a zone's owner pays for decides limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Made on or after 2024-09-01: 200 records.
    #[default]
    Free,
    /// A free zone from before: 1,000 records.
    OldFree,
    Pro,
    Business,
    Enterprise,
}

impl Plan {
    fn paid(self) -> bool {
        !matches!(self, Self::Free | Self::OldFree)
    }
    pub fn records(self) -> usize {
        match self {
            Self::Free => 200,
            Self::OldFree => 1_000,
            _ => 3_500,
        }
    }
    pub fn tags(self) -> usize {
        if self.paid() { 20 } else { 0 }
    }
    /// Length of a comment, in characters.
    pub fn comment(self) -> usize {
        if self.paid() { 500 } else { 100 }
    }
    /// Operations in one batch.
    pub fn batch(self) -> usize {
        if self.paid() { 3_500 } else { 200 }
    }
    /// Seconds.
    pub fn least_ttl(self) -> u64 {
        if self == Self::Enterprise { 30 } else { 60 }
    }
    pub fn name(self) -> &'static str {
        match self {
            Self::Free | Self::OldFree => "Free Website",
            Self::Pro => "Pro Website",
            Self::Business => "Business Website",
            Self::Enterprise => "Enterprise Website",
        }
    }
}

/// A token and what it may do.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// What stands after `Bearer `.
    pub secret: String,
    /// The account that owns it; a user's token without.
    #[serde(default)]
    pub account: Option<String>,
    #[serde(default)]
    pub status: Status,
    /// Zone id to permissions.
    #[serde(default)]
    pub zones: BTreeMap<String, Vec<ZonePermission>>,
    /// Account id to permissions.
    #[serde(default)]
    pub accounts: BTreeMap<String, Vec<AccountPermission>>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("zones", &self.zones).field("accounts", &self.accounts).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    Active,
    Disabled,
    Expired,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZonePermission {
    ZoneRead,
    DnsRead,
    /// Contains `DnsRead`.
    DnsWrite,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountPermission {
    TunnelRead,
    /// Contains `TunnelRead`; reading a tunnel's token needs it.
    TunnelWrite,
}

/// What differs between times, ages and moods of the real API.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// Requests in five minutes over all tokens; `null`: no limit.
    pub rate_limit: Option<u32>,
    /// The body of a 429.
    pub throttled_body: ThrottledBody,
    /// PATCH and PUT of `proxied` for a target that cannot be proxied succeed and leave it off, instead of failing.
    pub silent_proxied: bool,
    /// DNS errors come inside a 1004.
    pub wrapped_errors: bool,
    /// Seconds for which a new record is missing from lists.
    pub list_delay: u32,
    /// Optional fields (`settings`, `comment`, `tags`, `meta`) are left out of records where they are empty.
    pub sparse: bool,
    /// Seconds for which connections of a tunnel stay listed after the connector has gone.
    pub connections_linger: u32,
}

/// Requests in five minutes that Cloudflare grants a user.
const GRANTED: u32 = 1_200;

impl Behaviour {
    /// Without Cloudflare's own budget, so that many fast passes over one account do not wait for its window. A budget
    /// that a seed sets otherwise is meant and stays.
    #[must_use]
    pub fn unhurried(mut self) -> Self {
        self.rate_limit = self.rate_limit.filter(|limit| *limit != GRANTED);
        self
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            rate_limit: Some(GRANTED),
            throttled_body: ThrottledBody::Envelope,
            silent_proxied: true,
            wrapped_errors: true,
            list_delay: 0,
            sparse: false,
            connections_linger: 180,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottledBody {
    Envelope,
    /// `{}`
    Empty,
    Html,
}
