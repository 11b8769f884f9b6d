//! The rules of our table, as text for `nft -f -`.
use super::{element::Family, value::Interface};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, net::IpAddr, sync::LazyLock};

/// All that the rules depend on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// Addresses of the host that the world connects to.
    pub public_addresses: BTreeSet<IpAddr>,
    /// The interface that leads to the world.
    pub public_interface: Interface,
    /// Networks of the guests. Those of private addresses are hidden behind the host; others are routed as they are.
    pub guest_networks: BTreeSet<IpNet>,
    /// Ports of the host itself that are open at its public addresses.
    pub host_tcp: BTreeSet<u16>,
    pub host_udp: BTreeSet<u16>,
}

/// Networks that the world does not route: RFC 1918, RFC 6598, RFC 3927; RFC 4193, RFC 4291.
const PRIVATE4: &str = "10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16";
const PRIVATE6: &str = "fc00::/7, fe80::/10";

static TEMPLATE: LazyLock<Result<tera::Tera, String>> = LazyLock::new(|| {
    let mut tera = tera::Tera::default();
    tera.add_raw_template("rules.nft", include_str!("rules.nft.tera")).map_err(|e| e.to_string())?;
    Ok(tera)
});

#[derive(Serialize)]
struct PerFamily {
    n: char,
    ip: &'static str,
    r#type: &'static str,
    publics: String,
    guests: String,
    hidden: String,
    private: &'static str,
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// Whether the world does not route this network, so that its guests need the host's address to get out.
pub fn is_private(network: &IpNet) -> bool {
    let private = match network {
        IpNet::V4(_) => PRIVATE4,
        IpNet::V6(_) => PRIVATE6,
    };
    private.split(", ").filter_map(|p| p.parse::<IpNet>().ok()).any(|p| p.contains(network))
}

impl Rules {
    /// Refuses what nft would refuse, and what would make rules that mean something else.
    ///
    /// # Errors
    /// Says which value is wrong.
    pub fn check(&self) -> Result<(), String> {
        for address in &self.public_addresses {
            if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
                return Err(format!("{address} is not an address that the world can connect to"));
            }
        }
        for network in &self.guest_networks {
            if network.trunc() != *network {
                return Err(format!("{network} has bits beyond its prefix; meant is perhaps {}", network.trunc()));
            }
            if network.prefix_len() == 0 {
                return Err(format!("{network} is the whole world, not a network of guests"));
            }
            if let Some(other) = self.guest_networks.iter().find(|other| *other != network && other.contains(network)) {
                return Err(format!("guest network {network} is part of guest network {other}"));
            }
        }
        if self.host_tcp.contains(&0) || self.host_udp.contains(&0) {
            return Err("0 is not a port".into());
        }
        Ok(())
    }

    fn family(&self, family: Family) -> PerFamily {
        let guests = || self.guest_networks.iter().filter(move |n| family.holds(n.addr()));
        let (n, ip, r#type, private) = match family {
            Family::V4 => ('4', "ip", "ipv4_addr", PRIVATE4),
            Family::V6 => ('6', "ip6", "ipv6_addr", PRIVATE6),
        };
        PerFamily {
            n,
            ip,
            r#type,
            publics: joined(self.public_addresses.iter().filter(|a| family.holds(**a))),
            guests: joined(guests()),
            hidden: joined(guests().filter(|n| is_private(n))),
            private,
        }
    }

    /// The commands that make table, maps, sets, chains and rules, or renew the rules where the rest exists. Elements
    /// and their counters stay. One command per line.
    ///
    /// # Errors
    /// Those of [`Rules::check`].
    pub fn text(&self) -> Result<String, String> {
        self.check()?;
        let mut context = tera::Context::new();
        context.insert("families", &Family::BOTH.map(|f| self.family(f)));
        context.insert("interface", self.public_interface.as_str());
        context.insert("tcp", &joined(&self.host_tcp));
        context.insert("udp", &joined(&self.host_udp));
        let tera = TEMPLATE.as_ref().map_err(Clone::clone)?;
        let text = tera.render("rules.nft", &context).map_err(|e| e.to_string())?;
        Ok(text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect())
    }

    /// Stands for the text: equal digests, equal rules.
    ///
    /// # Errors
    /// Those of [`Rules::check`].
    pub fn digest(&self) -> Result<String, String> {
        Ok(short_digest(self.text()?.as_bytes()))
    }
}

/// The first 64 bits of a SHA-256, in hex: it stands beside other words in an element's comment.
pub(super) fn short_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|b| format!("{b:02x}")).collect()
}
