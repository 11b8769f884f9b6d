//! Cloudflare's own description of its API, and whether a request agrees with it.
use flate2::read::GzDecoder;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, io::Read, sync::OnceLock};

/// The whole document, read once.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let mut text = String::new();
        let packed: &[u8] = include_bytes!("facts/openapi.json.gz");
        GzDecoder::new(packed).read_to_string(&mut text).expect("the packed facts are part of the program");
        serde_json::from_str(&text).expect("the packed facts are JSON")
    })
}

/// One method of one path.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// `/zones/{zone_id}/dns_records`
    pub template: &'static str,
    reads: bool,
    facts: &'static Value,
}

/// Why a request has no operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoRoute {
    Path,
    Method,
}

/// The operation for a path without the base, and the values of its placeholders.
pub fn route(method: &str, path: &str) -> Result<(Operation, BTreeMap<&'static str, String>), NoRoute> {
    let Some(paths) = document()["paths"].as_object() else { return Err(NoRoute::Path) };
    let given: Vec<&str> = path.split('/').collect();
    let mut matching: Vec<(&'static str, &'static Value, BTreeMap<&'static str, String>)> = paths
        .iter()
        .filter_map(|(template, methods)| Some((template.as_str(), methods, fit(template, &given)?)))
        .collect();
    // `/dns_records/batch` also fits `/dns_records/{dns_record_id}`: the one with fewer placeholders is meant.
    matching.sort_by_key(|(_, _, placeholders)| placeholders.len());
    let (template, methods, placeholders) = matching.into_iter().next().ok_or(NoRoute::Path)?;
    let facts = methods.get(method.to_ascii_lowercase()).ok_or(NoRoute::Method)?;
    Ok((Operation { template, reads: method == "GET", facts }, placeholders))
}

fn fit(template: &'static str, given: &[&str]) -> Option<BTreeMap<&'static str, String>> {
    let parts: Vec<&'static str> = template.split('/').collect();
    if parts.len() != given.len() {
        return None;
    }
    let mut found = BTreeMap::new();
    for (part, have) in parts.iter().zip(given) {
        match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
            Some(name) if !have.is_empty() => {
                found.insert(name, (*have).to_owned());
            }
            _ if part == have => {}
            _ => return None,
        }
    }
    Some(found)
}

/// What does not agree, and where (a JSON pointer, or the name of a query parameter).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Complaint {
    pub at: String,
    pub text: String,
}

fn complaint<T>(at: &str, text: impl Into<String>) -> Result<T, Complaint> {
    Err(Complaint { at: at.into(), text: text.into() })
}

impl Operation {
    /// Whether every query parameter is known and of its type.
    pub fn check_query(&self, query: &[(String, String)]) -> Result<(), Complaint> {
        let none = vec![];
        let parameters = self.facts["parameters"].as_array().unwrap_or(&none);
        for (nth, (name, value)) in query.iter().enumerate() {
            let Some(parameter) = parameters.iter().find(|p| p["in"] == "query" && p["name"] == name.as_str()) else {
                return complaint(name, "unknown parameter");
            };
            if query.iter().take(nth).any(|(earlier, _)| earlier == name) {
                return complaint(name, "given twice");
            }
            check_text(&parameter["schema"], name, value)?;
        }
        Ok(())
    }

    /// Whether it changes nothing.
    pub fn reads(&self) -> bool {
        self.reads
    }

    /// Whether a body is wanted.
    pub fn takes_body(&self) -> bool {
        self.facts.get("requestBody").is_some()
    }

    /// Whether the body agrees with the document. `partial`: what is missing is kept, so nothing is required.
    pub fn check_body(&self, body: &Value, partial: bool) -> Result<(), Complaint> {
        match self.facts.pointer("/requestBody/content/application~1json/schema") {
            Some(schema) => check(schema, body, "", partial),
            None => complaint("", "no JSON body is taken here"),
        }
    }
}

/// A query parameter: text that must read as its type.
fn check_text(schema: &Value, name: &str, text: &str) -> Result<(), Complaint> {
    let value = match schema["type"].as_str() {
        Some("integer") => match text.parse::<i64>() {
            Ok(number) => Value::from(number),
            Err(_) => return complaint(name, "must be an integer"),
        },
        Some("boolean") => match text {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return complaint(name, "must be true or false"),
        },
        Some("array") => Value::from(text.split(',').collect::<Vec<_>>()),
        _ => Value::from(text),
    };
    check(schema, &value, name, false)
}

/// An object's fields with those of all that it is composed of.
#[derive(Default)]
struct Shape<'a> {
    fields: BTreeMap<&'a str, &'a Value>,
    required: Vec<&'a str>,
    /// Any further field must fit this.
    others: Option<&'a Value>,
}

/// Follows `$ref` and a lone `allOf`.
fn resolve(mut schema: &Value) -> &Value {
    loop {
        let next = match (schema["$ref"].as_str(), schema["allOf"].as_array()) {
            (Some(reference), _) => document().pointer(reference.trim_start_matches('#')),
            (None, Some(parts)) if parts.len() == 1 && schema.get("properties").is_none() => parts.first(),
            _ => None,
        };
        match next {
            Some(next) => schema = next,
            None => return schema,
        }
    }
}

