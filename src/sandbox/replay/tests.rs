//! The simulator held against the recordings that are kept in the tree.
use super::{Outcome, Start, Verdict, recording, replay, report};
use crate::sandbox::proxmox::Release;
use serde_json::json;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Per cent that must agree, by area.
const FLOORS: &[(&str, f64)] = &[
    ("baseline", 100.0),
    ("lxc-create", 99.0),
    ("lxc-config", 99.0),
    ("lxc-power", 99.0),
    ("lxc-disks", 96.0),
    ("tasks", 100.0),
    ("transport", 100.0),
    ("permissions", 100.0),
    ("cluster", 98.0),
    ("qemu", 98.0),
    ("storage", 97.0),
    ("pools", 100.0),
    ("access", 98.0),
    ("firewall", 98.0),
    ("node", 91.0),
    ("backup", 88.0),
];

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/proxmox-9.2")
}

/// Prints the share of every area. `TRUEUP_RECORDINGS` names another folder of recordings.
#[test]
fn recorded_exchanges_agree() {
    let root = std::env::var("TRUEUP_RECORDINGS").map_or_else(|_| kept(), PathBuf::from);
    let recordings = recording::read(&[root]).unwrap();
    let start = Start::of(recordings.start.as_ref()).unwrap();
    let verdicts: Vec<Verdict> =
        recordings.scenarios.iter().flat_map(|s| replay(s, &start, Release::default()).unwrap()).collect();
    println!("{}", report::table(&verdicts));
    assert_floors(&verdicts, FLOORS);
    // Recordings of somebody's own have no list here.
    if std::env::var("TRUEUP_RECORDINGS").is_err() {
        let differ = verdicts.iter().filter(|verdict| matches!(verdict.outcome, Outcome::Differs(_)));
        assert_eq!(differ.map(|verdict| (verdict.scenario.clone(), verdict.seq)).collect::<BTreeSet<_>>(), explained());
    }
}

/// The exchanges that `docs/recorded-differences.md` gives a reason for.
fn explained() -> BTreeSet<(String, u64)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recorded-differences.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let each = rows.flat_map(|(scenario, rest)| {
        let seqs = rest.split(" | ").next().unwrap().split(", ");
        seqs.map(move |seq| (scenario.to_owned(), seq.parse().unwrap()))
    });
    each.collect()
}

/// What 8.4 answers otherwise than 9.2 by what it is: its version, the options and figures that came with 9, and the privileges
/// that came and went.
const BY_RELEASE: &[&str] = &[
    "data.version:",
    "data.release:",
    "data.repoid:",
    "data.meta:",
    "data.entrypoint:",
    "data.env:",
    "data[\"entrypoint\"]",
    "data[\"env\"]",
    "data.pressure",
    "data.unprivileged: recorded 1, here missing",
    ".VM.GuestAgent.",
    ".VM.Replicate:",
    ".VM.Monitor:",
    ".privs:",
];

/// Per cent that must agree with 8.4 of what does not differ by release, by area. What follows from a difference counts
/// against it: 8.4 makes a container privileged that does not say, so a scenario that begins with one never has it.
const FLOORS_BEFORE: &[(&str, f64)] = &[
    ("access", 95.0),
    ("backup", 80.0),
    ("baseline", 95.0),
    ("cluster", 60.0),
    ("firewall", 95.0),
    ("lxc-config", 96.0),
    ("lxc-create", 86.0),
    ("lxc-disks", 95.0),
    ("lxc-power", 96.0),
    ("node", 75.0),
    ("permissions", 100.0),
    ("pools", 95.0),
    ("qemu", 94.0),
    ("storage", 90.0),
    ("tasks", 95.0),
    ("transport", 96.0),
];

/// The same calls to the release before: what was recorded of 9.2 holds for 8.4 wherever the two do not differ.
#[test]
fn the_release_before_agrees_where_it_is_the_same() {
    let recordings = recording::read(&[kept()]).unwrap();
    let start = Start::of(recordings.start.as_ref()).unwrap();
    let verdicts = recordings.scenarios.iter().flat_map(|s| replay(s, &start, Release::V8_4_21).unwrap());
    let by_release = |v: &Verdict| match &v.outcome {
        Outcome::Differs(found) => found.iter().all(|f| BY_RELEASE.iter().any(|part| f.contains(part))),
        _ => false,
    };
    let (other, same): (Vec<Verdict>, Vec<Verdict>) = verdicts.partition(by_release);
    println!("{}{} differ by release", report::table(&same), other.len());
    assert_floors(&same, FLOORS_BEFORE);
}

