//! From the text to interfaces.
use super::{File, Iface};
use regex::Regex;
use std::{net::Ipv4Addr, sync::LazyLock};

/// Spellings that stand for others.
const SPELLINGS: &[(&str, &str)] = &[
    ("ovs_mtu", "mtu"),
    ("bond-slaves", "slaves"),
    ("bond_slaves", "slaves"),
    ("bond-xmit-hash-policy", "bond_xmit_hash_policy"),
    ("bond-mode", "bond_mode"),
    ("bond-miimon", "bond_miimon"),
    ("bridge-vlan-aware", "bridge_vlan_aware"),
    ("bridge-fd", "bridge_fd"),
    ("bridge-stp", "bridge_stp"),
    ("bridge-ports", "bridge_ports"),
    ("bridge-vids", "bridge_vids"),
];

/// Options that are taken as they stand.
const PLAIN: &[&str] = &[
    "mtu",
    "bridge_fd",
    "bridge_vids",
    "bridge-access",
    "bridge-learning",
    "bridge-arp-nd-suppress",
    "bridge-unicast-flood",
    "bridge-multicast-flood",
    "bridge-disable-mac-learning",
    "bond_miimon",
    "bond_xmit_hash_policy",
    "bond-primary",
    "link-type",
    "uplink-id",
    "vlan-protocol",
    "vlan-raw-device",
    "vlan-id",
];

/// By the numbers that stand for them.
const BOND_MODES: &[&str] =
    &["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"];

static PHYSICAL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:eth\d+|en[^:.]+|ib[^:.]+|(?:nic|if)\d+)$").ok());

/// Reads the file.
pub fn read(text: &str) -> File {
    let mut file = File::default();
    // One is that of the loopback.
    let mut next = 2;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [first, ..] if first.starts_with('#') => {}
            ["auto" | "allow-auto" | "allow-ovs" | "allow-hotplug", names @ ..] => {
                for name in names {
                    file.ifaces.entry((*name).to_string()).or_default().autostart = true;
                }
            }
            ["iface", name] => stanza(&mut file, name, None, &mut next, &mut lines),
            ["iface", name, family @ ("inet" | "inet6"), method] => {
                stanza(&mut file, name, Some((*family, *method)), &mut next, &mut lines);
            }
            [] => {}
            _ => {
                file.others.push((next, line.to_string()));
                next += 1;
            }
        }
    }
    let lo = file.ifaces.entry("lo".into()).or_insert_with(|| Iface { autostart: true, ..Iface::default() });
    lo.priority.get_or_insert(1);
    lo.conf.entry("method".into()).or_insert_with(|| "loopback".into());
    complete(&mut file);
    file
}

fn stanza<'a>(
    file: &mut File,
    name: &str,
    family: Option<(&str, &str)>,
    next: &mut u32,
    lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
) {
    let iface = file.ifaces.entry(name.to_string()).or_default();
    if iface.priority.is_none() {
        iface.priority = Some(*next);
        *next += 1;
    }
    iface.families.push(family.map(|(f, _)| f.to_string()));
    let suffix = if family.is_some_and(|(f, _)| f == "inet6") { "6" } else { "" };
    if let Some((_, method)) = family {
        iface.conf.insert(format!("method{suffix}"), method.to_string());
    }
    while let Some(line) = lines.peek().map(|l| l.trim()) {
        let word = line.split_whitespace().next().unwrap_or_default();
        if matches!(word, "iface" | "mapping" | "auto" | "source" | "source-directory") || word.starts_with("allow-") {
            return;
        }
        lines.next();
        if let Some(comment) = line.strip_prefix('#') {
            let all = iface.conf.entry(format!("comments{suffix}")).or_default();
            all.push_str(&format!("{}\n", comment.trim_end()));
        } else if let Some((id, value)) = line.split_once(char::is_whitespace) {
            option(iface, family.is_some(), suffix, id, value.trim(), line);
        } else {
            // An empty line ends it; so does a word alone, which is no option.
            return;
        }
    }
}

