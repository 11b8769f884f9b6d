//! What each type of record may contain, and the form in which it is stored.
use super::name;
use crate::sandbox::cloudflare::{envelope::Refusal, seed::Zone};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The content of a record of a type without `data`.
pub fn simple(zone: &Zone, kind: &str, own: &str, given: &str) -> Result<String, Refusal> {
    let host = |code: u32, text: &str| name::target(&zone.name, given).ok_or_else(|| Refusal::dns(code, text));
    match kind {
        "A" => given
            .parse::<Ipv4Addr>()
            .map(|a| a.to_string())
            .map_err(|_| Refusal::dns(9005, "Content for A record is invalid. Must be a valid IPv4 address.")),
        // `Display` of Rust is the form of RFC 5952.
        "AAAA" => given
            .parse::<Ipv6Addr>()
            .map(|a| a.to_string())
            .map_err(|_| Refusal::dns(9006, "Content for AAAA record is invalid. Must be a valid IPv6 address.")),
        "CNAME" => {
            let target = host(9007, "Content for CNAME record is invalid.")?;
            if target == own {
                return Err(Refusal::dns(9039, "CNAME content cannot reference itself."));
            }
            Ok(target)
        }
        "MX" => host(9009, "Content for MX record must be a hostname."),
        "NS" | "PTR" => host(9007, "Content must be a hostname."),
        "TXT" if given.is_empty() => Err(Refusal::dns(9207, "Content for TXT record must not be empty.")),
        "TXT" if given.len() > 2_048 => Err(Refusal::dns(9207, "Content for TXT record exceeds 2048 characters.")),
        _ if given.is_empty() => Err(Refusal::dns(9207, "Content must not be empty.")),
        // Stored as it was sent, quoted or not.
        _ => Ok(given.to_owned()),
    }
}

/// The read-only text of a record that is made of `data`.
pub fn rendered(kind: &str, data: &Value) -> Result<String, Refusal> {
    let order: &[&str] = match kind {
        "SRV" => &["priority", "weight", "port", "target"],
        "CAA" => &["flags", "tag", "value"],
        "URI" => &["weight", "target"],
        "HTTPS" | "SVCB" => &["priority", "target", "value"],
        "TLSA" | "SMIMEA" => &["usage", "selector", "matching_type", "certificate"],
        "SSHFP" => &["algorithm", "type", "fingerprint"],
        "DS" => &["key_tag", "algorithm", "digest_type", "digest"],
        "DNSKEY" => &["flags", "protocol", "algorithm", "public_key"],
        "CERT" => &["type", "key_tag", "algorithm", "certificate"],
        "NAPTR" => &["order", "preference", "flags", "service", "regex", "replacement"],
        // Every field that the type has, in the order of the facts.
        _ => return Ok(data.as_object().map_or_else(String::new, |all| join(all.values()))),
    };
    if let Some(missing) = order.iter().find(|field| data.get(**field).is_none() && **field != "value") {
        return Err(Refusal::dns(9101, format!("{missing} is a required data field.")));
    }
    let quoted = |(field, value): (&str, &Value)| match value {
        Value::String(text) if kind == "CAA" && field == "value" => format!("\"{text}\""),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Ok(order.iter().filter_map(|f| Some((*f, data.get(*f)?))).map(quoted).collect::<Vec<_>>().join(" "))
}

fn join<'a>(values: impl Iterator<Item = &'a Value>) -> String {
    values.map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect::<Vec<_>>().join(" ")
}

/// Whether `kind` takes `data` instead of `content`.
pub fn has_data(kind: &str) -> bool {
    !matches!(kind, "A" | "AAAA" | "CNAME" | "MX" | "NS" | "OPENPGPKEY" | "PTR" | "TXT")
}

/// Why a record cannot go through Cloudflare's edge.
pub fn unproxiable(kind: &str, content: &str) -> Option<Refusal> {
    match kind {
        "A" | "AAAA" => {
            let address: IpAddr = content.parse().ok()?;
            refused_target(address)
                .then(|| Refusal::dns(9003, format!("Target {content} is not allowed for a proxied record.")))
        }
        "CNAME" => {
            let closed = ["amazonses.com", "acm-validations.aws", "onmicrosoft.com"];
            closed
                .iter()
                .any(|suffix| content == *suffix || content.ends_with(&format!(".{suffix}")))
                .then(|| Refusal::dns(9041, "This DNS record cannot be proxied."))
        }
        _ => Some(Refusal::dns(9004, "This record type cannot be proxied.")),
    }
}

/// Private, loopback, link-local, shared, unique local and Cloudflare's own addresses.
fn refused_target(address: IpAddr) -> bool {
    const OWN4: [(Ipv4Addr, u8); 4] = [
        (Ipv4Addr::new(104, 16, 0, 0), 12),
        (Ipv4Addr::new(172, 64, 0, 0), 13),
        (Ipv4Addr::new(188, 114, 96, 0), 20),
        (Ipv4Addr::new(162, 158, 0, 0), 15),
    ];
    const SHARED: (Ipv4Addr, u8) = (Ipv4Addr::new(100, 64, 0, 0), 10);
    const OWN6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0, 0, 0, 0), 32);
    let within = |net: Option<IpNet>| net.is_some_and(|net| net.contains(&address));
    match address {
        IpAddr::V4(a) => {
            a.is_private()
                || a.is_loopback()
                || a.is_link_local()
                || a.is_unspecified()
                || OWN4.iter().chain([&SHARED]).any(|(net, len)| within(Ipv4Net::new(*net, *len).ok().map(Into::into)))
        }
        IpAddr::V6(a) => {
            a.is_loopback()
                || a.is_unspecified()
                || a.is_unique_local()
                || a.is_unicast_link_local()
                || within(Ipv6Net::new(OWN6.0, OWN6.1).ok().map(Into::into))
        }
    }
}
