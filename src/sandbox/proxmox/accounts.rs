//! Who may log in and do what, as `user.cfg`, `domains.cfg` and the files beside them keep it.
use super::state::Conf;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// `user.cfg`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Access {
    pub users: BTreeMap<String, User>,
    pub groups: BTreeMap<String, Group>,
    /// Roles that are not built in.
    pub roles: BTreeMap<String, BTreeSet<String>>,
    pub acl: Vec<Entry>,
    /// `domains.cfg`: the sections that were written, with their `type`.
    #[serde(default)]
    pub realms: BTreeMap<String, Conf>,
    /// What tickets are signed with.
    #[serde(default)]
    pub ticket_key: String,
}

/// A user with its tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    pub enable: bool,
    pub expire: u64,
    /// `comment`, `email`, `firstname` …
    #[serde(default)]
    pub more: Conf,
    #[serde(default)]
    pub tokens: BTreeMap<String, Token>,
    /// Kept as a sum; without one nobody logs in by password.
    #[serde(default)]
    pub password_sha256: Option<String>,
}

impl Default for User {
    fn default() -> Self {
        Self { enable: true, expire: 0, more: Conf::new(), tokens: BTreeMap::new(), password_sha256: None }
    }
}

/// An API token. Its secret is kept as a SHA-256 sum.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Token {
    pub secret_sha256: String,
    pub privsep: bool,
    pub expire: u64,
    pub comment: Option<String>,
}

/// A group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Group {
    pub comment: Option<String>,
    pub users: BTreeSet<String>,
}

/// Whom an entry of the access control list names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whom {
    User,
    Group,
    Token,
}

/// One entry of the access control list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub path: String,
    pub whom: Whom,
    pub id: String,
    pub role: String,
    pub propagate: bool,
}