fn shape<'a>(schema: &'a Value, into: &mut Shape<'a>) {
    let schema = resolve(schema);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        shape(part, into);
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        into.fields.insert(name, field);
    }
    into.required.extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str));
    into.others = into.others.or(schema.get("additionalProperties").filter(|o| o.is_object()));
}

fn check(schema: &Value, value: &Value, at: &str, partial: bool) -> Result<(), Complaint> {
    if value.is_null() && schema["nullable"] == true {
        return Ok(());
    }
    let schema = resolve(schema);
    if value.is_null() && schema["nullable"] == true {
        return Ok(());
    }
    for choices in [&schema["anyOf"], &schema["oneOf"]] {
        if let Some(choices) = choices.as_array() {
            return choose(choices, value, at, partial);
        }
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return complaint(at, format!("must be one of {}", Value::from(allowed.clone())));
    }
    let object = schema.get("allOf").is_some() || schema.get("properties").is_some();
    match schema["type"].as_str() {
        Some("string") => check_string(schema, value, at),
        Some("integer") if !value.is_i64() && !value.is_u64() => complaint(at, "must be an integer"),
        Some("number") if !value.is_number() => complaint(at, "must be a number"),
        Some("integer" | "number") => check_number(schema, value, at),
        Some("boolean") if !value.is_boolean() => complaint(at, "must be true or false"),
        Some("array") => match value.as_array() {
            Some(items) => items
                .iter()
                .enumerate()
                .try_for_each(|(n, item)| check(&schema["items"], item, &format!("{at}/{n}"), partial)),
            None => complaint(at, "must be a list"),
        },
        Some("object") => check_object(schema, value, at, partial),
        None if object => check_object(schema, value, at, partial),
        _ => Ok(()),
    }
}

/// Among alternatives that are told apart by `type`, the one that the value names is the one to complain with.
fn choose(choices: &[Value], value: &Value, at: &str, partial: bool) -> Result<(), Complaint> {
    let named = value["type"].as_str().and_then(|kind| choices.iter().find(|choice| names_type(choice, kind)));
    if let Some(choice) = named {
        return check(choice, value, at, partial);
    }
    if value.is_object() && choices.iter().all(has_type) {
        return complaint(&format!("{at}/type"), "is not a known type");
    }
    if choices.iter().any(|choice| check(choice, value, at, partial).is_ok()) {
        return Ok(());
    }
    complaint(at, "fits none of the allowed forms")
}

fn type_names(choice: &Value) -> Option<&Vec<Value>> {
    let mut all = Shape::default();
    shape(choice, &mut all);
    resolve(all.fields.get("type")?)["enum"].as_array()
}

fn has_type(choice: &Value) -> bool {
    resolve(choice)["anyOf"].as_array().map_or_else(|| type_names(choice).is_some(), |c| c.iter().all(has_type))
}

fn names_type(choice: &Value, kind: &str) -> bool {
    type_names(choice).is_some_and(|names| names.iter().any(|name| name == kind))
}

fn check_string(schema: &Value, value: &Value, at: &str) -> Result<(), Complaint> {
    let Some(text) = value.as_str() else { return complaint(at, "must be a string") };
    let length = text.chars().count() as u64;
    if schema["minLength"].as_u64().is_some_and(|least| length < least) {
        return complaint(at, "is too short");
    }
    if schema["maxLength"].as_u64().is_some_and(|most| length > most) {
        return complaint(at, "is too long");
    }
    Ok(())
}

fn check_number(schema: &Value, value: &Value, at: &str) -> Result<(), Complaint> {
    let number = value.as_f64().unwrap_or_default();
    match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
        (Some(least), _) if number < least => complaint(at, format!("must be at least {least}")),
        (_, Some(most)) if number > most => complaint(at, format!("must be at most {most}")),
        _ => Ok(()),
    }
}

fn check_object(schema: &Value, value: &Value, at: &str, partial: bool) -> Result<(), Complaint> {
    let Some(object) = value.as_object() else { return complaint(at, "must be an object") };
    let mut all = Shape::default();
    shape(schema, &mut all);
    departures(&mut all, at);
    for (name, field) in object {
        let at = format!("{at}/{name}");
        match all.fields.get(name.as_str()).copied().or(all.others) {
            Some(schema) => check(schema, field, &at, partial)?,
            None if all.fields.is_empty() => {}
            None => return complaint(&at, "unknown field"),
        }
    }
    match all.required.iter().find(|name| !partial && missing(object, &all, name)) {
        Some(name) => complaint(&format!("{at}/{name}"), "is required"),
        None => Ok(()),
    }
}

/// A field with a default may be left out, whatever the document says.
fn missing(object: &Map<String, Value>, all: &Shape<'_>, name: &str) -> bool {
    !object.contains_key(name) && all.fields.get(name).is_none_or(|field| resolve(field).get("default").is_none())
}

/// Where the document is known to be wrong; see `facts/README.md`.
fn departures(all: &mut Shape<'_>, at: &str) {
    static WARP_ROUTING: OnceLock<Value> = OnceLock::new();
    if at == "/config" && all.fields.contains_key("ingress") {
        let warp = WARP_ROUTING
            .get_or_init(|| serde_json::json!({"type": "object", "properties": {"enabled": {"type": "boolean"}}}));
        all.fields.insert("warp-routing", warp);
    }
    if at.starts_with("/config/ingress/") {
        all.required.retain(|name| *name != "hostname");
    }
}
