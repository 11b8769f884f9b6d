//! Which calls are spoiled, and how.
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};

/// A call as faults and the log see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// `proxmox`, `cloudflare`, `traefik`, `host`.
    pub system: String,
    /// `GET /api2/json/version`, with the query; or the command with its arguments.
    pub name: String,
    /// Whether it changes something.
    pub write: bool,
}

/// One rule. In JSON: `{"system": "cloudflare", "calls": "POST */dns_records*", "nth": 1, "when": "after", "what": "drop"}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// A system's name or `*`.
    #[serde(default = "anything")]
    pub system: String,
    /// A pattern over the whole name of the call, `*` standing for anything.
    #[serde(default = "anything")]
    pub calls: String,
    /// Only writes count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub writes: bool,
    /// Only the nth that matches, counted from 1; all of them without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    #[serde(default)]
    pub when: When,
    pub what: What,
    /// How many have matched.
    #[serde(default)]
    pub seen: u64,
}

fn anything() -> String {
    "*".to_owned()
}

/// Whether the effect happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum When {
    /// The call has no effect.
    #[default]
    Before,
    /// It has its effect, the answer is spoiled.
    After,
}

/// What is done to a call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum What {
    /// An error: HTTP status and the system's own way to say it; for a command its exit status and standard error.
    Status {
        status: u16,
        #[serde(default)]
        message: String,
    },
    /// The connection ends without an answer.
    Drop,
    /// The answer comes late.
    Delay { ms: u64 },
    /// No answer ever comes.
    Hold,
    /// The previous answer to the same question; the real one when there was none.
    Stale,
    /// Success, but the list is empty, and says that it is whole.
    EmptyList,
    /// Success, but the second half of the list is missing.
    TruncatedPage,
    /// These bytes.
    Body {
        status: u16,
        #[serde(default = "html")]
        content_type: String,
        body: String,
    },
}

fn html() -> String {
    "text/html".to_owned()
}

impl Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { status, .. } => write!(f, "status {status}"),
            Self::Drop => f.write_str("dropped"),
            Self::Delay { ms } => write!(f, "delayed by {ms} ms"),
            Self::Hold => f.write_str("held"),
            Self::Stale => f.write_str("stale"),
            Self::EmptyList => f.write_str("empty list"),
            Self::TruncatedPage => f.write_str("truncated page"),
            Self::Body { status, content_type, .. } => write!(f, "status {status} with {content_type}"),
        }
    }
}

impl Fault {
    /// A rule for every call of every system.
    pub fn new(what: What) -> Self {
        Self { system: anything(), calls: anything(), writes: false, nth: None, when: When::Before, what, seen: 0 }
    }
    pub fn on(mut self, system: &str, calls: &str) -> Self {
        (self.system, self.calls) = (system.to_owned(), calls.to_owned());
        self
    }
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = Some(nth);
        self
    }
    pub fn after(mut self) -> Self {
        self.when = When::After;
        self
    }
    pub fn only_writes(mut self) -> Self {
        self.writes = true;
        self
    }

    pub(super) fn meets(&self, call: &Call) -> bool {
        (call.write || !self.writes) && matches(&self.system, &call.system) && matches(&self.calls, &call.name)
    }
}

/// `*` stands for any text, everything else for itself.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(tail)
}

#[cfg(test)]
#[test]
fn a_star_stands_for_anything() {
    for (pattern, text, expected) in [
        ("*", "", true),
        ("GET /a", "GET /a", true),
        ("GET /a", "GET /ab", false),
        ("POST */lxc", "POST /api2/json/nodes/pve1/lxc", true),
        ("POST */lxc", "POST /api2/json/nodes/pve1/lxc/100", false),
        ("*lxc*lxc*", "lxc", false),
        ("a*b*c", "a1b2bc", true),
        ("a*a", "a", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}
