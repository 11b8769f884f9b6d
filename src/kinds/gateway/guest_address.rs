//! At which addresses a guest is reached from the gateway.
use crate::{
    kinds::{
        AnyGuest, Device,
        container::{Address4, Address6},
    },
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
pub fn guest_address4(guest: AnyGuest<'_>, live: Option<&guest::Live>, within: &[Network]) -> GuestAddress {
    first(guest.devices().iter().filter_map(|device| {
        let leased = || lease(live, &device.reads, |ip| ip.is_ipv4() && inside(within, ip));
        match device.address? {
            Address4::Fixed(cidr) => fixed(device, live, cidr.address().into(), within),
            Address4::Dhcp => Some(leased().map_or(GuestAddress::Pending, GuestAddress::At)),
            Address4::Manual => leased().map(GuestAddress::At),
        }
    }))
}

/// The same for IPv6. Addresses by which a device only reaches its own link never count.
pub fn guest_address6(guest: AnyGuest<'_>, live: Option<&guest::Live>, within: &[Network]) -> GuestAddress {
    first(guest.devices().iter().filter_map(|device| {
        let leased = || lease(live, &device.reads, |ip| ip.is_ipv6() && inside(within, ip));
        match device.address6? {
            Address6::Fixed(cidr) => fixed(device, live, cidr.address().into(), within),
            Address6::Auto | Address6::Dhcp => Some(leased().map_or(GuestAddress::Pending, GuestAddress::At)),
            Address6::Manual => leased().map(GuestAddress::At),
        }
    }))
}

fn inside(within: &[Network], ip: &IpAddr) -> bool {
    within.iter().any(|network| network.contains(*ip))
}

/// A machine answers at its fixed address when it is set up and started, which takes several steps.
fn fixed(device: &Device<'_>, live: Option<&guest::Live>, ip: IpAddr, within: &[Network]) -> Option<GuestAddress> {
    let there = live.is_some() || !device.comes_late;
    inside(within, &ip).then_some(if there { GuestAddress::At(ip) } else { GuestAddress::Pending })
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
