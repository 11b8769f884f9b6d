//! The lines on the sandbox's host socket: one request and one reply per connection, each a line of JSON.
use serde::{Deserialize, Serialize};

/// A command for the sandbox's node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostRequest {
    pub argv: Vec<String>,
    /// Base64.
    #[serde(default)]
    pub stdin: String,
    pub timeout_ms: u64,
    pub max_output: usize,
}

/// What came of it. A connection that ends without one leaves the outcome unknown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostReply {
    pub status: i32,
    /// Base64.
    pub stdout: String,
    /// Base64.
    pub stderr: String,
}
