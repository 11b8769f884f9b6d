//! The one spelling of everything that Cloudflare may give back in another spelling than it was sent. Pure.
//!
//! Differences that are none were the main complaint about other tools: capitals and final dots in names, names that are
//! not ASCII, short and long forms of IPv6, quotes around TXT, `ttl` 1 when proxied, an empty comment instead of none.
use serde_json::{Map, Value};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Lower case, punycode, no final dot. What is no name at all comes back in lower case.
pub fn name(text: &str) -> String {
    let text = text.trim().trim_end_matches('.');
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let label = |label: &str| match url::Host::parse(label) {
        Ok(url::Host::Domain(ascii)) => ascii,
        _ => label.to_lowercase(),
    };
    text.split('.').map(label).collect::<Vec<_>>().join(".")
}

/// The content of a record of this type.
pub fn content(kind: &str, text: &str) -> String {
    match kind {
        "A" => text.trim().parse::<Ipv4Addr>().map_or_else(|_| text.to_owned(), |a| a.to_string()),
        // `Display` writes the form of RFC 5952.
        "AAAA" => text.trim().parse::<Ipv6Addr>().map_or_else(|_| text.to_owned(), |a| a.to_string()),
        "CNAME" | "MX" | "NS" | "PTR" => name(text),
        "TXT" => unquoted(text),
        _ => text.to_owned(),
    }
}

/// The `data` of SRV, CAA and their kin: names as names, whole numbers as integers.
pub fn data(data: &Value) -> Value {
    let mut sorted: Vec<(&String, &Value)> = data.as_object().into_iter().flatten().collect();
    sorted.sort_by_key(|(field, _)| *field);
    let one = |(field, value): (&String, &Value)| {
        let value = match value {
            Value::String(text) if field == "target" => Value::from(name(text)),
            Value::Number(number) => match number.as_f64() {
                // Ports, flags and priorities are far below 2^53.
                Some(float) if number.is_f64() && float.fract() == 0.0 && float >= 0.0 => Value::from(float as u64),
                _ => value.clone(),
            },
            _ => value.clone(),
        };
        (field.clone(), value)
    };
    Value::Object(sorted.into_iter().map(one).collect::<Map<_, _>>())
}

/// Seconds; a proxied record always shows 1.
pub fn ttl(ttl: u32, proxied: bool) -> u32 {
    if proxied { 1 } else { ttl }
}

/// A TXT value as it is sent: in quotes, in chunks of at most 255 bytes (RFC 1035).
pub fn quoted(text: &str) -> String {
    let mut chunks: Vec<String> = vec![String::new()];
    let mut bytes = 0;
    for c in text.chars() {
        if bytes + c.len_utf8() > 255 {
            chunks.push(String::new());
            bytes = 0;
        }
        bytes += c.len_utf8();
        if let Some(chunk) = chunks.last_mut() {
            if matches!(c, '"' | '\\') {
                chunk.push('\\');
            }
            chunk.push(c);
        }
    }
    chunks.iter().map(|chunk| format!("\"{chunk}\"")).collect::<Vec<_>>().join(" ")
}

/// A TXT value as it is meant. What does not begin and end with a quote, or does not read as quoted chunks, is taken as
/// it stands.
pub fn unquoted(text: &str) -> String {
    let text = text.trim();
    if text.len() < 2 || !text.starts_with('"') || !text.ends_with('"') {
        return text.to_owned();
    }
    chunks(text).unwrap_or_else(|| text.to_owned())
}

fn chunks(text: &str) -> Option<String> {
    let (mut out, mut inside) = (String::new(), false);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (inside, c) {
            (_, '"') => inside = !inside,
            (true, '\\') => out.push(escaped(&mut rest)?),
            (true, c) => out.push(c),
            (false, ' ' | '\t') => {}
            (false, _) => return None,
        }
    }
    (!inside).then_some(out)
}

/// `\"`, `\\`, or `\DDD` with three decimal digits (ASCII only: bytes beyond it would not be text).
fn escaped(rest: &mut std::str::Chars<'_>) -> Option<char> {
    let first = rest.next()?;
    if !first.is_ascii_digit() {
        return Some(first);
    }
    let digits: String = [first, rest.next()?, rest.next()?].into_iter().collect();
    digits.parse::<u8>().ok().filter(u8::is_ascii).map(char::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spellings_that_are_one() {
        for (one, other) in [
            (name("K7M2P4.dc-lk.Decent-Cloud.ORG."), "k7m2p4.dc-lk.decent-cloud.org".to_owned()),
            (name("Bücher.example"), "xn--bcher-kva.example".into()),
            (name("*.Bücher.example"), "*.xn--bcher-kva.example".into()),
            (name("_acme-challenge.x"), "_acme-challenge.x".into()),
            (content("AAAA", "2001:DB8:0:0::1"), "2001:db8::1".into()),
            (content("A", "203.0.113.1"), "203.0.113.1".into()),
            (content("CNAME", "Web.Acme.Test."), "web.acme.test".into()),
            (content("TXT", "\"v=spf1 -all\""), "v=spf1 -all".into()),
            (content("TXT", "v=spf1 -all"), "v=spf1 -all".into()),
        ] {
            assert_eq!(one, other);
        }
        assert_eq!((ttl(300, true), ttl(300, false)), (1, 300));
        assert_eq!(
            data(&json!({"port": 443.0, "target": "A.test.", "priority": 1})).to_string(),
            r#"{"port":443,"priority":1,"target":"a.test"}"#
        );
    }

    #[test]
    fn texts_survive_quoting() {
        let long = "ä\"\\ x".repeat(100);
        for text in ["", "a", "a b", "\"", "\\", "a\\", "\" \"", &long] {
            assert_eq!(unquoted(&quoted(text)), *text);
        }
        let chunks: Vec<usize> = quoted(&"ä".repeat(300)).split("\" \"").map(|c| c.trim_matches('"').len()).collect();
        assert_eq!(chunks, [254, 254, 92], "a letter is never cut in two");
        assert_eq!(unquoted("\"one\" \"two\""), "onetwo");
        assert_eq!(unquoted("\"\\097\""), "a");
        // Neither is quoting, so both stand for themselves.
        assert_eq!(unquoted("\"a\"b\"c\""), "\"a\"b\"c\"");
        assert_eq!(unquoted("say \"hi\""), "say \"hi\"");
    }
}
