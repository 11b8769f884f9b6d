//! On this machine, with a fake `ssh` that runs the line it is given as sshd would, and with a fake `pct`.
use super::*;
use crate::model::Class;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Instant};

fn script(at: &Path, text: &str) -> String {
    fs::write(at, text).unwrap();
    fs::set_permissions(at, fs::Permissions::from_mode(0o755)).unwrap();
    at.display().to_string()
}

/// Hosts over which every file verb must behave alike.
fn hosts(dir: &Path) -> Vec<(&'static str, Host)> {
    let fake = script(&dir.join("fake-ssh"), "#!/bin/sh\nfor last; do :; done\nexec sh -c \"$last\"\n");
    vec![("local", Host::local()), ("ssh", Host::ssh(Ssh { program: fake, ..Ssh::to("root@192.0.2.1", dir) }))]
}

#[tokio::test]
async fn the_status_and_both_outputs_come_back() {
    let dir = tempfile::tempdir().unwrap();
    for (name, host) in hosts(dir.path()) {
        let argv = ["sh", "-c", "cat; echo 'no' >&2; exit 3", "it's", "$HOME"];
        let output = host.run(&argv, Bytes::from_static(b"in\0put"), Limits::default()).await.unwrap();
        assert_eq!(
            (output.status, &output.stdout[..], &output.stderr[..]),
            (3, &b"in\0put"[..], &b"no\n"[..]),
            "{name}"
        );
        let output =
            host.run(&["printf", "%s|", "a b", "it's", "$HOME", ""], Bytes::new(), Limits::default()).await.unwrap();
        assert_eq!(output.stdout, "a b|it's|$HOME||", "{name}");
        let output = host.run(&["sh", "-c", "echo why >&2; exit 255"], Bytes::new(), Limits::default()).await.unwrap();
        assert_eq!((output.status, output.complaint().as_str()), (255, "why"), "{name}");
    }
}

#[tokio::test]
async fn an_absent_program_is_unreachable_and_says_which() {
    let dir = tempfile::tempdir().unwrap();
    for (name, host) in hosts(dir.path()) {
        let failure = host.run(&["no-such-program", "x"], Bytes::new(), Limits::default()).await.unwrap_err();
        assert_eq!(failure.class, Class::Unreachable, "{name}");
        assert!(failure.to_string().contains("no-such-program"), "{failure}");
    }
}

#[tokio::test]
async fn time_and_room_are_bounded_and_the_whole_group_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let held = dir.path().join("held");
    let line = format!("mkfifo {0}; sh -c 'cat < {0}' & echo started; cat {0}", held.display());
    let begun = Instant::now();
    let limits = Limits { timeout: std::time::Duration::from_millis(300), max_output: 1 << 20 };
    let failure = Host::local().run(&["sh", "-c", &line], Bytes::new(), limits).await.unwrap_err();
    assert_eq!(failure.class, Class::UnknownOutcome);
    assert!(begun.elapsed().as_secs() < 10, "it was not killed");

    let limits = Limits { max_output: 1000, ..Limits::default() };
    let failure = Host::local().run(&["yes"], Bytes::new(), limits).await.unwrap_err();
    assert_eq!(failure.class, Class::UnknownOutcome);
    assert!(failure.reason.contains("more than 1000 bytes"), "{failure}");
}

