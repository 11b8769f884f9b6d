//! The picture of the house, held up against the source: who imports whom, what pure code may touch, how long a file is and
//! how things are called.
#[path = "architecture/paths.rs"]
mod paths;

use paths::read;
use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
};

/// From the top of the house down. A module imports only those below it.
const FLOORS: &[&str] = &[
    "cli",
    "sandbox",
    "source",
    "report",
    "engine",
    "kinds",
    "resources",
    "providers",
    "history",
    "ledger",
    "manifest",
    "plan",
    "model",
];
/// What code that must be pure may not name: beginnings of paths, and words anywhere in a path.
const IMPURE_ROOTS: &[&str] = &[
    "tokio",
    "rand",
    "reqwest",
    "tracing",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::io",
    "tokio_rustls",
    "hyper",
    "git2",
    "rusqlite",
    "notify",
];
const IMPURE_WORDS: &[&str] = &[
    "Instant",
    "SystemTime",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "Timestamp::now",
    "Zoned::now",
];
/// Names that say nothing.
const EMPTY_NAMES: &[&str] = &["manager", "handler", "helper", "helpers", "util", "utils", "data", "info", "misc"];
const LONGEST: usize = 1_000;
const LONG: usize = 500;

/// One breach of one rule.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Breach {
    file: String,
    line: usize,
    rule: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.rule)
    }
}

/// `src/plan/join.rs` is the module `plan::join`.
fn module_of(file: &str) -> Vec<String> {
    let inner = file.trim_start_matches("src/").trim_end_matches(".rs");
    let mut parts: Vec<String> = inner.split('/').map(str::to_string).collect();
    parts.pop_if(|last| matches!(last.as_str(), "mod" | "lib" | "main"));
    parts
}

fn is_test_file(module: &[String]) -> bool {
    module.iter().any(|part| part == "tests")
}

fn must_be_pure(module: &[String]) -> bool {
    let parts: Vec<&str> = module.iter().map(String::as_str).collect();
    matches!(parts[..], ["plan" | "model" | "kinds", ..] | ["resources", _, "plan" | "desired", ..])
}

/// Checks one file. `folders(module)`: whether `src/` has this module as a folder.
fn check(file: &str, text: &str, folders: &dyn Fn(&str) -> bool) -> Vec<Breach> {
    let module = module_of(file);
    let reading = read(&module, text);
    let mut out = vec![];
    let mut breach = |line: usize, rule: String| out.push(Breach { file: file.into(), line, rule });
    let floor = module.first().map(String::as_str);
    let level = |name: &str| FLOORS.iter().position(|known| *known == name);
    if let Some(floor) = floor
        && level(floor).is_none()
    {
        breach(1, format!("the module `{floor}` is not in the picture (FLOORS in tests/architecture.rs)"));
    }
    for import in &reading.imports {
        let in_test = import.in_test || is_test_file(&module);
        let path = import.path.join("::");
        if import.path[0] == "crate"
            && let (Some(from), Some(to)) = (floor, import.path.get(1))
        {
            let to_sandbox = to == "sandbox" && from != "sandbox";
            match (level(from), level(to)) {
                _ if to_sandbox && (from == "cli" || in_test) => {}
                _ if to_sandbox => {
                    breach(import.line, format!("`{path}`: the product does not import the sandbox"));
                }
                (Some(above), Some(below)) if below < above => {
                    breach(import.line, format!("`{path}`: {from} stands below {to} and may not import it"));
                }
                (_, None) if to.starts_with(char::is_lowercase) && folders(to) => {
                    breach(import.line, format!("`{path}`: `{to}` is not in the picture"));
                }
                _ => {}
            }
            let concrete = matches!(to.as_str(), "providers" | "resources")
                && import.path.get(2).is_some_and(|part| folders(&format!("{to}/{part}")));
            if from == "engine" && !in_test && (to == "kinds" || concrete) {
                breach(import.line, format!("`{path}`: the engine knows no kind, no resource and no provider"));
            }
        }
        if must_be_pure(&module) && !in_test {
            let impure = IMPURE_ROOTS.iter().any(|root| path == *root || path.starts_with(&format!("{root}::")))
                || IMPURE_WORDS.iter().any(|word| format!("::{path}::").contains(&format!("::{word}::")));
            if impure {
                breach(import.line, format!("`{path}`: this code is pure: no clock, chance, I/O or logging"));
            }
        }
    }
    for (name, line) in reading.names.iter().chain(module.last().map(|name| (name.clone(), 1)).as_ref()) {
        if let Some(empty) = words(name).find(|word| EMPTY_NAMES.contains(&word.as_str())) {
            breach(*line, format!("`{name}`: the word `{empty}` says nothing; use a word of the glossary"));
        }
    }
    let lines = text.lines().count();
    if lines > LONGEST {
        breach(lines, format!("{lines} lines; at most {LONGEST}"));
    }
    out
}

