//! Names of records and the names that they point to.
use crate::sandbox::cloudflare::envelope::Refusal;

/// The full name in the form in which the API stores it: `@` is the zone, a name outside the zone is taken as relative
/// to it, capitals become small, other letters become punycode, the last dot goes.
pub fn complete(zone: &str, given: &str) -> Result<String, Refusal> {
    let bad = || Refusal::dns(9000, "DNS name is invalid.");
    let name = ascii(given).ok_or_else(bad)?;
    let full = match name.as_str() {
        "@" => zone.to_owned(),
        name if name == zone || name.ends_with(&format!(".{zone}")) => name.to_owned(),
        name => format!("{name}.{zone}"),
    };
    if is_name(&full, true) { Ok(full) } else { Err(bad()) }
}

/// Lower case, punycode, no final dot. `None`: no name at all.
pub fn ascii(given: &str) -> Option<String> {
    let name = given.strip_suffix('.').unwrap_or(given);
    if name.is_ascii() {
        return Some(name.to_ascii_lowercase());
    }
    let labels: Option<Vec<String>> = name
        .split('.')
        .map(|label| match url::Host::parse(label) {
            Ok(url::Host::Domain(ascii)) => Some(ascii),
            _ => None,
        })
        .collect();
    Some(labels?.join("."))
}

/// Whether it is a host name as DNS at large takes it: letters, digits, hyphens, underscores.
pub fn is_name(name: &str, wildcard: bool) -> bool {
    let label = |label: &str| {
        wildcard && label == "*"
            || (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// The target of a CNAME, MX, NS, PTR or SRV record.
pub fn target(zone: &str, given: &str) -> Option<String> {
    if given == "@" {
        return Some(zone.to_owned());
    }
    let name = ascii(given)?;
    let dotted = name.contains('.') && name.parse::<std::net::IpAddr>().is_err();
    (dotted && is_name(&name, false)).then_some(name)
}
