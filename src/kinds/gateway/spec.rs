//! What a person writes to describe a gateway.
use crate::{
    kinds::declared::{Declarations, Declared, Spec},
    model::{AbsolutePath, Deletion, HttpUrl, Identifier, Name, Network, Period, Port, PortRange},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr};

/// The public side of a site: its addresses, the ports that guests share, the networks of guests, and the reverse proxy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Gateway")]
pub struct Gateway {
    /// The addresses to which DNS names of guests lead and on which ports are forwarded.
    #[schemars(length(min = 1))]
    pub public_addresses: Vec<IpAddr>,
    /// The interface that carries them.
    pub public_interface: Identifier,
    /// The networks of guests: what leaves them by the public interface is masqueraded.
    #[schemars(length(min = 1))]
    pub guest_networks: Vec<Network>,
    /// The ports that guests share.
    #[serde(default)]
    pub ports: Ports,
    /// The ports of the node itself that stay open on the public side.
    #[serde(default)]
    pub host_ports: HostPorts,
    /// The reverse proxy. Needed by DnsSlug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traefik: Option<Traefik>,
}

/// The ports that guests share, in blocks of one size.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Ports {
    /// From the first to the last port, both included.
    pub range: PortRange,
    /// How many ports a guest gets.
    #[schemars(range(min = 1))]
    pub block_size: u16,
    /// Ports in the range that are used otherwise; a block with one of them is given to nobody.
    pub reserved: Vec<Port>,
    /// How long a freed block rests before another guest gets it.
    pub quarantine: Period,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            range: PortRange::DEFAULT,
            block_size: 10,
            reserved: Vec::new(),
            quarantine: Period::seconds(24 * 3_600),
        }
    }
}

/// The ports of the node itself that stay open on the public side.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostPorts {
    /// TCP ports.
    #[serde(default = "host_tcp")]
    pub tcp: Vec<Port>,
    /// UDP ports.
    #[serde(default)]
    pub udp: Vec<Port>,
}

impl Default for HostPorts {
    fn default() -> Self {
        Self { tcp: host_tcp(), udp: Vec::new() }
    }
}

/// SSH, HTTP, HTTPS and Proxmox: without the first and last of them a mistake here would lock everybody out.
fn host_tcp() -> Vec<Port> {
    [22, 80, 443, 8006].into_iter().filter_map(|port| Port::try_from(port).ok()).collect()
}

/// The reverse proxy that routes HTTPS by name and redirects HTTP.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Traefik {
    /// The directory of its file provider, on the node.
    pub dynamic_directory: AbsolutePath,
    /// Its API, as the node reaches it.
    pub api: HttpUrl,
}

impl Spec for Gateway {
    const KIND: &'static str = "Gateway";
    const DELETION: Deletion = Deletion::Retain;
    const EXAMPLE: &'static str = include_str!("example.yaml");
    fn of(declarations: &Declarations) -> &BTreeMap<Name, Declared<Self>> {
        &declarations.gateways
    }
    fn of_mut(declarations: &mut Declarations) -> &mut BTreeMap<Name, Declared<Self>> {
        &mut declarations.gateways
    }
}
