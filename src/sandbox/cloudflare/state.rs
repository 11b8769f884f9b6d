//! What requests change. It is all that must be kept to start again where one stopped.
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// All records and tunnels of all accounts.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// How many ids have been given out.
    pub counter: u64,
    /// What the seed says that others made before is in.
    pub planted: bool,
    /// Zone id, then record id.
    pub records: BTreeMap<String, BTreeMap<String, Record>>,
    /// Account id, then tunnel id.
    pub tunnels: BTreeMap<String, BTreeMap<String, Tunnel>>,
}

/// 32 hexadecimal digits, the same in every run.
pub fn next_id(counter: &mut u64) -> String {
    *counter += 1;
    let digest = Sha256::digest(format!("cloudflare {counter}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The same in the form of a version 4 UUID.
pub fn next_uuid(counter: &mut u64) -> String {
    let id = next_id(counter);
    let part = |from: usize, to: usize| id.get(from..to).unwrap_or_default().to_owned();
    format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// A DNS record as it is stored. Times are RFC 3339 with microseconds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Record {
    pub id: String,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub content: String,
    pub proxied: bool,
    pub ttl: u64,
    #[serde(default)]
    pub settings: BTreeMap<String, bool>,
    #[serde(default)]
    pub comment: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub data: Option<Value>,
    #[serde(default)]
    pub priority: Option<u16>,
    #[serde(default)]
    pub private_routing: Option<bool>,
    pub created_on: String,
    pub modified_on: String,
    #[serde(default)]
    pub comment_modified_on: Option<String>,
    #[serde(default)]
    pub tags_modified_on: Option<String>,
}

/// A tunnel as it is stored.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tunnel {
    pub id: String,
    pub name: String,
    pub config_src: String,
    /// Base64, as in the token.
    pub secret: String,
    pub created_at: String,
    #[serde(default)]
    pub deleted_at: Option<String>,
    #[serde(default)]
    pub conns_active_at: Option<String>,
    #[serde(default)]
    pub conns_inactive_at: Option<String>,
    /// Counts the changes of `config`; 0 until the first.
    #[serde(default)]
    pub version: u64,
    #[serde(default)]
    pub config: Option<Value>,
    #[serde(default)]
    pub configured_at: Option<String>,
    /// Connector (client) id.
    #[serde(default)]
    pub connectors: BTreeMap<String, Connector>,
}

/// One running `cloudflared`, with its four connections.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Connector {
    pub run_at: String,
    /// Ids of its connections.
    pub connections: Vec<String>,
    /// When it went; its connections stay listed for a while.
    #[serde(default)]
    pub gone_at: Option<String>,
}
