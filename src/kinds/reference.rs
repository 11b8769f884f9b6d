//! The reference of manifests, one page per kind, from the same types that read them.
use super::{kind::Kind, schema::schema_of};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The page of a kind, in Markdown.
pub fn reference_of(kind: &Kind) -> String {
    let schema = schema_of(kind);
    let spec = &schema["properties"]["spec"];
    let mut page = format!(
        "<!-- Written by `make bless` from src/kinds; do not edit. -->\n# {}\n\n{}\n",
        kind.name,
        described(spec).trim_end()
    );
    let _ = write!(
        page,
        "\nWhen its manifest is gone, what it describes is {}, unless `trueup/deletion` says otherwise.\n",
        match kind.deletion {
            crate::model::Deletion::Delete => "deleted, within the guards",
            crate::model::Deletion::Retain => "kept, and shown as orphaned where it carries our mark",
            crate::model::Deletion::Forbid => "kept, and the plan refused",
        }
    );
    let _ = write!(page, "\n## Example\n\n```yaml\n{}```\n\n## Fields\n", kind.example);
    let mut rows = Rows { definitions: &schema["definitions"], text: String::new() };
    rows.object(spec, "spec");
    page.push_str("\n| field | type | default | |\n|---|---|---|---|\n");
    page.push_str(&rows.text);
    page
}

struct Rows<'a> {
    definitions: &'a Value,
    text: String,
}

impl Rows<'_> {
    /// A row for each property, with those of what is inside it after it.
    fn object(&mut self, schema: &Value, path: &str) {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            let default = match property.get("default") {
                Some(Value::Null) | None if required.contains(&name.as_str()) => "**required**".into(),
                Some(Value::Null) | None => String::new(),
                Some(Value::Object(map)) if map.values().all(Value::is_null) => String::new(),
                Some(default) => format!("`{}`", plain(default)),
            };
            let _ = writeln!(
                self.text,
                "| `{path}` | {} | {default} | {} |",
                self.type_of(property),
                described(property).replace('\n', " ").replace('|', "\\|").trim()
            );
            self.inside(property, &path);
        }
    }

    /// What is inside a property, where it is an object or a list of objects.
    fn inside(&mut self, property: &Value, path: &str) {
        let schema = self.resolved(property).clone();
        if schema.get("properties").is_some() {
            self.object(&schema, path);
        } else if let Some(items) = schema.get("items") {
            let items = self.resolved(items).clone();
            if items.get("properties").is_some() {
                self.object(&items, &format!("{path}[]"));
            }
        } else if let Some(choices) = choices(&schema) {
            for choice in choices {
                self.inside(choice, path);
            }
        }
    }

    fn resolved<'b>(&'b self, schema: &'b Value) -> &'b Value {
        let direct = schema.get("$ref").or_else(|| schema.pointer("/allOf/0/$ref")).and_then(Value::as_str);
        let named = direct.and_then(|path| path.strip_prefix("#/definitions/"));
        named.and_then(|name| self.definitions.get(name)).unwrap_or(schema)
    }

    fn type_of(&self, property: &Value) -> String {
        let schema = self.resolved(property);
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return values
                .iter()
                .filter(|v| !v.is_null())
                .map(|v| format!("`{}`", plain(v)))
                .collect::<Vec<_>>()
                .join(" or ");
        }
        if let Some(value) = schema.get("const") {
            return format!("`{}`", plain(value));
        }
        if let Some(choices) = choices(schema) {
            let mut types: Vec<String> = Vec::new();
            for choice in choices.iter().map(|choice| self.type_of(choice)).filter(|name| name != "nothing") {
                if !types.contains(&choice) {
                    types.push(choice);
                }
            }
            return types.join(" or ");
        }
        let kind = match &schema["type"] {
            Value::Array(types) => {
                types.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default()
            }
            one => one.as_str().unwrap_or_default(),
        };
        let name = match kind {
            "string" => "text",
            "integer" => "number",
            "boolean" => "true or false",
            "object" => "map",
            "null" => "nothing",
            "array" => {
                return format!(
                    "list of {}",
                    schema.get("items").map_or_else(|| "anything".into(), |i| self.type_of(i))
                );
            }
            other => other,
        };
        match schema["examples"].as_array().and_then(|examples| examples.first()) {
            Some(example) => format!("{name}, as `{}`", plain(example)),
            None => name.into(),
        }
    }
}

fn choices(schema: &Value) -> Option<&Vec<Value>> {
    schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
}

fn described(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

/// A value as YAML writes it in one line.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => fields(map),
        other => other.to_string(),
    }
}

fn fields(map: &Map<String, Value>) -> String {
    let pairs = map.iter().filter(|(_, value)| !value.is_null());
    format!("{{ {} }}", pairs.map(|(key, value)| format!("{key}: {}", plain(value))).collect::<Vec<_>>().join(", "))
}
