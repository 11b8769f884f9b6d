//! One record: from a request's body, and into a reply.
use super::{content, name};
use crate::sandbox::cloudflare::{
    envelope::Refusal,
    seed::{Behaviour, Zone},
    state::Record,
};
use serde_json::{Map, Value, json};

/// The record that a whole body describes, in stored form, without id and times.
///
/// `silent_proxied`: leave `proxied` off where the target does not allow it, instead of refusing.
pub fn build(zone: &Zone, body: &Value, silent_proxied: bool) -> Result<Record, Refusal> {
    let text = |field: &str| body[field].as_str().unwrap_or_default();
    let (kind, name) = (text("type"), name::complete(&zone.name, text("name"))?);
    let (content, data) = match (content::has_data(kind), body.get("data")) {
        (true, Some(data)) => (content::rendered(kind, data)?, Some(data.clone())),
        (true, None) => return Err(Refusal::dns(9101, "data is required for this type.")),
        (false, _) => (content::simple(zone, kind, &name, text("content"))?, None),
    };
    let mut proxied = body["proxied"] == true;
    if proxied && let Some(refusal) = content::unproxiable(kind, &content) {
        // The type of a record is never a silent matter.
        if !silent_proxied || !matches!(kind, "A" | "AAAA" | "CNAME") {
            return Err(refusal);
        }
        proxied = false;
    }
    let priority = body["priority"].as_u64().and_then(|p| u16::try_from(p).ok());
    if kind == "MX" && priority.is_none() {
        return Err(Refusal::dns(9101, "priority is a required data field."));
    }
    Ok(Record {
        id: String::new(),
        name,
        kind: kind.to_owned(),
        content,
        proxied,
        ttl: if proxied { 1 } else { ttl(zone, body)? },
        settings: settings(body),
        comment: comment(zone, body)?,
        tags: tags(zone, body)?,
        data,
        priority,
        private_routing: body["private_routing"].as_bool(),
        created_on: String::new(),
        modified_on: String::new(),
        comment_modified_on: None,
        tags_modified_on: None,
    })
}

/// Seconds; 1 is automatic.
fn ttl(zone: &Zone, body: &Value) -> Result<u64, Refusal> {
    let ttl = body["ttl"].as_u64().unwrap_or(1);
    match ttl == 1 || (zone.plan.least_ttl()..=86_400).contains(&ttl) {
        true => Ok(ttl),
        false => Err(Refusal::dns(
            9021,
            format!("TTL must be between {} and 86400 seconds, or 1 for Automatic.", zone.plan.least_ttl()),
        )),
    }
}

fn comment(zone: &Zone, body: &Value) -> Result<Option<String>, Refusal> {
    let Some(comment) = body["comment"].as_str().filter(|c| !c.is_empty()) else { return Ok(None) };
    let most = zone.plan.comment();
    if comment.chars().count() > most {
        let text = format!("DNS record comment exceeds the maximum length of {most} characters.");
        return Err(Refusal::new(400, 9313, text));
    }
    if comment.contains(['\n', '\r']) {
        return Err(Refusal::dns(9207, "DNS record comment must not contain line breaks."));
    }
    Ok(Some(comment.to_owned()))
}

fn tags(zone: &Zone, body: &Value) -> Result<Vec<String>, Refusal> {
    let tags: Vec<String> =
        body["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    if tags.len() > zone.plan.tags() {
        let text = format!("DNS record has {} tags, exceeding the quota of {}.", tags.len(), zone.plan.tags());
        return Err(Refusal::dns(9300, text));
    }
    Ok(tags)
}

fn settings(body: &Value) -> std::collections::BTreeMap<String, bool> {
    let all = body["settings"].as_object().into_iter().flatten();
    all.filter_map(|(name, value)| Some((name.clone(), value.as_bool()?))).collect()
}

/// The body that would make this record again: what a patch is laid over.
pub fn request(record: &Record) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("name", json!(record.name));
    put("type", json!(record.kind));
    put("ttl", json!(record.ttl));
    put("proxied", json!(record.proxied));
    put("tags", json!(record.tags));
    put("settings", json!(record.settings));
    match &record.data {
        Some(data) => put("data", data.clone()),
        None => put("content", json!(record.content)),
    };
    let optional = [
        ("comment", record.comment.as_ref().map(|c| json!(c))),
        ("priority", record.priority.map(|p| json!(p))),
        ("private_routing", record.private_routing.map(|p| json!(p))),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    }
    fields
}

/// The record as replies show it.
pub fn object(record: &Record, behaviour: &Behaviour) -> Value {
    let mut fields = request(record);
    fields.insert("id".into(), json!(record.id));
    fields.insert("content".into(), json!(record.content));
    fields.insert("proxiable".into(), json!(content::unproxiable(&record.kind, &record.content).is_none()));
    fields.insert("comment".into(), json!(record.comment));
    fields.insert("meta".into(), json!({}));
    fields.insert("created_on".into(), json!(record.created_on));
    fields.insert("modified_on".into(), json!(record.modified_on));
    let since = [("comment_modified_on", &record.comment_modified_on), ("tags_modified_on", &record.tags_modified_on)];
    for (name, at) in since {
        if let Some(at) = at {
            fields.insert(name.into(), json!(at));
        }
    }
    if behaviour.sparse {
        fields.retain(|name, value| {
            let empty = value.is_null() || value == &json!({}) || value == &json!([]);
            !(empty && matches!(name.as_str(), "settings" | "comment" | "tags" | "meta"))
        });
    }
    Value::Object(fields)
}
