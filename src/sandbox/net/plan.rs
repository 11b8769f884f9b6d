//! Which addresses and routes the three namespaces have: lines for `ip -batch`.
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The network of the simulated site.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Layout {
    /// The interface that carries the public addresses.
    pub public_interface: String,
    /// With the length of their network.
    pub public: Vec<IpNet>,
    /// The interface towards the guests.
    pub guest_interface: String,
    pub guests: Vec<GuestNetwork>,
    /// Addresses of somebody on the internet.
    pub clients: Vec<IpAddr>,
    /// Whether the kernel forwards from the start.
    #[serde(default = "yes")]
    pub forwarding: bool,
}

fn yes() -> bool {
    true
}

/// A network of guests, and the node's address in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GuestNetwork {
    /// The gateway's address with the length of the network: `10.0.1.1/24`.
    pub gateway: IpNet,
}

impl Default for Layout {
    /// The site of the examples: documentation addresses outside, 10.0.1.0/24 and fd00:1::/64 inside.
    fn default() -> Self {
        let net = |address: [u8; 4], length| IpNet::new_assert(IpAddr::from(address), length);
        let net6 = |address: [u16; 8], length| IpNet::new_assert(IpAddr::from(address), length);
        Self {
            public_interface: "vmbr0".to_owned(),
            public: vec![net([203, 0, 113, 1], 24), net6([0x2001, 0xdb8, 1, 0, 0, 0, 0, 1], 64)],
            guest_interface: "vmbr1".to_owned(),
            guests: vec![
                GuestNetwork { gateway: net([10, 0, 1, 1], 24) },
                GuestNetwork { gateway: net6([0xfd00, 1, 0, 0, 0, 0, 0, 1], 64) },
            ],
            clients: vec![IpAddr::from([198, 51, 100, 10]), IpAddr::from([0x2001, 0xdb8, 2, 0, 0, 0, 0, 10])],
            forwarding: true,
        }
    }
}

/// IPv6 addresses count at once, without the second in which the kernel looks for others that have them.
fn no_wait(address: IpAddr) -> &'static str {
    if address.is_ipv6() { " nodad" } else { "" }
}

/// The whole family, which `ip` writes so in both.
fn everything(address: IpAddr) -> &'static str {
    if address.is_ipv6() { "::/0" } else { "0.0.0.0/0" }
}

impl Layout {
    /// Joins the three; run in the edge.
    pub(super) fn links(&self, client: i32, guests: i32) -> Vec<String> {
        let (public, inside) = (&self.public_interface, &self.guest_interface);
        vec![
            format!("link add {public} type veth peer name net netns {client}"),
            format!("link add {inside} type veth peer name eth0 netns {guests}"),
            format!("link set {public} up"),
            format!("link set {inside} up"),
        ]
    }

    pub(super) fn edge(&self) -> Vec<String> {
        let (public, inside) = (&self.public_interface, &self.guest_interface);
        let addresses = self.public.iter().map(|a| format!("addr add {a} dev {public}{}", no_wait(a.addr())));
        let gateways = self.guests.iter().map(|g| g.gateway);
        let gateways = gateways.map(|a| format!("addr add {a} dev {inside}{}", no_wait(a.addr())));
        let defaults = self
            .routers()
            .into_iter()
            .map(|router| format!("route add {} via {} dev {public}", everything(router.addr()), router.addr()));
        addresses.chain(gateways).chain(defaults).collect()
    }

    pub(super) fn client(&self) -> Vec<String> {
        let mut lines: Vec<String> = vec!["link set net up".to_owned()];
        lines.extend(self.routers().iter().map(|r| format!("addr add {r} dev net{}", no_wait(r.addr()))));
        for client in &self.clients {
            let length = if client.is_ipv6() { 128 } else { 32 };
            lines.push(format!("addr add {client}/{length} dev lo{}", no_wait(*client)));
            // It speaks as itself, not as the router.
            let networks = self.routers().into_iter().filter(|r| r.addr().is_ipv6() == client.is_ipv6());
            let first = self.clients.iter().find(|c| c.is_ipv6() == client.is_ipv6()) == Some(client);
            lines.extend(
                networks
                    .filter(|_| first)
                    .map(|network| format!("route replace {} dev net src {client}", network.trunc())),
            );
        }
        lines
    }

    /// Of one family: `ip rule` must be told which.
    pub(super) fn guests(&self, six: bool) -> Vec<String> {
        let mut lines = vec!["link set eth0 up".to_owned()];
        if !six {
            // With its last address an interface loses its routes; this one stays when the last guest stops.
            lines.push("addr add 192.0.2.1/32 dev eth0".to_owned());
        }
        let networks = self.guests.iter().map(|network| network.gateway).filter(|g| g.addr().is_ipv6() == six);
        for (n, gateway) in networks.enumerate() {
            let (network, address, table) = (gateway.trunc(), gateway.addr(), 100 + n);
            lines.push(format!("route add {network} dev eth0"));
            // Each network leaves by its own gateway, although all of them are in one namespace.
            lines.push(format!("rule add from {network} lookup {table}"));
            lines.push(format!("route add {network} dev eth0 table {table}"));
            lines.push(format!("route add {} via {address} dev eth0 onlink table {table}", everything(address)));
            if n == 0 {
                lines.push(format!("route add {} via {address} dev eth0 onlink", everything(address)));
            }
        }
        lines
    }

    /// One router of the internet in each public network: its last address that is not ours.
    fn routers(&self) -> Vec<IpNet> {
        let mut all: Vec<IpNet> = Vec::new();
        for public in &self.public {
            let network = public.trunc();
            let last = match network {
                IpNet::V4(net) => IpAddr::from(u32::from(net.broadcast()).saturating_sub(1).to_be_bytes()),
                IpNet::V6(net) => IpAddr::from(u128::from(net.broadcast()).saturating_sub(1).to_be_bytes()),
            };
            if let Ok(router) = IpNet::new(last, public.prefix_len())
                && !all.iter().any(|known| known.trunc() == network)
                && !self.public.iter().any(|own| own.addr() == last)
            {
                all.push(router);
            }
        }
        all
    }
}
