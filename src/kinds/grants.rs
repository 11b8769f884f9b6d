//! What the token of a site must be allowed to, as its manifests have it. Pure.
use super::{
    any_guest::AnyGuest,
    container::{Container, TemplateSource},
    declared::Declarations,
    virtual_machine::{ImageSource, VirtualMachine},
};
use crate::{
    model::Identifier,
    providers::proxmox::{Grant, PRIVILEGES, ROLES, Role},
};
use std::{collections::BTreeSet, fmt::Write};

/// The roles with their paths.
pub fn grants(declarations: &Declarations) -> BTreeSet<Grant> {
    let mut grants = BTreeSet::from([Grant::whole(Role::Guests)]);
    for machine in declarations.virtual_machines.values() {
        grants.extend(of_virtual_machine(&machine.spec).into_iter().map(Grant::whole));
    }
    if declarations.containers.values().any(|container| !container.spec.unprivileged) {
        grants.insert(Grant::whole(Role::Privileged));
    }
    grants.extend(pools(declarations).iter().map(|name| Grant::on(Role::Pools, name)));
    grants.extend(chosen_among(declarations).iter().map(|name| Grant::on(Role::Placement, name)));
    let disks = storages_of_disks(declarations);
    grants.extend(disks.iter().map(|name| Grant::on(Role::Disks, name)));
    // Whoever may make disks on a storage may read its templates.
    let read = volumes(declarations).filter_map(|volume| Some(volume.split_once(':')?.0.to_owned()));
    grants.extend(read.filter(|name| !disks.contains(name)).map(|name| Grant::on(Role::Templates, &name)));
    for template in declarations.templates.values() {
        grants.insert(Grant::on(Role::Deliveries, template.spec.storage.as_str()));
        if template.spec.origin().is_some_and(|origin| origin.url.is_some()) {
            let named: BTreeSet<String> = template.spec.nodes.iter().map(ToString::to_string).collect();
            let all = named.union(&nodes(declarations)).cloned().collect::<Vec<_>>();
            grants.extend(all.iter().map(|node| Grant::on(Role::Downloads, node)));
        }
    }
    grants.extend(bridges(declarations).iter().map(|name| Grant::on(Role::Network, name)));
    grants
}

/// What a virtual machine needs beyond what every guest needs.
fn of_virtual_machine(spec: &VirtualMachine) -> Vec<Role> {
    let hardware = [&spec.machine, &spec.scsi_controller, &spec.display].into_iter().any(Option::is_some);
    // The disk of another guest is copied as one, too.
    let disk_of_another = |image: &ImageSource| matches!(image, ImageSource::Volume(v) if !v.contains(":import/"));
    let copies = spec.disks.iter().filter_map(|disk| disk.image.as_ref()).any(disk_of_another);
    // A copy of a machine with an agent has one.
    let agent = spec.agent.as_ref().map_or(spec.clone.is_some(), |agent| agent.enabled);
    let needed = [
        (Role::Machines, hardware || spec.serial_console.is_some()),
        (Role::Clones, spec.clone.is_some() || copies),
        (Role::CloudInit, spec.has_cloud_init()),
        (Role::Agents, agent),
        (Role::StartOrder, spec.startup.is_some()),
    ];
    needed.into_iter().filter_map(|(role, needed)| needed.then_some(role)).collect()
}

/// The pools whose members are looked after.
fn pools(declarations: &Declarations) -> BTreeSet<String> {
    let containers = declarations.containers.values().filter_map(|container| container.spec.pool.as_ref());
    let machines = declarations.virtual_machines.values().filter_map(|machine| machine.spec.pool.as_ref());
    containers.chain(machines).map(ToString::to_string).collect()
}

/// The nodes among which one is chosen by free memory.
fn chosen_among(declarations: &Declarations) -> BTreeSet<String> {
    let Some(site) = declarations.site().map(|site| &site.spec.proxmox) else { return BTreeSet::new() };
    let placements = declarations.guests().filter_map(AnyGuest::placement);
    let several = placements.map(|placement| placement.candidates(site)).filter(|fit| fit.len() > 1);
    several.flatten().map(|node| node.to_string()).collect()
}

