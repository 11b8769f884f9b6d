//! Checks parameters against their schema, in the order and the words of `PVE::JSONSchema`.
use super::{
    facts::{Format, Object, Schema},
    formats, named, property,
    refusal::{Refusal, Result},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Parameters as they came: text from forms and queries, any JSON from JSON bodies.
pub type Raw = BTreeMap<String, Value>;
/// Parameters that passed, as Perl holds them: text. A JSON null has become the empty text.
pub type Args = BTreeMap<String, String>;
/// What is wrong, by parameter.
pub type Errors = BTreeMap<String, String>;

fn add(errors: &mut Errors, path: &str, why: impl Into<String>) {
    let path = if path.is_empty() { "_root" } else { path };
    let why = why.into();
    errors.entry(path.to_string()).and_modify(|e| *e = format!("{e}\\n{why}")).or_insert(why);
}

/// Checks all parameters of a call and turns them into text.
///
/// # Errors
/// 400 with every parameter that is wrong.
pub fn verify(object: &Object, raw: Raw) -> Result<Args> {
    let mut errors = Errors::new();
    let open = object.additional.as_ref().is_none_or(|a| a.as_i64() == Some(1) || a.is_object());
    for (name, schema) in object.properties.iter().filter(|(n, _)| !n.contains("[n]")) {
        check(raw.get(name), schema, name, &mut errors);
    }
    for (name, value) in &raw {
        match object.property(name) {
            Some(schema) => {
                if !object.properties.contains_key(name) {
                    check(Some(value), schema, name, &mut errors);
                }
                let needed = schema.requires.as_ref().and_then(Value::as_str);
                if let Some(needed) = needed.filter(|n| raw.get(*n).is_none_or(Value::is_null)) {
                    add(&mut errors, needed, format!("missing property required by '{name}'"));
                }
            }
            None if open => {}
            None => add(
                &mut errors,
                name,
                "property is not defined in schema and the schema does not allow additional properties",
            ),
        }
    }
    if !errors.is_empty() {
        return Err(Refusal::parameters(errors));
    }
    Ok(raw.into_iter().map(|(k, v)| (k, text(&v))).collect())
}

/// A value as Perl prints it.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(b) => if *b { "1" } else { "0" }.into(),
        Value::String(s) => s.clone(),
        Value::Number(n) => match n.as_f64() {
            Some(f) if n.is_f64() && f.fract() == 0.0 && f.abs() < 1e15 => format!("{f:.0}"),
            _ => n.to_string(),
        },
        // Only parameters in a list format may come as an array.
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join("\0"),
        Value::Object(_) => value.to_string(),
    }
}

fn reference(value: &Value) -> Option<&'static str> {
    match value {
        Value::Array(_) => Some("ARRAY"),
        Value::Object(_) => Some("HASH"),
        Value::Bool(_) => Some("JSON::PP::Boolean"),
        _ => None,
    }
}

/// Checks one value of a call.
pub fn check(value: Option<&Value>, schema: &Schema, path: &str, errors: &mut Errors) {
    let Some(value) = value.filter(|v| !v.is_null()) else {
        if schema.optional == 0 && schema.alias.is_none() {
            add(errors, path, "property is missing and it is not optional");
        }
        return;
    };
    let is_list = matches!(&schema.format, Some(Format::Named(f)) if f.ends_with("-list"));
    if let (Value::Array(items), true) = (value, is_list) {
        for item in items {
            check_text(&text(item), schema, path, errors);
        }
        return;
    }
    if schema.is("array") {
        match value {
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    if let Some(of) = &schema.items {
                        check(Some(item), of, &format!("{path}[{i}]"), errors);
                    }
                }
            }
            // A list written as text is taken for an array, as the real one does for old clients.
            _ => {
                for (i, item) in split_list(&text(value)).iter().enumerate() {
                    if let Some(of) = &schema.items {
                        check_text(item, of, &format!("{path}[{i}]"), errors);
                    }
                }
            }
        }
        return;
    }
    if let Some(kind) = reference(value) {
        if schema.is("boolean") && value.is_boolean() {
            return;
        }
        let want = schema.kind.as_deref().unwrap_or("string");
        return add(errors, path, format!("type check ('{want}') failed - got {kind}"));
    }
    check_text(&text(value), schema, path, errors);
}

