//! The two sides of a unit, and what can be done to it.
use crate::model::{ObjectId, Vmid};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    str::FromStr,
};

/// `101/trueup-schedule-xero-nightly`: the guest, and the name of the unit's files without their ending.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct UnitKey {
    pub vmid: Vmid,
    pub stem: String,
}

impl Display for UnitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.vmid, self.stem)
    }
}

impl FromStr for UnitKey {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (vmid, stem) = text.split_once('/').ok_or_else(|| format!("`{text}` is not VMID/UNIT"))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !stem.starts_with(super::PREFIX) || !stem.chars().all(plain) {
            return Err(format!("`{stem}` is not the name of a unit of ours"));
        }
        Ok(Self { vmid: vmid.parse()?, stem: stem.into() })
    }
}

/// A unit with nothing left to choose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Desired {
    /// The text of each unit file by its name, without our mark.
    pub units: BTreeMap<String, String>,
    /// The one that is enabled and active: the timer, or a service that always runs.
    pub active: String,
    pub secret: Option<SecretFile>,
    /// The guest, and for a connector its tunnel.
    pub needs: Vec<ObjectId>,
}

/// A file of mode 600 in `/etc/trueup`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SecretFile {
    /// The name in the directory: `trueup-tunnel-myird.token`.
    pub name: String,
    pub of: Secret,
}

/// Where its content comes from, when it is written. The content itself is in no plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// What the manifest's reference leads to.
    Reference,
    /// The token by which a connector connects the tunnel of this id.
    TunnelToken { tunnel: String },
}

/// A unit as it is inside a guest.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Live {
    /// As in [`Desired::units`].
    pub units: BTreeMap<String, String>,
    /// Files whose mark is missing or not that of the others.
    pub unmarked: Vec<String>,
    /// Units that are enabled.
    pub enabled: Vec<String>,
    /// Units that are active.
    pub active: Vec<String>,
    /// systemd has not read the files as they are now.
    pub reload_due: bool,
    /// By name in the directory of secrets.
    pub secrets: BTreeMap<String, SecretSeen>,
    pub run: Run,
    pub uses: Vec<ObjectId>,
}

/// What is known of a file of secrets, without its content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecretSeen {
    /// Others than root can read it.
    Open,
    /// It is what the manifest's reference leads to.
    AsReferred,
    /// The reference leads to nothing at the moment, and why.
    Unknown(String),
    /// The token of a connector of this tunnel.
    TunnelToken {
        tunnel: String,
    },
    Other,
}

/// The last and the next run of a timer, and how the last one ended, in the words of systemd; empty where there is none.
/// Never a difference.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Run {
    pub last: String,
    pub next: String,
    /// `success`, `exit-code`, `timeout` …
    pub result: String,
}

/// One change. Unit texts are without the mark, which travels with the step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Writes what is given and leaves `active` enabled and active.
    Install {
        units: BTreeMap<String, String>,
        /// Unit files that belong to it no more.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remove: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<SecretFile>,
        active: String,
        /// What is active must be stopped and started to take the change on.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        restart: bool,
    },
    /// Takes it away with its secrets.
    Remove,
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Install { units, secret, active, .. } => {
                let mut what: Vec<&str> = units.keys().map(String::as_str).collect();
                what.extend(secret.as_ref().map(|s| s.name.as_str()));
                match what.is_empty() {
                    true => write!(f, "activate {active}"),
                    false => write!(f, "write {}; activate {active}", what.join(", ")),
                }
            }
            Self::Remove => f.write_str("stop and remove"),
        }
    }
}
