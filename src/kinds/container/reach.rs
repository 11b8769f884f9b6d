//! How what serves a guest finds it: its id, its identity, its addresses.
use super::{Address4, Address6, State};
use crate::{
    kinds::{AnyGuest, Declarations, Device},
    model::{Name, ObjectId, Resource, Uid, Vmid},
    resources::{World, guest::Guest},
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A declared guest that has its place in the lock.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'a> {
    pub vmid: Vmid,
    pub uid: &'a Uid,
    guest: AnyGuest<'a>,
    live: Option<&'a crate::resources::guest::Live>,
}

impl Declarations {
    /// The guest of this name. `earlier` holds the settled guests. `None` where there is no such guest, or no lock yet.
    pub fn reach<'a>(&'a self, guest: &Name, earlier: &'a World) -> Option<Reach<'a>> {
        let guest = self.guest(guest)?;
        let vmid = guest.vmid(self)?;
        Some(Reach { vmid, uid: guest.uid()?, guest, live: earlier.ours::<Guest>(&vmid) })
    }
}

impl Reach<'_> {
    /// The guest in plans: what `needs` and `Waiting::on` name.
    pub fn id(&self) -> ObjectId {
        Guest::id(&self.vmid)
    }

    /// Its first IPv4 address: the fixed one of its manifest, else the one that it was lent. `None`: known only when it
    /// runs, or it has none.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        let devices = self.guest.devices();
        let fixed = devices.iter().filter(|device| self.answers(device)).find_map(|device| match device.address {
            Some(Address4::Fixed(cidr)) => Some(cidr.address()),
            _ => None,
        });
        let leased = |device: &Device<'_>| self.live?.address(Some(&device.reads), IpAddr::is_ipv4);
        fixed.or_else(|| match devices.iter().find_map(leased)? {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        })
    }

    /// Its first IPv6 address, likewise.
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        let devices = self.guest.devices();
        let fixed = devices.iter().filter(|device| self.answers(device)).find_map(|device| match device.address6 {
            Some(Address6::Fixed(cidr)) => Some(cidr.address()),
            _ => None,
        });
        let leased = |device: &Device<'_>| self.live?.address(Some(&device.reads), IpAddr::is_ipv6);
        fixed.or_else(|| match devices.iter().find_map(leased)? {
            IpAddr::V6(ip) => Some(ip),
            IpAddr::V4(_) => None,
        })
    }

    /// Whether something is to answer at a fixed address of this device, now or once the steps before are done.
    fn answers(&self, device: &Device<'_>) -> bool {
        self.live.is_some() || !device.comes_late
    }

    /// Whether it is there, ours and settled.
    pub fn is_there(&self) -> bool {
        self.live.is_some()
    }

    /// Whether one can look and write inside once the steps before are done: it runs and is to run, or is to be made. One
    /// that is to be started first is looked into when it runs.
    pub fn can_be_entered(&self) -> bool {
        self.guest.state() == State::Running && self.live.is_none_or(|live| live.running)
    }
}
