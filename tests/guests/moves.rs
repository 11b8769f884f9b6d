//! Guests on several nodes, and guests that the cluster runs.
use super::bed::{Bed, RELEASES, annotated, machine, said};
use serde_json::json;
use std::collections::BTreeSet;
use trueup::sandbox::drift::Drift;

fn both(state: &str, memory: &str) -> String {
    annotated("web", 100, "trueup/deletion: delete", &format!(", memory: {memory}, state: {state}"))
        + &machine("build", 101, &format!(", state: {state}")).replace("512MiB", memory)
}

fn to(guest: u32, node: &str) -> Drift {
    Drift::Migrate { guest: guest.to_string(), node: node.into() }
}

fn places(bed: &Bed) -> Vec<(u32, String, bool)> {
    let of = |vmid| {
        let guest = bed.guest(vmid);
        (vmid, guest.node, guest.running.is_some())
    };
    bed.vmids().into_iter().map(of).collect()
}

async fn in_true(bed: &mut Bed, text: &str) {
    let report = bed.pass(text).await;
    assert!(report.rest.in_true(), "{}", said(&report));
}

/// G9
#[tokio::test]
async fn a_guest_that_was_moved_is_found_there_and_not_made_anew() {
    for release in RELEASES {
        let mut bed = Bed::clustered(release, None).await;
        in_true(&mut bed, &both("running", "512MiB")).await;
        for vmid in [100, 101] {
            bed.drift(to(vmid, "pve2")).await;
        }
        let writes = bed.writes();
        in_true(&mut bed, &both("running", "512MiB")).await;
        let there = |running| [100, 101].map(|vmid| (vmid, "pve2".to_owned(), running)).to_vec();
        assert_eq!((bed.writes(), places(&bed)), (writes, there(true)), "found, and left where they are");
        // What is changed is changed there.
        in_true(&mut bed, &both("stopped", "1GiB")).await;
        assert_eq!(
            (places(&bed), bed.option(100, "memory"), bed.option(101, "memory")),
            (there(false), "1024".into(), "1024".into())
        );
        // So it goes there, too; one at a time, or the guard against many deletions holds them.
        bed.pass(&machine("build", 101, ", state: stopped").replace("512MiB", "1GiB")).await;
        bed.pass("").await;
        assert_eq!(bed.vmids(), [] as [u32; 0]);
    }
}

/// G9
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_the_cluster_runs_is_started_and_stopped_by_asking_it() {
    for release in RELEASES {
        let mut bed = Bed::clustered(release, Some(20)).await;
        in_true(&mut bed, &both("running", "512MiB")).await;
        for sid in ["ct:100", "vm:101"] {
            let (system, method, path) = ("proxmox".into(), "POST".into(), "/api2/json/cluster/ha/resources".into());
            bed.drift(Drift::Call { system, method, path, body: Some(json!({ "sid": sid })) }).await;
        }
        let before = bed.tasks().len();
        let kinds = |bed: &Bed| bed.tasks().into_iter().skip(before).map(|task| task.kind).collect::<BTreeSet<_>>();
        // Each task of the cluster ends when the request is noted down; the pass goes on when it is done.
        in_true(&mut bed, &both("stopped", "512MiB")).await;
        assert!(kinds(&bed).contains("hastop"));
        assert_eq!(places(&bed), [(100, "pve1".to_owned(), false), (101, "pve1".to_owned(), false)]);
        in_true(&mut bed, &both("running", "512MiB")).await;
        assert!(kinds(&bed).contains("hastart"));
        assert_eq!(places(&bed), [(100, "pve1".to_owned(), true), (101, "pve1".to_owned(), true)]);
        let writes = bed.writes();
        in_true(&mut bed, &both("running", "512MiB")).await;
        assert_eq!(bed.writes(), writes, "in true, nothing is written");
        // A running guest is not destroyed: the cluster has stopped it before.
        in_true(&mut bed, &machine("build", 101, ", state: running")).await;
        assert_eq!(bed.vmids(), [101]);
        in_true(&mut bed, "").await;
        assert_eq!(bed.vmids(), [] as [u32; 0]);
    }
}
