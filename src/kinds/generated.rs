//! The files of this repository that are written from the types: schemas and reference.
use super::{
    grants,
    kind::{KINDS, Kind},
    reference::reference_of,
    schema::{schema_of, schema_of_all},
};
use crate::{providers::proxmox::GuestType, resources::guest::option};
use serde_json::Value;

/// The schemas as files: one for each kind, and `trueup.schema.json` for all. Names without directory.
pub fn schema_files() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> =
        KINDS.iter().map(|kind| (schema_file(kind), text(&schema_of(kind)))).collect();
    files.push(("trueup.schema.json".into(), text(&schema_of_all())));
    files
}

/// The name of the file with the schema of a kind: `port-allocation.schema.json`.
pub fn schema_file(kind: &Kind) -> String {
    format!("{}.schema.json", dashed(kind.name))
}

/// The pages of the reference: one for each kind, the options of each type of guest, and the privileges. Names without directory.
pub fn reference_files() -> Vec<(String, String)> {
    let kinds = KINDS.iter().map(|kind| (format!("{}.md", dashed(kind.name)), reference_of(kind)));
    let options = [("lxc-options.md", GuestType::Lxc), ("qemu-options.md", GuestType::Qemu)];
    let options = options.map(|(name, kind)| (name.to_owned(), option::table(kind)));
    kinds.chain(options).chain([("privileges.md".to_owned(), grants::page())]).collect()
}

fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

/// `PortAllocation` as `port-allocation`.
fn dashed(name: &str) -> String {
    let mut dashed = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !dashed.is_empty() {
            dashed.push('-');
        }
        dashed.push(letter.to_ascii_lowercase());
    }
    dashed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    /// `make bless` writes them anew.
    #[test]
    fn generated_files_are_those_of_the_types() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let bless = std::env::var_os("TRUEUP_BLESS").is_some();
        let mut stale = Vec::new();
        for (folder, files) in [("schemas", schema_files()), ("docs/reference", reference_files())] {
            let folder = root.join(folder);
            if bless {
                fs::create_dir_all(&folder).expect("the folder");
            }
            let names: Vec<&String> = files.iter().map(|(name, _)| name).collect();
            for entry in fs::read_dir(&folder).expect("the folder") {
                let entry = entry.expect("an entry");
                let name = entry.file_name().into_string().expect("a name");
                if !names.contains(&&name) && name != "README.md" {
                    stale.push(entry.path());
                }
            }
            for (name, text) in &files {
                let path = folder.join(name);
                if fs::read_to_string(&path).ok().as_ref() == Some(text) {
                    continue;
                }
                match bless {
                    true => fs::write(&path, text).expect("written"),
                    false => stale.push(path),
                }
            }
        }
        assert!(stale.is_empty(), "not what the types say; `make bless` writes them anew: {stale:#?}");
    }

    /// What the schema allows is what is read: each example passes, and what it does not know is refused by both.
    #[test]
    fn schemas_agree_with_what_is_read() {
        let all = jsonschema::validator_for(&schema_of_all()).expect("a schema");
        for kind in KINDS {
            let own = jsonschema::validator_for(&schema_of(kind)).expect("a schema");
            let example: Value = serde_yaml::from_str(kind.example).expect("YAML");
            for validator in [&own, &all] {
                let errors: Vec<String> =
                    validator.iter_errors(&example).map(|e| format!("{}: {e}", e.instance_path())).collect();
                assert!(errors.is_empty(), "{}: {errors:#?}", kind.name);
            }
            let mut wrong = example.clone();
            wrong["spec"]["thisIsNoField"] = true.into();
            assert!(!own.is_valid(&wrong) && !all.is_valid(&wrong), "{}", kind.name);
            let mut wrong = example.clone();
            wrong["metadata"]["annotations"] = serde_json::json!({ "trueup/moed": "observe" });
            assert!(!own.is_valid(&wrong), "{}", kind.name);
        }
    }

    #[test]
    fn every_field_is_documented() {
        fn look(schema: &Value, path: &str, bare: &mut Vec<String>) {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                if property["description"].as_str().is_none_or(str::is_empty) {
                    bare.push(format!("{path}.{name}"));
                }
            }
        }
        let mut bare = Vec::new();
        for kind in KINDS {
            let schema = schema_of(kind);
            look(&schema["properties"]["spec"], kind.name, &mut bare);
            for (name, definition) in schema["definitions"].as_object().into_iter().flatten() {
                look(definition, name, &mut bare);
            }
        }
        assert!(bare.is_empty(), "without a word of explanation: {bare:?}");
    }
}
