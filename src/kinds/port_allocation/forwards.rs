//! From a PortAllocation to its forwards.
use super::{Forward as Listed, Place, PortAllocation, default_layout};
use crate::{
    kinds::{
        AnyGuest, Declarations, Declared,
        gateway::{Gateway, GuestAddress, guest_address4, guest_address6},
    },
    ledger::Block,
    model::{Found, Network, Note, Observed, Ready, Resource, Transport, Vmid, Waiting, Wanted, Wants},
    providers::nftables::{Element, Family, Protocol, PublicPort, Target},
    resources::{
        World,
        forwards::{Base, Desired, Forward, Forwards, Scope},
        guest::Guest,
    },
};
use ipnet::IpNet;
use std::{collections::BTreeSet, net::IpAddr};

/// See [`crate::kinds::gateway::table::scope`].
pub fn scope(declarations: &Declarations) -> Option<Scope> {
    crate::kinds::gateway::table::scope(declarations).map(|scope| Scope { site: scope.site })
}

/// The forwards of each allocation. Where an address is not known before the guest is there, or because the guest is about
/// to change, they wait for it.
pub fn forwards(declarations: &Declarations, observed: &Observed<Forwards>, earlier: &World) -> Wants<Forwards> {
    let mut wants = Wants::default();
    for declared in declarations.port_allocations.values() {
        let Some(block) = declarations.block(declared) else { continue };
        let base = Base(block.base);
        let found = || -> Result<Option<Wanted<Desired>>, String> {
            let Some(gateway) = declarations.gateways.values().find(|g| g.meta.name.as_str() == block.gateway) else {
                return Err(format!("there is no Gateway {}", block.gateway));
            };
            let Some(guest) = declarations.guest(&declared.spec.guest) else {
                return Err(format!("there is no guest {}", declared.spec.guest));
            };
            let owner = Owner { declared, block, gateway: &gateway.spec, serves: guest };
            owner.wanted(declarations, observed, earlier)
        };
        match found() {
            Ok(Some(wanted)) => wants.add(base, wanted),
            Ok(None) => {}
            Err(text) => {
                let object = Forwards::id(&base);
                wants.conflicts.push(Note { object, declared: Some(declared.id()), text, hint: None });
            }
        }
    }
    wants
}

struct Owner<'a> {
    declared: &'a Declared<PortAllocation>,
    block: &'a Block,
    gateway: &'a Gateway,
    serves: AnyGuest<'a>,
}

impl Owner<'_> {
    fn wanted(
        &self,
        declarations: &Declarations,
        observed: &Observed<Forwards>,
        earlier: &World,
    ) -> Result<Option<Wanted<Desired>>, String> {
        let mark = declarations.mark(self.declared, self.serves.uid().cloned());
        let (Some(mark), Some(guest)) = (mark, self.serves.vmid(declarations)) else { return Ok(None) };
        let live = earlier.ours::<Guest>(&guest);
        let networks = &self.gateway.guest_networks;
        let addresses = [guest_address4(self.serves, live, networks), guest_address6(self.serves, live, networks)];
        let (mut to, mut pending) = (vec![], false);
        for (family, found) in Family::BOTH.into_iter().zip(addresses) {
            match found {
                GuestAddress::At(address) => to.push(address),
                // A guest that stands, stays, and has no address now (it is stopped): what leads to it stays as it is.
                GuestAddress::Pending if live.is_some() => to.extend(self.leads_to(observed, guest, family)),
                GuestAddress::Pending => pending = true,
                GuestAddress::Never => {}
            }
        }
        if pending || (to.is_empty() && addresses.contains(&GuestAddress::Pending)) {
            let name = &self.serves.meta().name;
            let sketch = format!("{}-{} to the address that {name} gets", self.block.base, self.block.last());
            let declared = self.declared.id();
            return Ok(Some(Wanted::Waiting(Waiting { declared, on: Guest::id(&guest), sketch })));
        }
        if to.is_empty() {
            let within: Vec<String> = networks.iter().map(Network::to_string).collect();
            return Err(format!("{} has no address in {}", self.serves.meta().name, within.join(" or ")));
        }
        let forwards = self.forwards(&to)?;
        let desired = Desired { guest, size: self.block.size, forwards };
        let mode = self.declared.meta.mode;
        Ok(Some(Wanted::Ready(Ready { mark, adopt: false, mode, desired })))
    }

    /// Where the live forwards of this owner lead, if it is the same guest still.
    fn leads_to(&self, observed: &Observed<Forwards>, guest: Vmid, family: Family) -> Option<IpAddr> {
        let Some(Found::Ours(ours)) = observed.complete()?.get(&Base(self.block.base)) else { return None };
        if Some(&ours.mark.uid) != self.declared.uid.as_ref() || ours.live.guest != Some(guest) {
            return None;
        }
        ours.live.forwards.iter().map(|forward| forward.to.address).find(|address| family.holds(*address))
    }

    /// Every listed port of the block at every public address, to the guest's address of the same family.
    fn forwards(&self, to: &[IpAddr]) -> Result<Vec<Forward>, String> {
        let mut all = vec![];
        let ports = self.ports();
        for (Place { offset, protocol, port }, allow) in &ports {
            let (offset, protocol, port) = (*offset, *protocol, *port);
            if offset >= self.block.size {
                return Err(format!("port {offset} is beyond the block of {} ports", self.block.size));
            }
            for public in &self.gateway.public_addresses {
                let Some(address) = to.iter().copied().find(|a| Family::of(*a) == Family::of(*public)) else {
                    continue;
                };
                let port_of_block = self.block.base.saturating_add(offset);
                let public = PublicPort { address: *public, protocol, port: port_of_block };
                let to = Target { address, port };
                Element::Forward { public, to }.check()?;
                if self.gateway.public_addresses.contains(&address) {
                    return Err(format!("{address} is an address of the gateway, not of a guest"));
                }
                let allow = allow.map(|all| sources(all, Family::of(public.address)));
                all.push(Forward { public, to, allow });
            }
        }
        if all.is_empty() && !ports.is_empty() {
            return Err("the gateway has no public address of the guest's family".into());
        }
        all.sort();
        match all.windows(2).find(|pair| pair[0].public == pair[1].public) {
            Some(pair) => Err(format!("{} leads to {} and to {}", pair[0].public, pair[0].to, pair[1].to)),
            None => Ok(all),
        }
    }

    /// Every port that leads somewhere, with its sources if not all may connect.
    fn ports(&self) -> Vec<(Place, Option<&[Network]>)> {
        let spec = &self.declared.spec;
        let whole = (!spec.allow.is_empty()).then_some(spec.allow.as_slice());
        let Some(listed) = &spec.forwards else {
            return default_layout(self.block.size).map(|place| (place, whole)).collect();
        };
        let place = |forward: &Listed| Place {
            offset: forward.port,
            protocol: match forward.to.transport {
                Transport::Tcp => Protocol::Tcp,
                Transport::Udp => Protocol::Udp,
            },
            port: forward.to.port.get(),
        };
        let sources = |forward: &'_ Listed| !forward.allow.is_empty();
        listed.iter().map(|f| (place(f), if sources(f) { Some(f.allow.as_slice()) } else { whole })).collect()
    }
}

/// The sources of one family, joined where they touch: two that overlap cannot stand in one set.
fn sources(allow: &[Network], family: Family) -> BTreeSet<IpNet> {
    let nets: Vec<IpNet> = allow.iter().map(|network| network.net()).filter(|n| family.holds(n.addr())).collect();
    IpNet::aggregate(&nets).into_iter().collect()
}
