//! The settings of a container in the words of Proxmox, and where they differ from what is there. Spelling makes no
//! difference here: values are compared as numbers, sets and maps.
use super::{Container, MountPoint};
use crate::{
    model::{Field, Size},
    providers::proxmox::{
        network::Interface,
        property::Properties,
        values::{bytes, is_true},
        volume_size,
    },
    resources::guest::{
        Live, option,
        settings::{Differences, flag, number, size, text, words},
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// The parameters of a create that only a container has.
pub fn parameters(desired: &Container) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            out.insert(key.to_owned(), value);
        }
    };
    put("ostemplate", Some(desired.template.clone()));
    put("hostname", Some(desired.hostname.clone()));
    // Sent always: releases differ in their default, and it cannot be changed later.
    put("unprivileged", Some(flag(desired.unprivileged.unwrap_or(true))));
    put("cores", desired.cores.map(|c| c.to_string()));
    put("memory", Some(mebibytes(desired.memory)));
    put("swap", desired.swap.map(mebibytes));
    put("rootfs", Some(format!("{}:{}", desired.rootfs.storage, gibibytes(desired.rootfs.size))));
    put("features", desired.features.as_ref().filter(|f| !f.is_empty()).map(features));
    put("nameserver", desired.nameservers.as_ref().map(|all| join(all)).filter(|n| !n.is_empty()));
    put("searchdomain", desired.search_domain.clone());
    for (n, interface) in &desired.networks {
        put(&format!("net{n}"), Some(interface.over(None)));
    }
    for (n, mount) in desired.mount_points.iter().enumerate() {
        put(&format!("mp{n}"), Some(new_volume(mount)));
    }
    out
}

/// Where a live container is not as desired, as far as a change in place can help.
pub fn differences(desired: &Container, live: &Live, out: &mut Differences) {
    let unordered = |a: &str, b: &str| words(a) == words(b);
    out.scalar(live, "hostname", "hostname", Some(desired.hostname.clone()), text);
    out.scalar(live, "cores", "cores", desired.cores.map(|c| c.to_string()), number);
    out.scalar(live, "swap", "swap", desired.swap.map(mebibytes), number);
    out.scalar(live, "dns.servers", "nameserver", desired.nameservers.as_ref().map(|all| join(all)), same_addresses);
    out.scalar(live, "dns.search", "searchdomain", desired.search_domain.clone(), unordered);
    out.scalar(live, "features", "features", desired.features.as_ref().map(features), same_features);
    memory(desired, live, out);
    networks(desired, live, out);
    disks(desired, live, out);
}

fn memory(desired: &Container, live: &Live, out: &mut Differences) {
    // Proxmox keeps whole MiB; unset is 512.
    let is = Size::mib(live.config.get("memory").and_then(|m| m.trim().parse().ok()).unwrap_or(512));
    if is != desired.memory {
        out.show(live, "memory", "memory", Some(is.to_string()), Some(desired.memory.to_string()));
        out.set.insert("memory".into(), mebibytes(desired.memory));
    }
}

fn networks(desired: &Container, live: &Live, out: &mut Differences) {
    let there = live.interfaces();
    for (n, wanted) in &desired.networks {
        let is = there.get(n);
        if is.is_some_and(|is| wanted.completed_from(is) == *is) {
            continue;
        }
        let key = format!("net{n}");
        let effect = Some(option::effect(live, &key));
        out.fields.extend(interface_fields(is, wanted).into_iter().map(|field| Field { effect, ..field }));
        out.set.insert(key.clone(), wanted.over(live.config.get(&key)));
        out.network = true;
    }
    for (n, is) in there.iter().filter(|(n, _)| !desired.networks.contains_key(n)) {
        let key = format!("net{n}");
        out.show(live, &format!("networks.{}", is.name), &key, Some("there".into()), None);
        out.delete.push(key);
        out.network = true;
    }
}

