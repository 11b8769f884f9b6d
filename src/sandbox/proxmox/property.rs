//! Property strings: `name=eth0,bridge=vmbr0`, by their nested schema.
use super::{
    facts::Schema,
    schema::{self, Errors},
};
use std::collections::BTreeMap;

/// A property string taken apart.
pub type Properties = BTreeMap<String, String>;

/// Takes a property string apart and checks it. `path` is where it stands (`net0`), for the error text.
///
/// # Errors
/// The text that follows `invalid format - ` in the answer of the real one.
pub fn parse(format: &BTreeMap<String, Schema>, value: &str, path: &str) -> Result<Properties, String> {
    let found = take_apart(format, value)?;
    let mut errors = Errors::new();
    let at = |key: &str| if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
    for (key, schema) in format {
        match found.get(key) {
            Some(value) => schema::check_text(value, schema, &at(key), &mut errors),
            None if schema.optional == 0 && schema.alias.is_none() => {
                errors.insert(at(key), "property is missing and it is not optional".into());
            }
            None => {}
        }
    }
    for key in found.keys().filter(|k| !format.contains_key(*k)) {
        let why = "property is not defined in schema and the schema does not allow additional properties";
        errors.insert(at(key), why.into());
    }
    if errors.is_empty() {
        return Ok(found);
    }
    let lines: String = errors.iter().map(|(path, why)| format!("{path}: {why}\n")).collect();
    Err(format!("format error\n{lines}"))
}

/// Takes a property string apart without checking its values.
///
/// # Errors
/// A key twice, a value without a key where none is the default.
pub fn take_apart(format: &BTreeMap<String, Schema>, value: &str) -> Result<Properties, String> {
    let mut found = Properties::new();
    let duplicate = |key: &str| format!("duplicate key in comma-separated list property: {key}\n");
    for part in value.split(',').filter(|p| !p.trim().is_empty()) {
        match part.split_once('=') {
            Some(("", _)) => return Err("missing key in comma-separated list property\n".into()),
            Some((_, "")) => return Err("missing key in comma-separated list property\n".into()),
            Some((key, value)) => {
                if found.contains_key(key) {
                    return Err(duplicate(key));
                }
                let (mut key, mut schema) = (key.to_string(), format.get(key));
                if let Some(alias) = schema.and_then(|s| s.alias.clone()) {
                    if let Some(remembered) = schema.and_then(|s| s.key_alias.clone())
                        && found.insert(remembered.clone(), key).is_some()
                    {
                        return Err(format!("key alias '{remembered}' is already defined\n"));
                    }
                    schema = format.get(&alias);
                    key = alias;
                }
                let value = match schema.filter(|s| s.is("boolean")).and_then(|_| boolean(value)) {
                    Some(b) => if b { "1" } else { "0" }.to_string(),
                    None => value.to_string(),
                };
                found.insert(key, value);
            }
            None => {
                let Some(key) = format.iter().find(|(_, s)| s.default_key != 0).map(|(k, _)| k) else {
                    return Err("value without key, but schema does not define a default key\n".into());
                };
                if found.insert(key.clone(), part.to_string()).is_some() {
                    return Err(duplicate(key));
                }
            }
        }
    }
    Ok(found)
}

/// Writes a property string: the default key first, then what is required, then the rest by name.
pub fn print(format: &BTreeMap<String, Schema>, properties: &Properties) -> String {
    let mut parts = Vec::new();
    let default = format.iter().find(|(_, s)| s.default_key != 0).map(|(k, _)| k);
    if let Some(value) = default.and_then(|k| properties.get(k)) {
        parts.push(value.clone());
    }
    let required = |key: &String| format.get(key).is_some_and(|s| s.optional == 0);
    let others = || properties.iter().filter(|(k, _)| Some(*k) != default);
    parts.extend(others().filter(|(k, _)| required(k)).map(|(k, v)| format!("{k}={v}")));
    parts.extend(others().filter(|(k, _)| !required(k)).map(|(k, v)| format!("{k}={v}")));
    parts.join(",")
}

/// A truth value as property strings spell it.
pub fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "on" | "yes" | "true" => Some(true),
        "0" | "off" | "no" | "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::{Format, Release};
    use super::*;

    fn net(value: &str) -> Result<String, String> {
        let facts = Release::V9_2_11.facts();
        let schema = facts.method("POST", "/nodes/{node}/lxc").unwrap().parameters.property("net0").unwrap();
        let Some(Format::Properties(format)) = &schema.format else { panic!("net0 is a property string") };
        parse(format, value, "net0").map(|p| print(format, &p))
    }

    #[test]
    fn says_what_the_real_one_says() {
        assert_eq!(
            net("ip=10.99.0.51/24,bridge=vmbr0,firewall=yes,name=eth0").unwrap(),
            "name=eth0,bridge=vmbr0,firewall=1,ip=10.99.0.51/24"
        );
        for (value, why) in [
            ("bridge=vmbr0", "format error\nnet0.name: property is missing and it is not optional\n"),
            ("name=eth0,tag=0", "format error\nnet0.tag: value must have a minimum value of 1\n"),
            ("name=eth 0", "format error\nnet0.name: value does not match the regex pattern\n"),
            ("name=eth0,ip=dhcp,ip=dhcp", "duplicate key in comma-separated list property: ip\n"),
            ("name", "value without key, but schema does not define a default key\n"),
            (
                "name=eth0,ip=10.99.0.51",
                "format error\nnet0.ip: invalid format - value does not look like a valid ipv4 network configuration\n\n",
            ),
        ] {
            assert_eq!(net(value).unwrap_err(), why, "{value}");
        }
    }
}
