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

/// What people copy from must be right.
#[test]
fn manifests_and_examples_of_this_repository_are_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("manifests")];
    folders.extend(
        std::fs::read_dir(root.join("examples")).expect("examples").map(|entry| entry.expect("an entry").path()),
    );
    for folder in folders {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|end| end == "yaml") {
                files.push(SourceFile::new(path.display().to_string(), std::fs::read_to_string(&path).expect("text")));
            }
        }
        let (declarations, found) = load(files);
        assert!(!found.iter().any(crate::manifest::Diagnostic::is_error), "{}", render(&found, false, 120));
        assert!(!declarations.containers.is_empty(), "{}", folder.display());
    }
}

/// Run by hand: `cargo test --lib ten_megabytes -- --ignored --nocapture`. About 3 s in the dev profile on two busy cores.
#[test]
#[ignore = "prints a figure, checks nothing that other tests do not"]
fn ten_megabytes() {
    let one = |i: usize| {
        let (high, low) = (i / 250, i % 250 + 2);
        format!(
            "---\napiVersion: trueup/v1alpha1\nkind: Container\nmetadata: {{ name: guest-{i}, labels: {{ customer: acme }} }}\nspec:\n  vmid: {}\n  template: local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst\n  cores: 2\n  memory: 1GiB\n  rootfs: {{ size: 8GiB, storage: local-zfs }}\n  node: pve1\n  networks:\n    - {{ name: eth0, bridge: vmbr1, address: 10.{}.{high}.{low}/16, gateway: 10.{}.0.1, firewall: true, rate: 12MB/s }}\n  dns: {{ servers: [10.0.1.1], search: decent-cloud.org }}\n  features: [nesting]\n  startOnBoot: true\n  tags: [web]\n---\napiVersion: trueup/v1alpha1\nkind: DnsSlug\nmetadata: {{ name: guest-{i} }}\nspec: {{ guest: guest-{i}, slug: auto }}\n",
            1000 + i,
            high / 200,
            high / 200,
        )
    };
    let text: String = (0..16_000).map(one).collect();
    let size = text.len();
    let start = std::time::Instant::now();
    let mut found = Vec::new();
    let file = std::sync::Arc::new(SourceFile::new("a.yaml", text.clone()));
    let documents = crate::manifest::read(&file, &mut found);
    let read = start.elapsed();
    let start = std::time::Instant::now();
    let (declarations, found) = load(vec![SourceFile::new("guests.yaml", text)]);
    println!(
        "{size} bytes, {} documents read in {read:?}; {} guests loaded in {:?}, {} diagnostics",
        documents.len(),
        declarations.containers.len(),
        start.elapsed(),
        found.len()
    );
}
