//! The named formats, with the texts of `PVE::JSONSchema` and of the packages that register more.
use super::{api::qemu_drive::is_drive, calendar, roles, schema::split_list};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Checks a value in a named format. A `-list` is checked item by item; an `-opt` may be empty.
///
/// # Errors
/// The text that follows `invalid format - `. A format that is not known here accepts everything.
pub fn check(format: &str, value: &str) -> Result<(), String> {
    if let Some(item) = format.strip_suffix("-list") {
        return split_list(value).iter().try_for_each(|v| one(item, v));
    }
    if let Some(item) = format.strip_suffix("-opt") {
        return if value.is_empty() { Ok(()) } else { one(item, value) };
    }
    one(format, value)
}

fn one(format: &str, value: &str) -> Result<(), String> {
    let v = value;
    let rule = |good: bool, why: &str| if good { Ok(()) } else { Err(format!("{why}\n")) };
    match format {
        "pve-calendar-event" => calendar::parse(v).map(|_| ()).map_err(|why| format!("{why}\n")),
        "pve-node" => rule(is_label(v), "value does not look like a valid node name"),
        "pve-vmid" => rule(is_vmid(v), "value does not look like a valid VM ID"),
        "pve-configid" => rule(is_config_id(v), &format!("invalid configuration ID '{v}'")),
        "pve-storage-id" if v.chars().count() < 2 => {
            rule(false, &format!("storage ID '{v}' cannot be shorter than 2 characters"))
        }
        "pve-storage-id" => rule(is_storage_id(v), &format!("storage ID '{v}' contains illegal characters")),
        "pve-userid" => user(v),
        "pve-realm" => rule(is_realm(v), "value does not look like a valid realm"),
        "pve-groupid" => rule(is_name(v), &format!("group name '{v}' contains invalid characters")),
        "pve-roleid" => rule(is_name(v), &format!("role name '{v}' contains invalid characters")),
        "pve-poolid" => {
            let levels: Vec<&str> = v.split('/').collect();
            rule(levels.len() <= 3, &format!("pool name '{v}' nested too deeply (max levels = 3)"))?;
            rule(levels.iter().all(|l| is_name(l)), &format!("pool name '{v}' contains invalid characters"))
        }
        "pve-tokenid" => match v.split_once('!') {
            Some((name, token)) if is_realm(token) => user(name),
            _ => rule(false, &format!("value '{v}' does not look like a valid token ID")),
        },
        "pve-priv" => rule(roles::is_privilege(v), &format!("invalid privilege '{v}'")),
        "ip" => rule(v.parse::<IpAddr>().is_ok(), "value does not look like a valid IP address"),
        "ipv4" => rule(v.parse::<Ipv4Addr>().is_ok(), "value does not look like a valid IPv4 address"),
        "ipv6" => rule(v.parse::<Ipv6Addr>().is_ok(), "value does not look like a valid IPv6 address"),
        "CIDR" => rule(is_cidr(v, None), "value does not look like a valid CIDR network"),
        "CIDRv4" => rule(is_cidr(v, Some(false)), "value does not look like a valid IPv4 CIDR network"),
        "CIDRv6" => rule(is_cidr(v, Some(true)), "value does not look like a valid IPv6 CIDR network"),
        "dns-name" => rule(is_dns_name(v), "value does not look like a valid DNS name"),
        "address" => {
            let good = v.parse::<IpAddr>().is_ok() || is_dns_name(v);
            rule(good, &format!("value does not look like a valid address: {v}"))
        }
        "mac-addr" => rule(is_mac(v), "value does not look like a valid unicast MAC address"),
        "mac-prefix" => rule(is_mac_prefix(v), "value is not a valid unicast MAC address prefix"),
        "pve-volume-id" => rule(is_volume_id(v), &format!("unable to parse volume ID '{v}'")),
        "pve-volume-id-or-absolute-path" => {
            rule(v.starts_with('/') || is_volume_id(v), &format!("unable to parse volume ID '{v}'"))
        }
        "pve-volume-id-or-qm-path" => {
            let good = matches!(v, "none" | "cdrom") || v.starts_with('/') || is_volume_id(v);
            rule(good, &format!("unable to parse volume ID '{v}'"))
        }
        "pve-lxc-mp-string" => {
            let bad = v.contains("/../") || v.contains("/./") || v.ends_with("/..") || v.ends_with("/.");
            rule(!bad && !v.starts_with("../"), &format!("{v} contains illegal character sequences"))
        }
        "pve-lxc-dev-string" => {
            let bad = v.contains("/../") || v.contains("/./") || v.ends_with("/..") || v.ends_with("/.");
            rule(v.starts_with("/dev/") && !bad, &format!("{v} is not a valid device path"))
        }
        "pve-startup-order" => rule(is_startup(v), "unable to parse startup options"),
        "pve-tag" => rule(is_tag(v), "invalid characters in tag"),
        "pve-ipv4-config" => {
            let good = matches!(v, "dhcp" | "manual") || is_cidr(v, Some(false));
            rule(good, "value does not look like a valid ipv4 network configuration")
        }
        "pve-ipv6-config" => {
            let good = matches!(v, "auto" | "dhcp" | "manual") || is_cidr(v, Some(true));
            rule(good, "value does not look like a valid ipv6 network configuration")
        }
        "lxc-ip-with-ll-iface" => {
            let local = v.split_once('%').filter(|(ip, card)| ip.starts_with("fe80:") && is_interface(card));
            let plain = local.map_or(v, |(ip, _)| ip);
            rule(plain.parse::<IpAddr>().is_ok(), "value does not look like a valid IP address")
        }
        "pve-qm-ipconfig" => ipconfig(v),
        "pve-qm-bootdev" => rule(is_boot_device(v), &format!("invalid boot device '{v}'")),
        "pve-qm-bootdisk" => rule(is_drive(v), &format!("invalid boot disk '{v}'")),
        "pve-hotplug-features" => {
            let wrong = if matches!(v, "0" | "1") { None } else { split_list(v).into_iter().find(|f| !is_hotplug(f)) };
            wrong.map_or(Ok(()), |feature| Err(format!("invalid hotplug feature '{feature}'\n")))
        }
        "pve-cpuset" => rule(is_cpu_set(v), "unable to parse cpuset option"),
        "pve-phys-bits" => {
            let good = v == "host" || v.len() <= 2 && v.parse::<u32>().is_ok_and(|n| (8..=64).contains(&n));
            rule(good, "value must be an integer between 8 and 64 or 'host'")
        }
        "pve-ct-timezone" => rule(is_time_zone(v), &format!("invalid time zone '{v}'")),
        "disk-size" => rule(bytes(v).is_some(), &format!("value does not look like a valid disk size: {v}")),
        "pve-iface" => rule(is_interface(v), &format!("invalid network interface name '{v}'")),
        "pve-day-of-week" => {
            rule(["mon", "tue", "wed", "thu", "fri", "sat", "sun"].contains(&v), &format!("invalid day '{v}'"))
        }
        "pve-vlan-id-or-range" => vlans(v),
        "ipv4mask" => rule(is_netmask(v), "value does not look like a valid IP netmask"),
        "pve-bridge-id" => rule(is_bridge_id(v), &format!("invalid bridge ID '{v}'")),
        "pve-storage-content" => rule(
            ["images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import", "none"].contains(&v),
            &format!("invalid content type '{v}'"),
        ),
        "pve-task-status-type" => {
            let known = ["ok", "error", "warning", "unknown"];
            rule(known.iter().any(|k| v.eq_ignore_ascii_case(k)), &format!("invalid status '{v}'"))
        }
        "urlencoded" => rule(
            v.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~!*'()%".contains(&b)),
            &format!("invalid urlencoded string: {v}"),
        ),
        _ => Ok(()),
    }
}

