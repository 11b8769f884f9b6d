//! Whether Traefik would take a dynamic configuration.
//!
//! One bad file makes Traefik ignore its whole directory, without a word to anybody but its log, and it has no command
//! that checks one. So its rules are kept here: which keys there are, which structs may not be empty, what a scalar may
//! be (Traefik 3.7, `pkg/config/file`).
use serde_yaml::{Mapping, Value};
use std::{collections::BTreeMap, sync::LazyLock};

enum Type {
    Text,
    Integer,
    Bool,
    Duration,
    List(Box<Type>),
    Map(Box<Type>),
    Struct { name: &'static str, may_be_empty: bool },
    Anything,
}

type Fields = BTreeMap<String, Type>;

static STRUCTS: LazyLock<BTreeMap<&'static str, Fields>> = LazyLock::new(|| {
    let lines = include_str!("dynamic.shape").lines().filter(|line| !line.starts_with('#'));
    let of_line = |line: &'static str| {
        let (name, fields) = line.split_once(' ')?;
        let field = |f: &'static str| f.split_once('=').map(|(key, kind)| (key.to_lowercase(), read_type(kind)));
        Some((name, fields.split(' ').filter_map(field).collect()))
    };
    lines.filter_map(of_line).collect()
});

fn read_type(text: &'static str) -> Type {
    let inner = |open, close| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    match text {
        "s" => Type::Text,
        "i" => Type::Integer,
        "b" => Type::Bool,
        "d" => Type::Duration,
        "*" => Type::Anything,
        _ => match (inner('[', ']'), inner('{', '}'), text.strip_prefix('?')) {
            (Some(of), _, _) => Type::List(Box::new(read_type(of))),
            (_, Some(of), _) => Type::Map(Box::new(read_type(of))),
            (_, _, Some(name)) => Type::Struct { name, may_be_empty: true },
            _ => Type::Struct { name: text, may_be_empty: false },
        },
    }
}

/// What Traefik has against a configuration; keys of the root that it does not know are none of its business.
///
/// # Errors
/// Its words, with the place.
pub fn check(config: &Mapping) -> Result<(), String> {
    let Some(root) = STRUCTS.get("root") else { return Ok(()) };
    for (key, value) in config {
        let Some(name) = key.as_str() else { continue };
        if let Some(kind) = root.get(&name.to_lowercase()).filter(|_| !value.is_null()) {
            check_value(name, value, kind)?;
        }
    }
    Ok(())
}

fn check_value(at: &str, value: &Value, kind: &Type) -> Result<(), String> {
    match (kind, value) {
        (Type::Anything, _) => Ok(()),
        (Type::Struct { name, may_be_empty }, Value::Mapping(map)) => {
            let fields = STRUCTS.get(name).ok_or_else(|| format!("{at}: no such struct as {name}"))?;
            let known = members(at, map, *may_be_empty)?;
            for (key, value) in known {
                let node = format!("{at}.{key}");
                let kind = fields.get(&key.to_lowercase()).ok_or(format!("field not found, node: {node}"))?;
                check_value(&node, value, kind)?;
            }
            Ok(())
        }
        (Type::Map(of), Value::Mapping(map)) => {
            for (key, value) in members(at, map, false)? {
                if key.contains('@') && at.contains('.') {
                    return Err(format!("{at}.{key}: a name may not contain `@`"));
                }
                check_value(&format!("{at}.{key}"), value, of)?;
            }
            Ok(())
        }
        (Type::List(of), Value::Sequence(items)) => {
            items.iter().enumerate().try_for_each(|(n, item)| check_value(&format!("{at}[{n}]"), item, of))
        }
        // a list of texts may be one text with commas
        (Type::List(of), Value::String(_) | Value::Number(_)) if matches!(**of, Type::Text) => Ok(()),
        (Type::Text, Value::String(_) | Value::Number(_) | Value::Bool(_)) => Ok(()),
        (kind, Value::String(_) | Value::Number(_) | Value::Bool(_)) if !matches!(kind, Type::List(_)) => {
            let text = scalar(value);
            let fits = match kind {
                Type::Integer => text.parse::<i64>().is_ok(),
                Type::Bool => ["true", "false", "1", "0", "t", "f"].contains(&text.to_lowercase().as_str()),
                Type::Duration => is_duration(&text),
                // `tls: true` stands for an empty struct
                Type::Struct { may_be_empty, .. } => *may_be_empty && text == "true",
                _ => false,
            };
            if fits { Ok(()) } else { Err(format!("{at}: `{text}` is not what stands there")) }
        }
        _ => Err(format!("{at}: wrong type")),
    }
}

/// Keys as text, without those that are null; a map that is left empty is refused as Traefik does.
fn members<'a>(at: &str, map: &'a Mapping, may_be_empty: bool) -> Result<Vec<(String, &'a Value)>, String> {
    let all: Vec<(String, &Value)> = map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (scalar(k), v)).collect();
    if all.is_empty() && !may_be_empty {
        let last = at.rsplit('.').next().unwrap_or(at);
        return Err(format!("{last} cannot be a standalone element, node: {at}"));
    }
    Ok(all)
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        _ => String::new(),
    }
}

/// Go's durations (`1m30s`), or whole seconds.
fn is_duration(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    if text.parse::<u64>().is_ok() {
        return true;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let unit = ["ns", "us", "µs", "ms", "s", "m", "h"].into_iter().filter(|u| rest[digits..].starts_with(u));
        let Some(unit) = unit.max_by_key(|u| u.len()) else { return false };
        if rest[..digits].parse::<f64>().is_err() {
            return false;
        }
        rest = &rest[digits + unit.len()..];
    }
    !text.is_empty()
}
