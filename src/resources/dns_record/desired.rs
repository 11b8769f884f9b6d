//! The two sides of the records under one key, and what can be done to them.
use crate::model::ObjectId;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fmt::{self, Display},
    str::FromStr,
};

/// `k7m2p4.dc-lk.decent-cloud.org/A`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    /// In full, lower case, punycode, no final dot.
    pub name: String,
    /// `A`, `AAAA`, `CNAME` …
    pub kind: String,
}

impl Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.kind)
    }
}

impl FromStr for Key {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.rsplit_once('/') {
            Some((name, kind)) if !name.is_empty() && !kind.is_empty() => {
                Ok(Self { name: name.into(), kind: kind.into() })
            }
            _ => Err(format!("`{text}` is not NAME/TYPE")),
        }
    }
}

/// The records under one key, with nothing left to choose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Desired {
    /// In normal form; never empty.
    pub contents: BTreeSet<String>,
    /// Seconds; 1 is automatic, always so when proxied.
    pub ttl: u32,
    /// Through Cloudflare's edge.
    pub proxied: bool,
    /// What must be there before people are sent to it.
    pub needs: Vec<ObjectId>,
    /// What must outlive the records; their mark says so.
    pub uses: Vec<ObjectId>,
    /// Something to be told before it is done.
    pub warning: Option<String>,
}

/// One record as it is written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Row {
    #[serde(rename = "type")]
    pub kind: String,
    pub content: String,
    pub ttl: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proxied: bool,
    /// Of a live one, the comment that it has; our mark travels with the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.content)
    }
}

impl Row {
    /// With all that it is: what is taken over is changed next, and this is the copy of what it was.
    fn whole(&self) -> String {
        let mut more = vec![format!("TTL {}", self.ttl)];
        more.extend(self.proxied.then(|| "proxied".to_owned()));
        more.extend(
            self.comment.iter().filter(|comment| !comment.is_empty()).map(|comment| format!("comment \"{comment}\"")),
        );
        format!("{self} ({})", more.join(", "))
    }
}

/// One record that is there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Held {
    pub id: String,
    #[serde(flatten)]
    pub row: Row,
    /// Of ours, but of a declaration that no longer wants this key: it makes way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub surplus: bool,
}

/// The records under one key as Cloudflare shows them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Live {
    /// Ours, or of a foreign key the foreign ones. A record of another type that stands in the way is among them.
    pub records: Vec<Held>,
    /// Foreign records that stand beside ours.
    pub beside: Vec<String>,
    /// From the marks.
    pub uses: Vec<ObjectId>,
    /// The route by which addresses are reached, which has the uid of the same declaration.
    pub route: Option<ObjectId>,
    /// The marks of the records differ, so at least one must be written anew.
    pub mixed: bool,
}

/// A record that takes another form; what is equal on both sides is not sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Patch {
    pub id: String,
    pub from: Row,
    pub to: Row,
}

/// One change: everything that it writes but the mark, which travels with the step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Create {
        rows: Vec<Row>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        uses: Vec<ObjectId>,
    },
    /// Writes the mark and nothing else. History keeps what the records were.
    Adopt {
        was: Vec<Held>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        uses: Vec<ObjectId>,
    },
    /// Takes effect together: deletes, then patches, then posts.
    Set {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        deletes: Vec<Held>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        patches: Vec<Patch>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        posts: Vec<Row>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        uses: Vec<ObjectId>,
        /// Write the mark anew, on the patched records.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        mark: bool,
    },
    Delete {
        was: Vec<Held>,
    },
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = vec![];
        match self {
            Self::Create { rows, .. } => parts.extend(rows.iter().map(ToString::to_string)),
            Self::Adopt { was, .. } => {
                parts.extend(was.iter().map(|held| format!("mark {} as ours", held.row.whole())))
            }
            Self::Set { deletes, patches, posts, mark, .. } => {
                parts.extend(deletes.iter().map(|held| format!("remove {}", held.row)));
                let changed = patches.iter().filter(|patch| patch.from != patch.to);
                parts.extend(changed.map(|patch| format!("{} becomes {}", patch.from, patch.to)));
                parts.extend(posts.iter().map(|row| format!("add {row}")));
                parts.extend(mark.then(|| "write the mark anew".to_owned()));
            }
            Self::Delete { was } => parts.extend(was.iter().map(|held| held.row.to_string())),
        }
        f.write_str(&parts.join(", "))
    }
}