/// One VLAN, or a range of them.
fn vlans(v: &str) -> Result<(), String> {
    let (first, last) = v.split_once('-').unwrap_or((v, v));
    if !is_digits(first) || !is_digits(last) {
        return Err(format!("invalid VLAN configuration '{v}'\n"));
    }
    let tags = [first, last].map(|tag| tag.parse::<u32>().unwrap_or(u32::MAX));
    match [first, last].into_iter().zip(tags).find(|(_, tag)| !(2..=4094).contains(tag)) {
        Some((tag, _)) => Err(format!("invalid VLAN tag '{tag}'\n")),
        None if v.contains('-') && tags[0] >= tags[1] => {
            Err(format!("VLAN range must go from lower to higher tag '{v}'\n"))
        }
        None => Ok(()),
    }
}

/// A drive that is not the firmware's, a network card, or a device of the node (`verify_bootdev`).
fn is_boot_device(v: &str) -> bool {
    let of = |stem: &str, count: u32| {
        let number = v.strip_prefix(stem).filter(|n| *n == "0" || !n.starts_with('0'));
        number.and_then(|n| n.parse::<u32>().ok()).is_some_and(|n| n < count)
    };
    let drive = is_drive(v) && !v.starts_with("efidisk") && !v.starts_with("tpmstate");
    drive || of("net", 32) || of("usb", 14) || of("hostpci", 16)
}

