//! `trueup reconcile` on a sandbox.
use crate::environment::{Environment, events, guest};
use std::collections::BTreeSet;
use trueup::sandbox::{control::Ask, drift::Drift};

fn site() -> Environment {
    let mut environment = Environment::with_site();
    environment.start_sandbox();
    environment
}

/// C1
#[test]
fn the_second_pass_finds_nothing_to_do_says_so_once_and_writes_nothing() {
    let environment = site();
    let first = environment.reconcile(&[]);
    assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
    assert!(first.stdout.contains("Done: ") && first.stdout.contains("in true"), "{}", first.stdout);
    let (writes, lock) = (environment.writes(), environment.read("manifests/trueup.lock"));
    let second = environment.reconcile(&[]);
    assert_eq!(second.code, 0, "{}", second.stderr);
    assert_eq!(second.stdout.to_lowercase().matches("no changes").count(), 1, "{}", second.stdout);
    assert_eq!(environment.writes(), writes);
    assert_eq!(environment.read("manifests/trueup.lock"), lock);
    let status = environment.run(&["status", "--sandbox", "sandbox"]);
    assert_eq!(status.code, 0);
    assert!(status.stdout.starts_with("dc-lk is in true: "), "{}", status.stdout);
    assert_eq!(status.stdout.matches(" UTC").count(), 2, "both passes are in the history: {}", status.stdout);
}

/// C5
#[test]
fn a_dry_run_writes_nothing_at_all_and_shows_what_the_lock_will_choose() {
    let environment = site();
    let before = (environment.everything_in("manifests"), environment.everything_in("sandbox/node"));
    let names = || -> BTreeSet<_> {
        std::fs::read_dir(environment.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    let homes = names();
    let ran = environment.reconcile(&["--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("(at lock)"), "{}", ran.stdout);
    assert!(ran.stdout.trim_end().lines().last().unwrap().starts_with("Plan: "), "{}", ran.stdout);
    assert_eq!(environment.writes(), 0);
    assert_eq!((environment.everything_in("manifests"), environment.everything_in("sandbox/node")), before);
    assert_eq!(names(), homes);
    assert!(!environment.path("sandbox/trueup").exists(), "no history");
    assert_eq!(environment.reconcile(&["--dry-run", "--detailed-exitcode"]).code, 2);
    assert_eq!(environment.reconcile(&[]).code, 0);
    assert_eq!(environment.reconcile(&["--dry-run", "--detailed-exitcode"]).code, 0);
}

#[test]
fn drift_is_shown_as_drift_and_a_change_in_the_manifests_as_that() {
    let environment = site();
    assert_eq!(environment.reconcile(&[]).code, 0);
    environment.ask(&Ask::Drift(Drift::Memory { guest: "web".into(), mib: 2048 }));
    let ran = environment.reconcile(&["--dry-run"]);
    assert!(ran.stdout.contains("2GiB -> 512MiB") && ran.stdout.contains("drifted"), "{}", ran.stdout);
    assert_eq!(environment.reconcile(&[]).code, 0);
    let changed = environment.read("manifests/web.yaml").replace("512MiB", "1GiB");
    environment.write("manifests/web.yaml", &changed);
    let ran = environment.reconcile(&["--dry-run"]);
    assert!(ran.stdout.contains("512MiB -> 1GiB") && ran.stdout.contains("changed in"), "{}", ran.stdout);
}

#[test]
fn events_are_one_object_a_line_also_beside_the_text() {
    let environment = site();
    let ran = environment.reconcile(&["--json-into", "events.jsonl"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let told = events(&environment.read("events.jsonl"));
    let names: Vec<&str> = told.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!((names[0], *names.last().unwrap()), ("begin", "summary"));
    for name in ["observing", "observed", "plan", "applying", "started", "ended"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert_eq!(told.last().unwrap()["inTrue"], true);
    assert!(ran.stdout.contains("Done: "), "the text is there too");
    let ran = environment.reconcile(&["--output", "json"]);
    assert_eq!(events(&ran.stdout).last().unwrap()["exit"], 0);
}

/// C7, in small: a guard refuses what loses much, and consent covers exactly what was shown.
#[test]
fn losing_much_is_refused_until_a_person_consents_to_exactly_that() {
    let environment = site();
    for last in 10..15 {
        environment.write(&format!("manifests/g{last}.yaml"), &guest(&format!("g{last}"), last));
    }
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    for last in 10..15 {
        environment.remove(&format!("manifests/g{last}.yaml"));
    }
    let writes = environment.writes();
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 3, "{}", ran.stdout);
    assert_eq!(environment.writes(), writes);
    let digest = ran.stdout.split("--consent ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert_eq!(environment.reconcile(&["--consent", "000000000000"]).code, 3);
    let ran = environment.reconcile(&["--consent", &digest]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let left = environment.ask(&Ask::Show);
    assert_eq!(left["guests"].as_array().unwrap().len(), 1, "{left}");
}

/// What cannot be reached by nature is named, and is no failure.
#[test]
fn what_is_left_out_is_named() {
    let environment = site();
    let ran = environment.reconcile(&["--dry-run", "--without", "host", "--without", "cloudflare"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("left out (--without host)"), "{}", ran.stdout);
    assert!(ran.stdout.contains("left out (--without cloudflare)"), "{}", ran.stdout);
}

/// C4
#[test]
fn a_broken_history_is_a_warning_and_the_plan_is_the_same() {
    let environment = site();
    assert_eq!(environment.reconcile(&[]).code, 0);
    environment.write("sandbox/trueup/history.db", "not a database");
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("warning: the history"), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("No changes"), "{}", ran.stdout);
}

/// C4: what a newer trueup wrote is left as it is, and nothing is done without it.
#[test]
fn a_newer_history_is_refused_and_not_overwritten() {
    let environment = site();
    assert_eq!(environment.reconcile(&[]).code, 0);
    let path = environment.path("sandbox/trueup/history.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    database.execute("CREATE TABLE of_the_future (text TEXT)", []).unwrap();
    drop(database);
    environment.ask(&Ask::Drift(Drift::Memory { guest: "web".into(), mib: 2048 }));
    let (writes, before) = (environment.writes(), std::fs::read(&path).unwrap());
    for arguments in [&[][..], &["--dry-run"]] {
        let ran = environment.reconcile(arguments);
        assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
        assert!(
            ran.stderr.contains("it has the form 99") && ran.stderr.contains("use the newer trueup"),
            "{}",
            ran.stderr
        );
        assert!(std::fs::read(&path).unwrap() == before, "it was written to");
    }
    assert_eq!(environment.writes(), writes);
    std::fs::remove_file(&path).unwrap();
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "without any history the same is done: {}{}", ran.stdout, ran.stderr);
    assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));
}

#[test]
fn without_a_sandbox_it_says_how_to_start_one() {
    let ran = Environment::with_site().reconcile(&[]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("start one with `trueup sandbox serve --state sandbox`"), "{}", ran.stderr);
}