/// The storages on which guests have disks.
pub fn storages_of_disks(declarations: &Declarations) -> BTreeSet<String> {
    let default = declarations.site().and_then(|site| site.spec.proxmox.defaults.storage.as_ref());
    let of = |spec: &Container| -> Vec<Option<Identifier>> {
        let mounts = spec.mount_points.iter().map(|mount| mount.storage.clone());
        std::iter::once(spec.rootfs.storage.clone()).chain(mounts).collect()
    };
    let named = declarations.containers.values().flat_map(|container| of(&container.spec));
    let named = named.chain(declarations.virtual_machines.values().flat_map(|machine| of_machine(&machine.spec)));
    named.filter_map(|own| own.or_else(|| default.cloned())).map(|name| name.to_string()).collect()
}

/// The storages on which a virtual machine has disks; `None`: the Site's default.
fn of_machine(spec: &VirtualMachine) -> Vec<Option<Identifier>> {
    let disks = spec.disks.iter().filter(|disk| !disk.detached).map(|disk| disk.storage.clone());
    let cloud_init = spec.cloud_init.iter().map(|drive| drive.storage.clone());
    let firmware = spec.efi_disk.iter().map(|disk| disk.storage.clone());
    let tpm = spec.tpm.iter().map(|disk| disk.storage.clone());
    let copy = spec.clone.iter().map(|copy| copy.storage.clone());
    disks.chain(cloud_init).chain(firmware).chain(tpm).chain(copy).collect()
}

/// The bridges on which guests have network devices.
pub fn bridges(declarations: &Declarations) -> BTreeSet<String> {
    let default = declarations.site().and_then(|site| site.spec.proxmox.defaults.bridge.as_ref());
    let devices = declarations.containers.values().flat_map(|container| &container.spec.networks);
    let cards = declarations.virtual_machines.values().flat_map(|machine| &machine.spec.networks);
    let named = devices.map(|device| device.bridge.as_ref()).chain(cards.map(|card| card.bridge.as_ref()));
    named.filter_map(|own| own.or(default)).map(ToString::to_string).collect()
}

/// The nodes on which guests are made.
pub fn nodes(declarations: &Declarations) -> BTreeSet<String> {
    let default = declarations.site().and_then(|site| site.spec.proxmox.defaults.node.as_ref());
    let site = declarations.site().map(|site| &site.spec.proxmox);
    let placements = declarations.guests().filter_map(AnyGuest::placement);
    // Any of those that fit may be chosen.
    let fit: Vec<Identifier> = placements.filter_map(|p| Some(p.candidates(site?))).flatten().collect();
    declarations
        .guests()
        .map(AnyGuest::node)
        .chain(fit.iter().map(Some))
        .chain([None])
        .filter_map(|node| node.or(default))
        .map(ToString::to_string)
        .collect()
}

/// The volumes that guests are made from: `local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst`.
pub fn volumes(declarations: &Declarations) -> impl Iterator<Item = String> {
    let direct = declarations.containers.values().filter_map(|container| match &container.spec.template {
        Some(TemplateSource::Volume(volume)) => Some(volume.clone()),
        Some(TemplateSource::Declared(_)) | None => None,
    });
    let disks = declarations.virtual_machines.values().flat_map(|machine| &machine.spec.disks);
    let images = disks.filter_map(|disk| match &disk.image {
        Some(ImageSource::Volume(volume)) if volume.contains(":import/") => Some(volume.clone()),
        _ => None,
    });
    let brought = declarations.templates.values().filter_map(|template| Some(template.spec.volume()?.to_string()));
    direct.chain(images).chain(brought)
}

/// The page of the reference.
pub fn page() -> String {
    let mut out = String::from(
        "# Privileges\n\nWhat the token of Trueup holds at Proxmox VE, and why. `trueup setup token` makes these roles and grants \
         each on the paths that\nthe manifests need; `trueup doctor` names what is missing. Nothing else is needed, and nothing of it \
         can be left out:\n`cargo test --test access` takes each privilege away and watches what no longer works.\n\n\
         | role | path | privilege | needed for | releases |\n|---|---|---|---|---|\n",
    );
    for role in ROLES {
        for privilege in PRIVILEGES.iter().filter(|privilege| privilege.role == *role) {
            let releases = match (privilege.since, privilege.until) {
                (Some(feature), _) => format!("{} and later", feature.since()),
                (None, Some(feature)) => format!("before {}", feature.since()),
                (None, None) => "all".into(),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "| `{role}` | `{}` | `{}` | {} | {releases} |",
                role.place(),
                privilege.name,
                privilege.for_what
            );
        }
    }
    out.push_str(
        "\nThe token has separated privileges: it may do what both it and its user are granted, so every role is granted to \
         both. What\nProxmox keeps for the root user's own session (bind mounts, features beyond `nesting`) no token can do.\n",
    );
    out
}
