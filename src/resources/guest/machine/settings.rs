//! The settings of a virtual machine in the words of Proxmox, and where they differ from what is there. Spelling makes no
//! difference here.
use super::{Card, Disk, Machine, disk, options};
use crate::{
    model::Field,
    providers::proxmox::property::Properties,
    resources::guest::{Live, difference::Differences, spelling::size},
};
use std::collections::BTreeMap;

/// The parameters of a create that only a machine has.
pub fn parameters(desired: &Machine) -> BTreeMap<String, String> {
    let set = desired.options.iter().filter(|(_, value)| !value.is_empty());
    let mut out: BTreeMap<String, String> = set.map(|(key, value)| (key.clone(), value.clone())).collect();
    out.extend(desired.name.clone().map(|name| ("name".to_owned(), name)));
    out.extend(desired.disks.iter().map(|(slot, disk)| (slot.clone(), disk::new(disk))));
    out.extend(desired.firmware.clone());
    out.extend(desired.drive.as_ref().map(|drive| (drive.slot.clone(), format!("{}:cloudinit", drive.storage))));
    let cards = desired.cards.iter().flatten();
    out.extend(cards.map(|(n, card)| (format!("net{n}"), card.over(None))));
    out
}

/// Where a live machine is not as desired, as far as a change in place can help.
pub fn differences(desired: &Machine, live: &Live, out: &mut Differences) {
    out.scalar(live, "hostname", "name", desired.name.clone(), |a, b| a == b);
    for (key, wanted) in &desired.options {
        option(key, wanted, live, out);
    }
    cards(desired, live, out);
    for (slot, wanted) in &desired.disks {
        disk_at(slot, wanted, live, out);
    }
    for slot in &desired.detached {
        if let Some(is) = live.config.get(slot).filter(|value| disk::is_disk(value)) {
            out.show(live, &format!("disks.{slot}"), slot, Some(is.to_owned()), None);
            out.delete.push(slot.clone());
        }
    }
    for (key, allocated) in desired.firmware.iter().filter(|(key, _)| !is_set(live, key)) {
        let name = if key == "efidisk0" { "efiDisk" } else { "tpm" };
        let storage = allocated.split_once(':').map(|(storage, _)| format!("on {storage}"));
        out.show(live, name, key, None, storage);
        out.set.insert(key.clone(), allocated.clone());
    }
    if let Some(drive) = desired.drive.as_ref().filter(|_| cloud_drive(live).is_none())
        && !is_set(live, &drive.slot)
    {
        let to = Some(drive.slot.clone());
        out.show(live, "cloudInit.drive", &drive.slot, None, to);
        out.set.insert(drive.slot.clone(), format!("{}:cloudinit", drive.storage));
    }
    if desired.password.is_some() && live.config.get("cipassword").is_none() {
        let to = Some("set".to_owned());
        out.show(live, "cloudInit.password", "cipassword", None, to);
        out.password.clone_from(&desired.password);
    }
    if live.machine.other_keys && desired.ssh_keys.is_some() {
        let to = desired.ssh_keys.as_ref().map(|file| format!("those of {file}"));
        out.show(live, "cloudInit.sshKeys", "sshkeys", Some("others".into()), to);
        out.ssh_keys.clone_from(&desired.ssh_keys);
    }
}

fn is_set(live: &Live, key: &str) -> bool {
    live.config.get(key).is_some_and(|value| !value.trim().is_empty())
}

/// The slot of the drive that carries values to cloud-init.
pub fn cloud_drive(live: &Live) -> Option<&str> {
    let found = live.config.values.iter().find(|(key, value)| disk::is_slot(key) && disk::is_cloud_drive(value));
    found.map(|(key, _)| key.as_str())
}

/// Whether Proxmox speaks to an agent inside.
pub fn has_agent(live: &Live) -> bool {
    let row = options::managed("agent");
    row.is_some_and(|row| live.config.get("agent").is_some_and(|is| (row.same)(is, "1")))
}

/// Whether a card of it has an address that only its agent can tell.
pub fn leases(live: &Live) -> bool {
    let fixed = |n: &u8| {
        let parts = live.config.get(&format!("ipconfig{n}")).map(Properties::parse).unwrap_or_default();
        let is_fixed = |key: &str| parts.get(key).is_some_and(|value| value.contains('/'));
        let is_leased = |key: &str| parts.get(key).is_some_and(|value| matches!(value, "dhcp" | "auto"));
        (is_fixed("ip") || is_fixed("ip6")) && !is_leased("ip") && !is_leased("ip6")
    };
    has_agent(live) && live.cards().keys().any(|n| !fixed(n))
}