/// Checks a value that is text already: of a form, or inside a property string.
pub fn check_text(value: &str, schema: &Schema, path: &str, errors: &mut Errors) {
    let kind = schema.kind.as_deref().unwrap_or("string");
    let fits = match kind {
        "boolean" => matches!(value, "0" | "1"),
        "integer" => is_integer(value),
        "number" => is_number(value),
        _ => true,
    };
    if !fits {
        return add(errors, path, format!("type check ('{kind}') failed - got '{value}'"));
    }
    let wrong = match &schema.format {
        // A property string's errors say where they stand.
        Some(Format::Named(name)) if let Some(inner) = named::properties(name) => {
            property::parse(inner, value, path).and_then(|parts| named::check(name, &parts))
        }
        Some(Format::Named(name)) => formats::check(name, value).map_err(|why| placed(name, path, &why)),
        Some(Format::Properties(inner)) => property::parse(inner, value, path).map(|_| ()),
        None => Ok(()),
    };
    if let Err(why) = wrong {
        return add(errors, path, format!("invalid format - {why}"));
    }
    if schema.pattern().is_some_and(|p| !p.is_match(value)) {
        return add(errors, path, "value does not match the regex pattern");
    }
    let length = value.chars().count() as u64;
    if let Some(max) = schema.max_length.filter(|m| length > *m) {
        return add(errors, path, format!("value may only be {max} characters long"));
    }
    if let Some(min) = schema.min_length.filter(|m| length < *m) {
        return add(errors, path, format!("value must be at least {min} characters long"));
    }
    if let (true, Ok(number)) = (is_number(value), value.parse::<f64>()) {
        let bound = |v: &Option<Value>| v.as_ref().map(text).and_then(|t| Some((t.parse::<f64>().ok()?, t)));
        if let Some((_, max)) = bound(&schema.maximum).filter(|(m, _)| number > *m) {
            return add(errors, path, format!("value must have a maximum value of {max}"));
        }
        if let Some((_, min)) = bound(&schema.minimum).filter(|(m, _)| number < *m) {
            return add(errors, path, format!("value must have a minimum value of {min}"));
        }
    }
    if let Some(allowed) = &schema.one_of {
        let allowed: Vec<String> = allowed.iter().map(text).collect();
        if !allowed.iter().any(|a| a == value) {
            let list = allowed.join(", ");
            add(errors, path, format!("value '{value}' does not have a value in the enumeration '{list}'"));
        }
    }
}

/// Puts `net0.` before the keys of a property string that has a name instead of a nested schema.
fn placed(format: &str, path: &str, why: &str) -> String {
    match why.strip_prefix("format error\n").filter(|_| format.starts_with("pve-qm-")) {
        Some(lines) => {
            let placed = |l: &str| match l.is_empty() {
                true => "\n".to_string(),
                false => format!("{path}.{}\n", l.replace("by 'gw", &format!("by '{path}.gw"))),
            };
            format!("format error\n{}", lines.lines().map(placed).collect::<String>())
        }
        None => why.to_string(),
    }
}

pub fn is_integer(value: &str) -> bool {
    let digits = value.strip_prefix(['+', '-']).unwrap_or(value);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

pub fn is_number(value: &str) -> bool {
    // `.5` and `1e0` are numbers, ` 1` and `inf` are not.
    value.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) && value.parse::<f64>().is_ok()
}

/// A list in text: separated by commas, semicolons or blanks, or by NUL when it came as an array.
pub fn split_list(value: &str) -> Vec<String> {
    if value.contains('\0') {
        return value.split('\0').map(str::to_string).collect();
    }
    value.split([',', ';', ' ', '\t', '\n']).filter(|s| !s.is_empty()).map(str::to_string).collect()
}
