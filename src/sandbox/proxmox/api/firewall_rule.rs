//! Checks a firewall rule (`verify_rule` of pve-firewall).
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use crate::sandbox::proxmox::state::Conf;

/// Keys of a rule that are numbers in answers.
pub const NUMBERS: &[&str] = &["enable", "pos"];

/// Ready-made rules of pve-firewall, by name.
pub const MACROS: &str = "Amanda Auth BGP BitTorrent BitTorrent32 CVS Ceph Citrix DAAP DCC DHCPfwd DHCPv6 DNS Distcc FTP Finger GNUnet GRE \
                          Git HKP HTTP HTTPS ICPV2 ICQ IMAP IMAPS IPIP IPsec IPsecah IPsecnat IRC Jetdirect L2TP LDAP LDAPS MDNS MSNP MSSQL \
                          Mail Munin MySQL NNTP NNTPS NTP NeighborDiscovery OSPF OpenVPN PCA PMG POP3 POP3S PPtP Ping PostgreSQL Printer \
                          RDP RIP RNDC Razor Rdate Rsync SANE SMB SMBswat SMTP SMTPS SNMP SPAMD SPICEproxy SSH SVN SixXS Squid Submission \
                          Syslog TFTP Telnet Telnets Time Trcrt VNC VNCL Web Webcache Webmin Whois";

/// The names that a rule may use.
#[derive(Default)]
pub struct Scope {
    /// With and without `dc/` or `guest/`, in lower case.
    pub sets: BTreeSet<String>,
    pub aliases: BTreeMap<String, String>,
    /// Whether it is a guest's: interfaces are `net0`.
    pub guest: bool,
}

type Errors = BTreeMap<String, String>;

/// Whether every port of `22,80:90,https` is one.
fn ports(value: &str) -> Result<(), String> {
    for part in value.split(',') {
        for port in part.splitn(2, ':') {
            let number = port.parse::<u32>();
            let named = port.starts_with(|c: char| c.is_ascii_alphabetic());
            if !named && number.is_err() || number.is_ok_and(|n| n > 65_535) {
                return Err(format!("invalid format - invalid port '{port}'\n"));
            }
        }
    }
    Ok(())
}

/// The family of an address, a network or a range.
fn family(value: &str) -> Option<u8> {
    let address = value.split(['/', '-']).next().unwrap_or_default();
    address.parse::<IpAddr>().ok().map(|a| if a.is_ipv4() { 4 } else { 6 })
}

/// The family of a source or a destination; `None` for a set of addresses.
fn address(scope: &Scope, value: &str) -> Result<Option<u8>, String> {
    if let Some(set) = value.strip_prefix('+') {
        let name = set.to_lowercase();
        let bare = name.rsplit('/').next().unwrap_or_default().to_string();
        return match scope.sets.contains(&name) {
            true => Ok(None),
            false => Err(format!("no such ipset '{bare}'")),
        };
    }
    if value.starts_with(|c: char| c.is_ascii_alphabetic()) && family(value).is_none() {
        return match scope.aliases.get(&value.to_lowercase()) {
            Some(cidr) => Ok(family(cidr)),
            None => Err(format!("no such alias '{value}'")),
        };
    }
    let mut found = None;
    for part in value.split(',') {
        match family(part) {
            Some(one) => found = found.or(Some(one)),
            None => {
                let bad = part.split('.').find(|q| q.parse::<u8>().is_err()).unwrap_or(part);
                let why = match part.split('.').count() == 4 && part.parse::<Ipv4Addr>().is_err() {
                    true => format!("Invalid quad in IP address {part} - {bad}"),
                    false => format!("IP address {part} is invalid"),
                };
                return Err(format!("invalid format - invalid IP address: {why}\n"));
            }
        }
    }
    Ok(found)
}

/// Checks a rule, and tells whether it is of one family of addresses only.
///
/// # Errors
/// What is wrong, by parameter.
pub fn verify(scope: &Scope, rule: &Conf) -> Result<Option<u8>, Errors> {
    let mut errors = Errors::new();
    let text = |key: &str| rule.get(key).map(String::as_str);
    let kind = text("type").unwrap_or_default();
    let action = text("action").unwrap_or_default();
    if kind != "group" && !matches!(action, "ACCEPT" | "DROP" | "REJECT") {
        errors.insert("action".into(), format!("unknown action '{action}'"));
    }
    if let Some(name) = text("macro").filter(|m| !MACROS.split_whitespace().any(|k| k.eq_ignore_ascii_case(m))) {
        errors.insert("macro".into(), format!("unknown macro '{name}'"));
    }
    if scope.guest && text("iface").is_some_and(|i| i.strip_prefix("net").is_none_or(|n| n.parse::<u8>().is_err())) {
        errors.insert("iface".into(), "value does not match the regex pattern 'net\\d+'".into());
    }
    for key in ["dport", "sport"] {
        let Some(value) = text(key) else { continue };
        if text("proto").is_none() {
            errors.insert("proto".into(), format!("missing property - '{key}' requires this property"));
        }
        if let Err(why) = ports(value) {
            errors.insert(key.into(), why);
        }
    }
    let mut version = match text("proto") {
        Some("icmp") => Some(4),
        Some("icmpv6" | "ipv6-icmp") => Some(6),
        _ => None,
    };
    for key in ["source", "dest"] {
        match text(key).map_or(Ok(None), |v| address(scope, v)) {
            Err(why) => drop(errors.insert(key.into(), why)),
            Ok(Some(family)) if version.is_some_and(|v| v != family) => {
                errors.insert(key.into(), "detected mixed ipv4/ipv6 addresses in rule".into());
            }
            Ok(Some(family)) => version = Some(family),
            Ok(None) => {}
        }
    }
    if errors.is_empty() { Ok(version) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(pairs: &[(&str, &str)]) -> Vec<String> {
        let mut rule: Conf = [("type".to_string(), "in".to_string()), ("action".into(), "ACCEPT".into())].into();
        rule.extend(pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())));
        let scope =
            Scope { aliases: [("gate".to_string(), "10.0.0.1".to_string())].into(), guest: true, ..Scope::default() };
        verify(&scope, &rule).err().map(|e| e.into_keys().collect()).unwrap_or_default()
    }

    #[test]
    fn a_rule_is_wrong_where_the_real_one_says_so() {
        assert_eq!(why(&[("source", "10.0.0.0/8,192.168.1.1"), ("iface", "net7")]), [""; 0]);
        assert_eq!(why(&[("source", "Gate"), ("proto", "tcp"), ("dport", "http,22,8000:9000")]), [""; 0]);
        for (pairs, at) in [
            (vec![("action", "accept")], "action"),
            (vec![("dport", "80")], "proto"),
            (vec![("proto", "tcp"), ("dport", "99999")], "dport"),
            (vec![("source", "10.0.0.300")], "source"),
            (vec![("source", "+nosuch")], "source"),
            (vec![("source", "nosuch")], "source"),
            (vec![("macro", "Nope")], "macro"),
            (vec![("iface", "eth0")], "iface"),
            (vec![("source", "10.0.0.1"), ("dest", "fd00::1")], "dest"),
        ] {
            assert_eq!(why(&pairs), [at], "{pairs:?}");
        }
    }
}