/// The disks that are there, by slot.
pub fn disks(live: &Live) -> impl Iterator<Item = (&str, &str)> {
    let all = live.config.values.iter().filter(|(key, value)| disk::is_slot(key) && disk::is_disk(value));
    all.map(|(key, value)| (key.as_str(), value.as_str()))
}

fn option(key: &str, wanted: &str, live: &Live, out: &mut Differences) {
    let Some(row) = options::managed(key) else { return };
    let is = live.config.get(key).filter(|value| !value.trim().is_empty());
    let same = match (is, wanted) {
        (None, "") => true,
        (Some(is), wanted) => !wanted.is_empty() && (row.same)(is, wanted),
        (None, wanted) => !row.absent.is_empty() && (row.same)(row.absent, wanted),
    };
    if same {
        return;
    }
    let name = if row.key.ends_with("[n]") { format!("{}.{key}", row.field) } else { row.field.to_owned() };
    let to = Some(wanted.to_owned()).filter(|value| !value.is_empty());
    out.show(live, &name, key, is.map(str::to_owned), to);
    match wanted {
        "" => out.delete.push(key.into()),
        wanted => _ = out.set.insert(key.into(), options::over(key, is, wanted)),
    }
    out.network |= key.starts_with("ipconfig");
}

fn cards(desired: &Machine, live: &Live, out: &mut Differences) {
    let Some(wanted) = &desired.cards else { return };
    let there = live.cards();
    for (n, card) in wanted {
        let is = there.get(n);
        if is.is_some_and(|is| card.completed_from(is) == *is) {
            continue;
        }
        let key = format!("net{n}");
        let effect = Some(crate::resources::guest::option::effect(live, &key));
        out.fields.extend(card_fields(&key, is, card).into_iter().map(|field| Field { effect, ..field }));
        out.set.insert(key.clone(), card.over(live.config.get(&key)));
        out.network = true;
    }
    for n in there.keys().filter(|n| !wanted.contains_key(n)) {
        let key = format!("net{n}");
        out.show(live, &format!("networks.{key}"), &key, Some("there".into()), None);
        out.delete.push(key);
        out.network = true;
    }
}

fn card_fields(key: &str, is: Option<&Card>, wanted: &Card) -> Vec<Field> {
    let Some(is) = is else {
        let to = Some(format!("{} on {}", wanted.model, wanted.bridge));
        return vec![Field { name: format!("networks.{key}"), from: None, to, effect: None }];
    };
    let name = |field: &str| format!("networks.{key}.{field}");
    let wanted = wanted.completed_from(is);
    [
        Field::differs(&name("model"), Some(&is.model), Some(&wanted.model)),
        Field::differs(&name("bridge"), Some(&is.bridge), Some(&wanted.bridge)),
        Field::differs(&name("hwaddr"), is.mac.as_ref(), wanted.mac.as_ref()),
        Field::differs(&name("firewall"), is.firewall, wanted.firewall),
        Field::differs(&name("vlan"), is.vlan, wanted.vlan),
        Field::differs(&name("rate"), is.rate.as_ref(), wanted.rate.as_ref()),
        Field::differs(&name("mtu"), is.mtu, wanted.mtu),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What is in a slot is never allocated again: it is grown, and its settings are changed.
fn disk_at(slot: &str, wanted: &Disk, live: &Live, out: &mut Differences) {
    let name = format!("disks.{slot}");
    let Some(is) = live.config.get(slot).filter(|value| !value.trim().is_empty()) else {
        let image = || wanted.image.as_ref().map(|image| format!("from {image}"));
        let to = wanted.size.map(|size| size.to_string()).or_else(image);
        out.show(live, &name, slot, None, to);
        out.set.insert(slot.into(), disk::new(wanted));
        return;
    };
    if !disk::is_disk(is) {
        return;
    }
    if let (Some(has), Some(size_wanted)) = (disk::size(is), wanted.size)
        && has < size_wanted.bytes()
    {
        out.grows(slot, format!("{name}.size"), size(has), size_wanted.to_string(), size_wanted.bytes());
    }
    let differing = disk::differing(wanted, is);
    if !differing.is_empty() {
        for (key, from, to) in differing {
            out.show(live, &format!("{name}.{key}"), slot, from, Some(to.to_owned()));
        }
        out.set.insert(slot.into(), disk::over(wanted, is));
    }
}
