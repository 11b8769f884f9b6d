//! Addresses with their prefix, and networks.
use super::spelled::spelled;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// An IPv4 address with the length of its network's prefix: `10.0.1.5/24`. Neither the network's own address nor its broadcast.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cidr4(Ipv4Net);

impl Cidr4 {
    /// The address alone.
    pub fn address(self) -> Ipv4Addr {
        self.0.addr()
    }
    /// The network that the address is in.
    pub fn network(self) -> Ipv4Net {
        self.0.trunc()
    }
    /// The length of the prefix.
    pub fn prefix(self) -> u8 {
        self.0.prefix_len()
    }
}

impl FromStr for Cidr4 {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(bare) = text.parse::<Ipv4Addr>() {
            return Err(format!("the address `{text}` lacks the length of its prefix; write {bare}/24"));
        }
        if text.parse::<Ipv6Net>().is_ok() {
            return Err(format!("`{text}` is an IPv6 address where an IPv4 address is meant"));
        }
        let net: Ipv4Net =
            text.parse().map_err(|_| format!("`{text}` is not an IPv4 address with a prefix, as in 10.0.1.5/24"))?;
        let host = net.addr();
        if host.is_unspecified() || host.is_loopback() || host.is_multicast() || host.is_broadcast() {
            return Err(format!("no guest can have the address `{text}`"));
        }
        if net.prefix_len() < 31 && (host == net.network() || host == net.broadcast()) {
            let which = if host == net.network() { "of the network itself" } else { "of its broadcast" };
            return Err(format!("`{text}` is the address {which}, not of a guest in it"));
        }
        Ok(Self(net))
    }
}

impl fmt::Display for Cidr4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

spelled!(Cidr4, "an IPv4 address with a prefix such as 10.0.1.5/24", {
    "type": "string", "pattern": "^[0-9]{1,3}([.][0-9]{1,3}){3}/[0-9]{1,2}$", "examples": ["10.0.1.5/24"]
});

/// An IPv6 address with the length of its network's prefix: `fd00:1::5/64`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cidr6(Ipv6Net);

impl Cidr6 {
    /// The address alone.
    pub fn address(self) -> Ipv6Addr {
        self.0.addr()
    }
    /// The network that the address is in.
    pub fn network(self) -> Ipv6Net {
        self.0.trunc()
    }
    /// The length of the prefix.
    pub fn prefix(self) -> u8 {
        self.0.prefix_len()
    }
}

impl FromStr for Cidr6 {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(bare) = text.parse::<Ipv6Addr>() {
            return Err(format!("the address `{text}` lacks the length of its prefix; write {bare}/64"));
        }
        if text.parse::<Ipv4Net>().is_ok() {
            return Err(format!("`{text}` is an IPv4 address where an IPv6 address is meant"));
        }
        let net: Ipv6Net =
            text.parse().map_err(|_| format!("`{text}` is not an IPv6 address with a prefix, as in fd00:1::5/64"))?;
        let host = net.addr();
        if host.is_unspecified() || host.is_loopback() || host.is_multicast() {
            return Err(format!("no guest can have the address `{text}`"));
        }
        Ok(Self(net))
    }
}

impl fmt::Display for Cidr6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

spelled!(Cidr6, "an IPv6 address with a prefix such as fd00:1::5/64", {
    "type": "string", "pattern": "^[0-9A-Fa-f:.]+/[0-9]{1,3}$", "examples": ["fd00:1::5/64"]
});

/// A network, `10.0.1.0/24` or `fd00:1::/64`. A bare address is the network of that address alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Network(IpNet);

impl Network {
    /// The network as the library type.
    pub fn net(self) -> IpNet {
        self.0
    }
    /// Whether the address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl FromStr for Network {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(alone) = text.parse::<IpAddr>() {
            return Ok(Self(alone.into()));
        }
        let net: IpNet = text.parse().map_err(|_| format!("`{text}` is not a network, as in 10.0.1.0/24"))?;
        if net.addr() != net.network() {
            return Err(format!("`{text}` is an address in the network {}; write the network", net.trunc()));
        }
        Ok(Self(net))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

spelled!(Network, "a network such as 10.0.1.0/24", {
    "type": "string", "pattern": "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$", "examples": ["10.0.1.0/24", "fd00:1::/64"]
});
