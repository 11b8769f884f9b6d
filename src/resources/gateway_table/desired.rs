//! The live side of the table, and what can be done to it. The desired side are [`Rules`].
use crate::providers::nftables::Rules;
use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Display},
    str::FromStr,
};

/// The key: a host has one table of ours, `inet trueup`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Table;

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("trueup")
    }
}

impl FromStr for Table {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "trueup" { Ok(Self) } else { Err(format!("`{text}` is not the name of our table, trueup")) }
    }
}

/// What stands in the kernel.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Live {
    /// What the rules were made from, by the table's own notes.
    pub made_from: Option<Rules>,
    /// The digest of the text that made them.
    pub text: Option<String>,
    /// The rules are listed as they were right after they were made.
    pub intact: bool,
    /// Elements that no owner of ours answers for.
    pub strays: Vec<String>,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Makes table and rules, or renews them; elements of owners, counters and connections stay. Strays go.
    Establish {
        rules: Rules,
    },
    Remove,
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Establish { rules } => {
                let addresses: Vec<String> = rules.public_addresses.iter().map(ToString::to_string).collect();
                write!(f, "table inet trueup for {} on {}", addresses.join(", "), rules.public_interface)
            }
            Self::Remove => f.write_str("table inet trueup with all that is in it"),
        }
    }
}
