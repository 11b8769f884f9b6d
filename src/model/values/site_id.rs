//! The id of a site.
use super::spelled::{label, spelled};
use std::{fmt, str::FromStr};

/// The datacenter id in `{slug}.{site}.{domain}`: a DNS label of 2 to 20 characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SiteId(String);

impl SiteId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SiteId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        label("the site id", text)?;
        match text.len() {
            2..=20 => Ok(Self(text.into())),
            n => Err(format!("the site id `{text}` is {n} long; 2 to 20 characters are possible")),
        }
    }
}

impl fmt::Display for SiteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

spelled!(SiteId, "a site id", { "type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,18}[a-z0-9]$" });