fn interface_fields(is: Option<&Interface>, wanted: &Interface) -> Vec<Field> {
    let Some(is) = is else {
        let what = wanted.ip.clone().or(wanted.ip6.clone()).unwrap_or_else(|| wanted.bridge.clone());
        return Field::differs(&format!("networks.{}", wanted.name), None::<&str>, Some(what)).into_iter().collect();
    };
    let name = |field: &str| format!("networks.{}.{field}", wanted.name);
    let wanted = wanted.completed_from(is);
    [
        Field::differs(&name("name"), Some(&is.name), Some(&wanted.name)),
        Field::differs(&name("bridge"), Some(&is.bridge), Some(&wanted.bridge)),
        Field::differs(&name("hwaddr"), is.mac.as_ref(), wanted.mac.as_ref()),
        Field::differs(&name("address"), is.ip.as_ref(), wanted.ip.as_ref()),
        Field::differs(&name("gateway"), is.gateway, wanted.gateway),
        Field::differs(&name("address6"), is.ip6.as_ref(), wanted.ip6.as_ref()),
        Field::differs(&name("gateway6"), is.gateway6, wanted.gateway6),
        Field::differs(&name("firewall"), is.firewall, wanted.firewall),
        Field::differs(&name("vlan"), is.vlan, wanted.vlan),
        Field::differs(&name("rate"), is.rate.as_ref(), wanted.rate.as_ref()),
        Field::differs(&name("mtu"), is.mtu, wanted.mtu),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn disks(desired: &Container, live: &Live, out: &mut Differences) {
    let mut grow = |key: &str, name: String, is: Option<u64>, wanted: Size| {
        // A volume without a size in the configuration is not one that can be grown by name.
        if let Some(is) = is.filter(|is| *is < wanted.bytes()) {
            out.grows(key, name, size(is), wanted.to_string(), wanted.bytes());
        }
    };
    grow("rootfs", "rootfs.size".into(), root_size(live), desired.rootfs.size);
    let mounts = mounts(live);
    for wanted in &desired.mount_points {
        if let Some((key, is)) = mounts.get(wanted.path.as_str()) {
            grow(key, format!("mountPoints.{}.size", wanted.path), is.get("size").and_then(bytes), wanted.size);
        }
    }
    let mut free = (0..=255u8).map(|n| format!("mp{n}")).filter(|key| live.config.get(key).is_none());
    for wanted in desired.mount_points.iter().filter(|m| !mounts.contains_key(m.path.as_str())) {
        let Some(key) = free.next() else { return };
        let name = format!("mountPoints.{}", wanted.path);
        out.show(live, &name, &key, None, Some(wanted.size.to_string()));
        out.set.insert(key, new_volume(wanted));
    }
}

/// Bytes of the root disk.
pub fn root_size(live: &Live) -> Option<u64> {
    live.config.get("rootfs").and_then(volume_size)
}

/// The further volumes by path: key and value.
pub fn mounts(live: &Live) -> BTreeMap<String, (String, Properties)> {
    let mount = |(key, value): (&String, &String)| {
        key.strip_prefix("mp")?.parse::<u8>().ok()?;
        let p = Properties::parse(value);
        Some((p.get("mp")?.to_owned(), (key.clone(), p)))
    };
    live.config.values.iter().filter_map(mount).collect()
}

/// `STORAGE:GiB` allocates: it may be sent once, for a volume that is not there.
fn new_volume(mount: &MountPoint) -> String {
    let mut p = Properties::parse(&format!("{}:{}", mount.storage, gibibytes(mount.size)));
    p.put("mp", Some(&mount.path));
    p.put("backup", mount.backup.map(flag));
    p.put("ro", mount.read_only.map(flag));
    p.to_string()
}

fn mebibytes(size: Size) -> String {
    (size.bytes() >> 20).to_string()
}

/// Whole GiB as such, else with as many digits as it takes.
fn gibibytes(size: Size) -> String {
    let (whole, mut rest) = (size.bytes() >> 30, size.bytes() & ((1 << 30) - 1));
    let mut digits = String::new();
    while rest > 0 {
        rest *= 10;
        digits.push(char::from(b'0' + u8::try_from(rest >> 30).unwrap_or(0)));
        rest &= (1 << 30) - 1;
    }
    if digits.is_empty() { whole.to_string() } else { format!("{whole}.{digits}") }
}

fn join<T: ToString>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn same_addresses(a: &str, b: &str) -> bool {
    let all = |text: &str| words(text).iter().map(|w| w.parse::<std::net::IpAddr>().ok()).collect::<Vec<_>>();
    all(a) == all(b)
}

fn features(all: &BTreeSet<String>) -> String {
    all.iter().map(|name| format!("{name}=1")).collect::<Vec<_>>().join(",")
}

/// Off is the same as not there.
fn same_features(a: &str, b: &str) -> bool {
    let on = |text: &str| {
        let p = Properties::parse(text);
        p.iter().filter(|(_, v)| *v != "0").map(|(k, v)| (k.to_owned(), v.to_owned())).collect::<BTreeMap<_, _>>()
    };
    on(a) == on(b)
}

/// Whether root inside is nobody outside.
pub fn unprivileged(live: &Live) -> bool {
    live.config.get("unprivileged").is_some_and(is_true)
}
