//! The text of a manifest.
use super::{reading::Said, yaml};
use crate::{
    kinds::declared::Spec,
    manifest::API_VERSION,
    model::{Name, Vmid},
    resources::guest::Live,
};
use serde_yaml::{Mapping, Value};

/// Fields that say what holds anyway.
const DEFAULTS: [(&str, &str); 2] = [("state", "running"), ("restartPolicy", "never")];

/// The document of a guest. The annotation makes the next pass take the guest over. `source`: what to add to the manifest to
/// be able to make it anew.
pub fn text<S: Spec>(name: &Name, vmid: Vmid, live: &Live, said: &Said<S>, source: &str) -> String {
    let mut out = format!("# {} {vmid} on {}, as it was when it was imported.\n", capital(live.kind), live.node);
    if !said.left.is_empty() {
        out += &comment(&format!("Left as it is, because this manifest does not say it: {}.", said.left.join("; ")));
    }
    out += &comment(&format!(
        "What it was made from is not known. To be able to make it anew, add {source}; until then keep the annotation."
    ));
    let key = |text: &str| Value::from(text);
    let annotations = Mapping::from_iter([(key("trueup/adopt"), Value::from(vmid.to_string()))]);
    let metadata =
        Mapping::from_iter([(key("name"), Value::from(name.as_str())), (key("annotations"), annotations.into())]);
    let mut spec = serde_yaml::to_value(&said.spec).unwrap_or_default();
    tidy(&mut spec);
    let document = Mapping::from_iter([
        (key("apiVersion"), Value::from(API_VERSION)),
        (key("kind"), Value::from(S::KIND)),
        (key("metadata"), metadata.into()),
        (key("spec"), spec),
    ]);
    out + &yaml::document(&document)
}

/// Takes out what says nothing.
fn tidy(spec: &mut Value) {
    let Value::Mapping(fields) = spec else { return };
    for (field, default) in DEFAULTS {
        if fields.get(field).and_then(Value::as_str) == Some(default) {
            fields.remove(field);
        }
    }
    let devices = fields.get_mut("networks").and_then(Value::as_sequence_mut);
    for device in devices.into_iter().flatten().filter_map(Value::as_mapping_mut) {
        for (field, default) in [("hwaddr", "auto"), ("model", "virtio")] {
            if device.get(field).and_then(Value::as_str) == Some(default) {
                device.remove(field);
            }
        }
    }
}

fn capital(kind: impl ToString) -> String {
    let text = kind.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Lines of a comment, whatever stands in the text.
fn comment(text: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < 118 => *line += &format!(" {word}"),
            _ => lines.push(format!("# {word}")),
        }
    }
    lines.join("\n") + "\n"
}
