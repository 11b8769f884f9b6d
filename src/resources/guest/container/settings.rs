//! The settings of a container in the words of Proxmox, and where they differ from what is there. Spelling makes no
//! difference here: values are compared as numbers, sets and maps.
use super::{Container, Device, features, networks, volumes};
use crate::{
    model::Size,
    providers::proxmox::{property::Properties, values::is_true},
    resources::guest::{
        Live,
        difference::Differences,
        spelling::{Same, flag, join, mebibytes, number, same_addresses, same_words, text},
    },
};
use std::collections::BTreeMap;

/// A setting that is one value: the manifest's field, the option, what is wanted of it (`None`: not spoken of, empty: not set),
/// when two spellings are one value, and the value that stands where none does.
type Scalar = (&'static str, &'static str, Option<String>, Same, Option<&'static str>);

fn scalars(desired: &Container) -> [Scalar; 13] {
    let count = |n: Option<u32>| n.map(|n| n.to_string());
    let servers = desired.nameservers.as_ref().map(|all| join(all));
    [
        ("hostname", "hostname", Some(desired.hostname.clone()), text, None),
        ("cores", "cores", count(desired.cores), number, None),
        ("cpuLimit", "cpulimit", desired.cpu_limit.clone(), number, Some("0")),
        // Of control groups of version 2, which both releases have.
        ("cpuUnits", "cpuunits", count(desired.cpu_units), number, Some("100")),
        ("swap", "swap", desired.swap.map(mebibytes), number, Some("512")),
        ("dns.servers", "nameserver", servers, same_addresses, None),
        ("dns.search", "searchdomain", desired.search_domain.clone(), same_words, None),
        ("timezone", "timezone", desired.timezone.clone(), text, None),
        ("console.enabled", "console", desired.console.map(flag), number, Some("1")),
        ("console.mode", "cmode", desired.console_mode.clone(), text, Some("tty")),
        ("console.terminals", "tty", count(desired.terminals), number, Some("2")),
        ("hookScript", "hookscript", desired.hook_script.clone(), text, None),
        ("entrypoint", "entrypoint", desired.entrypoint.clone(), text, Some("/sbin/init")),
    ]
}

/// The parameters of a create that only a container has.
pub fn parameters(desired: &Container) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut put = |key: &str, value: Option<String>| out.extend(value.map(|value| (key.to_owned(), value)));
    put("ostemplate", desired.template.clone());
    // Sent always: releases differ in their default, and it cannot be changed later.
    put("unprivileged", Some(flag(desired.unprivileged.unwrap_or(true))));
    put("ostype", desired.os_type.clone());
    put("memory", Some(mebibytes(desired.memory)));
    for (_, key, wanted, ..) in scalars(desired) {
        put(key, wanted.filter(|wanted| !wanted.is_empty()));
    }
    put("features", desired.features.as_ref().map(|all| features::over("", all)).filter(|f| !f.is_empty()));
    put("env", desired.environment.as_ref().map(environment).filter(|e| !e.is_empty()));
    for (n, interface) in &desired.networks {
        put(&format!("net{n}"), Some(interface.over(None)));
    }
    for (n, device) in desired.devices.iter().enumerate() {
        put(&format!("dev{n}"), Some(device_value(device)));
    }
    out.extend(volumes::parameters(desired));
    out
}

/// Where a live container is not as desired, as far as a change in place can help.
pub fn differences(desired: &Container, live: &Live, out: &mut Differences) {
    for (field, key, wanted, same, unset) in scalars(desired) {
        let is_unset = live.config.get(key).is_none_or(|v| v.trim().is_empty());
        let as_unset = |wanted: &String| unset.is_some_and(|unset| same(unset, wanted));
        if !(is_unset && wanted.as_ref().is_some_and(as_unset)) {
            out.scalar(live, field, key, wanted, same);
        }
    }
    out.scalar(live, "environment", "env", desired.environment.as_ref().map(environment), same_environment);
    memory(desired, live, out);
    if let Some(wanted) = &desired.features {
        let is = live.config.get("features").unwrap_or_default();
        let (before, after) = (features::on(is), features::on(&features::over(is, wanted)));
        if before != after {
            let shown = |all: &std::collections::BTreeSet<&str>| {
                Some(all.iter().copied().collect::<Vec<_>>().join(" ")).filter(|s| !s.is_empty())
            };
            out.show(live, "features", "features", shown(&before), shown(&after));
            out.set.insert("features".into(), features::over(is, wanted));
        }
    }
    devices(desired, live, out);
    networks::differences(desired, live, out);
    volumes::differences(desired, live, out);
}

fn memory(desired: &Container, live: &Live, out: &mut Differences) {
    // Proxmox keeps whole MiB; unset is 512.
    let is = Size::mib(live.config.get("memory").and_then(|m| m.trim().parse().ok()).unwrap_or(512));
    if is != desired.memory {
        out.show(live, "memory", "memory", Some(is.to_string()), Some(desired.memory.to_string()));
        out.set.insert("memory".into(), mebibytes(desired.memory));
    }
}

/// Devices are known by their path. One that is not in the manifest stays.
fn devices(desired: &Container, live: &Live, out: &mut Differences) {
    let path = |p: &Properties| p.get("path").or(p.get(Properties::BARE)).map(str::to_owned);
    let there: BTreeMap<String, (&String, Properties)> = live
        .config
        .values
        .iter()
        .filter(|(key, _)| key.strip_prefix("dev").is_some_and(|n| n.parse::<u16>().is_ok()))
        .filter_map(|(key, value)| {
            let p = Properties::parse(value);
            Some((path(&p)?, (key, p)))
        })
        .collect();
    let mut free = (0..=255u8).map(|n| format!("dev{n}")).filter(|key| live.config.get(key).is_none());
    for wanted in &desired.devices {
        let name = format!("devices.{}", wanted.path);
        let Some((key, is)) = there.get(&wanted.path) else {
            let Some(key) = free.next() else { return };
            out.show(live, &name, &key, None, Some("there".into()));
            out.set.insert(key, device_value(wanted));
            continue;
        };
        let mut after = is.clone();
        lay(&mut after, wanted);
        if after != *is {
            out.show(live, &name, key, Some(is.to_string()), Some(after.to_string()));
            out.set.insert((*key).clone(), after.to_string());
        }
    }
}

fn lay(p: &mut Properties, device: &Device) {
    let number = |n: Option<u32>| n.map(|n| n.to_string());
    for (key, wanted) in [("mode", device.mode.clone()), ("uid", number(device.uid)), ("gid", number(device.gid))] {
        if wanted.is_some() {
            p.put(key, wanted);
        }
    }
    if let Some(read_only) = device.read_only.filter(|wanted| *wanted != p.flag("deny-write")) {
        p.put("deny-write", Some(flag(read_only)));
    }
}

fn device_value(device: &Device) -> String {
    let mut p = Properties::parse(&device.path);
    lay(&mut p, device);
    p.to_string()
}

/// `NAME=VALUE`, each ended by a NUL, as Proxmox VE 9 keeps it.
fn environment(all: &BTreeMap<String, String>) -> String {
    all.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("\0")
}

fn same_environment(a: &str, b: &str) -> bool {
    let of = |text: &str| {
        text.split('\0').filter(|e| !e.is_empty()).map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    of(a) == of(b)
}

/// Whether root inside is nobody outside.
pub fn unprivileged(live: &Live) -> bool {
    live.config.get("unprivileged").is_some_and(is_true)
}
