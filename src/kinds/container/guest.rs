//! The guest that a container is.
use super::{Address4, Address6, Container, NetworkDevice, State, TemplateSource};
use crate::{
    kinds::{
        any_guest::AnyGuest,
        declared::{Declarations, Declared},
        guest::{has_units, lacks, restarts},
    },
    model::{Found, Note, Observation, Observed, Ready, Resource, Vmid, Wanted, Wants},
    providers::proxmox::{GuestType, network::Interface},
    resources::{
        World,
        guest::{
            Body, Desired, Guest, Live, Startup,
            container::{self, Device, Disk, MountPoint, Origin},
        },
        template_volume::TemplateVolume,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// The guests of all containers.
pub fn guest(declarations: &Declarations, observed: &Observed<Guest>, _: &World) -> Wants<Guest> {
    let mut wants = Wants::default();
    for declared in declarations.containers.values() {
        // Both come from the lock; without it nothing is planned.
        let (Some(vmid), Some(mark)) = (declarations.vmid(declared), declarations.mark(declared, None)) else {
            continue;
        };
        let there = match observed {
            Observation::Complete(all) => all.get(&vmid),
            Observation::Unavailable { .. } => None,
        };
        let live = there.and_then(|found| match found {
            Found::Ours(ours) => Some(&ours.live),
            Found::Foreign(foreign) => Some(&foreign.live),
            Found::Duplicates(_) => None,
        });
        let absent = there.is_none() && matches!(observed, Observation::Complete(_));
        if absent && declared.spec.template.is_none() {
            wants.conflicts.push(gone(declared, vmid));
            continue;
        }
        match desired(declarations, declared, live) {
            Ok(desired) => {
                let named = declared.meta.adopt.as_ref().is_some_and(|id| *id == vmid.to_string());
                let adopt = named && live.is_some_and(|live| live.kind == GuestType::Lxc);
                wants.add(vmid, Wanted::Ready(Ready { mark, adopt, mode: declared.meta.mode, desired }));
            }
            Err(missing) => wants.conflicts.push(lacks(AnyGuest::Container(declared), vmid, missing)),
        }
    }
    wants
}

/// It was adopted, or is to be, and there is none.
fn gone(declared: &Declared<Container>, vmid: Vmid) -> Note {
    Note {
        object: Guest::id(&vmid),
        declared: Some(declared.id()),
        text: "is not there, and no `template` says what it is made from".into(),
        hint: Some("name a `template` to make it anew, or take the manifest out of the tree".into()),
    }
}

/// `Err` names what neither the manifest nor the Site says.
fn desired(
    declarations: &Declarations,
    declared: &Declared<Container>,
    live: Option<&Live>,
) -> Result<Desired, &'static str> {
    let spec = &declared.spec;
    let defaults = declarations.site().map(|site| site.spec.proxmox.defaults.clone()).unwrap_or_default();
    let storage = |own: &Option<crate::model::Identifier>| {
        own.as_ref().or(defaults.storage.as_ref()).map(ToString::to_string).ok_or("storage")
    };
    let mut networks = BTreeMap::new();
    let there = live.map(Live::interfaces).unwrap_or_default();
    for (n, device) in spec.numbered_networks() {
        let bridge = device.bridge.as_ref().or(defaults.bridge.as_ref()).ok_or("bridge")?.to_string();
        // A card keeps the address that it has; one from the lock is for a card that is made.
        let chosen = || declarations.mac(declared, device.name.as_str()).filter(|_| !there.contains_key(&n));
        let mac = device.hwaddr.pinned().copied().or_else(chosen);
        networks.insert(n, interface(device, bridge, mac.map(|m| m.to_string())));
    }
    let mount_points = spec.mount_points.iter().map(|m| {
        let from = match (&m.source, m.size) {
            (Some(directory), _) => Origin::Directory(directory.to_string()),
            // One of both is there, or the manifest was refused.
            (None, size) => Origin::Volume(Disk { storage: storage(&m.storage)?, size: size.ok_or("size")? }),
        };
        let (backup, read_only, detached) = (m.backup, m.read_only, m.detached);
        Ok(MountPoint { path: m.path.to_string(), from, backup, read_only, detached })
    });
    let devices = spec.devices.iter().map(|d| Device {
        path: d.path.to_string(),
        mode: d.mode.clone(),
        uid: d.uid,
        gid: d.gid,
        read_only: d.read_only,
    });
    let console = spec.console.clone().unwrap_or_default();
    let (template, origin) = match &spec.template {
        None => (None, None),
        Some(TemplateSource::Volume(volume)) => (Some(volume.clone()), None),
        Some(TemplateSource::Declared(name)) => {
            let volume = declarations.templates.get(name).and_then(|t| t.spec.volume()).ok_or("template")?;
            (Some(volume.to_string()), Some(TemplateVolume::id(&volume)))
        }
    };
    let body = container::Container {
        template,
        hostname: spec.hostname(&declared.meta.name).to_string(),
        unprivileged: Some(spec.unprivileged),
        os_type: spec.os_type.map(|os| os.to_string()),
        cores: spec.cores,
        cpu_limit: spec.cpu_limit.map(|limit| limit.to_string()),
        cpu_units: spec.cpu_units,
        memory: spec.memory,
        swap: spec.swap,
        rootfs: Disk { storage: storage(&spec.rootfs.storage)?, size: spec.rootfs.size },
        mount_points: mount_points.collect::<Result<_, &'static str>>()?,
        networks,
        nameservers: spec.dns.as_ref().map(|dns| dns.servers.clone()).filter(|servers| !servers.is_empty()),
        search_domain: spec.dns.as_ref().and_then(|dns| dns.search.as_ref()).map(ToString::to_string),
        features: spec.features.as_ref().map(|all| all.iter().map(ToString::to_string).collect()),
        devices: devices.collect(),
        timezone: spec.timezone.clone(),
        console: console.enabled,
        console_mode: console.mode.map(|mode| mode.to_string()),
        terminals: console.terminals,
        hook_script: spec.hook_script.clone(),
        entrypoint: spec.entrypoint.clone(),
        environment: spec.environment.clone(),
        keeps: !spec.keep.is_empty(),
        ssh_keys: spec.ssh_keys.as_ref().map(|keys| keys.file.clone()),
    };
    Ok(Desired {
        // One that is there stays where it is, whatever is chosen later.
        node: declarations.node(AnyGuest::Container(declared)).or_else(|| Some(live?.node.clone())).ok_or("node")?,
        made_from: origin.into_iter().collect(),
        start_on_boot: spec.start_on_boot,
        startup: spec.startup.as_ref().map(|s| Startup {
            order: s.order,
            up: s.up.map(|p| p.as_seconds()),
            down: s.down.map(|p| p.as_seconds()),
        }),
        protection: spec.protection,
        tags: spec.tags.iter().map(ToString::to_string).collect::<BTreeSet<_>>(),
        pool: spec.pool.as_ref().map(ToString::to_string),
        notes: spec.notes.clone(),
        running: spec.state == State::Running,
        restarts: restarts(declarations, &spec.restart_policy),
        units: has_units(declarations, &declared.meta.name),
        body: Body::Container(body),
    })
}

fn interface(device: &NetworkDevice, bridge: String, mac: Option<String>) -> Interface {
    Interface {
        name: device.name.to_string(),
        bridge,
        mac,
        ip: device.address.as_ref().map(Address4::to_string),
        gateway: device.gateway,
        ip6: device.address6.as_ref().map(Address6::to_string),
        gateway6: device.gateway6,
        firewall: device.firewall,
        vlan: device.vlan,
        rate: device.rate.map(|r| r.megabytes()),
        mtu: device.mtu,
        trunks: device.trunks.as_ref().map(|all| all.iter().copied().collect::<BTreeSet<_>>().into_iter().collect()),
        link_down: device.link_down,
    }
}
