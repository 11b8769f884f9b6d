//! The two sides of a file of routes, and what can be done to it.
use crate::{
    model::{HostName, Mark, Vmid},
    providers::traefik::{Claim, Route},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fmt::{self, Display},
    net::SocketAddr,
    str::FromStr,
};

/// The key: a name in the dynamic directory, with `/` where it lies deeper.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FileName(pub String);

impl FileName {
    /// The file of a declaration's routes.
    pub fn of(mark: &Mark) -> Self {
        Self(Route::file_name(mark))
    }
}

impl Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FileName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.split('/').any(|part| part.is_empty() || part == "..") {
            return Err(format!("`{text}` is not the name of a file below a directory"));
        }
        Ok(Self(text.into()))
    }
}

/// Routes with nothing left to choose.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Desired {
    /// The guest behind them.
    pub guest: Vmid,
    pub hosts: BTreeSet<HostName>,
    pub target: SocketAddr,
}

/// What Traefik makes of a file of ours.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Served {
    /// Its API is not within reach, or did not answer.
    #[default]
    Unknown,
    Yes,
    /// In its own words.
    No(String),
}

/// A file as it stands in the directory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Live {
    pub guest: Option<Vmid>,
    pub hosts: BTreeSet<HostName>,
    pub target: Option<SocketAddr>,
    /// Byte for byte as we would write it.
    pub intact: bool,
    pub served: Served,
    /// Of a file of others: names that it asks for.
    pub claims: BTreeSet<Claim>,
    /// Of any file: why Traefik refuses it, and every other file with it.
    pub refused: Option<String>,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Put(Desired),
    Remove,
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(desired) => {
                let hosts: Vec<String> = desired.hosts.iter().map(ToString::to_string).collect();
                write!(f, "{} to {}", hosts.join(", "), desired.target)
            }
            Self::Remove => f.write_str("no route"),
        }
    }
}
