//! The two sides of a volume, and how it comes to be.
use crate::model::{Checksum, HttpUrl};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fmt::{self, Display},
    str::FromStr,
};

/// A file on a storage as Proxmox names it: `STORAGE:CONTENT/FILE`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct VolumeId {
    pub storage: String,
    /// `vztmpl` or `import`.
    pub content: String,
    pub file: String,
}

impl Display for VolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.storage, self.content, self.file)
    }
}

impl FromStr for VolumeId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').and_then(|(storage, rest)| Some((storage, rest.split_once('/')?)));
        match parts {
            Some((storage, (content, file))) if !storage.is_empty() && !content.is_empty() && !file.is_empty() => {
                Ok(Self { storage: storage.into(), content: content.into(), file: file.into() })
            }
            _ => Err(format!("`{text}` is not STORAGE:CONTENT/FILE")),
        }
    }
}

/// Where a volume comes from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The index of appliances that each node keeps, under the name of the file. It holds the checksum.
    Index,
    /// The node itself downloads it, and verifies it.
    Url { url: HttpUrl, checksum: Checksum },
    /// A file beside the manifests is sent. Without a checksum its own is sent along, which proves the transfer.
    Upload {
        path: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checksum: Option<Checksum>,
    },
}

impl Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index => f.write_str("download as the appliance index says"),
            Self::Url { url, .. } => write!(f, "download {url}"),
            Self::Upload { path, .. } => write!(f, "upload {path}"),
        }
    }
}

/// A volume that must be there. What it holds is known by its name: a file that is there is taken as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Desired {
    /// Nodes on which it is needed.
    pub nodes: BTreeSet<String>,
    pub source: Source,
}

/// A volume that is there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Live {
    /// Nodes that see it, of those that were asked: all of them where the storage is shared.
    pub nodes: BTreeSet<String>,
    /// Bytes.
    pub size: u64,
}

/// Brings the file to a node, where it is not there by then.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    pub node: String,
    pub source: Source,
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.source, self.node)
    }
}