/// `GuestInfo` and `guest_info` are `guest`, `info`.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut parts = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            parts.push(String::new());
        }
        if let (true, Some(last)) = (c != '_', parts.last_mut()) {
            last.extend(c.to_lowercase());
        }
    }
    parts.into_iter()
}

fn files(under: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).expect("a folder of the sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
    out.sort();
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("inside the package").to_string_lossy().replace('\\', "/")
}

#[test]
fn imports_go_downwards_and_pure_code_is_pure() {
    let mut all = vec![];
    files(&root().join("src"), &mut all);
    assert!(all.len() > 50, "only {} files were found", all.len());
    let folders = |module: &str| root().join("src").join(module).is_dir();
    let mut breaches = vec![];
    let mut seen = 0;
    for path in &all {
        let text = fs::read_to_string(path).expect("UTF-8");
        let file = relative(path);
        seen += read(&module_of(&file), &text).imports.iter().filter(|import| import.path[0] == "crate").count();
        breaches.extend(check(&file, &text, &folders));
    }
    assert!(seen > 200, "only {seen} imports were read: the reader is blind");
    let text: Vec<String> = breaches.iter().map(ToString::to_string).collect();
    assert!(breaches.is_empty(), "{} breaches of the architecture:\n{}\n", text.len(), text.join("\n"));
}

#[test]
fn no_file_is_endless() {
    let mut all = vec![];
    for folder in ["src", "tests", "benches"] {
        let folder = root().join(folder);
        if folder.is_dir() {
            files(&folder, &mut all);
        }
    }
    let lengths = all.iter().map(|path| (relative(path), fs::read_to_string(path).expect("UTF-8").lines().count()));
    let long: Vec<(String, usize)> = lengths.filter(|(_, lines)| *lines > LONG).collect();
    for (file, lines) in &long {
        println!("{file}: {lines} lines; is that one idea?");
    }
    let endless: Vec<_> = long.iter().filter(|(_, lines)| *lines > LONGEST).collect();
    assert!(endless.is_empty(), "more than {LONGEST} lines: {endless:?}");
}

#[test]
fn unsafe_code_is_forbidden_and_every_module_has_its_floor() {
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs");
    assert!(text.lines().any(|line| line.trim() == "#![forbid(unsafe_code)]"), "src/lib.rs must forbid unsafe code");
    let declared: BTreeSet<String> = read(&[], &text).names.into_iter().map(|(name, _)| name).collect();
    let known: BTreeSet<String> = FLOORS.iter().map(ToString::to_string).collect();
    assert_eq!(declared, known, "src/lib.rs and the picture name different modules");
}

