//! What a container's fields must be, beyond their shape.
use super::{
    claim::{Claim, exclusive},
    guest_spot, key_spot,
    site::timezone,
    spot,
};
use crate::{
    kinds::{
        Declarations, Declared,
        container::{Container, RestartPolicy, Tag},
    },
    manifest::Diagnostic,
    model::Size,
};

pub(super) fn check(declarations: &Declarations, found: &mut Vec<Diagnostic>) {
    let vmids = declarations.guests().filter_map(|guest| {
        Some(Claim { key: guest.pinned()?, spot: guest_spot(guest, "spec.vmid"), by: guest.id().to_string() })
    });
    exclusive("duplicate-vmid", |vmid| format!("the vmid {vmid}"), vmids.collect(), found);
    let hostnames = declarations.guests().map(|guest| {
        let (name, field) = guest.hostname();
        Claim { key: name.to_ascii_lowercase(), spot: guest_spot(guest, field), by: guest.id().to_string() }
    });
    exclusive("duplicate-hostname", |name| format!("the hostname `{name}`"), hostnames.collect(), found);
    for guest in declarations.containers.values() {
        template(guest, found);
        sizes(guest, found);
        inside(guest, found);
        defaults(declarations, guest, found);
    }
}

fn wrong(guest: &Declared<Container>, path: &str, message: impl Into<String>, hint: impl Into<String>) -> Diagnostic {
    Diagnostic::error("wrong-value", spot(guest, path), message).hint(hint)
}

/// What is there already need not be made.
fn template(guest: &Declared<Container>, found: &mut Vec<Diagnostic>) {
    if guest.spec.template.is_none() && guest.meta.adopt.is_none() {
        let mistake = Diagnostic::error("missing-field", key_spot(guest, "spec"), "`template` is missing");
        found.push(mistake.label("in this").hint("only a guest that `trueup/adopt` takes over needs none"));
    }
}

fn sizes(guest: &Declared<Container>, found: &mut Vec<Diagnostic>) {
    let spec = &guest.spec;
    if spec.memory < Size::mib(16) {
        found.push(wrong(
            guest,
            "spec.memory",
            format!("{} of memory is less than 16MiB", spec.memory),
            "a Debian needs 256MiB or more",
        ));
    }
    let memory = [("spec.memory", Some(spec.memory)), ("spec.swap", spec.swap)];
    for (path, size) in memory {
        if let Some(size) = size.filter(|size| size.whole_mib().is_none()) {
            found.push(wrong(
                guest,
                path,
                format!("{size} is not a whole number of MiB"),
                "Proxmox counts memory in MiB",
            ));
        }
    }
    let disks = spec.mount_points.iter().enumerate();
    let disks = disks.filter_map(|(i, mount)| Some((format!("spec.mountPoints.{i}.size"), mount.size?)));
    for (path, size) in std::iter::once(("spec.rootfs.size".to_owned(), spec.rootfs.size)).chain(disks) {
        // What is taken over has the size that it has.
        let odd = size.whole_gib().is_none() && guest.meta.adopt.is_none();
        if odd || size.bytes() == 0 {
            let message = format!("{size} is not a whole number of GiB");
            found.push(wrong(guest, &path, message, "Proxmox allocates disks in GiB"));
        }
    }
    if spec.cores.is_some_and(|cores| !(1..=8192).contains(&cores)) {
        found.push(wrong(
            guest,
            "spec.cores",
            "the number of cores is not between 1 and 8192",
            "leave it out for all cores of the node",
        ));
    }
}

