//! Loading as a whole.
use super::*;
use crate::manifest::{SourceFile, json_lines, render};
use std::path::Path;

/// The examples are what wrong parts are replaced by, so they must be right.
#[test]
fn examples_are_right() {
    for kind in KINDS {
        let (_, found) = load(vec![SourceFile::new(kind.name, kind.example)]);
        let own: Vec<_> = found.iter().filter(|d| !d.code.starts_with("reference") && d.code != "no-site").collect();
        assert!(own.is_empty(), "{}", render(&found, false, 120));
    }
}

/// Every file of the folder, beside a site without mistakes unless its name says that it stands alone; what is found is kept as text.
#[test]
fn mistakes_are_shown_as_people_read_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mistakes");
    let read = |name: &str| SourceFile::new(name, std::fs::read_to_string(folder.join(name)).expect(name));
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .filter(|name| name.ends_with(".yaml") && !name.starts_with('_'))
        .collect();
    names.sort();
    assert!(names.len() > 10);
    assert_eq!(render(&load(vec![read("_site.yaml")]).1, false, 120), "");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for name in names {
            let mut files = vec![read(&name)];
            if !name.contains("-alone") {
                files.push(read("_site.yaml"));
            }
            let (_, found) = load(files);
            assert!(!found.is_empty(), "{name}");
            let shown = render(&found, false, 120) + &json_lines(&found);
            assert!(!shown.contains("CANARY"), "{name}: a secret is shown");
            insta::assert_snapshot!(name.trim_end_matches(".yaml"), render(&found, false, 120));
        }
    });
}

/// The language is that of the samples: what is not there yet is refused by name, all else is understood.
#[test]
fn samples_are_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/samples");
    let read = |name: &str| SourceFile::new(name, std::fs::read_to_string(folder.join(name)).expect(name));
    for name in ["public-edge.yaml", "nz-bridges.yaml"] {
        let (declarations, found) = load(vec![read(name)]);
        let codes = ["kind-not-supported", "not-supported", "reference", "no-site", "no-certificate"];
        let other: Vec<_> = found.iter().filter(|d| !codes.contains(&d.code)).cloned().collect();
        assert!(other.is_empty(), "{}", render(&other, false, 120));
        assert!(!declarations.containers.is_empty());
    }
}
