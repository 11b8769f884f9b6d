//! How what serves a guest finds it: its id, its identity, its addresses.
use super::{Address4, Address6, Container, State};
use crate::{
    kinds::declared::{Declarations, Declared},
    model::{Name, ObjectId, Resource, Uid, Vmid},
    resources::{World, guest::Guest},
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A declared guest that has its place in the lock.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'a> {
    pub vmid: Vmid,
    pub uid: &'a Uid,
    declared: &'a Declared<Container>,
    live: Option<&'a crate::resources::guest::Live>,
}

impl Declarations {
    /// The guest of this name. `earlier` holds the settled guests. `None` where there is no such guest, or no lock yet.
    pub fn reach<'a>(&'a self, guest: &Name, earlier: &'a World) -> Option<Reach<'a>> {
        let declared = self.containers.get(guest)?;
        let vmid = self.vmid(declared)?;
        Some(Reach { vmid, uid: declared.uid.as_ref()?, declared, live: earlier.ours::<Guest>(&vmid) })
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
        let fixed = self.declared.spec.networks.iter().find_map(|device| match device.address {
            Some(Address4::Fixed(cidr)) => Some(cidr.address()),
            _ => None,
        });
        fixed.or_else(|| match self.live?.address(None, IpAddr::is_ipv4)? {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        })
    }

    /// Its first IPv6 address, likewise.
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        let fixed = self.declared.spec.networks.iter().find_map(|device| match device.address6 {
            Some(Address6::Fixed(cidr)) => Some(cidr.address()),
            _ => None,
        });
        fixed.or_else(|| match self.live?.address(None, IpAddr::is_ipv6)? {
            IpAddr::V6(ip) => Some(ip),
            IpAddr::V4(_) => None,
        })
    }

    /// Whether it is there, ours and settled.
    pub fn is_there(&self) -> bool {
        self.live.is_some()
    }

    /// Whether one can look and write inside once the steps before are done: it runs and is to run, or is to be made. One
    /// that is to be started first is looked into when it runs.
    pub fn can_be_entered(&self) -> bool {
        self.declared.spec.state == State::Running && self.live.is_none_or(|live| live.running)
    }
}
