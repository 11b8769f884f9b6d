//! The lock file as text: YAML, one line for each object, sorted, the same bytes for the same content.
use super::{Block, Entry, Freed, Lock};
use crate::model::{DeclarationId, Mac, Slug, Uid};
use jiff::Timestamp;
use serde::Deserialize;
use std::{collections::BTreeMap, fmt::Write};

/// Why a lock file cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct LockError {
    /// From 1, where known.
    pub line: Option<usize>,
    pub message: String,
    pub hint: Option<String>,
}

const VERSION: u32 = 1;
const HEAD: &str =
    "# trueup.lock: what git must remember. Written by `trueup lock`; review it, and do not edit it by hand.\n";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FileForm {
    version: u32,
    #[serde(default)]
    objects: BTreeMap<String, EntryForm>,
    #[serde(default)]
    freed: Vec<FreedForm>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EntryForm {
    uid: Uid,
    vmid: Option<u32>,
    node: Option<String>,
    #[serde(default)]
    macs: BTreeMap<String, Mac>,
    ports: Option<BlockForm>,
    slug: Option<Slug>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BlockForm {
    gateway: String,
    base: u16,
    size: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FreedForm {
    gateway: String,
    base: u16,
    size: u16,
    owner: DeclarationId,
    uid: Uid,
    freed_at: Timestamp,
}

impl Lock {
    /// Reads a lock file. Left-over conflict markers, unknown fields and duplicate objects are errors.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let marker = |line: &str| ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].iter().any(|m| line.starts_with(m));
        if let Some(nth) = text.lines().position(marker) {
            return Err(LockError {
                line: Some(nth + 1),
                message: "the file holds the markers of a merge conflict".into(),
                hint: Some("keep the lines of both sides, then run `trueup lock`: it sees to what clashes".into()),
            });
        }
        // Through `Value`, which refuses duplicate keys; into a map they would be silently the last one.
        let read = |e: serde_yaml::Error| LockError {
            line: e.location().map(|location| location.line()),
            message: e.to_string(),
            hint: Some("restore the file from git, then run `trueup lock`".into()),
        };
        let value: serde_yaml::Value = serde_yaml::from_str(text).map_err(read)?;
        let form: FileForm = serde_yaml::from_value(value).map_err(read)?;
        if form.version != VERSION {
            return Err(LockError {
                line: None,
                message: format!("version {} is not known here; this program writes version {VERSION}", form.version),
                hint: Some("use the release that wrote it, or a newer one".into()),
            });
        }
        let mut lock = Self::default();
        for (id, entry) in form.objects {
            let id: DeclarationId = id.parse().map_err(|message| LockError { line: None, message, hint: None })?;
            let block = entry.ports.map(|b| Block { gateway: b.gateway, base: b.base, size: b.size });
            let EntryForm { uid, vmid, node, macs, slug, .. } = entry;
            lock.objects.insert(id, Entry { uid, vmid, node, macs, block, slug });
        }
        for freed in form.freed {
            let FreedForm { gateway, base, size, owner, uid, freed_at } = freed;
            lock.freed.push(Freed { block: Block { gateway, base, size }, owner, uid, freed_at });
        }
        Ok(lock)
    }

    /// The file's bytes.
    pub fn to_text(&self) -> String {
        let mut out = String::from(HEAD);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "version: {VERSION}");
        let _ = writeln!(out, "objects:{}", if self.objects.is_empty() { " {}" } else { "" });
        for (id, entry) in &self.objects {
            let _ = write!(out, "  {id}: {{ uid: {}", entry.uid);
            if let Some(vmid) = entry.vmid {
                let _ = write!(out, ", vmid: {vmid}");
            }
            if let Some(node) = &entry.node {
                let _ = write!(out, ", node: \"{node}\"");
            }
            if !entry.macs.is_empty() {
                let all: Vec<String> = entry.macs.iter().map(|(name, mac)| format!("{name}: \"{mac}\"")).collect();
                let _ = write!(out, ", macs: {{ {} }}", all.join(", "));
            }
            if let Some(b) = &entry.block {
                let _ = write!(out, ", ports: {{ gateway: {}, base: {}, size: {} }}", b.gateway, b.base, b.size);
            }
            if let Some(slug) = &entry.slug {
                let _ = write!(out, ", slug: \"{slug}\"");
            }
            out.push_str(" }\n");
        }
        if !self.freed.is_empty() {
            out.push_str("freed:\n");
        }
        for Freed { block, owner, uid, freed_at } in &self.freed {
            let Block { gateway, base, size } = block;
            let _ = writeln!(
                out,
                "  - {{ gateway: {gateway}, base: {base}, size: {size}, owner: {owner}, uid: {uid}, freedAt: \"{freed_at}\" }}"
            );
        }
        out
    }
}