fn inside(guest: &Declared<Container>, found: &mut Vec<Diagnostic>) {
    let spec = &guest.spec;
    let mounts = spec.mount_points.iter().enumerate().map(|(i, mount)| Claim {
        key: mount.path.as_str(),
        spot: spot(guest, &format!("spec.mountPoints.{i}.path")),
        by: format!("disk {}", i + 1),
    });
    exclusive("duplicate-mount", |path| format!("the mount point {path}"), mounts.collect(), found);
    let interfaces = spec.networks.iter().enumerate().map(|(i, network)| Claim {
        key: network.name.as_str(),
        spot: spot(guest, &format!("spec.networks.{i}.name")),
        by: format!("network device {}", i + 1),
    });
    exclusive("duplicate-interface", |name| format!("the interface {name}"), interfaces.collect(), found);
    let places = spec.numbered_networks().zip(0..).map(|((n, device), i)| Claim {
        key: n,
        spot: spot(guest, &format!("spec.networks.{i}.{}", if device.index.is_some() { "index" } else { "name" })),
        by: format!("network device {}", i + 1),
    });
    exclusive("duplicate-index", |n| format!("the number net{n}"), places.collect(), found);
    for (n, _) in spec.numbered_networks().filter(|(n, device)| *n > 31 && device.index.is_some()) {
        let place = spec.networks.iter().position(|device| device.index == Some(n)).unwrap_or_default();
        let path = format!("spec.networks.{place}.index");
        found.push(wrong(guest, &path, format!("there is no net{n}"), "Proxmox has net0 to net31"));
    }
    for (i, mount) in spec.mount_points.iter().enumerate() {
        if mount.size.is_some() == mount.source.is_some() {
            let path = format!("spec.mountPoints.{i}.path");
            let message = match mount.size {
                Some(_) => "a mount point is a disk with a `size` or a directory of the node with a `source`, not both",
                None => "neither a `size` nor a `source` is given",
            };
            found.push(wrong(guest, &path, message, "`size` makes a disk, `source` mounts a directory of the node"));
        }
        if mount.path.as_str() == "/" {
            found.push(wrong(
                guest,
                &format!("spec.mountPoints.{i}.path"),
                "`/` is the root disk",
                "its size stands in rootfs",
            ));
        }
    }
    for (i, network) in spec.networks.iter().enumerate() {
        if network.name.as_str().len() > 15 {
            let path = format!("spec.networks.{i}.name");
            found.push(wrong(
                guest,
                &path,
                "the interface has more than 15 characters",
                "Linux allows no more; eth0 is usual",
            ));
        }
        if network.mtu.is_some_and(|mtu| !(64..=65535).contains(&mtu)) {
            let path = format!("spec.networks.{i}.mtu");
            found.push(wrong(guest, &path, "the mtu is not between 64 and 65535", "1500 is usual"));
        }
        if network.vlan.is_some_and(|vlan| !(1..=4094).contains(&vlan)) {
            found.push(wrong(
                guest,
                &format!("spec.networks.{i}.vlan"),
                "the VLAN is not between 1 and 4094",
                "leave it out for none",
            ));
        }
    }
    for (path, zone) in [
        ("spec.timezone", spec.timezone.as_deref().filter(|zone| *zone != "host")),
        (
            "spec.restartPolicy.window",
            match &spec.restart_policy {
                RestartPolicy::Window(window) => window.zone(),
                _ => None,
            },
        ),
    ] {
        if let Some(zone) = zone {
            timezone(zone, spot(guest, path), found);
        }
    }
    if spec.cpu_units.is_some_and(|units| !(1..=10_000).contains(&units)) {
        found.push(wrong(guest, "spec.cpuUnits", "the weight is not between 1 and 10000", "100 is usual"));
    }
    if spec.networks.len() > 32 {
        found.push(wrong(
            guest,
            "spec.networks.32.name",
            "Proxmox knows at most 32 network devices of a container",
            "remove some",
        ));
    }
    for (i, tag) in spec.tags.iter().enumerate() {
        if tag.as_str() == "trueup" {
            let path = format!("spec.tags.{i}");
            found.push(wrong(guest, &path, "the tag `trueup` is our mark of ownership", "leave it out; it is added"));
        }
    }
    let tags = spec.tags.iter().enumerate();
    let tags = tags.map(|(i, tag)| Claim {
        key: Tag::as_str(tag),
        spot: spot(guest, &format!("spec.tags.{i}")),
        by: format!("entry {}", i + 1),
    });
    exclusive("duplicate-tag", |tag| format!("the tag `{tag}`"), tags.collect(), found);
}

/// What a container leaves to the Site must be there.
fn defaults(declarations: &Declarations, guest: &Declared<Container>, found: &mut Vec<Diagnostic>) {
    let Some(site) = declarations.site() else { return };
    let (spec, defaults) = (&guest.spec, &site.spec.proxmox.defaults);
    let mut lacks = |path: &str, field: &str| {
        let message = format!("no `{field}` is given, neither here nor in the Site's defaults");
        let mistake = Diagnostic::error("no-default", key_spot(guest, path), message).label("in this");
        let mistake =
            mistake.other(key_spot(site, "spec.proxmox.defaults"), format!("or add `{field}` here, in `defaults`"));
        found.push(mistake.hint(format!("add `{field}`")));
    };
    if spec.node.is_none() && spec.placement.is_none() && defaults.node.is_none() {
        lacks("spec.node", "node");
    }
    if spec.rootfs.storage.is_none() && defaults.storage.is_none() {
        lacks("spec.rootfs", "storage");
    }
    for (i, mount) in spec.mount_points.iter().enumerate() {
        if mount.source.is_none() && mount.storage.is_none() && defaults.storage.is_none() {
            lacks(&format!("spec.mountPoints.{i}.path"), "storage");
        }
    }
    for (i, network) in spec.networks.iter().enumerate() {
        if network.bridge.is_none() && defaults.bridge.is_none() {
            lacks(&format!("spec.networks.{i}.name"), "bridge");
        }
    }
}
