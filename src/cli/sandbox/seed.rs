//! The simulated site that manifests speak of: whatever they name and do not make is there.
use crate::{
    kinds::{AnyGuest, Declarations, container, template, virtual_machine},
    resources::template_volume::Source,
    sandbox::{
        cloudflare,
        net::Layout,
        proxmox,
        seed::{ACCOUNT, Seed, ZONE},
    },
};
use ipnet::IpNet;
use std::{collections::BTreeMap, net::IpAddr};

/// Where a manifest says nothing.
const NODE: &str = "pve1";
const BRIDGE: &str = "vmbr0";

/// A site with the nodes, storages, bridges, templates, zone and addresses that are named.
pub(super) fn of(declarations: &Declarations) -> Seed {
    let mut seed = Seed {
        proxmox: proxmox::Seed { nodes: [].into(), storages: [].into(), files: [].into(), ..proxmox::Seed::default() },
        cloudflare: cloudflare::Seed::default(),
        gateway: Layout::default(),
        dynamic_directory: Seed::default().dynamic_directory,
    };
    let Some(site) = declarations.site() else { return seed };
    let defaults = &site.spec.proxmox.defaults;
    let text = |value: &Option<crate::model::Identifier>, otherwise: &str| {
        value.as_ref().map_or_else(|| otherwise.to_owned(), ToString::to_string)
    };
    let (node, bridge) = (text(&defaults.node, NODE), text(&defaults.bridge, BRIDGE));
    let gateways = gateways(declarations);
    // The node's address on a bridge is the gateway of the guests there.
    let mut addresses: BTreeMap<String, IpNet> = BTreeMap::new();
    seed = seed.with_node(&node).with_storage("local").with_storage(&text(&defaults.storage, "local"));
    for node in &site.spec.proxmox.nodes {
        seed = seed.with_node(node.name.as_str());
    }
    for template in declarations.templates.values() {
        let storage = template.spec.storage.to_string();
        seed = seed.with_storage(&storage);
        let (Some(volume), Some(source)) =
            (template.spec.volume(), template.spec.origin().and_then(template::Origin::source))
        else {
            continue;
        };
        seed = match source {
            Source::Index => seed.with_appliance(&volume.file),
            Source::Url { url, checksum } => seed.with_download(&url.to_string(), &checksum),
            Source::Upload { .. } => seed,
        };
    }
    // Whichever of them a guest gets, it finds what it needs there.
    let nodes = |guest: AnyGuest<'_>| -> Vec<String> {
        let fit = guest.placement().map(|placement| placement.candidates(&site.spec.proxmox));
        let fit = fit.map(|fit| fit.iter().map(ToString::to_string).collect());
        fit.unwrap_or_else(|| vec![guest.node().map_or_else(|| node.clone(), ToString::to_string)])
    };
    for declared in declarations.containers.values() {
        let spec = &declared.spec;
        let nodes = nodes(AnyGuest::Container(declared));
        for node in &nodes {
            seed = seed.with_node(node);
        }
        if let Some(container::TemplateSource::Volume(volume)) = &spec.template
            && let Some((storage, file)) = volume.split_once(":vztmpl/")
        {
            seed = seed.with_storage(storage).with_template(storage, file);
        }
        let disks = std::iter::once(&spec.rootfs.storage).chain(spec.mount_points.iter().map(|disk| &disk.storage));
        for storage in disks.flatten() {
            seed = seed.with_storage(&storage.to_string());
        }
        for device in &spec.networks {
            let bridge = text(&device.bridge, &bridge);
            let gateway = device.gateway.and_then(|own| gateways.iter().find(|net| net.addr() == IpAddr::V4(own)));
            if let Some(gateway) = gateway {
                addresses.entry(bridge.clone()).or_insert(*gateway);
            }
            for node in &nodes {
                seed = seed.with_bridge(node, &bridge, addresses.get(&bridge).copied());
            }
        }
    }
    for declared in declarations.virtual_machines.values() {
        let spec = &declared.spec;
        let nodes = nodes(AnyGuest::Machine(declared));
        for node in &nodes {
            seed = seed.with_node(node);
        }
        let cloud = spec.cloud_init.as_ref().and_then(|cloud| cloud.storage.as_ref());
        let copied = spec.clone.as_ref().and_then(|clone| clone.storage.as_ref());
        for storage in spec.disks.iter().filter_map(|disk| disk.storage.as_ref()).chain(cloud).chain(copied) {
            seed = seed.with_storage(&storage.to_string());
        }
        for disk in &spec.disks {
            if let Some(virtual_machine::ImageSource::Volume(volume)) = &disk.image {
                seed = seed.with_image(volume);
            }
        }
        for card in &spec.networks {
            let bridge = text(&card.bridge, &bridge);
            let gateway = card.gateway.and_then(|own| gateways.iter().find(|net| net.addr() == IpAddr::V4(own)));
            if let Some(gateway) = gateway {
                addresses.entry(bridge.clone()).or_insert(*gateway);
            }
            for node in &nodes {
                seed = seed.with_bridge(node, &bridge, addresses.get(&bridge).copied());
            }
        }
        if let Some(clone) = &spec.clone {
            let from = text(&clone.node, nodes.first().unwrap_or(&node));
            let declared = declarations.guests().any(|guest| guest.pinned() == Some(clone.from));
            if !declared {
                seed = seed.with_node(&from).with_machine_template(&from, clone.from.get(), &bridge);
            }
        }
    }
    seed = seed.with_bridge(&node, &bridge, addresses.get(&bridge).copied());
    seed = match &site.spec.cloudflare {
        Some(cloudflare) => seed.with_zone(&cloudflare.account, &cloudflare.zone, site.spec.domain.as_str()),
        None => seed.with_zone(ACCOUNT, ZONE, site.spec.domain.as_str()),
    };
    if !gateways.is_empty() {
        seed = seed.with_guest_networks(&gateways);
    }
    if let Some(gateway) = declarations.gateway() {
        let interface = gateway.spec.public_interface.to_string();
        seed = seed.with_bridge(&node, &interface, None).with_public(&interface, &gateway.spec.public_addresses);
        if let Some(traefik) = &gateway.spec.traefik {
            seed.dynamic_directory = traefik.dynamic_directory.to_string();
        }
    }
    // Where guests stand on the public bridge itself, the simulated ones still need an interface of their own.
    seed.gateway.guest_interface = if bridge == seed.gateway.public_interface { "guests0".into() } else { bridge };
    seed
}

/// The node's address in each network of guests: the gateway that guests name, else the first address.
fn gateways(declarations: &Declarations) -> Vec<IpNet> {
    let mut all: Vec<IpNet> = vec![];
    let mut add = |net: IpNet| {
        if !all.iter().any(|known| known.trunc() == net.trunc()) {
            all.push(net);
        }
    };
    for device in declarations.guests().flat_map(AnyGuest::devices) {
        if let (Some(container::Address4::Fixed(address)), Some(gateway)) = (&device.address, device.gateway) {
            _ = IpNet::new(gateway.into(), address.prefix()).map(&mut add);
        }
        if let (Some(container::Address6::Fixed(address)), Some(gateway)) = (&device.address6, device.gateway6)
            && !gateway.is_unicast_link_local()
        {
            _ = IpNet::new(gateway.into(), address.prefix()).map(&mut add);
        }
    }
    for network in declarations.gateway().into_iter().flat_map(|gateway| &gateway.spec.guest_networks) {
        let network: IpNet = network.net();
        if let Some(first) = network.hosts().next()
            && let Ok(net) = IpNet::new(first, network.prefix_len())
        {
            add(net);
        }
    }
    all
}
