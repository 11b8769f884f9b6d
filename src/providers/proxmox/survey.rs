//! What there is to make guests of: nodes, storages, bridges; and each endpoint on its own.
use super::{Proxmox, encode, strange, values};
use crate::model::Answer;
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};

/// A node of the cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    pub name: String,
    pub online: bool,
    /// Bytes of memory that are free. `None`: the token does not hold Sys.Audit there, or nobody knows.
    pub free_memory: Option<u64>,
}

/// A storage as one node sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Storage {
    pub name: String,
    /// It can be used right now.
    pub active: bool,
    /// `rootdir`, `images`, `vztmpl` …
    pub content: BTreeSet<String>,
}

impl Proxmox {
    /// The nodes, also those that are down. Every token sees their names; `mem` and `maxmem` need Sys.Audit on the node
    /// (pve-manager 9.2.11).
    pub async fn nodes(&self) -> Answer<Vec<Node>> {
        let attempted = "list the nodes";
        let data = self.wire.get(attempted, "/nodes", &[]).await?;
        let rows = rows(attempted, &data)?.iter().map(|row| {
            let name = field(attempted, row, "node")?;
            let [all, used] = ["maxmem", "mem"].map(|key| row.get(key).and_then(values::number));
            let online = row.get("status").and_then(Value::as_str) == Some("online");
            Ok(Node { name, online, free_memory: all.and_then(|all| all.checked_sub(used?)) })
        });
        rows.collect()
    }

    /// The storages of a node that the token may use or look into.
    pub async fn storages(&self, node: &str) -> Answer<Vec<Storage>> {
        let attempted = format!("list the storages of {node}");
        let data = self.wire.get(&attempted, &format!("/nodes/{}/storage", encode::segment(node)), &[]).await?;
        let rows = rows(&attempted, &data)?.iter().map(|row| {
            let content = row.get("content").and_then(Value::as_str).unwrap_or_default();
            Ok(Storage {
                name: field(&attempted, row, "storage")?,
                active: row.get("active").and_then(values::number) != Some(0),
                content: content.split(',').map(str::to_owned).collect(),
            })
        });
        rows.collect()
    }

    /// The bridges of a node that the token may use, those of SDN among them.
    pub async fn bridges(&self, node: &str) -> Answer<BTreeSet<String>> {
        let attempted = format!("list the bridges of {node}");
        let path = format!("/nodes/{}/network", encode::segment(node));
        let data = self.wire.get(&attempted, &path, &[("type", "any_bridge")]).await?;
        rows(&attempted, &data)?.iter().map(|row| field(&attempted, row, "iface")).collect()
    }

    /// How far the clock of the server is ahead of ours, in whole seconds, as of its last answer.
    pub fn clock_ahead(&self) -> Option<i64> {
        self.wire.ahead()
    }

    /// `user@realm!id`, which is no secret.
    pub fn identity(&self) -> Option<&str> {
        self.wire.identity()
    }

    /// A client for each endpoint alone, with the endpoint's name.
    pub fn each_endpoint(&self) -> Vec<(String, Self)> {
        let wires = self.wire.each_endpoint().into_iter();
        wires
            .map(|(name, wire)| (name, Self { wire: Arc::new(wire), homes: Arc::default(), patience: self.patience }))
            .collect()
    }
}

fn rows<'a>(attempted: &str, data: &'a Value) -> Answer<&'a Vec<Value>> {
    data.as_array().ok_or_else(|| strange(attempted, "not a list"))
}

fn field(attempted: &str, row: &Value, name: &str) -> Answer<String> {
    row.get(name).and_then(values::text).ok_or_else(|| strange(attempted, &format!("no `{name}`")))
}
