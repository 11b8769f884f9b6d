//! Desired settings in the words of Proxmox, and where they differ from what is there. Spelling makes no difference here:
//! values are compared as numbers, sets and maps.
use super::{Desired, Live, MountPoint, Startup};
use crate::{
    model::{Field, Size},
    providers::proxmox::{
        network::Interface,
        notes::{TAG, UNITS_TAG},
        property::Properties,
        tags,
        values::{bytes, is_true},
        volume_size,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// What a change would write, and how it is shown.
#[derive(Default)]
pub struct Differences {
    pub fields: Vec<Field>,
    pub set: BTreeMap<String, String>,
    pub delete: Vec<String>,
    /// Volumes to grow, by key, in bytes.
    pub grow: Vec<(String, u64, Field)>,
    /// An address, a card or its bridge: what others read of this guest, or reach it by.
    pub network: bool,
}

/// All parameters of a create but the mark.
pub fn parameters(desired: &Desired) -> BTreeMap<String, String> {
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
    put("onboot", desired.start_on_boot.map(flag));
    put("startup", desired.startup.map(startup).filter(|s| !s.is_empty()));
    put("protection", desired.protection.map(flag));
    let mut all_tags = desired.tags.clone();
    all_tags.extend(own(desired));
    put("tags", Some(tags::print(&all_tags)));
    for (n, interface) in &desired.networks {
        put(&format!("net{n}"), Some(interface.over(None)));
    }
    for (n, mount) in desired.mount_points.iter().enumerate() {
        put(&format!("mp{n}"), Some(new_volume(mount)));
    }
    out
}

/// Where a live guest is not as desired, as far as a change in place can help. `marked`: our tag will be there.
pub fn differences(desired: &Desired, live: &Live, marked: bool) -> Differences {
    let mut out = Differences::default();
    let config = &live.config;
    let mut scalar = |name: &str, key: &str, wanted: Option<String>, same: fn(&str, &str) -> bool| {
        let Some(wanted) = wanted else { return };
        let is = config.get(key).filter(|v| !v.trim().is_empty());
        if is.map_or(wanted.is_empty(), |is| same(is, &wanted)) {
            return;
        }
        let shown = |v: &str| Some(v.to_owned()).filter(|v| !v.is_empty());
        out.fields.push(Field { name: name.into(), from: is.map(str::to_owned), to: shown(&wanted) });
        if wanted.is_empty() {
            out.delete.push(key.into());
        } else {
            out.set.insert(key.into(), wanted);
        }
    };
    let text = |a: &str, b: &str| a == b;
    let number = |a: &str, b: &str| a.trim().parse::<f64>().ok() == b.parse::<f64>().ok();
    let unordered = |a: &str, b: &str| words(a) == words(b);
    scalar("hostname", "hostname", Some(desired.hostname.clone()), text);
    scalar("cores", "cores", desired.cores.map(|c| c.to_string()), number);
    scalar("swap", "swap", desired.swap.map(mebibytes), number);
    scalar("dns.servers", "nameserver", desired.nameservers.as_ref().map(|all| join(all)), same_addresses);
    scalar("dns.search", "searchdomain", desired.search_domain.clone(), unordered);
    scalar("features", "features", desired.features.as_ref().map(features), same_features);
    scalar("startup", "startup", desired.startup.map(startup), same_startup);
    // Unset is the same as off.
    for (name, key, wanted) in
        [("startOnBoot", "onboot", desired.start_on_boot), ("protection", "protection", desired.protection)]
    {
        let is = config.get(key).is_some_and(is_true);
        if let Some(wanted) = wanted.filter(|w| *w != is) {
            out.fields.extend(Field::differs(name, Some(is), Some(wanted)));
            out.set.insert(key.into(), flag(wanted));
        }
    }
    memory(desired, live, &mut out);
    own_tags(desired, live, marked, &mut out);
    networks(desired, live, &mut out);
    disks(desired, live, &mut out);
    out
}

fn memory(desired: &Desired, live: &Live, out: &mut Differences) {
    // Proxmox keeps whole MiB; unset is 512.
    let is = Size::mib(live.config.get("memory").and_then(|m| m.trim().parse().ok()).unwrap_or(512));
    if let Some(field) = Field::differs("memory", Some(is), Some(desired.memory)) {
        out.fields.push(field);
        out.set.insert("memory".into(), mebibytes(desired.memory));
    }
}

/// Our own tags. They come with the mark.
pub fn own(desired: &Desired) -> impl Iterator<Item = String> {
    [TAG].into_iter().chain(desired.units.then_some(UNITS_TAG)).map(str::to_owned)
}

fn own_tags(desired: &Desired, live: &Live, marked: bool, out: &mut Differences) {
    let mut is = tags::parse(live.config.get("tags").unwrap_or_default());
    if marked {
        is.extend(own(desired));
    }
    // Tags that others gave it stay.
    let mut wanted = is.clone();
    wanted.extend(tags::parse(&tags::print(&desired.tags)));
    wanted.extend(own(desired));
    if is != wanted {
        out.fields.push(Field { name: "tags".into(), from: shown(&is), to: shown(&wanted) });
        out.set.insert("tags".into(), tags::print(&wanted));
    }
}

fn networks(desired: &Desired, live: &Live, out: &mut Differences) {
    let there = live.interfaces();
    for (n, wanted) in &desired.networks {
        let is = there.get(n);
        if is.is_some_and(|is| wanted.completed_from(is) == *is) {
            continue;
        }
        let key = format!("net{n}");
        out.fields.extend(interface_fields(is, wanted));
        out.set.insert(key.clone(), wanted.over(live.config.get(&key)));
        out.network = true;
    }
    for (n, is) in there.iter().filter(|(n, _)| !desired.networks.contains_key(n)) {
        out.fields.push(Field { name: format!("networks.{}", is.name), from: Some("there".into()), to: None });
        out.delete.push(format!("net{n}"));
        out.network = true;
    }
}

fn interface_fields(is: Option<&Interface>, wanted: &Interface) -> Vec<Field> {
    let Some(is) = is else {
        let what = wanted.ip.clone().or(wanted.ip6.clone()).unwrap_or_else(|| wanted.bridge.clone());
        return vec![Field { name: format!("networks.{}", wanted.name), from: None, to: Some(what) }];
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

fn disks(desired: &Desired, live: &Live, out: &mut Differences) {
    let mut grow = |key: &str, name: String, is: Option<u64>, wanted: Size| {
        // A volume without a size in the configuration is not one that can be grown by name.
        if let Some(is) = is.filter(|is| *is < wanted.bytes()) {
            let field = Field { name, from: Some(size(is)), to: Some(wanted.to_string()) };
            out.grow.push((key.to_owned(), wanted.bytes(), field));
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
        out.fields.push(Field { name, from: None, to: Some(wanted.size.to_string()) });
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

/// A size as people write it, of a number of bytes that may be odd.
pub fn size(of: u64) -> String {
    match of % 1024 {
        0 => format!("{}KiB", of / 1024).parse::<Size>().map_or_else(|_| of.to_string(), |s| s.to_string()),
        _ => format!("{of} bytes"),
    }
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

fn flag(on: bool) -> String {
    u8::from(on).to_string()
}

fn join<T: ToString>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn words(text: &str) -> Vec<&str> {
    text.split([' ', ',', ';']).filter(|w| !w.is_empty()).collect()
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

fn startup(s: Startup) -> String {
    let mut p = Properties::default();
    p.put("order", s.order.map(|n| n.to_string()));
    p.put("up", s.up.map(|n| n.to_string()));
    p.put("down", s.down.map(|n| n.to_string()));
    p.to_string()
}

fn same_startup(a: &str, b: &str) -> bool {
    let of = |text: &str| {
        let mut p = Properties::parse(text);
        // A bare number is the order.
        if let Some(order) = p.get(Properties::BARE).map(str::to_owned) {
            p.put(Properties::BARE, None::<String>);
            p.put("order", Some(order));
        }
        p
    };
    of(a) == of(b)
}

fn shown(tags: &BTreeSet<String>) -> Option<String> {
    (!tags.is_empty()).then(|| tags.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
}
