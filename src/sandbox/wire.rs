//! What the HTTPS front of the sandbox hands to a simulator, and what it gets back.
//!
//! The front (`https.rs`) terminates TLS, reads the request whole, injects faults before and after the effect, and writes
//! the reply. A simulator sees neither sockets nor faults.
use bytes::Bytes;
use std::{future::Future, pin::Pin};

/// One request as it came off the wire.
#[derive(Clone, Debug)]
pub struct Request {
    /// Upper-case verb.
    pub method: String,
    /// Percent-encoded path, without the query.
    pub path: String,
    /// Percent-encoded query, without the `?`.
    pub query: Option<String>,
    /// Header names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// The number of the TCP connection, counted from 1 over the life of the server.
    pub connection: u64,
    /// The how manieth request on its connection, counted from 1.
    pub nth: u32,
}

impl Request {
    /// The first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// What goes back.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    /// The reason phrase; Proxmox VE puts its error text there. `None`: the standard one.
    pub reason: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// Close the connection after this reply.
    pub close: bool,
}

/// A simulated HTTP API.
pub trait Api: Send + Sync + 'static {
    /// How faults and the log name it: `proxmox`, `cloudflare`, `traefik`.
    fn name(&self) -> &'static str;
    /// Answers one request; the effect on the simulated state is complete when the future resolves.
    fn answer(&self, request: Request) -> Pin<Box<dyn Future<Output = Reply> + Send + '_>>;
}
