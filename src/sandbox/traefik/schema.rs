//! Traefik's dynamic configuration by its own types: what is unknown is an error, as Traefik's decoder has it.
//!
//! `dynamic.schema.json.gz` was generated from the Go types of Traefik 3.7.9 (names, types, and which structs may be
//! empty), without prose.
use flate2::read::GzDecoder;
use serde_json::{Map, Value};
use std::{io::Read, sync::LazyLock};

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut text = String::new();
    let read = GzDecoder::new(&include_bytes!("dynamic.schema.json.gz")[..]).read_to_string(&mut text);
    read.map_err(|e| e.to_string())
        .and_then(|_| serde_json::from_str(&text).map_err(|e| e.to_string()))
        .unwrap_or_default()
});

/// The document with Traefik's spelling of keys and types of values, or why Traefik refuses it.
///
/// # Errors
/// In the words of Traefik's decoder: `field not found, node: x`, `x cannot be a standalone element (type …)`.
pub fn decode(document: &Value) -> Result<Value, String> {
    node("", document, &SCHEMA)
}

fn node(name: &str, value: &Value, schema: &Value) -> Result<Value, String> {
    let (schema, kind) = resolved(schema);
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => object(name, value, schema, kind),
        Some("array") => match (value, schema.get("items")) {
            (Value::Array(all), Some(items)) => {
                all.iter().map(|value| node(name, value, items)).collect::<Result<_, _>>().map(Value::Array)
            }
            // A single text stands for a list, separated by commas.
            (Value::String(text), _) => Ok(text.split(',').map(|part| Value::from(part.trim())).collect()),
            _ => Err(format!("{name}: a list is expected")),
        },
        Some("string") => scalar(name, value).map(Value::from),
        Some("boolean") => match scalar(name, value)?.to_ascii_lowercase().as_str() {
            "true" | "1" | "t" => Ok(Value::from(true)),
            "false" | "0" | "f" => Ok(Value::from(false)),
            text => Err(format!("{name}: strconv.ParseBool: parsing {text:?}: invalid syntax")),
        },
        Some("integer") => {
            let text = scalar(name, value)?;
            text.parse::<i64>()
                .map(Value::from)
                .map_err(|_| format!("{name}: strconv.ParseInt: parsing {text:?}: invalid syntax"))
        }
        Some("number") => {
            let text = scalar(name, value)?;
            text.parse::<f64>()
                .map(Value::from)
                .map_err(|_| format!("{name}: strconv.ParseFloat: parsing {text:?}: invalid syntax"))
        }
        // Durations, and what Traefik keeps as it comes.
        _ if schema.get("anyOf").is_some() => scalar(name, value).map(Value::from),
        _ => Ok(value.clone()),
    }
}

fn object(name: &str, value: &Value, schema: &Value, kind: &str) -> Result<Value, String> {
    let Value::Object(given) = value else {
        return Err(format!("{name} cannot be a standalone element (type {kind})"));
    };
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let rest = schema.get("additionalProperties").filter(|rest| **rest != Value::Bool(false));
    let mut out = Map::new();
    for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        let known = properties.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        match (known, rest) {
            (Some((name, schema)), _) => _ = out.insert(name.clone(), node_that_may_be_empty(name, value, schema)?),
            (None, Some(Value::Bool(_))) => _ = out.insert(key.clone(), value.clone()),
            (None, Some(schema)) => _ = out.insert(key.clone(), node_that_may_be_empty(key, value, schema)?),
            (None, None) => return Err(format!("field not found, node: {key}")),
        }
    }
    Ok(Value::Object(out))
}

fn node_that_may_be_empty(name: &str, value: &Value, schema: &Value) -> Result<Value, String> {
    let out = node(name, value, schema)?;
    let (inner, kind) = resolved(schema);
    let empty = out.as_object().is_some_and(Map::is_empty);
    let allowed = |schema: &Value| schema.get("x-traefik-allowEmpty") == Some(&Value::Bool(true));
    if empty && !allowed(schema) && !allowed(inner) {
        return Err(format!("{name} cannot be a standalone element (type {kind})"));
    }
    Ok(out)
}

/// The schema that is meant, and the name of its Go type.
fn resolved(mut schema: &Value) -> (&Value, &str) {
    let mut kind = "map";
    loop {
        let reference = schema.get("$ref").or_else(|| schema.pointer("/allOf/0/$ref")).and_then(Value::as_str);
        let Some(name) = reference.and_then(|path| path.strip_prefix("#/definitions/")) else { return (schema, kind) };
        kind = name;
        schema = SCHEMA.get("definitions").and_then(|all| all.get(name)).unwrap_or(&Value::Null);
    }
}

fn scalar(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null => Ok(String::new()),
        Value::Object(inner) => {
            Err(format!("field not found, node: {}", inner.keys().next().map_or(name, String::as_str)))
        }
        Value::Array(_) => Err(format!("{name}: a single value is expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_and_values_get_traefiks_spelling() {
        let given = json!({ "x-owner": { "a": 1 }, "TCP": { "Routers": { "a": {
            "entrypoints": "websecure", "rule": "HostSNI(`a.test`)", "service": "a", "priority": "7", "tls": { "passthrough": "true" } } } } });
        let expected = json!({ "x-owner": { "a": 1 }, "tcp": { "routers": { "a": {
            "entryPoints": ["websecure"], "rule": "HostSNI(`a.test`)", "service": "a", "priority": 7, "tls": { "passthrough": true } } } } });
        assert_eq!(decode(&given).unwrap(), expected);
        assert_eq!(
            decode(&json!({ "tcp": { "routers": { "a": { "rule": "x", "tls": {} } } } })).unwrap()["tcp"]["routers"]["a"]
                ["tls"],
            json!({})
        );
    }

    #[test]
    fn what_traefik_refuses_is_refused_in_its_words() {
        let refusal = |value| decode(&value).unwrap_err();
        assert_eq!(refusal(json!({ "tcp": { "routerz": { "a": {} } } })), "field not found, node: routerz");
        assert_eq!(refusal(json!({ "tcp": { "routers": { "a": { "ruel": "x" } } } })), "field not found, node: ruel");
        assert_eq!(refusal(json!({ "tcp": { "routers": {} } })), "routers cannot be a standalone element (type map)");
        assert_eq!(
            refusal(json!({ "tcp": { "routers": { "a": null } } })),
            "routers cannot be a standalone element (type map)"
        );
        assert!(refusal(json!({ "tcp": { "routers": { "a": { "priority": "high" } } } })).contains("ParseInt"));
    }
}