/// Each sample breaks exactly the rule beside it, on the line beside it.
#[test]
fn the_rules_catch_what_they_are_for() {
    let folders = |module: &str| matches!(module, "providers/proxmox" | "resources/guest" | "plan" | "cli" | "util");
    let wrong: &[(&str, &str, usize, &str)] = &[
        ("src/plan/x.rs", "use crate::engine::Estate;", 1, "plan stands below engine"),
        ("src/plan/x.rs", "\nuse super::super::{model::Uid,\n kinds::Site};", 3, "plan stands below kinds"),
        ("src/model/x.rs", "fn f() { crate::plan::join(vec![]) }", 1, "model stands below plan"),
        ("src/model/x.rs", "use super::super::plan as p;", 1, "model stands below plan"),
        ("src/plan/mod.rs", "mod a { use super::super::cli::run; }", 1, "plan stands below cli"),
        ("src/report/x.rs", "use crate::sandbox::Store;", 1, "does not import the sandbox"),
        ("src/providers/x.rs", "use crate::{model::Uid, sandbox::Store};", 1, "does not import the sandbox"),
        ("src/engine/x.rs", "use crate::kinds::registry;", 1, "knows no kind"),
        ("src/engine/x.rs", "use crate::providers::proxmox::Client;", 1, "knows no kind, no resource and no provider"),
        ("src/engine/x.rs", "use crate::{resources::{Change, guest::Guest}};", 1, "knows no kind, no resource"),
        ("src/plan/x.rs", "use tokio;", 1, "pure"),
        ("src/plan/x.rs", "use std::{fmt, time::{Duration, Instant}};", 1, "`std::time::Instant`: this code is pure"),
        ("src/kinds/a/b.rs", "let now = jiff::Timestamp::now();", 1, "pure"),
        ("src/kinds/a/b.rs", "let now = Timestamp::now();", 1, "pure"),
        ("src/resources/guest/plan.rs", "fn f() -> std::fs::File {}", 1, "pure"),
        ("src/resources/guest/desired.rs", "tracing::info!(\"x\");", 1, "pure"),
        ("src/model/x.rs", "let a = rand::random::<u8>();", 1, "pure"),
        ("src/model/x.rs", "use std::net::{Ipv4Addr, TcpStream};", 1, "pure"),
        ("src/model/x.rs", "struct GuestInfo;", 1, "`info` says nothing"),
        ("src/model/utils.rs", "", 1, "`utils` says nothing"),
        ("src/model/x.rs", "mod event_handler;", 1, "`handler` says nothing"),
        ("src/odd/x.rs", "", 1, "not in the picture"),
    ];
    for (file, text, line, rule) in wrong {
        let breaches = check(file, text, &folders);
        assert_eq!(
            breaches.len(),
            1,
            "{file} {text}: {}",
            breaches.iter().map(|b| format!("{b}\n")).collect::<String>()
        );
        assert!(breaches[0].line == *line && breaches[0].rule.contains(rule), "{text}: {}", breaches[0]);
        assert!(breaches[0].to_string().starts_with(&format!("{file}:{line}: ")));
    }
    let endless = "\n".repeat(LONGEST + 1);
    assert_eq!(check("src/model/x.rs", &endless, &folders).len(), 1);
    let right: &[(&str, &str)] = &[
        ("src/engine/x.rs", "use crate::{resources::{Change, World}, plan::join, providers::Providers};"),
        ("src/plan/x.rs", "use super::join; use crate::model::{self, Uid}; // use crate::cli::run;"),
        ("src/plan/x.rs", "/* use tokio::time; /* nested */ tokio::spawn */ const A: &str = \"tokio::spawn\";"),
        ("src/plan/x.rs", "const A: &str = r#\"use \"tokio::x\"\"#; const B: char = '\"'; fn f<'a>(x: &'a str) {}"),
        ("src/plan/x.rs", "#[cfg(test)] mod tests { use super::*; use std::time::Instant; }"),
        ("src/plan/tests/speed.rs", "use std::time::Instant;"),
        ("src/providers/tests.rs", "use crate::sandbox::Store;"),
        ("src/cli/x.rs", "use crate::sandbox::Store;"),
        ("src/resources/guest/observe.rs", "use tokio::time::Instant;"),
        ("src/model/x.rs", "use std::net::Ipv4Addr; struct Database; let rand = 1; enum D { Data }"),
    ];
    for (file, text) in right {
        let breaches = check(file, text, &folders);
        assert!(breaches.is_empty(), "{text}: {}", breaches[0]);
    }
}
