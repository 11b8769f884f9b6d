//! Addresses: given once, with their gateways beside them, and where the Gateway can reach them.
use super::{
    claim::{Claim, exclusive},
    guest_spot, spot,
};
use crate::{
    kinds::{
        AnyGuest, Declarations, Device,
        container::{Address4, Address6},
    },
    manifest::Diagnostic,
    model::{Name, Network},
};
use std::{collections::BTreeSet, net::IpAddr};

pub(super) fn check(declarations: &Declarations, found: &mut Vec<Diagnostic>) {
    let devices = || {
        let guests = declarations.guests();
        guests.flat_map(|guest| guest.devices().into_iter().enumerate().map(move |(i, device)| (guest, i, device)))
    };
    let macs = devices().filter_map(|(guest, i, device)| {
        let mac = device.hwaddr.pinned()?;
        Some(Claim {
            key: *mac,
            spot: guest_spot(guest, &format!("spec.networks.{i}.hwaddr")),
            by: guest.id().to_string(),
        })
    });
    exclusive("duplicate-mac", |mac| format!("the MAC address {mac}"), macs.collect(), found);
    let mut addresses: Vec<Claim<IpAddr>> = Vec::new();
    for (guest, i, device) in devices() {
        for (field, address) in fixed(&device) {
            let spot = guest_spot(guest, &format!("spec.networks.{i}.{field}"));
            addresses.push(Claim { key: address, spot, by: guest.id().to_string() });
        }
        routers(guest, i, &device, found);
    }
    if let Some(gateway) = declarations.gateway() {
        for (i, address) in gateway.spec.public_addresses.iter().enumerate() {
            let spot = spot(gateway, &format!("spec.publicAddresses.{i}"));
            addresses.push(Claim { key: *address, spot, by: gateway.id().to_string() });
        }
    }
    exclusive("duplicate-address", |address| format!("the address {address}"), addresses, found);
    reachable(declarations, found);
}

/// The fixed addresses of a device, with their fields.
fn fixed(device: &Device<'_>) -> impl Iterator<Item = (&'static str, IpAddr)> + use<> {
    let four = device.address.and_then(|address| match address {
        Address4::Fixed(address) => Some(("address", IpAddr::V4(address.address()))),
        Address4::Dhcp | Address4::Manual => None,
    });
    let six = device.address6.and_then(|address| match address {
        Address6::Fixed(address) => Some(("address6", IpAddr::V6(address.address()))),
        Address6::Auto | Address6::Dhcp | Address6::Manual => None,
    });
    four.into_iter().chain(six)
}

/// A router must be in the network of the address beside it, and not be that address.
fn routers(guest: AnyGuest<'_>, i: usize, device: &Device<'_>, found: &mut Vec<Diagnostic>) {
    let mut wrong = |field: &str, beside: &str, message: String, hint: &str| {
        let mistake = Diagnostic::error("gateway", guest_spot(guest, &format!("spec.networks.{i}.{field}")), message);
        let mistake = mistake.other(guest_spot(guest, &format!("spec.networks.{i}.{beside}")), "the address");
        found.push(mistake.hint(hint));
    };
    if let Some(router) = device.gateway {
        match device.address {
            Some(Address4::Fixed(address)) if address.address() == router => {
                wrong(
                    "gateway",
                    "address",
                    format!("the gateway {router} is the guest's own address"),
                    "write the router's address",
                );
            }
            // Alone in its network, it reaches any router through the device (pve-container writes such a route).
            Some(Address4::Fixed(address)) if address.prefix() < 32 && !address.network().contains(&router) => {
                let message = format!("the gateway {router} is outside the network {}", address.network());
                wrong("gateway", "address", message, "the guest could not reach it");
            }
            Some(Address4::Fixed(_)) => {}
            _ => wrong(
                "gateway",
                "address",
                "a gateway needs a fixed address beside it".into(),
                "dhcp brings its own gateway",
            ),
        }
    }
    if let Some(router) = device.gateway6 {
        match device.address6 {
            Some(Address6::Fixed(address)) if address.address() == router => {
                wrong(
                    "gateway6",
                    "address6",
                    format!("the gateway {router} is the guest's own address"),
                    "write the router's address",
                );
            }
            Some(Address6::Fixed(address))
                if address.prefix() < 128
                    && !address.network().contains(&router)
                    && !router.is_unicast_link_local() =>
            {
                let message = format!("the gateway {router} is outside the network {}", address.network());
                wrong("gateway6", "address6", message, "the guest could not reach it");
            }
            Some(Address6::Fixed(_)) => {}
            _ => wrong(
                "gateway6",
                "address6",
                "a gateway needs a fixed address beside it".into(),
                "auto brings its own gateway",
            ),
        }
    }
}

/// Guests that are published must have an address in a network of the Gateway, or get one by DHCP.
fn reachable(declarations: &Declarations, found: &mut Vec<Diagnostic>) {
    let Some(gateway) = declarations.gateway() else { return };
    let networks = &gateway.spec.guest_networks;
    let mut seen: BTreeSet<&Name> = BTreeSet::new();
    let published = declarations.port_allocations.values().map(|p| (&p.spec.guest, spot(p, "spec.guest"), p.id()));
    let named = declarations.dns_slugs.values().map(|s| (&s.spec.guest, spot(s, "spec.guest"), s.id()));
    for (name, reference, by) in published.chain(named) {
        let Some(guest) = declarations.guest(name).filter(|_| seen.insert(name)) else { continue };
        let devices = guest.devices();
        if inside(&devices, networks) {
            continue;
        }
        let outside =
            devices.iter().enumerate().flat_map(|(i, device)| fixed(device).map(move |(f, a)| (i, f, a))).next();
        let mistake = match outside {
            Some((i, field, address)) => {
                let message = format!(
                    "the address {address} is outside the guest networks of the Gateway, which cannot reach it"
                );
                let mistake = Diagnostic::error(
                    "address-outside",
                    guest_spot(guest, &format!("spec.networks.{i}.{field}")),
                    message,
                );
                mistake.other(spot(gateway, "spec.guestNetworks.0"), "the guest networks")
            }
            None => {
                let message = format!("`{}` has no address by which it could be reached", guest.meta().name);
                Diagnostic::error("address-outside", guest_spot(guest, "metadata.name"), message)
            }
        };
        found.push(mistake.other(reference, format!("needed by {by}")));
    }
}

fn inside(devices: &[Device<'_>], networks: &[Network]) -> bool {
    devices.iter().any(|device| {
        matches!(device.address, Some(Address4::Dhcp))
            || fixed(device).any(|(_, address)| networks.iter().any(|network| network.contains(address)))
    })
}
