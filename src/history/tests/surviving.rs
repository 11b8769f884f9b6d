//! The process is killed half-way: what was recorded stays, what was not finished is as if it had never begun.
use super::{at, began, event, object, open};
use crate::history::{Ended, Totals};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

const VICTIM: &str = "TRUEUP_TEST_HISTORY_OF_VICTIM";

/// Records a pass half-way, and waits in the middle of a transaction to be killed.
fn victim(path: &Path) {
    let history = open(path);
    let first = history.begin(&began(0, "c1")).expect("begins");
    let totals = Totals::default();
    let (settled, gone) = (BTreeMap::new(), BTreeSet::new());
    let ended = Ended { at: at(1), exit_code: 0, totals, settled: &settled, gone: &gone, applied: true };
    history.finish(first, &ended).expect("ends");
    let second = history.begin(&began(2, "c2")).expect("begins");
    history.event(second, at(3), &event("guest/101", "done")).expect("records");
    let mut other = rusqlite::Connection::open(path).expect("opens");
    let transaction = other.transaction().expect("begins");
    transaction.execute("UPDATE passes SET ended = 9", []).expect("writes");
    transaction.execute("UPDATE applied_commit SET commit_id = 'c2'", []).expect("writes");
    // More than the cache holds, so that half of it is in the log when the end comes.
    let filler = "x".repeat(1 << 20);
    for _ in 0..8 {
        let insert =
            "INSERT INTO events (pass, at, object, verb, outcome, took_ms, message) VALUES (2, 0, 'a/b', '', '', 0, ?)";
        transaction.execute(insert, [&filler]).expect("writes");
    }
    println!("\nready");
    std::io::stdout().flush().expect("tells");
    let mut never = String::new();
    std::io::stdin().read_line(&mut never).expect("waits");
}

#[test]
fn killed_half_way() {
    // The test starts itself as the process to be killed.
    if let Some(path) = std::env::var_os(VICTIM) {
        return victim(Path::new(&path));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history.sqlite");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "history::tests::surviving::killed_half_way", "--nocapture"])
        .env(VICTIM, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line == "ready")), "the victim never got that far");
    child.kill().expect("kills");
    child.wait().expect("ends");
    let log = std::fs::metadata(folder.path().join("history.sqlite-wal")).expect("the log is left");
    assert!(log.len() > 1 << 20, "the transaction was half written: {}", log.len());

    let history = open(&path);
    let passes = history.last_passes(9).expect("reads");
    assert_eq!(passes.iter().map(|pass| pass.ended).collect::<Vec<_>>(), [None, Some(at(1))]);
    assert_eq!(history.applied_commit("dc-lk").expect("reads").map(|applied| applied.commit), Some("c1".into()));
    assert_eq!(history.last_events(99).expect("reads").len(), 1);
    assert!(history.last_event(&object("guest/101")).expect("reads").is_some());
    history.begin(&began(5, "c3")).expect("goes on");
}
