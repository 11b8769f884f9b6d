//! The two sides of an owner's forwards, and what can be done to them.
use crate::{
    model::Vmid,
    providers::nftables::{PublicPort, Target},
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fmt::{self, Display},
    net::IpAddr,
    str::FromStr,
};

/// The key: the first port of the owner's block.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Base(pub u16);

impl Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Base {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("`{text}` is not the first port of a block"))
    }
}

/// A public port, where it leads, and for whom.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Forward {
    pub public: PublicPort,
    pub to: Target,
    /// Sources that may connect; `None`: all. Networks that touch are joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<BTreeSet<IpNet>>,
}

/// An owner's forwards with nothing left to choose.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Desired {
    /// The guest behind them.
    pub guest: Vmid,
    /// How many ports the block has.
    pub size: u16,
    /// By public port; no port twice.
    pub forwards: Vec<Forward>,
}

impl Desired {
    /// Addresses of the guest to which anything leads.
    pub fn targets(&self) -> BTreeSet<IpAddr> {
        self.forwards.iter().map(|f| f.to.address).collect()
    }
}

/// An owner's forwards as they stand in the kernel.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Live {
    pub guest: Option<Vmid>,
    pub size: u16,
    /// By public port.
    pub forwards: Vec<Forward>,
    /// Addresses to which they lead and whose traffic is not counted as that of the guest.
    pub uncounted: BTreeSet<IpAddr>,
    /// What is wrong beyond that: elements that say different things about one owner, a source for a port that has none.
    pub odd: Vec<String>,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Whatever stands there for this owner, afterwards it is this.
    Set(Desired),
    Remove,
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(desired) => {
                let targets: Vec<String> = desired.targets().iter().map(ToString::to_string).collect();
                write!(f, "{} forwards to {}", desired.forwards.len(), targets.join(" and "))
            }
            Self::Remove => f.write_str("no forwards"),
        }
    }
}
