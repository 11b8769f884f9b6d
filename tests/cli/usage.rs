//! What every command has in common.
use crate::environment::{Environment, PROGRAM};
use std::process::{Command, Stdio};
use trueup::kinds::KINDS;

#[test]
fn a_mistyped_command_is_answered_with_the_one_that_was_meant_and_exit_code_1() {
    let ran = Environment::new().run(&["recncile"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("similar subcommand exists: 'reconcile'"), "{}", ran.stderr);
    // 2 would mean "changes pending".
    assert_eq!(Environment::new().run(&["reconcile", "--detailed-exitcode"]).code, 1);
    assert_eq!(Environment::new().run(&["--help"]).code, 0);
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = Environment::new().run(&["completions", shell]);
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("reconcile") && ran.stdout.contains("dry-run"), "{shell}");
    }
}

#[test]
fn manual_pages_are_made_for_every_command_that_is_shown() {
    let environment = Environment::new();
    assert_eq!(environment.run(&["man", "--out", "man"]).code, 0);
    let names = |name: &str| environment.path("man").join(name).exists();
    assert!(names("trueup.1") && names("trueup-reconcile.1") && names("trueup-sandbox-serve.1"));
    assert!(!names("trueup-internal-fetch.1"));
}

#[test]
fn schemas_accept_the_examples_and_refuse_a_typo() {
    let environment = Environment::new();
    let whole: serde_json::Value = serde_json::from_str(&environment.run(&["schema"]).stdout).unwrap();
    let whole = jsonschema::validator_for(&whole).unwrap();
    for kind in KINDS {
        let own: serde_json::Value = serde_json::from_str(&environment.run(&["schema", kind.name]).stdout).unwrap();
        let own = jsonschema::validator_for(&own).unwrap();
        let manifest: serde_json::Value = serde_yaml::from_str(kind.example).unwrap();
        for validator in [&own, &whole] {
            let errors: Vec<String> = validator.iter_errors(&manifest).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", kind.name);
            let mut wrong = manifest.clone();
            wrong["spec"]["bogus"] = 1.into();
            assert!(!validator.is_valid(&wrong), "{}", kind.name);
            let mut wrong = manifest.clone();
            wrong["metadata"]["annotations"] = serde_json::json!({ "trueup/mod": "observe" });
            assert!(!validator.is_valid(&wrong), "{}", kind.name);
        }
    }
}

/// `make bless` writes them anew.
#[test]
fn the_schemas_in_the_tree_are_those_of_this_program() {
    let environment = Environment::new();
    assert_eq!(environment.run(&["schema", "--out", "schemas"]).code, 0);
    let tree = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for (path, made) in environment.everything_in("schemas").into_iter().filter(|(path, _)| path.is_file()) {
        let kept = tree.join(path.file_name().unwrap());
        if std::env::var_os("TRUEUP_BLESS").is_some() {
            std::fs::create_dir_all(&tree).unwrap();
            std::fs::write(&kept, &made).unwrap();
        }
        let there = std::fs::read(&kept).unwrap_or_default();
        assert!(there == made, "{} is not what `trueup schema` makes: run `make bless`", kept.display());
    }
}

#[test]
fn an_unknown_kind_is_answered_with_the_one_that_was_meant() {
    let ran = Environment::new().run(&["schema", "Contaner"]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.stderr,
        "error: could not print the schema of `Contaner`: there is no such kind\n  did you mean `Container`?\n"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_reason_to_complain() {
    let mut child = Command::new(PROGRAM);
    let mut child = child.args(["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn colours_are_for_terminals_and_never_with_no_color() {
    let environment = Environment::new();
    environment.write("manifests/wrong.yaml", "kind: Nothing\n");
    let run = |name: &str, value: &str| {
        let output = environment.command(&["check"]).env(name, value).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run("CLICOLOR_FORCE", "1").contains('\u{1b}'));
    assert!(!run("UNRELATED", "1").contains('\u{1b}'), "a pipe is no terminal");
    assert!(!run("NO_COLOR", "1").contains('\u{1b}'));
}
