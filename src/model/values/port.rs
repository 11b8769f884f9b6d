//! Ports, ranges of them, and what a forward leads to.
use super::spelled::spelled;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A TCP or UDP port, 1 to 65535.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "u32")]
pub struct Port(u16);

impl Port {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u32> for Port {
    type Error = String;
    fn try_from(number: u32) -> Result<Self, String> {
        match u16::try_from(number) {
            Ok(port) if port > 0 => Ok(Self(port)),
            _ => Err(format!("the port {number} is not between 1 and 65535")),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for Port {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Port".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": 65535 })
    }
}

fn port(text: &str) -> Result<Port, String> {
    let number = text.parse::<u32>().map_err(|_| format!("`{text}` is not a port"))?;
    Port::try_from(number)
}

/// Ports from the first to the last, both included: `20000-59999`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PortRange {
    first: Port,
    last: Port,
}

impl PortRange {
    /// What the field uses: 20000 to 59999.
    pub const DEFAULT: Self = Self { first: Port(20_000), last: Port(59_999) };

    /// A range; the first may not be above the last.
    pub fn new(first: Port, last: Port) -> Result<Self, String> {
        if first > last {
            return Err(format!("the range {first}-{last} ends before it starts"));
        }
        Ok(Self { first, last })
    }
    /// The first port.
    pub fn first(self) -> u16 {
        self.first.get()
    }
    /// The last port, which belongs to the range.
    pub fn last(self) -> u16 {
        self.last.get()
    }
    /// How many ports.
    pub fn count(self) -> u32 {
        u32::from(self.last()) - u32::from(self.first()) + 1
    }
    /// Whether the port is one of them.
    pub fn contains(self, port: u16) -> bool {
        (self.first()..=self.last()).contains(&port)
    }
}

impl FromStr for PortRange {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) =
            text.split_once('-').ok_or_else(|| format!("`{text}` is not a range of ports, as in 20000-59999"))?;
        Self::new(port(first.trim())?, port(last.trim())?)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

spelled!(PortRange, "a range of ports such as 20000-59999", {
    "type": "string", "pattern": "^[0-9]{1,5} *- *[0-9]{1,5}$", "examples": ["20000-59999"]
});

/// The protocol of a forward.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Tcp,
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// A port inside a guest: `22/tcp`, `10005/udp`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PortTarget {
    pub port: Port,
    pub transport: Transport,
}

impl FromStr for PortTarget {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (number, transport) = text
            .split_once('/')
            .ok_or_else(|| format!("`{text}` lacks the protocol; write {text}/tcp or {text}/udp"))?;
        let transport = match transport {
            "tcp" => Transport::Tcp,
            "udp" => Transport::Udp,
            other => return Err(format!("the protocol `{other}` is neither tcp nor udp")),
        };
        Ok(Self { port: port(number)?, transport })
    }
}

impl fmt::Display for PortTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.port, self.transport)
    }
}

spelled!(PortTarget, "a port with its protocol such as 22/tcp", {
    "type": "string", "pattern": "^[0-9]{1,5}/(tcp|udp)$", "examples": ["22/tcp", "10005/udp"]
});
