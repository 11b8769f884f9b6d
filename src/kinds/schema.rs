//! JSON Schemas of manifests, for editors and for CI that knows nothing of this program.
//!
//! Draft 7, because that is what editors' YAML servers understand best. A schema refuses what cannot be read; what only the
//! whole tree of manifests shows (a reference to nothing, two guests with one address) is `trueup check`'s.
use super::kind::{KINDS, Kind};
use crate::{
    manifest::{API_VERSION, WrittenMetadata},
    model::{Deletion, Mode, Name},
};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

/// The schema of the manifests of one kind.
pub fn schema_of(kind: &Kind) -> Value {
    let mut generator = generator();
    let spec = (kind.schema)(&mut generator);
    let title = spec.get("title").cloned().unwrap_or_else(|| kind.name.into());
    let description = spec.get("description").cloned().unwrap_or_default();
    let metadata = metadata(&mut generator);
    document(json!({
        "title": title,
        "description": description,
        "properties": {
            "apiVersion": { "const": API_VERSION },
            "kind": { "const": kind.name },
            "metadata": metadata,
            "spec": spec,
        },
        "definitions": generator.take_definitions(true),
    }))
}

/// The schema of manifests of any kind: `kind` decides what `spec` is.
pub fn schema_of_all() -> Value {
    let mut generator = generator();
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let mut branches = vec![];
    for kind in KINDS {
        let spec = (kind.schema)(&mut generator);
        branches.push(json!({
            "if": { "properties": { "kind": { "const": kind.name } }, "required": ["kind"] },
            "then": { "properties": { "spec": spec } },
        }));
    }
    let metadata = metadata(&mut generator);
    document(json!({
        "title": "A Trueup manifest",
        "description": "One declared object of a site.",
        "properties": {
            "apiVersion": { "const": API_VERSION },
            "kind": { "enum": names },
            "metadata": metadata,
            "spec": {},
        },
        "allOf": branches,
        "definitions": generator.take_definitions(true),
    }))
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft07().into_generator()
}

/// What every manifest's schema begins with.
fn document(parts: Value) -> Value {
    let mut whole = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
    });
    if let (Value::Object(whole), Value::Object(parts)) = (&mut whole, parts) {
        whole.extend(parts);
    }
    whole
}

/// `metadata`, with the annotations that steer: others are free, but not under our prefix.
fn metadata(generator: &mut SchemaGenerator) -> Value {
    let mut metadata = generator.root_schema_for::<WrittenMetadata>().to_value();
    let steering = json!({
        "trueup/mode": generator.subschema_for::<Mode>(),
        "trueup/deletion": generator.subschema_for::<Deletion>(),
        "trueup/adopt": { "type": "string", "minLength": 1 },
        "trueup/renamed-from": generator.subschema_for::<Name>(),
    });
    let names: Vec<String> = steering.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    if let Some(annotations) = metadata.pointer_mut("/properties/annotations").and_then(Value::as_object_mut) {
        annotations.insert("properties".into(), steering);
        let free = json!({ "not": { "pattern": "^trueup/" } });
        annotations.insert("propertyNames".into(), json!({ "anyOf": [{ "enum": names }, free] }));
    }
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.remove("$schema");
        metadata.remove("definitions");
        metadata.remove("title");
    }
    metadata
}
