//! Containers and virtual machines as what they have in common: `guest:` names either.
use super::{
    container::{Address4, Address6, Container, Placement, State},
    declared::{Declarations, Declared, Origin},
    virtual_machine::VirtualMachine,
};
use crate::{
    manifest::Metadata,
    model::{Auto, DeclarationId, Identifier, Mac, Name, Size, Vmid},
};
use std::net::{Ipv4Addr, Ipv6Addr};

/// A declared guest of either kind.
#[derive(Clone, Copy, Debug)]
pub enum AnyGuest<'a> {
    Container(&'a Declared<Container>),
    Machine(&'a Declared<VirtualMachine>),
}

/// A network device of a guest of either kind.
#[derive(Clone, Debug)]
pub struct Device<'a> {
    /// The interface inside of a container, the slot of a machine's card: what the lock knows its hardware address by.
    pub name: String,
    /// Where its leased addresses are read: an interface inside, or a slot.
    pub reads: String,
    pub address: Option<Address4>,
    pub gateway: Option<Ipv4Addr>,
    pub address6: Option<Address6>,
    pub gateway6: Option<Ipv6Addr>,
    pub hwaddr: &'a Auto<Mac>,
    /// Nothing answers at a fixed address before the guest is there: a machine is set up in several steps.
    pub comes_late: bool,
}

impl Declarations {
    /// The guest of this name; both kinds share one name space.
    pub fn guest(&self, name: &Name) -> Option<AnyGuest<'_>> {
        let container = self.containers.get(name).map(AnyGuest::Container);
        container.or_else(|| self.virtual_machines.get(name).map(AnyGuest::Machine))
    }

    /// All guests.
    pub fn guests(&self) -> impl Iterator<Item = AnyGuest<'_>> {
        let machines = self.virtual_machines.values().map(AnyGuest::Machine);
        self.containers.values().map(AnyGuest::Container).chain(machines)
    }

    /// The node on which a guest is made: as it is written, or as the lock has it. `None`: none is chosen yet, or
    /// neither the manifest nor the Site says any.
    pub fn node(&self, guest: AnyGuest<'_>) -> Option<String> {
        if guest.placement().is_some() {
            return self.lock.objects.get(&guest.id())?.node.clone();
        }
        let default = self.site().and_then(|site| site.spec.proxmox.defaults.node.as_ref());
        guest.node().or(default).map(ToString::to_string)
    }
}

impl<'a> AnyGuest<'a> {
    pub fn id(self) -> DeclarationId {
        match self {
            Self::Container(guest) => guest.id(),
            Self::Machine(guest) => guest.id(),
        }
    }
    pub fn meta(self) -> &'a Metadata {
        match self {
            Self::Container(guest) => &guest.meta,
            Self::Machine(guest) => &guest.meta,
        }
    }
    pub fn uid(self) -> Option<&'a crate::model::Uid> {
        match self {
            Self::Container(guest) => guest.uid.as_ref(),
            Self::Machine(guest) => guest.uid.as_ref(),
        }
    }
    pub fn origin(self) -> &'a Origin {
        match self {
            Self::Container(guest) => &guest.origin,
            Self::Machine(guest) => &guest.origin,
        }
    }
    /// The file that declares it.
    pub fn file(self) -> &'a str {
        match self {
            Self::Container(guest) => guest.place.file.as_str(),
            Self::Machine(guest) => guest.place.file.as_str(),
        }
    }
    /// The id that its manifest gives it.
    pub fn pinned(self) -> Option<Vmid> {
        match self {
            Self::Container(guest) => guest.spec.vmid.pinned().copied(),
            Self::Machine(guest) => guest.spec.vmid.pinned().copied(),
        }
    }
    /// Its id, which the lock knows.
    pub fn vmid(self, declarations: &Declarations) -> Option<Vmid> {
        Vmid::try_from(declarations.lock.objects.get(&self.id())?.vmid?).ok()
    }
    /// What it calls itself, and the field that says so.
    pub fn hostname(self) -> (String, &'static str) {
        let (given, name) = match self {
            Self::Container(guest) => (guest.spec.hostname.is_some(), guest.spec.hostname(&guest.meta.name)),
            Self::Machine(guest) => (guest.spec.hostname.is_some(), guest.spec.hostname(&guest.meta.name)),
        };
        (name.to_string(), if given { "spec.hostname" } else { "metadata.name" })
    }
    /// The node that its manifest names.
    pub fn node(self) -> Option<&'a Identifier> {
        match self {
            Self::Container(guest) => guest.spec.node.as_ref(),
            Self::Machine(guest) => guest.spec.node.as_ref(),
        }
    }
    /// Among which nodes one is chosen, where its manifest names none.
    pub fn placement(self) -> Option<&'a Placement> {
        match self {
            Self::Container(guest) => guest.spec.placement.as_ref(),
            Self::Machine(guest) => guest.spec.placement.as_ref(),
        }
    }
    /// The memory that it takes; of a copy that does not say, as much as Proxmox gives without a word (qemu-server 9.2.1).
    pub fn memory(self) -> Size {
        match self {
            Self::Container(guest) => guest.spec.memory,
            Self::Machine(guest) => guest.spec.memory.unwrap_or(Size::mib(512)),
        }
    }
    pub fn state(self) -> State {
        match self {
            Self::Container(guest) => guest.spec.state,
            Self::Machine(guest) => guest.spec.state,
        }
    }
    /// Its network devices, in the order of its manifest.
    pub fn devices(self) -> Vec<Device<'a>> {
        match self {
            Self::Container(guest) => guest.spec.networks.iter().map(interface).collect(),
            Self::Machine(guest) => cards(&guest.spec),
        }
    }
}

fn interface(device: &super::container::NetworkDevice) -> Device<'_> {
    Device {
        name: device.name.to_string(),
        reads: device.name.to_string(),
        address: device.address,
        gateway: device.gateway,
        address6: device.address6,
        gateway6: device.gateway6,
        hwaddr: &device.hwaddr,
        comes_late: false,
    }
}

fn cards(spec: &VirtualMachine) -> Vec<Device<'_>> {
    // With an agent, what the manifest does not fix is asked of it; without one nobody can tell.
    let agent = spec.agent.as_ref().filter(|agent| agent.enabled);
    let told4 = agent.map(|_| Address4::Dhcp);
    let told6 = agent.map(|_| Address6::Manual);
    let first = |nth: usize| agent.filter(|_| nth == 0).and_then(|agent| agent.interface.as_ref());
    spec.networks
        .iter()
        .enumerate()
        .map(|(nth, card)| Device {
            name: card.slot.to_string(),
            reads: first(nth).map_or_else(|| card.slot.to_string(), ToString::to_string),
            address: card.address.or(told4),
            gateway: card.gateway,
            address6: card.address6.or(told6),
            gateway6: card.gateway6,
            hwaddr: &card.hwaddr,
            comes_late: true,
        })
        .collect()
}
