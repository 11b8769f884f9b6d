//! At which addresses a guest is reached from the gateway.
use crate::{
    kinds::container::{Address4, Address6, Container},
    model::Network,
    resources::guest,
};
use std::net::IpAddr;

/// What is known of a guest's address of one family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GuestAddress {
    /// The manifest fixes it, or the guest has it now.
    At(IpAddr),
    /// It gets one from elsewhere and has none yet.
    Pending,
    /// It is to have none in these networks.
    Never,
}

impl GuestAddress {
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::At(address) => Some(address),
            Self::Pending | Self::Never => None,
        }
    }
}

/// The first IPv4 address of a guest in one of these networks, in the order of its devices.
///
/// `live`: the guest as it stands and stays; without it only what the manifest fixes is known.
pub fn guest_address4(container: &Container, live: Option<&guest::Live>, within: &[Network]) -> GuestAddress {
    first(container.networks.iter().filter_map(|device| {
        let leased = || lease(live, device.name.as_str(), |ip| ip.is_ipv4() && inside(within, ip));
        match device.address? {
            Address4::Fixed(cidr) => fixed(cidr.address().into(), within),
            Address4::Dhcp => Some(leased().map_or(GuestAddress::Pending, GuestAddress::At)),
            Address4::Manual => leased().map(GuestAddress::At),
        }
    }))
}

/// The same for IPv6. Addresses by which a device only reaches its own link never count.
pub fn guest_address6(container: &Container, live: Option<&guest::Live>, within: &[Network]) -> GuestAddress {
    first(container.networks.iter().filter_map(|device| {
        let leased = || lease(live, device.name.as_str(), |ip| ip.is_ipv6() && inside(within, ip));
        match device.address6? {
            Address6::Fixed(cidr) => fixed(cidr.address().into(), within),
            Address6::Auto | Address6::Dhcp => Some(leased().map_or(GuestAddress::Pending, GuestAddress::At)),
            Address6::Manual => leased().map(GuestAddress::At),
        }
    }))
}

fn inside(within: &[Network], ip: &IpAddr) -> bool {
    within.iter().any(|network| network.contains(*ip))
}

fn fixed(ip: IpAddr, within: &[Network]) -> Option<GuestAddress> {
    inside(within, &ip).then_some(GuestAddress::At(ip))
}

fn lease(live: Option<&guest::Live>, device: &str, fits: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
    live?.address(Some(device), fits)
}

/// A known address before one that may still come.
fn first(devices: impl Iterator<Item = GuestAddress>) -> GuestAddress {
    let all: Vec<GuestAddress> = devices.collect();
    let known = all.iter().copied().find(|address| matches!(address, GuestAddress::At(_)));
    known.or_else(|| all.first().copied()).unwrap_or(GuestAddress::Never)
}
