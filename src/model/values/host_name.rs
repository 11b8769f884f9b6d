//! Host names, as DNS compares them.
use super::spelled::{label, spelled};
use std::{fmt, str::FromStr};

/// A fully qualified host name of at least two labels, in lower case, internationalised names in punycode, without the final dot.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostName(String);

impl HostName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// How many labels this name has below `zone`; nothing when it is not in the zone. The zone itself is 0 below.
    pub fn depth_below(&self, zone: &HostName) -> Option<usize> {
        if self == zone {
            return Some(0);
        }
        let rest = self.0.strip_suffix(zone.as_str())?.strip_suffix('.')?;
        Some(rest.split('.').count())
    }
}

impl FromStr for HostName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.strip_suffix('.').unwrap_or(text);
        if plain.contains(['/', ':', '@', '?', '#']) {
            return Err(format!("`{text}` is not a host name; write the name alone, without scheme, port or path"));
        }
        let name = match url::Host::parse(plain) {
            Ok(url::Host::Domain(name)) => name,
            Ok(_) => return Err(format!("`{text}` is an address where a host name is meant")),
            Err(_) => return Err(format!("`{text}` is not a host name")),
        };
        if name.len() > 253 {
            return Err(format!("the host name `{text}` has {} characters, at most 253 are possible", name.len()));
        }
        for part in name.split('.') {
            label("a part of the host name", part)?;
        }
        if !name.contains('.') {
            return Err(format!("the host name `{text}` has no domain; write it in full"));
        }
        Ok(Self(name))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

spelled!(HostName, "a host name", { "type": "string", "format": "hostname" });

/// A host name, or all names one label below one: `*.apps.decent-cloud.org`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostPattern {
    /// The name, without the `*.`.
    pub name: HostName,
    /// Whether any label may stand before the name.
    pub wildcard: bool,
}

impl FromStr for HostPattern {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (rest, wildcard) = text.strip_prefix("*.").map_or((text, false), |rest| (rest, true));
        Ok(Self { name: rest.parse()?, wildcard })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.wildcard { "*." } else { "" }, self.name)
    }
}

spelled!(HostPattern, "a host name", { "type": "string", "pattern": "^([*][.])?[^*/: ]+$" });
