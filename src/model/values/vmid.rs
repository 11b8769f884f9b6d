//! Proxmox's number of a guest.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Proxmox's number of a guest, 100 to 999999999; one number space for containers and virtual machines of a cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "u32")]
pub struct Vmid(u32);

impl Vmid {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Vmid {
    type Error = String;
    fn try_from(number: u32) -> Result<Self, String> {
        match number {
            100..=999_999_999 => Ok(Self(number)),
            _ => Err(format!("the vmid {number} is not between 100 and 999999999")),
        }
    }
}

impl std::str::FromStr for Vmid {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number: u32 =
            text.parse().map_err(|_| format!("`{text}` is not a vmid, a number from 100 to 999999999"))?;
        Self::try_from(number)
    }
}

impl fmt::Display for Vmid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for Vmid {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Vmid".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 100, "maximum": 999_999_999 })
    }
}
