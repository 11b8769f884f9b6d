//! The ownership mark, as all resources understand it; each writes it in its own place and spelling.
use super::{DeclarationId, Uid};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What may happen to an object whose manifest is gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Deletion {
    /// Removing the manifest removes the object, within the guards.
    Delete,
    /// Removing the manifest stops managing the object; it stays and is shown as orphaned.
    Retain,
    /// A plan that would remove the object is refused.
    Forbid,
}

impl fmt::Display for Deletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delete => "delete",
            Self::Retain => "retain",
            Self::Forbid => "forbid",
        })
    }
}

impl FromStr for Deletion {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "delete" => Ok(Self::Delete),
            "retain" => Ok(Self::Retain),
            "forbid" => Ok(Self::Forbid),
            other => Err(format!("`{other}` is not one of delete, retain, forbid")),
        }
    }
}

/// Names the site and the declaration that an object belongs to. It outlives the manifest, so it must say all that a
/// removal needs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// `metadata.name` of the Site.
    pub site: String,
    /// The uid of the declaration that yields this object.
    pub uid: Uid,
    /// The uid of what the object serves: the guest behind a forward, the tunnel behind a CNAME.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves: Option<Uid>,
    pub deletion: Deletion,
    /// The declaration by name, where the mark has room for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<DeclarationId>,
}

impl Mark {
    /// `site=… declared=… uid=… serves=… deletion=…`: the spelling for places that hold a line of text.
    pub fn to_words(&self) -> String {
        let mut words = format!("site={}", self.site);
        if let Some(declared) = &self.declared {
            words += &format!(" declared={declared}");
        }
        words += &format!(" uid={}", self.uid);
        if let Some(serves) = &self.serves {
            words += &format!(" serves={serves}");
        }
        words + &format!(" deletion={}", self.deletion)
    }

    /// Reads [`Self::to_words`], in any order and among other words. `None` without a site or a uid.
    pub fn from_words(text: &str) -> Option<Self> {
        let word = |name: &str| text.split_whitespace().find_map(|w| w.strip_prefix(name)?.strip_prefix('='));
        Some(Self {
            site: word("site")?.to_owned(),
            uid: word("uid")?.parse().ok()?,
            serves: word("serves").and_then(|uid| uid.parse().ok()),
            // A policy that a later version invents is not one that allows a deletion.
            deletion: word("deletion").and_then(|d| d.parse().ok()).unwrap_or(Deletion::Retain),
            declared: word("declared").and_then(|d| d.parse().ok()),
        })
    }

    /// Whether both marks name the same owner; policy and names may have changed since.
    pub fn same_owner(&self, other: &Mark) -> bool {
        self.site == other.site && self.uid == other.uid
    }
}
