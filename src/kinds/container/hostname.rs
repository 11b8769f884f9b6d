//! What a guest calls itself.
use crate::model::{Name, spelled};
use std::{fmt, str::FromStr};

/// What a guest calls itself: DNS labels of letters, digits and `-`, in the case in which they are written, with dots between.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Hostname(String);

impl Hostname {
    /// The hostname as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Name> for Hostname {
    fn from(name: &Name) -> Self {
        Self(name.as_str().into())
    }
}

impl FromStr for Hostname {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > 253 {
            return Err(format!("the hostname `{text}` has {} characters, at most 253 are possible", text.len()));
        }
        for part in text.split('.') {
            if part.is_empty() || part.len() > 63 || part.starts_with('-') || part.ends_with('-') {
                return Err(format!(
                    "the hostname `{text}` has a part that is empty, too long, or begins or ends with `-`"
                ));
            }
            if let Some(c) = part.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
                return Err(format!("the hostname `{text}` has `{c}`; only letters, digits and `-` are possible"));
            }
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

spelled!(Hostname, "a hostname", { "type": "string", "pattern": "^[A-Za-z0-9-]+([.][A-Za-z0-9-]+)*$" });
