//! What a virtual machine's fields must be, beyond their shape.
use super::{
    claim::{Claim, exclusive},
    key_spot,
    site::timezone,
    spot,
};
use crate::{
    kinds::{
        Declarations, Declared,
        container::{RestartPolicy, Tag},
        virtual_machine::{Bios, Disk, ImageSource, Snippets, VirtualMachine},
    },
    manifest::Diagnostic,
    model::Size,
};

pub(super) fn check(declarations: &Declarations, found: &mut Vec<Diagnostic>) {
    for machine in declarations.virtual_machines.values() {
        if let RestartPolicy::Window(window) = &machine.spec.restart_policy
            && let Some(zone) = window.zone()
        {
            timezone(zone, spot(machine, "spec.restartPolicy.window"), found);
        }
    }
    for machine in declarations.virtual_machines.values() {
        sizes(machine, found);
        slots(machine, found);
        for (i, disk) in machine.spec.disks.iter().enumerate() {
            one_disk(declarations, machine, i, disk, found);
        }
        firmware(machine, found);
        linked(machine, found);
        snippets(machine, found);
        own_tags(machine, found);
        defaults(declarations, machine, found);
    }
}

fn wrong(
    machine: &Declared<VirtualMachine>,
    path: &str,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> Diagnostic {
    Diagnostic::error("wrong-value", spot(machine, path), message).hint(hint)
}

fn sizes(machine: &Declared<VirtualMachine>, found: &mut Vec<Diagnostic>) {
    let spec = &machine.spec;
    if let Some(memory) = spec.memory.filter(|memory| *memory < Size::mib(16)) {
        let message = format!("{memory} of memory is less than 16MiB");
        found.push(wrong(machine, "spec.memory", message, "a Debian needs 512MiB or more"));
    }
    for (path, size) in [("spec.memory", spec.memory), ("spec.balloon", spec.balloon)] {
        if let Some(size) = size.filter(|size| size.whole_mib().is_none()) {
            let message = format!("{size} is not a whole number of MiB");
            found.push(wrong(machine, path, message, "Proxmox counts memory in MiB"));
        }
    }
    if let (Some(balloon), Some(memory)) = (spec.balloon, spec.memory)
        && balloon > memory
    {
        let message = format!("ballooning leaves it {balloon}, which is more than its memory of {memory}");
        found.push(wrong(machine, "spec.balloon", message, "give the least that it may have"));
    }
    let limit = spec.cpu.as_ref().and_then(|cpu| cpu.limit);
    if limit.is_some_and(|limit| !(0.0..=128.0).contains(&limit)) {
        found.push(wrong(machine, "spec.cpu.limit", "the limit is not between 0 and 128", "0 is no limit"));
    }
    for (i, card) in spec.networks.iter().enumerate() {
        if card.vlan.is_some_and(|vlan| !(1..=4094).contains(&vlan)) {
            let path = format!("spec.networks.{i}.vlan");
            found.push(wrong(machine, &path, "the VLAN is not between 1 and 4094", "leave it out for none"));
        }
    }
}

fn slots(machine: &Declared<VirtualMachine>, found: &mut Vec<Diagnostic>) {
    let spec = &machine.spec;
    let claim = |path: String, key: String, by: String| Claim { key, spot: spot(machine, &path), by };
    let disks = spec
        .disks
        .iter()
        .enumerate()
        .map(|(i, disk)| claim(format!("spec.disks.{i}.slot"), disk.slot.to_string(), format!("disk {}", i + 1)));
    let drive = spec
        .cloud_init
        .as_ref()
        .and_then(|cloud| cloud.slot)
        .map(|slot| claim("spec.cloudInit.slot".into(), slot.to_string(), "the drive of cloud-init".into()));
    exclusive("duplicate-slot", |slot| format!("the slot {slot}"), disks.chain(drive).collect(), found);
    let cards =
        spec.networks.iter().enumerate().map(|(i, card)| {
            claim(format!("spec.networks.{i}.slot"), card.slot.to_string(), format!("card {}", i + 1))
        });
    exclusive("duplicate-slot", |slot| format!("the slot {slot}"), cards.collect(), found);
}

fn one_disk(
    declarations: &Declarations,
    machine: &Declared<VirtualMachine>,
    i: usize,
    disk: &Disk,
    found: &mut Vec<Diagnostic>,
) {
    let path = |field: &str| format!("spec.disks.{i}.{field}");
    // What is taken over has the size that it has.
    let adopted = machine.meta.adopt.is_some();
    let is_odd = |size: &Size| size.bytes() == 0 || (size.whole_gib().is_none() && !adopted);
    if let Some(size) = disk.size.filter(is_odd) {
        let message = format!("{size} is not a whole number of GiB");
        found.push(wrong(machine, &path("size"), message, "Proxmox allocates disks in GiB"));
    }
    if disk.size.is_none() && disk.image.is_none() && !disk.detached && machine.spec.clone.is_none() && !adopted {
        let hint = "add `size`, or `image` to start from";
        found.push(wrong(machine, &path("slot"), format!("the disk {} has no size", disk.slot), hint));
    }
    if let Some(ImageSource::Declared(name)) = &disk.image
        && let Some(template) = declarations.templates.get(name).filter(|template| template.spec.image.is_none())
    {
        let message = format!("the Template `{name}` is one of containers, and no disk can be made from it");
        let mistake = Diagnostic::error("reference", spot(machine, &path("image")), message);
        found.push(mistake.other(spot(template, "metadata.name"), "declared here"));
    }
}

fn firmware(machine: &Declared<VirtualMachine>, found: &mut Vec<Diagnostic>) {
    let spec = &machine.spec;
    if spec.efi_disk.is_some() && spec.bios != Some(Bios::Ovmf) {
        let hint = "add `bios: ovmf`, or leave `efiDisk` out";
        found.push(wrong(machine, "spec.efiDisk", "only UEFI keeps variables on a disk of its own", hint));
    }
}

/// A linked clone lies where its template does (`PVE::API2::Qemu`, clone_vm).
fn linked(machine: &Declared<VirtualMachine>, found: &mut Vec<Diagnostic>) {
    let clone = machine.spec.clone.as_ref().filter(|clone| !clone.full && clone.storage.is_some());
    if clone.is_some() {
        let hint = "leave `storage` out, or write `full: true` to copy the disks";
        found.push(wrong(machine, "spec.clone.storage", "a linked clone lies where its template lies", hint));
    }
}

fn snippets(machine: &Declared<VirtualMachine>, found: &mut Vec<Diagnostic>) {
    let Some(snippets) = machine.spec.cloud_init.as_ref().and_then(|cloud| cloud.snippets.as_ref()) else { return };
    let all = [
        ("user", &snippets.user),
        ("network", &snippets.network),
        ("meta", &snippets.meta),
        ("vendor", &snippets.vendor),
    ];
    for (field, volume) in all {
        let Some(volume) = volume else { continue };
        if !Snippets::is_volume(volume) {
            let message = format!("`{volume}` is no snippet");
            let hint = "write the volume, such as local:snippets/user.yaml; the file is put there on the node";
            found.push(wrong(machine, &format!("spec.cloudInit.snippets.{field}"), message, hint));
        }
    }
}

fn own_tags(machine: &Declared<VirtualMachine>, found: &mut Vec<Diagnostic>) {
    for (i, tag) in machine.spec.tags.iter().enumerate() {
        if tag.as_str() == "trueup" {
            let path = format!("spec.tags.{i}");
            let hint = "leave it out; it is added";
            found.push(wrong(machine, &path, "the tag `trueup` is our mark of ownership", hint));
        }
    }
    let tags = machine.spec.tags.iter().enumerate().map(|(i, tag)| Claim {
        key: Tag::as_str(tag),
        spot: spot(machine, &format!("spec.tags.{i}")),
        by: format!("entry {}", i + 1),
    });
    exclusive("duplicate-tag", |tag| format!("the tag `{tag}`"), tags.collect(), found);
}

/// What a machine leaves to the Site must be there.
fn defaults(declarations: &Declarations, machine: &Declared<VirtualMachine>, found: &mut Vec<Diagnostic>) {
    let Some(site) = declarations.site() else { return };
    let (spec, defaults) = (&machine.spec, &site.spec.proxmox.defaults);
    let mut lacks = |path: &str, field: &str| {
        let message = format!("no `{field}` is given, neither here nor in the Site's defaults");
        let mistake = Diagnostic::error("no-default", key_spot(machine, path), message).label("in this");
        let mistake =
            mistake.other(key_spot(site, "spec.proxmox.defaults"), format!("or add `{field}` here, in `defaults`"));
        found.push(mistake.hint(format!("add `{field}`")));
    };
    if spec.node.is_none() && spec.placement.is_none() && defaults.node.is_none() {
        lacks("spec.node", "node");
    }
    let cloud = spec.cloud_init.as_ref().and_then(|cloud| cloud.storage.as_ref());
    if defaults.storage.is_none() {
        for (i, disk) in spec.disks.iter().enumerate().filter(|(_, disk)| disk.storage.is_none() && !disk.detached) {
            lacks(&format!("spec.disks.{i}.{}", if disk.size.is_some() { "size" } else { "slot" }), "storage");
        }
        if spec.has_cloud_init() && cloud.is_none() {
            lacks(if spec.cloud_init.is_some() { "spec.cloudInit" } else { "metadata.name" }, "storage");
        }
    }
    for (i, card) in spec.networks.iter().enumerate() {
        if card.bridge.is_none() && defaults.bridge.is_none() {
            lacks(&format!("spec.networks.{i}.slot"), "bridge");
        }
    }
}