/// Demands that every area reaches its floor; otherwise shows what differs in those that do not.
fn assert_floors(verdicts: &[Verdict], floors: &[(&str, f64)]) {
    let (areas, _) = report::shares(verdicts);
    let below = |area: &str| floors.iter().any(|(name, floor)| *name == area && areas[area].percent() < *floor);
    let bad = areas.keys().filter(|area| below(area)).cloned().collect::<Vec<_>>();
    let differs = |v: &&Verdict| bad.iter().any(|b| v.scenario.starts_with(b)) && v.outcome != Outcome::Agrees;
    let lines: String = verdicts.iter().filter(differs).map(report::text).collect();
    assert!(bad.is_empty(), "below their floors: {bad:?}\n{lines}");
}

/// The outcomes of some recorded lines, changed before they are replayed.
fn changed(name: &str, how: impl Fn(&mut recording::Exchange)) -> Vec<Verdict> {
    let area = name.split('/').next().unwrap();
    let recordings = recording::read(&[kept().join(area)]).unwrap();
    let mut scenario = recordings.scenarios.into_iter().find(|s| s.name == name).unwrap();
    scenario.exchanges.iter_mut().for_each(how);
    replay(&scenario, &Start::of(recordings.start.as_ref()).unwrap(), Release::default()).unwrap()
}

/// A comparison that cannot fail proves nothing: each change of an answer that agreed must be told, at its line.
#[test]
fn every_change_of_an_answer_is_found() {
    let tell_in = |scenario: &str, what: &str, how: &dyn Fn(&mut recording::Answered) -> bool| {
        let before = changed(scenario, |_| {});
        for seq in before.iter().filter(|v| v.outcome == Outcome::Agrees).map(|v| v.seq) {
            let hit = std::cell::Cell::new(false);
            let after = changed(scenario, |e| {
                if let Some(answer) = e.response.as_mut().filter(|_| e.seq == seq) {
                    hit.set(how(answer));
                }
            });
            if hit.get() {
                let verdict = after.iter().find(|v| v.seq == seq).unwrap();
                assert!(matches!(verdict.outcome, Outcome::Differs(_)), "{what} at {seq}: {:?}", verdict.outcome);
                return;
            }
        }
        panic!("no answer in which {what}");
    };
    let tell = |what: &str, how: &dyn Fn(&mut recording::Answered) -> bool| {
        tell_in("baseline/one-guest-from-birth-to-death", what, how);
    };
    tell("the status is another", &|a| {
        a.status += 1;
        true
    });
    tell("the reason is another", &|a| {
        a.reason.push('!');
        true
    });
    let data = |a: &recording::Answered, key: &str| a.body["data"].get(key).is_some();
    tell("a number is a text", &|a| {
        let there = data(a, "memory");
        there.then(|| a.body["data"]["memory"] = json!("128")).is_some()
    });
    tell_in("lxc-config/digest", "a digest is another", &|a| {
        let there = data(a, "digest") && data(a, "arch") && !data(a, "net0");
        there.then(|| a.body["data"]["digest"] = json!("0".repeat(40))).is_some()
    });
    tell("a task began at another time", &|a| {
        let there = data(a, "starttime");
        there.then(|| a.body["data"]["starttime"] = json!(1_600_000_000)).is_some()
    });
    tell("a key is gone", &|a| a.body["data"].as_object_mut().is_some_and(|d| d.remove("hostname").is_some()));
    tell("a key is there that was not", &|a| {
        let there = data(a, "rootfs");
        there.then(|| a.body["data"]["nosuch"] = json!(1)).is_some()
    });
    tell("the connection is closed", &|a| {
        a.headers.insert("connection".into(), json!("close"));
        a.status == 200
    });
}

#[test]
fn a_start_state_is_made_from_its_reads() {
    let documented = Start::of(None).unwrap();
    assert_eq!(documented.release(), Some(Release::V9_2_11));
    let state = documented.state(Release::V9_2_11, 1_795_269_900_000);
    assert_eq!(state.nodes["pve1"].address, "10.99.0.2");
    assert_eq!(state.nodes["pve1"].bridges.keys().collect::<Vec<_>>(), ["vmbr0"]);
    assert_eq!(state.storages["local"].volumes.len(), 1);
    assert_eq!(state.access.acl.len(), 2);
    assert!(state.access.users["gitops@pve"].tokens["t1"].privsep);
    assert!(state.role("GitOps").is_some_and(|r| r.contains("VM.Snapshot")));
}