fn option(iface: &mut Iface, of_family: bool, suffix: &str, id: &str, value: &str, line: &str) {
    let id = SPELLINGS.iter().find(|(from, _)| *from == id).map_or(id, |(_, to)| to);
    let set = |iface: &mut Iface, key: String, value: &str| iface.conf.insert(key, value.to_string());
    match id {
        "address" | "gateway" | "broadcast" if !of_family && value.contains(':') => {
            set(iface, format!("{id}6"), value);
        }
        "address" | "netmask" | "broadcast" | "gateway" => {
            set(iface, format!("{id}{suffix}"), value);
        }
        "slaves" | "bridge_ports" => {
            let mut ports: Vec<&str> = value.split_whitespace().filter(|p| *p != "none").collect();
            ports.sort_unstable();
            ports.dedup();
            let all = iface.conf.entry(id.into()).or_default();
            let gap = if all.is_empty() || ports.is_empty() { "" } else { " " };
            all.push_str(&format!("{gap}{}", ports.join(" ")));
        }
        "bridge_stp" => {
            let on = value.eq_ignore_ascii_case("on") || value.eq_ignore_ascii_case("yes");
            set(iface, id.into(), if on { "on" } else { "off" });
        }
        "bridge_vlan_aware" => {
            set(iface, id.into(), "1");
        }
        "bond_mode" => {
            let mode = value.parse::<usize>().ok().and_then(|n| BOND_MODES.get(n)).copied();
            set(iface, id.into(), mode.unwrap_or(value));
        }
        _ if PLAIN.contains(&id) => {
            set(iface, id.into(), value);
        }
        _ => iface.options[usize::from(suffix == "6")].push(line.to_string()),
    }
}

/// What is not in the file and follows from it: types, defaults, addresses with their networks.
fn complete(file: &mut File) {
    let names: Vec<String> = file.ifaces.keys().cloned().collect();
    let known = |name: &str| names.iter().any(|n| n == name);
    for (name, iface) in &mut file.ifaces {
        let below = |mark: char| {
            let (parent, number) = name.rsplit_once(mark)?;
            (!parent.is_empty() && number.parse::<u32>().is_ok()).then(|| (parent.to_string(), number.to_string()))
        };
        let bond = name.strip_prefix("bond").is_some_and(|n| n.parse::<u32>().is_ok());
        let default = |iface: &mut Iface, key: &str, value: &str| {
            iface.conf.entry(key.into()).or_insert_with(|| value.into());
        };
        iface.kind = if iface.conf.contains_key("bridge_ports") {
            default(iface, "bridge_stp", "off");
            if iface.get("bridge_stp") == Some("off") {
                default(iface, "bridge_fd", "0");
            }
            "bridge"
        } else if bond {
            "bond"
        } else if let Some((parent, _)) = below(':') {
            iface.parent = Some(known(&parent));
            "alias"
        } else if let Some((parent, id)) = below('.') {
            default(iface, "vlan-raw-device", &parent);
            default(iface, "vlan-id", &id);
            iface.parent = Some(known(iface.get("vlan-raw-device").unwrap_or_default()));
            "vlan"
        } else if let Some(parent) = iface.get("vlan-raw-device").map(str::to_string) {
            if let Some(id) = name.strip_prefix("vlan").filter(|id| id.parse::<u32>().is_ok()) {
                iface.conf.insert("vlan-id".into(), id.into());
            }
            iface.parent = Some(known(&parent));
            "vlan"
        } else if PHYSICAL.as_ref().is_some_and(|p| p.is_match(name)) {
            "eth"
        } else if name == "lo" {
            "loopback"
        } else if iface.get("link-type") == Some("dummy") {
            "dummy"
        } else {
            "unknown"
        }
        .into();
        for (suffix, whole) in [("", "32"), ("6", "128")] {
            network(iface, suffix, whole);
            default(iface, &format!("method{suffix}"), "manual");
        }
        if let Some(more) = iface.conf.remove("comments6") {
            iface.conf.entry("comments".into()).or_default().push_str(&more);
        }
        if iface.families.is_empty() {
            iface.families.push(Some("inet".into()));
        }
    }
}

/// The address with its network as `cidr`, and each by itself.
fn network(iface: &mut Iface, suffix: &str, whole: &str) {
    let key = |name: &str| format!("{name}{suffix}");
    let Some(address) = iface.get(&key("address")).map(str::to_string) else { return };
    let (base, bits) = match address.split_once('/') {
        Some((base, bits)) => (base.to_string(), Some(bits.to_string())),
        None => (address, iface.get(&key("netmask")).and_then(bits)),
    };
    let cidr = format!("{base}/{}", bits.as_deref().unwrap_or(whole));
    iface.conf.insert(key("cidr"), cidr);
    iface.conf.insert(key("address"), base);
    if let Some(bits) = bits {
        iface.conf.insert(key("netmask"), bits);
    }
}

/// The bits of a netmask, `255.255.255.0` or `24`.
pub fn bits(mask: &str) -> Option<String> {
    if mask.parse::<u8>().is_ok() {
        return Some(mask.to_string());
    }
    let mask = u32::from(mask.parse::<Ipv4Addr>().ok()?);
    (mask.leading_ones() + mask.trailing_zeros() == 32).then(|| mask.leading_ones().to_string())
}
