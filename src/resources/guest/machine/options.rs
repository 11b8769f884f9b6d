//! Options of a virtual machine that are written as one value each: how two spellings of a value are compared, and what it means
//! when none is set. Which options there are at all, and when a change takes effect, is in [`crate::resources::guest::option`].
use crate::{
    providers::proxmox::{property::Properties, values::is_true},
    resources::guest::spelling::{number, text, words},
};
use std::net::IpAddr;

/// An option that a manifest can speak of.
pub struct Managed {
    /// As Proxmox spells it; `ipconfig[n]` stands for all numbers.
    pub key: &'static str,
    /// Of the manifest.
    pub field: &'static str,
    /// Whether two values mean the same.
    pub same: fn(&str, &str) -> bool,
    /// What it means when it is not set; empty where that is nothing of its own.
    pub absent: &'static str,
}

const fn one(key: &'static str, field: &'static str, same: fn(&str, &str) -> bool, absent: &'static str) -> Managed {
    Managed { key, field, same, absent }
}

/// Options that are written as one value each.
pub const MANAGED: &[Managed] = &[
    one("name", "hostname", text, ""),
    one("cores", "cores", number, "1"),
    one("sockets", "sockets", number, "1"),
    one("cpu", "cpu.type", |a, b| within(a, b, "cputype"), ""),
    one("cpulimit", "cpu.limit", number, "0"),
    one("cpuunits", "cpu.units", number, ""),
    one("memory", "memory", |a, b| within(a, b, "current"), "512"),
    one("balloon", "balloon", number, ""),
    one("agent", "agent.enabled", |a, b| within(a, b, "enabled"), "0"),
    one("boot", "boot", text, ""),
    one("machine", "machine", |a, b| within(a, b, "type"), ""),
    one("bios", "bios", text, "seabios"),
    one("scsihw", "scsiController", text, "lsi"),
    one("ostype", "osType", text, "other"),
    one("vga", "display", |a, b| within(a, b, "type"), "std"),
    one("serial[n]", "serialConsole", text, ""),
    one("ciuser", "cloudInit.user", text, ""),
    one("ciupgrade", "cloudInit.upgrade", number, "1"),
    one("citype", "cloudInit.type", text, ""),
    one("cicustom", "cloudInit.snippets", |a, b| Properties::parse(a) == Properties::parse(b), ""),
    one("nameserver", "dns.servers", same_addresses, ""),
    one("searchdomain", "dns.search", |a, b| words(a) == words(b), ""),
    one("ipconfig[n]", "networks.address", same_addressing, ""),
];

/// The row of a key of the configuration.
pub fn managed(key: &str) -> Option<&'static Managed> {
    MANAGED.iter().find(|row| row.key == key || is_number_of(key, row.key))
}

/// Whether `net0` is one of `net[n]`.
fn is_number_of(key: &str, row: &str) -> bool {
    let rest = row.strip_suffix("[n]").and_then(|stem| key.strip_prefix(stem));
    rest.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether everything that the second value says, the first says as well. `bare`: the key of the part without one.
fn within(is: &str, wanted: &str, bare: &str) -> bool {
    let (is, wanted) = (named(is, bare), named(wanted, bare));
    let means_the_same = |a: &str, b: &str| a == b || (is_flag(a) && is_flag(b) && is_true(a) == is_true(b));
    wanted.iter().all(|(key, value)| is.get(key).is_some_and(|is| means_the_same(is, value)))
}

fn is_flag(word: &str) -> bool {
    is_true(word) || matches!(word.to_ascii_lowercase().as_str(), "0" | "off" | "no" | "false")
}

/// A property string with a name for every part.
fn named(text: &str, bare: &str) -> Properties {
    let mut p = Properties::parse(text);
    if let Some(value) = p.get(Properties::BARE).map(str::to_owned) {
        p.put(Properties::BARE, None::<String>);
        p.put(bare, Some(value));
    }
    p
}

/// The value to write: what is wanted laid over what is there, where the option has parts.
pub fn over(key: &str, is: Option<&str>, wanted: &str) -> String {
    let bare = match key {
        "cpu" => "cputype",
        "memory" => "current",
        "agent" => "enabled",
        "machine" | "vga" => "type",
        _ => return wanted.to_owned(),
    };
    let mut p = is.map(|is| named(is, bare)).unwrap_or_default();
    for (key, value) in named(wanted, bare).iter() {
        p.put(key, Some(value));
    }
    // The one part that older releases know is written without its name.
    let first = p.get(bare).map(str::to_owned);
    p.put(bare, None::<String>);
    p.put(Properties::BARE, first);
    p.to_string()
}

fn same_addresses(a: &str, b: &str) -> bool {
    let all = |text: &str| words(text).iter().map(|w| w.parse::<IpAddr>().ok()).collect::<Vec<_>>();
    all(a) == all(b)
}

/// `ip=10.0.1.5/24,gw=10.0.1.1,ip6=auto`: addresses in any spelling.
fn same_addressing(a: &str, b: &str) -> bool {
    let of = |text: &str| {
        let p = Properties::parse(text);
        let canonical = |(key, value): (&str, &str)| {
            let value = match value.parse::<IpAddr>() {
                Ok(ip) => ip.to_string(),
                Err(_) => crate::providers::proxmox::network::canonical(value),
            };
            (key.to_owned(), value)
        };
        p.iter().map(canonical).collect::<std::collections::BTreeMap<_, _>>()
    };
    of(a) == of(b)
}

#[cfg(test)]
mod table {
    use super::*;
    use crate::{
        providers::proxmox::GuestType,
        resources::guest::option::{self, Care},
    };

    /// Each stands in the table of all options, under the same field.
    #[test]
    fn they_are_looked_after() {
        for row in MANAGED {
            let known = option::of(GuestType::Qemu, &row.key.replace("[n]", "0"));
            assert_eq!(known.map(|option| option.care), Some(Care::Field(row.field)), "{}", row.key);
        }
    }

    #[test]
    fn spelling_is_no_difference() {
        for (key, is, wanted, same) in [
            ("agent", "enabled=1,fstrim_cloned_disks=1", "1", true),
            ("agent", "0", "1", false),
            ("memory", "current=2048", "2048", true),
            ("cpu", "cputype=host,flags=+aes", "host", true),
            ("cpu", "host", "x86-64-v2-AES", false),
            ("cpulimit", "1.50", "1.5", true),
            (
                "ipconfig0",
                "ip6=FD00:0::5/64,ip=10.0.0.5/24,gw=10.0.0.1",
                "ip=10.0.0.5/24,gw=10.0.0.1,ip6=fd00::5/64",
                true,
            ),
            ("nameserver", "1.1.1.1, 9.9.9.9", "1.1.1.1 9.9.9.9", true),
            ("boot", "order=scsi0;net0", "order=net0;scsi0", false),
        ] {
            assert_eq!((managed(key).unwrap().same)(is, wanted), same, "{key}: {is} and {wanted}");
        }
        assert_eq!(over("agent", Some("enabled=0,fstrim_cloned_disks=1"), "1"), "1,fstrim_cloned_disks=1");
        assert_eq!(over("cpu", Some("cputype=kvm64,flags=+aes"), "host"), "host,flags=+aes");
        assert_eq!(over("memory", None, "2048"), "2048");
    }
}