fn is_hotplug(feature: &str) -> bool {
    ["network", "disk", "cpu", "memory", "usb", "cloudinit"].contains(&feature)
}

/// `0-3,8`.
fn is_cpu_set(v: &str) -> bool {
    let number = |n: &str| n.parse::<u32>().ok();
    v.split(',').all(|part| match part.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)).is_some_and(|(first, last)| first <= last),
        None => number(part).is_some(),
    })
}

/// `255.255.255.0`.
fn is_netmask(v: &str) -> bool {
    v.parse::<Ipv4Addr>().map(u32::from).is_ok_and(|m| m.leading_ones() + m.trailing_zeros() == 32)
}

/// `ip=…,gw=…,ip6=…,gw6=…` of cloud-init.
fn ipconfig(v: &str) -> Result<(), String> {
    let parts: Vec<(&str, &str)> = v.split(',').filter_map(|p| p.split_once('=')).collect();
    let has = |key: &str| parts.iter().any(|(k, _)| *k == key);
    let mut wrong = String::new();
    for (key, value) in &parts {
        let checked = match *key {
            "ip" => one("pve-ipv4-config", value),
            "ip6" => one("pve-ipv6-config", value),
            "gw" => one("ipv4", value),
            "gw6" => one("ipv6", value),
            _ => Err("property is not defined in schema and the schema does not allow additional properties".into()),
        };
        if let Err(why) = checked {
            wrong.push_str(&format!("{key}: invalid format - {why}\n"));
        }
    }
    for (gateway, address) in [("gw", "ip"), ("gw6", "ip6")] {
        if has(gateway) && !has(address) {
            wrong.push_str(&format!("{address}: missing property required by '{gateway}'\n"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("format error\n{wrong}")) }
}

fn user(v: &str) -> Result<(), String> {
    if v.len() < 3 {
        return Err(format!("user name '{v}' is too short\n"));
    }
    if v.len() > 64 {
        return Err(format!("user name '{v}' is too long ({} > 64)\n", v.len()));
    }
    match v.rsplit_once('@') {
        Some((name, realm)) if !name.is_empty() && !name.contains([' ', ':', '/', '\t', '\n']) && is_realm(realm) => {
            Ok(())
        }
        _ => Err(format!("value '{v}' does not look like a valid user name\n")),
    }
}

fn is_label(v: &str) -> bool {
    !v.is_empty()
        && !v.starts_with('-')
        && !v.ends_with('-')
        && v.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

pub fn is_dns_name(v: &str) -> bool {
    v.split('.').all(is_label)
}

fn is_vmid(v: &str) -> bool {
    (3..=9).contains(&v.len()) && !v.starts_with('0') && v.bytes().all(|b| b.is_ascii_digit())
}

fn is_config_id(v: &str) -> bool {
    v.len() >= 2
        && v.starts_with(|c: char| c.is_ascii_alphabetic())
        && v.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

pub fn is_storage_id(v: &str) -> bool {
    v.len() >= 2
        && v.starts_with(|c: char| c.is_ascii_alphabetic())
        && v.ends_with(|c: char| c.is_ascii_alphanumeric())
        && v.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn is_name(v: &str) -> bool {
    !v.is_empty() && v.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn is_realm(v: &str) -> bool {
    v.len() >= 2 && v.starts_with(|c: char| c.is_ascii_alphabetic()) && is_name(v)
}

/// Whether the address and prefix form a network of the wanted family. A prefix of less than 8 is taken for a slip, and
/// one may be written with leading zeros; an address may not.
fn is_cidr(v: &str, six: Option<bool>) -> bool {
    let Some((address, prefix)) = v.split_once('/') else { return false };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let widest = if address.is_ipv6() { 128 } else { 32 };
    let length = Some(prefix).filter(|p| is_digits(p)).and_then(|p| p.parse::<u64>().ok());
    length.is_some_and(|l| (8..=widest).contains(&l)) && six.is_none_or(|s| s == address.is_ipv6())
}

fn is_digits(v: &str) -> bool {
    !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit())
}

fn is_mac(v: &str) -> bool {
    let parts: Vec<&str> = v.split(':').collect();
    parts.len() == 6
        && parts.iter().all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))
        && u8::from_str_radix(parts[0], 16).is_ok_and(|b| b & 1 == 0)
}

fn is_mac_prefix(v: &str) -> bool {
    let parts: Vec<&str> = v.trim_end_matches(':').split(':').collect();
    (1..=5).contains(&parts.len())
        && parts.iter().all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))
        && u8::from_str_radix(parts[0], 16).is_ok_and(|b| b & 1 == 0)
}

fn is_volume_id(v: &str) -> bool {
    v.split_once(':').is_some_and(|(storage, name)| is_storage_id(storage) && !name.is_empty())
}

/// A lone `0` is false in Perl, and false is taken for nothing.
fn is_startup(v: &str) -> bool {
    !matches!(v, "" | "0")
        && v.split(',').filter(|p| !p.trim().is_empty()).all(|part| match part.split_once('=') {
            Some(("order" | "up" | "down", n)) => is_digits(n),
            Some(_) => false,
            None => is_digits(part),
        })
}

/// One tag: letters, digits, `_`, then also `-`, `+` and `.`.
pub fn is_tag(v: &str) -> bool {
    v.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && v.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-+.".contains(&b))
}

fn is_interface(v: &str) -> bool {
    let (name, unit) = v.split_once([':', '.']).map_or((v, None), |(name, unit)| (name, Some(unit)));
    (2..=21).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && unit.is_none_or(is_digits)
}

fn is_bridge_id(v: &str) -> bool {
    !v.is_empty() && v.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))
}

