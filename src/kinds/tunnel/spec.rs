//! What a person writes to describe a tunnel.
use super::TunnelService;
use crate::{
    kinds::declared::{Declarations, Declared, Spec},
    model::{Deletion, HostPattern, Name},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A Cloudflare tunnel: host names of the zone that reach services of the site without a public address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Tunnel")]
pub struct Tunnel {
    /// Whether rules that people made by hand stay.
    #[serde(default)]
    pub mode: TunnelMode,
    /// Where the connector, cloudflared, runs.
    pub connector: Connector,
    /// What is reached by which name. Exact names are tried before wildcards, longer paths before shorter ones.
    #[schemars(length(min = 1))]
    pub ingress: Vec<Ingress>,
    /// What answers everything else: the catch-all rule, always the last.
    #[serde(default = "TunnelService::not_found")]
    pub otherwise: TunnelService,
}

/// Whether rules that people made by hand stay.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TunnelMode {
    /// The tunnel has the rules of the manifest and no others.
    #[default]
    Exclusive,
    /// Rules that people made by hand stay.
    Shared,
}

/// Where the connector runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Connector {
    /// The guest: the name of a Container.
    pub guest: Name,
}

/// One rule: which requests, and where they go.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ingress {
    /// The host name, inside the Site's domain; `*.` before it stands for any one label.
    pub host: HostPattern,
    /// A regular expression that the request's path must match: `^/gateway/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What answers, as the connector's guest reaches it.
    pub service: TunnelService,
}

impl Spec for Tunnel {
    const KIND: &'static str = "Tunnel";
    const DELETION: Deletion = Deletion::Delete;
    const EXAMPLE: &'static str = include_str!("example.yaml");
    fn of(declarations: &Declarations) -> &BTreeMap<Name, Declared<Self>> {
        &declarations.tunnels
    }
    fn of_mut(declarations: &mut Declarations) -> &mut BTreeMap<Name, Declared<Self>> {
        &mut declarations.tunnels
    }
}
