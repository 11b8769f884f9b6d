//! `trueup check`
use crate::environment::{Environment, SITE, events, guest};

const WRONG: &str = "\
apiVersion: trueup/v1alpha1
kind: Container
metadata: { name: db }
spec:
  template: debian-13
  memroy: 1GiB
  rootfs: { size: 8GB }
  networks: [{ name: eth0, address: 10.0.1.5/24, gateway: 10.0.1.1 }]
";

#[test]
fn all_mistakes_of_all_files_are_shown_in_one_run() {
    let environment = Environment::with_site();
    environment.write("manifests/db.yaml", WRONG);
    environment.write("manifests/ports.yaml", &guest("mail", 9).replace("{ guest: mail }", "{ guest: mial }"));
    let ran = environment.run(&["check"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    insta::assert_snapshot!(ran.stdout);
}

#[test]
fn without_a_mistake_it_says_so_and_leaves_nothing_behind() {
    let environment = Environment::with_site();
    let before = environment.everything_in(".");
    let ran = environment.run(&["check", "manifests"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "6 objects in 2 files: no mistakes\n"));
    assert!(ran.stderr.contains("`trueup lock`"), "{}", ran.stderr);
    assert_eq!(environment.everything_in("."), before);
}

#[test]
fn for_programs_each_line_is_an_event() {
    let environment = Environment::with_site();
    environment.write("manifests/db.yaml", WRONG);
    let ran = environment.run(&["check", "--output", "json"]);
    let events = events(&ran.stdout);
    let (last, mistakes) = events.split_last().unwrap();
    assert_eq!((ran.code, last["event"].as_str(), last["errors"].as_u64()), (1, Some("checked"), Some(2)));
    let unknown = mistakes.iter().find(|event| event["code"] == "unknown-field").unwrap();
    assert_eq!(unknown["file"], "manifests/db.yaml");
    assert_eq!((unknown["line"].as_u64(), unknown["column"].as_u64()), (Some(6), Some(3)));
    assert!(unknown["hint"].as_str().unwrap().contains("`memory`"));
}

/// L5
#[test]
fn an_empty_or_missing_directory_is_an_error() {
    let environment = Environment::new();
    for path in ["manifests", "nowhere"] {
        for command in ["check", "reconcile", "lock"] {
            let ran = environment.run(&[command, path]);
            assert_eq!(ran.code, 1, "{command} {path}");
            assert!(ran.stderr.contains("error: could not load the manifests of"), "{}", ran.stderr);
        }
    }
    environment.write("manifests/site.yaml", &SITE[..SITE.len() / 2]);
    assert_eq!(environment.run(&["check"]).code, 1);
}

/// L7
#[test]
fn what_two_branches_allocated_at_once_is_found_and_then_settled() {
    let environment = Environment::with_site();
    assert_eq!(environment.run(&["lock", "--offline"]).code, 0);
    let lock = environment.read("manifests/trueup.lock");
    let line = |kind: &str| lock.lines().find(|line| line.contains(kind)).unwrap().to_owned();
    let mine = line("PortAllocation/web");
    let theirs = mine.replace("/web", "/mail").replace("uid: ", "uid: aaaaaaaa").replacen(
        &mine[mine.find("uid: ").unwrap() + 5..][..8],
        "",
        1,
    );
    environment.write("manifests/mail.yaml", &guest("mail", 9));
    environment.write("manifests/trueup.lock", &lock.replace(&mine, &format!("{mine}\n{theirs}")));
    let ran = environment.run(&["check"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("PortAllocation/mail and PortAllocation/web both claim"), "{}", ran.stdout);
    assert_eq!(environment.run(&["lock", "--check"]).code, 1);
    assert_eq!(environment.run(&["lock", "--offline"]).code, 0);
    assert_eq!(environment.run(&["check"]).code, 0);
    let lock = environment.read("manifests/trueup.lock");
    let bases: Vec<&str> = lock.lines().filter_map(|line| line.split("base: ").nth(1)?.split(',').next()).collect();
    assert_eq!(bases.len(), 2);
    assert_ne!(bases[0], bases[1]);
}

/// L7: a lock file with the marks of a merge in it is not guessed at; either side of it, allocated anew, is whole.
#[test]
fn a_lock_file_in_conflict_is_refused_and_either_side_can_be_taken() {
    let environment = Environment::with_site();
    let allocate = || {
        let ran = environment.run(&["lock", "--offline"]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        environment.read("manifests/trueup.lock")
    };
    let base = allocate();
    environment.write("manifests/mail.yaml", &guest("mail", 9));
    let mine = allocate();
    environment.remove("manifests/mail.yaml");
    environment.write("manifests/trueup.lock", &base);
    environment.write("manifests/shop.yaml", &guest("shop", 8));
    let theirs = allocate();
    environment.write("manifests/mail.yaml", &guest("mail", 9));
    let conflict = format!("<<<<<<< HEAD\n{mine}=======\n{theirs}>>>>>>> shop\n");
    environment.write("manifests/trueup.lock", &conflict);
    for command in [&["check"][..], &["lock", "--offline"], &["reconcile", "--offline"]] {
        let ran = environment.run(command);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, 1, "{command:?}: {told}");
        assert!(told.contains("trueup.lock") && told.contains("conflict"), "{command:?}: {told}");
        assert_eq!(environment.read("manifests/trueup.lock"), conflict);
    }
    let blocks = |lock: &str| -> Vec<String> {
        let base = |line: &str| Some(line.split("base: ").nth(1)?.split(',').next()?.to_owned());
        let mut all: Vec<String> = lock.lines().filter_map(base).collect();
        all.sort();
        all
    };
    for side in [&mine, &theirs] {
        environment.write("manifests/trueup.lock", side);
        assert_eq!(blocks(&allocate()), ["20000", "20010", "20020"]);
        assert_eq!(environment.run(&["check"]).code, 0);
    }
}