/// The names of `zone.tab` start with a region; the list itself is as long as the world is wide, so the time zone
/// database at hand is asked.
fn is_time_zone(v: &str) -> bool {
    if matches!(v, "host" | "UTC") {
        return true;
    }
    const REGIONS: [&str; 10] =
        ["Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"];
    v.split_once('/').is_some_and(|(region, _)| REGIONS.contains(&region)) && jiff::tz::TimeZone::get(v).is_ok()
}

/// A size with an optional unit, in bytes.
pub fn bytes(v: &str) -> Option<u64> {
    let (number, factor) = match v.chars().last()? {
        'K' => (&v[..v.len() - 1], 1u64 << 10),
        'M' => (&v[..v.len() - 1], 1 << 20),
        'G' => (&v[..v.len() - 1], 1 << 30),
        'T' => (&v[..v.len() - 1], 1 << 40),
        _ => (v, 1),
    };
    if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let number: f64 = number.parse().ok()?;
    Some((number * factor as f64) as u64)
}

/// A size as Proxmox VE prints it: in the largest unit that keeps it whole.
pub fn print_bytes(bytes: u64) -> String {
    if bytes == 0 {
        return "0T".into();
    }
    let mut units = ["", "K", "M", "G", "T"].into_iter().enumerate().rev();
    let (power, unit) = units.find(|(p, _)| bytes.is_multiple_of(1 << (10 * p))).unwrap_or((0, ""));
    format!("{}{unit}", bytes >> (10 * power))
}
