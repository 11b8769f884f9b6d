//! One call on its way through an endpoint.
use super::{
    access::Who,
    given::Given,
    refusal::{Refusal, Result},
    state::{Guest, Kind},
    task::Work,
    world::World,
};
use serde_json::{Map, Value, json};

/// A call whose parameters and privileges have been checked.
pub struct Call<'a> {
    pub world: &'a mut World,
    pub who: Who,
    pub given: Given,
    /// A file that came with it, as multipart: its name and its bytes.
    pub upload: Option<(String, bytes::Bytes)>,
    /// When it arrived, in Unix milliseconds.
    pub arrived: u64,
}

/// What an endpoint answers.
#[derive(Default)]
pub struct Answer {
    pub data: Value,
    /// What stands beside `data`: `total`, `changes`.
    pub beside: Map<String, Value>,
    /// A plain text instead of JSON.
    pub plain: Option<String>,
    /// The name of the file as which a plain text is to be kept.
    pub file: Option<String>,
}

impl From<Value> for Answer {
    fn from(data: Value) -> Self {
        Self { data, ..Self::default() }
    }
}

/// Answers a call.
pub type Run = fn(&mut Call<'_>) -> Result<Answer>;

/// An endpoint: verb, path as in the facts, and what it does.
pub struct Endpoint {
    pub verb: &'static str,
    pub path: &'static str,
    pub run: Run,
}

/// A row of a table of endpoints.
pub const fn on(verb: &'static str, path: &'static str, run: Run) -> Endpoint {
    Endpoint { verb, path, run }
}

impl Call<'_> {
    /// A parameter; `None` when it was not given.
    pub fn arg(&self, name: &str) -> Option<&str> {
        self.given.get(name)
    }

    /// Takes a parameter out, as `extract_param` does.
    pub fn take(&mut self, name: &str) -> Option<String> {
        self.given.take(name)
    }

    /// Whether a truth value was given as true.
    pub fn flag(&self, name: &str) -> bool {
        self.arg(name) == Some("1")
    }

    /// The node of the path, `localhost` replaced.
    pub fn node(&self) -> String {
        match self.arg("node") {
            Some("localhost") | None => self.world.state.local(),
            Some(node) => node.to_string(),
        }
    }

    /// The guest number of the path. It was checked to be one.
    pub fn vmid(&self) -> u32 {
        self.arg("vmid").and_then(|v| v.parse().ok()).unwrap_or_default()
    }

    /// The guest of the path.
    ///
    /// # Errors
    /// 500, as when its config file is not there.
    pub fn guest(&self, kind: Kind) -> Result<&Guest> {
        self.world.guest(kind, &self.node(), self.vmid())
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// 500, as when its config file is not there.
    pub fn guest_mut(&mut self, kind: Kind) -> Result<&mut Guest> {
        let (node, vmid) = (self.node(), self.vmid());
        self.world.guest_mut(kind, &node, vmid)
    }

    /// Starts a task about the guest of the path.
    pub fn fork(&mut self, kind: &str, work: Work, holds: bool) -> Answer {
        let (node, vmid, who) = (self.node(), self.vmid(), self.who.clone());
        json!(self.world.fork(&node, kind, &vmid.to_string(), &who, work, holds.then_some(vmid))).into()
    }
}

/// Demands that a guest is not marked as locked.
///
/// # Errors
/// 500 with the name of the lock.
pub fn unlocked(guest: &Guest) -> Result<()> {
    match guest.conf.get("lock") {
        Some(lock) if !lock.trim().is_empty() => {
            Err(Refusal::die(format!("{} is locked ({lock})", guest.kind.title())))
        }
        _ => Ok(()),
    }
}
