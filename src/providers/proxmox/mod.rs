//! Proxmox VE: its HTTP API with typed nouns and verbs.
//!
//! What is known about the API that is not in its schema was seen on pve-manager 9.2.11 and is said where it is used.
mod access;
mod accounts;
mod act;
mod encode;
mod guest;
mod guests;
pub mod network;
pub mod notes;
mod place;
mod privileges;
pub mod property;
mod qemu;
mod queue;
mod release;
mod reply;
pub mod ssh_keys;
mod storage;
mod survey;
pub mod tags;
mod task;
mod transport;
mod upload;
pub mod values;

#[cfg(test)]
mod tests;

pub use access::Permissions;
pub use guest::{Address, At, Config, Parameters, volume_size};
pub use guests::{Guest, GuestType, Power};
pub use place::Place;
pub use privileges::{Grant, PRIVILEGES, Privilege, ROLES, Role};
pub use qemu::{AgentInterface, CloneOf, Heard};
pub use queue::{PER_STORAGE, storages};
pub use release::{Feature, Release};
pub use storage::Volume;
pub use survey::{Node, Storage};
pub use task::TaskId;

use crate::{
    model::{Answer, Class, Failure},
    providers::http::Trust,
};
use secrecy::SecretString;
use std::{sync::Arc, time::Duration};
use url::Url;

/// How a Proxmox VE cluster is reached.
#[derive(Clone, Debug)]
pub struct Access {
    /// `https://host:8006`, nodes of one cluster; the first that answers is used, and then the one that answered last.
    pub endpoints: Vec<Url>,
    pub trust: Trust,
    /// `user@realm!id=secret`.
    pub token: SecretString,
}

/// How long things are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long a connection may take, with TLS, before the next endpoint is tried.
    pub connect: Duration,
    /// How long an answer may take. The proxy inside Proxmox gives up after 30 s and says so (596); this is for when it does
    /// not even say that.
    pub answer: Duration,
    /// The first pause between two looks at a running task; it doubles.
    pub first_look: Duration,
    /// The longest pause between two looks.
    pub last_look: Duration,
    /// How long a task may take.
    pub task: Duration,
    /// How long a guest may be locked by somebody else (a backup, a snapshot) before a call gives up.
    pub lock: Duration,
    /// How long a container that was started may take to get its address from elsewhere.
    pub lease: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(45),
            first_look: Duration::from_millis(50),
            last_look: Duration::from_secs(1),
            task: Duration::from_secs(600),
            lock: Duration::from_secs(30),
            lease: Duration::from_secs(20),
        }
    }
}

/// A connection to one cluster. Cheap to clone; all clones share its connections and its limit on concurrent calls.
#[derive(Clone)]
pub struct Proxmox {
    wire: Arc<transport::Wire>,
    homes: Arc<guests::Homes>,
    patience: Patience,
}

impl Proxmox {
    /// Sets the client up; nothing is sent.
    ///
    /// # Errors
    /// `Invalid` when there is no endpoint, one is not `https`, the token is not of the form `user@realm!id=secret`, or
    /// the authorities are not PEM.
    pub fn connect(access: Access) -> Answer<Self> {
        Self::connect_with(access, Patience::default())
    }
    /// As [`Self::connect`], with other waiting times.
    pub fn connect_with(access: Access, patience: Patience) -> Answer<Self> {
        Ok(Self { wire: Arc::new(transport::Wire::new(access, &patience)?), homes: Arc::default(), patience })
    }
}

/// An answer that does not have the form that the API documents.
fn strange(attempted: &str, what: &str) -> Failure {
    Failure::new(Class::Transient, attempted, format!("the answer is not understood: {what}"))
        .hint("is this really a Proxmox VE API, and not a proxy in front of it?")
}
