//! What all manifests have in common: `apiVersion`, `kind`, `metadata`, `spec`.
use super::{Diagnostic, Document, Key, Segment, suggest, typed};
use crate::model::{Deletion, Mode, Name};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, str::FromStr};

/// The version of the language.
pub const API_VERSION: &str = "trueup/v1alpha1";

/// Annotations that steer one object.
const ANNOTATIONS: [&str; 4] = ["trueup/mode", "trueup/deletion", "trueup/adopt", "trueup/renamed-from"];

/// Name, labels and steering of one declared object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metadata {
    pub name: Name,
    pub labels: BTreeMap<String, String>,
    /// `trueup/mode`.
    pub mode: Mode,
    /// `trueup/deletion`, or what holds for the kind.
    pub deletion: Deletion,
    /// `trueup/adopt`: the id by which a provider knows the foreign object that is to be taken.
    pub adopt: Option<String>,
    /// `trueup/renamed-from`: the name under which the object was declared before.
    pub renamed_from: Option<Name>,
}

/// `metadata` as it is written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WrittenMetadata {
    /// Names the object among those of its kind; guests of all kinds share one name space.
    pub name: Name,
    /// Words of your own, for finding and grouping.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What steers this one object: `trueup/mode` (`reconcile`, `observe`, `paused`), `trueup/deletion` (`delete`, `retain`, `forbid`),
    /// `trueup/adopt` (the id of an existing object to take over), `trueup/renamed-from` (the name that it had before). Others are left alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The parts of a manifest that do not depend on its kind.
pub struct Envelope {
    /// `metadata` as it is written, if it can be read.
    pub metadata: Option<WrittenMetadata>,
    /// The name as it is written, although other things may be wrong.
    pub name: Option<String>,
    /// The kind as it is written.
    pub kind: String,
}

/// Reads the envelope; nothing when there is no kind to go by.
pub fn envelope(document: &Document, found: &mut Vec<Diagnostic>) -> Option<Envelope> {
    let root = document.root();
    let pairs = root.pairs();
    if pairs.is_empty() {
        let spot = document.value_spot(&[]);
        let mistake = Diagnostic::error("not-a-manifest", spot, "this document is not a manifest");
        found.push(mistake.hint("a manifest has apiVersion, kind, metadata and spec"));
        return None;
    }
    let meant: Vec<&str> = pairs.iter().filter_map(|(key, _)| unknown(document, key, found)).collect();
    let written = |field: &str| root.get(field).is_some() || meant.contains(&field);
    if !meant.contains(&"apiVersion") {
        version(document, found);
    }
    let metadata = match root.get("metadata") {
        Some(_) => {
            let value = document.value().get("metadata").cloned().unwrap_or_default();
            let example = || serde_yaml::from_str("name: example").unwrap_or_default();
            typed(document, &[Segment::from("metadata")], value, example, found)
        }
        None if written("metadata") => None,
        None => {
            missing(document, "metadata", "metadata: { name: … }", found);
            None
        }
    };
    if !written("spec") {
        missing(document, "spec", "spec: …", found);
    }
    let name = root.get("metadata").and_then(|metadata| metadata.get("name")).and_then(|name| name.text());
    match root.get("kind").and_then(|kind| kind.text()) {
        Some(kind) if !kind.is_empty() => Some(Envelope { metadata, name: name.map(Into::into), kind: kind.into() }),
        _ if meant.contains(&"kind") => None,
        _ => {
            missing(document, "kind", "kind: Container, for example", found);
            None
        }
    }
}

/// Reports a key that no manifest has; gives back what was probably meant.
fn unknown(document: &Document, key: &Key, found: &mut Vec<Diagnostic>) -> Option<&'static str> {
    const FIELDS: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];
    if FIELDS.contains(&key.text.as_str()) || key.text == "<<" {
        return None;
    }
    let meant = suggest(&key.text, FIELDS);
    let hint = match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "a manifest has apiVersion, kind, metadata and spec; all else stands under spec".into(),
    };
    let message = format!("unknown field `{}`", key.text);
    found.push(Diagnostic::error("unknown-field", document.key_spot(key), message).hint(hint));
    meant
}

fn missing(document: &Document, field: &str, hint: &str, found: &mut Vec<Diagnostic>) {
    let spot = document.name_spot(&[Segment::from(field)]);
    let mistake = Diagnostic::error("missing-field", spot, format!("the manifest has no `{field}`"));
    found.push(mistake.hint(format!("add `{hint}`")));
}

fn version(document: &Document, found: &mut Vec<Diagnostic>) {
    match document.root().get("apiVersion").map(|version| (version, version.text())) {
        Some((_, Some(API_VERSION))) => {}
        Some((node, written)) => {
            let message = format!("apiVersion `{}` is not one that this program reads", written.unwrap_or_default());
            let spot = document.spot(node);
            found.push(
                Diagnostic::error("api-version", spot, message).hint(format!("write `apiVersion: {API_VERSION}`")),
            );
        }
        None => missing(document, "apiVersion", &format!("apiVersion: {API_VERSION}"), found),
    }
}

impl WrittenMetadata {
    /// Reads the annotations; `deletion` is what holds for the kind.
    pub fn read(self, document: &Document, deletion: Deletion, found: &mut Vec<Diagnostic>) -> Metadata {
        let mut metadata = Metadata {
            name: self.name,
            labels: self.labels,
            mode: Mode::default(),
            deletion,
            adopt: None,
            renamed_from: None,
        };
        for (key, value) in &self.annotations {
            let path = [Segment::from("metadata"), Segment::from("annotations"), Segment::from(key.as_str())];
            let mut wrong = |message: String, hint: String| {
                let spot = document.value_spot(&path);
                found.push(Diagnostic::error("annotation", spot, message).hint(hint));
            };
            match key.as_str() {
                "trueup/mode" => match mode(value) {
                    Some(mode) => metadata.mode = mode,
                    None => wrong(format!("`{value}` is no mode"), one_of(value, &["reconcile", "observe", "paused"])),
                },
                "trueup/deletion" => match Deletion::from_str(value) {
                    Ok(deletion) => metadata.deletion = deletion,
                    Err(_) => wrong(
                        format!("`{value}` is no policy of deletion"),
                        one_of(value, &["delete", "retain", "forbid"]),
                    ),
                },
                "trueup/adopt" if value.trim().is_empty() => {
                    wrong(
                        "`trueup/adopt` names nothing".into(),
                        "write the id of the object that is to be taken over".into(),
                    );
                }
                "trueup/adopt" => metadata.adopt = Some(value.clone()),
                "trueup/renamed-from" => match Name::from_str(value) {
                    Ok(name) if name == metadata.name => {
                        wrong("the object is renamed from its own name".into(), "leave the annotation out".into());
                    }
                    Ok(name) => metadata.renamed_from = Some(name),
                    Err(why) => wrong(why, "write the name that the manifest had before".into()),
                },
                unknown if unknown.starts_with("trueup/") => {
                    let spot = document.name_spot(&path);
                    let message = format!("unknown annotation `{unknown}`");
                    let hint = one_of(unknown, &ANNOTATIONS);
                    found.push(Diagnostic::error("annotation", spot, message).hint(hint));
                }
                _ => {}
            }
        }
        metadata
    }
}

fn mode(text: &str) -> Option<Mode> {
    match text {
        "reconcile" => Some(Mode::Reconcile),
        "observe" => Some(Mode::Observe),
        "paused" => Some(Mode::Paused),
        _ => None,
    }
}

fn one_of(word: &str, possible: &[&str]) -> String {
    match suggest(word, possible.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("possible are {}", possible.join(", ")),
    }
}
