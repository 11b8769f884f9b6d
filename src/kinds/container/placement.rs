//! Where a guest may be made, when its manifest leaves the node open.
use crate::{kinds::site::Proxmox, model::Identifier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where the guest may be made. Of the nodes that fit and are up, the one with the most free memory gets it, once:
/// trueup.lock remembers which. A guest that was moved since is found where it is, and stays there.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Placement {
    /// The nodes that it may be made on; all that the Site names unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Identifier>,
    /// Labels that the Site gives to the node, all of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Placement {
    /// The nodes that fit, in the order in which they are written.
    pub fn candidates(&self, site: &Proxmox) -> Vec<Identifier> {
        let all: Vec<Identifier> = match self.nodes.is_empty() {
            true => site.nodes.iter().map(|node| node.name.clone()).collect(),
            false => self.nodes.clone(),
        };
        let has = |name: &Identifier, (label, value): (&String, &String)| {
            site.nodes.iter().any(|node| node.name == *name && node.labels.get(label) == Some(value))
        };
        all.into_iter().filter(|name| self.labels.iter().all(|wanted| has(name, wanted))).collect()
    }
}