#[tokio::test]
async fn files_are_put_read_listed_and_removed() {
    for index in 0..2 {
        let (dir, tools) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (name, host) = hosts(tools.path()).remove(index);
        let base = dir.path().display().to_string();
        let path = format!("{base}/a 'b' $c.yml");
        let long = format!("{base}/{}.yml", "x".repeat(180));
        assert_eq!(host.read_file(Place::Node, &path).await.unwrap(), None, "{name}");
        assert_eq!(host.list_directory(Place::Node, &base, "").await.unwrap(), [], "{name}");
        host.put_file(Place::Node, &path, 0o600, Bytes::from_static(b"one\0\xff")).await.unwrap();
        host.put_file(Place::Node, &path, 0o640, Bytes::from_static(b"two\n")).await.unwrap();
        host.put_file(Place::Node, &long, 0o644, Bytes::from(vec![7; 70_000])).await.unwrap();
        host.make_directory(Place::Node, &format!("{base}/below/it"), 0o750).await.unwrap();
        host.put_file(Place::Node, &format!("{base}/below/it/empty"), 0o644, Bytes::new()).await.unwrap();
        std::os::unix::fs::symlink("/nowhere", dir.path().join("link.yml")).unwrap();

        let file = host.read_file(Place::Node, &path).await.unwrap().unwrap();
        assert_eq!(file, File { mode: 0o640, content: Bytes::from_static(b"two\n") }, "{name}");
        let listed = host.list_directory(Place::Node, &base, "").await.unwrap();
        let seen: Vec<_> = listed.iter().map(|e| (e.name.as_str(), e.kind, e.mode, e.content.len())).collect();
        let xs = "x".repeat(180) + ".yml";
        assert_eq!(
            seen,
            [
                ("a 'b' $c.yml", EntryKind::File, 0o640, 4),
                ("below", EntryKind::Directory, 0o755, 0),
                ("below/it", EntryKind::Directory, 0o750, 0),
                ("below/it/empty", EntryKind::File, 0o644, 0),
                ("link.yml", EntryKind::Symlink, 0o777, 0),
                (xs.as_str(), EntryKind::File, 0o644, 70_000),
            ],
            "{name}: and no temporary file is left"
        );
        let some = host.list_directory(Place::Node, &base, "xxx").await.unwrap();
        assert_eq!(some.len(), 1, "{name}");
        assert_eq!(host.list_directory(Place::Node, &base, "none-").await.unwrap(), [], "{name}");
        assert!(host.remove_file(Place::Node, &path).await.unwrap(), "{name}");
        assert!(!host.remove_file(Place::Node, &path).await.unwrap(), "{name}");
    }
}

#[tokio::test]
async fn what_cannot_be_done_with_a_file_says_why() {
    let (dir, host) = (tempfile::tempdir().unwrap(), Host::local());
    let base = dir.path().display().to_string();
    let absent = format!("{base}/no/such");
    let failure = host.list_directory(Place::Node, &absent, "").await.unwrap_err();
    assert_eq!(failure.class, Class::NotFound);
    assert_eq!(failure.to_string(), format!("could not list {absent} on the node: it does not exist"));
    let failure = host.put_file(Place::Node, &absent, 0o600, Bytes::new()).await.unwrap_err();
    assert_eq!((failure.class, failure.reason.as_str()), (Class::NotFound, "its directory does not exist"));
    assert_eq!(host.put_file(Place::Node, &base, 0o600, Bytes::new()).await.unwrap_err().class, Class::Invalid);
    assert_eq!(host.read_file(Place::Node, &base).await.unwrap_err().class, Class::Invalid);
    assert_eq!(host.remove_file(Place::Node, &base).await.unwrap_err().class, Class::Invalid);
    assert_eq!(host.read_file(Place::Node, "/etc/../etc/passwd").await.unwrap_err().class, Class::Invalid);
}

#[tokio::test]
async fn a_content_that_is_cut_short_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f").display().to_string();
    Host::local().put_file(Place::Node, &path, 0o600, Bytes::from_static(b"old")).await.unwrap();
    let argv = ["sh", "-c", scripts::PUT.text, "put", &path, "0600", "10"];
    let output = Host::local().run(&argv, Bytes::from_static(b"half"), Limits::default()).await.unwrap();
    assert_eq!(output.status, scripts::status::CUT_SHORT);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_guest_that_is_stopped_or_absent_is_told_apart_from_a_failing_command() {
    let says =
        |text: &'static str| Output { status: 255, stderr: Bytes::from_static(text.as_bytes()), ..Output::default() };
    let of = |output| failure::guest_was_there(101, &["true"], output);
    let stopped = of(says("container '101' not running!\n")).unwrap_err();
    assert_eq!((stopped.class, stopped.attempted.as_str()), (Class::Unreachable, "run `true` in guest 101"));
    assert_eq!(
        of(says("Configuration file 'nodes/pve1/lxc/101.conf' does not exist\n")).unwrap_err().class,
        Class::NotFound
    );
    assert_eq!(of(says("container '102' not running!\n")).unwrap().status, 255);
}

#[test]
fn errors_name_our_scripts_without_their_text() {
    let name =
        failure::name_of(&["pct", "exec", "101", "--", "sh", "-c", scripts::PUT.text, "put", "/etc/x", "0600", "3"]);
    assert_eq!(name, "put /etc/x in guest 101");
}
