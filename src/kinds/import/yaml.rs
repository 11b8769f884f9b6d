//! YAML as people write it: blocks outside, short collections of scalars in one line.
use serde_yaml::{Mapping, Value};
use std::fmt::Write;

/// Columns that a collection in one line may have.
const WIDTH: usize = 110;

/// A document. What is null is left out.
pub fn document(root: &Mapping) -> String {
    let mut out = String::new();
    for (key, value) in root {
        match (key.as_str(), value) {
            // These two are where people look, so they are blocks however short they are.
            (Some(name @ ("metadata" | "spec")), Value::Mapping(fields)) => {
                let _ = writeln!(out, "{name}:");
                block(fields, 2, &mut out);
            }
            _ => entry(key, value, 0, &mut out),
        }
    }
    out
}

fn block(fields: &Mapping, indent: usize, out: &mut String) {
    fields.iter().for_each(|(key, value)| entry(key, value, indent, out));
}

fn entry(key: &Value, value: &Value, indent: usize, out: &mut String) {
    if value.is_null() {
        return;
    }
    let (key, space) = (scalar(key), " ".repeat(indent));
    if let Some(short) = inline(value).filter(|text| indent + key.len() + 2 + text.len() <= WIDTH) {
        let _ = writeln!(out, "{space}{key}: {short}");
        return;
    }
    let _ = writeln!(out, "{space}{key}:");
    match value {
        Value::Mapping(fields) => block(fields, indent + 2, out),
        Value::Sequence(items) => items.iter().for_each(|value| item(value, indent + 2, out)),
        scalar => {
            // Too long for a line, and still one.
            out.truncate(out.len() - 1);
            let _ = writeln!(out, " {}", self::scalar(scalar));
        }
    }
}

fn item(value: &Value, indent: usize, out: &mut String) {
    let space = " ".repeat(indent);
    match (inline(value).filter(|text| indent + 2 + text.len() <= WIDTH), value) {
        (Some(short), _) => {
            let _ = writeln!(out, "{space}- {short}");
        }
        (None, Value::Mapping(fields)) => {
            let mut inner = String::new();
            block(fields, indent + 2, &mut inner);
            // The first field stands behind the dash.
            let _ = write!(out, "{space}- {}", inner.trim_start_matches(' '));
        }
        (None, other) => {
            let _ = writeln!(out, "{space}- {}", flow(other));
        }
    }
}

/// In one line, where it is a scalar, or a collection that holds no mappings.
fn inline(value: &Value) -> Option<String> {
    match value {
        Value::Sequence(items) if items.iter().any(|item| item.is_mapping() || item.is_sequence()) => None,
        Value::Mapping(fields) if fields.values().any(|value| value.is_mapping()) => None,
        other => Some(flow(other)),
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::Sequence(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Mapping(fields) if fields.is_empty() => "{}".into(),
        Value::Mapping(fields) => {
            let said = fields.iter().filter(|(_, value)| !value.is_null());
            let pairs: Vec<String> = said.map(|(key, value)| format!("{}: {}", scalar(key), flow(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => scalar(other),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        // JSON's escapes are YAML's.
        Value::String(text) => serde_json::Value::from(text.as_str()).to_string(),
        Value::Bool(on) => on.to_string(),
        Value::Number(number) => number.to_string(),
        _ => "null".into(),
    }
}

/// Whether a text stands for itself without quotes, in every place and every version of YAML.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan"];
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_'));
    let clean = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | '-' | '+'));
    let word = WORDS.contains(&text.to_ascii_lowercase().as_str());
    // `1e3`, `0x1F`, `1_000`: numbers to somebody.
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let number =
        digits && text.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '_' | '.' | 'x' | 'o' | '+' | '-'));
    // An address is none.
    let address = text.split('/').next().is_some_and(|part| part.parse::<std::net::Ipv4Addr>().is_ok());
    first && clean && !word && (!number || address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_looks_as_people_write_it() {
        let text = r#"apiVersion: trueup/v1alpha1
metadata:
  name: web
  annotations: { trueup/adopt: "101" }
spec:
  hostname: "1"
  memory: 1GiB
  networks:
    - { name: eth0, address: 10.0.1.5/24, gateway: 10.0.1.1, address6: "fd00:1::5/64", rate: 12.5MB/s }
    - name: a-very-long-name-of-an-interface
      address: 10.0.1.5/24
      bridge: a-very-long-name-of-a-bridge-that-nobody-would-ever-choose-on-purpose
  dns: { servers: [10.0.1.1, "fd00::1"] }
  tags: [web, "on", "1e3", "0x1f", "-x", "2024-01-01", "a b"]
"#;
        let value: Mapping = serde_yaml::from_str(text).unwrap();
        assert_eq!(document(&value), text);
    }

    #[test]
    fn any_text_survives() {
        for text in [
            "",
            " ",
            "a: b",
            "a #b",
            "{",
            "[",
            "*a",
            "&a",
            "!a",
            "%",
            "@",
            "'",
            "\"",
            "\\",
            "\n",
            "ü",
            "~",
            "-",
            "?",
            "1",
            "1.5",
            "1_0",
            ".5",
            "0o7",
            "NO",
            "Null",
            "a,b",
            "12:30:45",
            "=",
            "<<",
            "trueup/adopt",
        ] {
            let root = Mapping::from_iter([(
                Value::from("k"),
                Value::from(vec![
                    Value::from(text),
                    Value::from(Mapping::from_iter([(Value::from(text), Value::from(text))])),
                ]),
            )]);
            let written = document(&root);
            assert_eq!(serde_yaml::from_str::<Mapping>(&written).expect(&written), root, "{written}");
        }
    }
}
