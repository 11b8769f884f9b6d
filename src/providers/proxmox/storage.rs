//! What lies on a storage.
use super::{Proxmox, encode, strange, values};
use crate::model::Answer;

/// A volume on a storage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Volume {
    /// `local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst`.
    pub id: String,
    /// `vztmpl`, `iso`, `rootdir` …
    pub content: String,
    /// Bytes.
    pub size: u64,
}

impl Proxmox {
    /// The volumes of one content type on a storage of a node.
    pub async fn storage_content(&self, node: &str, storage: &str, content: &str) -> Answer<Vec<Volume>> {
        let attempted = format!("list {content} on storage {storage} of {node}");
        let path = format!("/nodes/{}/storage/{}/content", encode::segment(node), encode::segment(storage));
        let data = self.wire.get(&attempted, &path, &[("content", content)]).await?;
        let lines = data.as_array().ok_or_else(|| strange(&attempted, "not a list"))?;
        lines
            .iter()
            .map(|line| {
                let field = |name: &str| line.get(name).and_then(values::text);
                Ok(Volume {
                    id: field("volid").ok_or_else(|| strange(&attempted, "a volume without `volid`"))?,
                    content: field("content").unwrap_or_else(|| content.to_owned()),
                    size: line.get("size").and_then(values::number).unwrap_or(0),
                })
            })
            .collect()
    }
}
