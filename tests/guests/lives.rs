//! How guests come, are found again, and go.
use super::bed::{Bed, RELEASES, annotated, container, foreign, machine, said};
use serde_json::json;
use trueup::{
    providers::proxmox::PER_STORAGE,
    sandbox::{
        drift::Drift,
        faults::{Fault, What},
        proxmox::Kind,
    },
};

const NET: &str = ", networks: [{ name: eth0, address: 10.0.1.7/24, gateway: 10.0.1.1 }]";

/// G1
#[tokio::test]
async fn a_task_that_fails_says_so_with_its_log_and_warnings_are_no_failure() {
    for release in RELEASES {
        let mut bed = Bed::new(release).await;
        // Without nesting the task ends in `WARNINGS: 1`.
        let plain = container("plain", 100, "").replace("features: [nesting]", "features: []");
        let broken = container("broken", 101, "").replace("debian-13-standard_13.1-2", "no-such");
        let report = bed.pass(&(plain + &broken)).await;
        let said = said(&report);
        assert!(
            said.contains("unable to create CT 101 - volume 'local:vztmpl/no-such_amd64.tar.zst' does not exist"),
            "{said}"
        );
        assert!(said.contains("task log: "), "{said}");
        assert_eq!(bed.vmids(), [100], "the other one is made, and the broken one leaves nothing");
        assert!(bed.guest(100).running.is_some());
    }
}

/// G4
#[tokio::test]
async fn what_was_made_and_not_finished_is_finished_by_the_next_pass() {
    let rich = container("rich", 100, ", hookScript: local:snippets/hook.sh, pool: lab")
        .replace("features: [nesting]", "features: [nesting, keyctl]")
        .replace(", pool: lab", "");
    for release in RELEASES {
        let mut bed = Bed::new(release).await;
        bed.add(Fault::new(What::Drop).on("host", "run `pct set*"));
        bed.pass(&rich).await;
        assert!(bed.guest(100).running.is_none(), "not started before it is complete");
        bed.heal();
        let report = bed.pass(&rich).await;
        assert!(report.rest.in_true(), "{}", said(&report));
        assert_eq!(bed.option(100, "hookscript"), "local:snippets/hook.sh");
        assert!(bed.option(100, "features").contains("keyctl=1"));
        assert!(bed.guest(100).running.is_some());
    }
}

/// G3, G12
#[tokio::test]
async fn each_listed_guest_is_shown_as_what_it_is_and_foreign_ones_stay() {
    for release in RELEASES {
        let conf = [("hostname", "theirs"), ("memory", "512"), ("ostype", "debian"), ("arch", "amd64")];
        let guests = vec![
            foreign(102, Kind::Lxc, true, &conf),
            foreign(9000, Kind::Qemu, false, &[("template", "1"), ("memory", "1024")]),
        ];
        let mut bed = Bed::with(release, guests).await;
        let ours = container("a", 100, "") + &container("b", 101, ", state: stopped");
        bed.pass(&ours).await;
        let (theirs, template) = (bed.guest(102), bed.guest(9000));
        let all = ours + &container("c", 102, "") + &container("d", 9000, "");
        let report = bed.pass(&all).await;
        let said = said(&report);
        assert!(said.contains("conflict: is held by container 102 (theirs)"), "{said}");
        assert!(said.contains("conflict: is held by virtual machine 9000"), "{said}");
        assert_eq!((bed.guest(102).conf, bed.guest(9000).conf), (theirs.conf, template.conf));
        assert!(bed.guest(100).running.is_some() && bed.guest(101).running.is_none());
        assert_eq!(report.rest.steps.len(), 0, "{said}");
    }
}

/// G13
#[tokio::test]
async fn a_guest_that_no_manifest_wants_goes_only_by_its_mark() {
    for release in RELEASES {
        let mut bed = Bed::new(release).await;
        let kept = container("kept", 100, "");
        let goes = annotated("goes", 101, "trueup/deletion: delete", "");
        let copied = annotated("copied", 102, "trueup/deletion: delete", "");
        bed.pass(&(kept + &goes + &copied)).await;
        // Somebody takes our mark away: the guest is theirs now.
        bed.by_hand(102, &[("description", "mine now\n")]);
        let report = bed.pass("").await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(said(&report), @"
            - destroy with its disks
            orphan: no manifest wants it; kept (policy retain)
            ");
        }
        assert_eq!(bed.vmids(), [100, 102]);
    }
}

/// G10, with locks and durations as strict as the real ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_guests_on_one_storage_are_made_in_one_pass() {
    for release in RELEASES {
        let mut bed = Bed::hurried(release, 20).await;
        let all: String = (100..200).map(|vmid| container(&format!("g{vmid}"), vmid, "")).collect();
        let report = bed.pass(&all).await;
        assert!(report.rest.in_true(), "{}", said(&report));
        assert_eq!(report.waves.len(), 1);
        assert!(!said(&report).contains("lock"), "no lock is seen");
        assert_eq!(bed.vmids().len(), 100);
        let making: Vec<_> = bed.tasks().into_iter().filter(|task| task.kind == "vzcreate").collect();
        assert_eq!(
            making.iter().filter(|task| task.exit.as_deref() == Some("OK")).count(),
            100,
            "each at the first try"
        );
        let at = |time: u64| making.iter().filter(|task| task.started <= time && time < task.ends).count();
        let most = making.iter().map(|task| at(task.started)).max();
        assert!(most <= Some(PER_STORAGE), "{most:?} at once");
        assert!(making.iter().all(|task| task.ends >= task.started + 2000), "none took no time");
        let writes = bed.writes();
        assert!(bed.pass(&all).await.rest.in_true());
        assert_eq!(bed.writes(), writes, "in true, nothing is written");
    }
}

/// G2
#[tokio::test]
async fn what_cannot_be_read_is_not_gone() {
    for release in RELEASES {
        let mut bed = Bed::new(release).await;
        let web = annotated("web", 100, "trueup/deletion: delete", NET);
        bed.pass(&web).await;
        bed.add(
            Fault::new(What::Status { status: 596, message: String::new() }).on("proxmox", "GET /api2/json/nodes/*"),
        );
        let report = bed.pass("").await;
        assert!(!report.rest.unseen.is_empty(), "{}", said(&report));
        assert_eq!(bed.vmids(), [100]);
        bed.heal();
        bed.pass("").await;
        assert_eq!(bed.vmids(), [] as [u32; 0]);
    }
}

/// G2: a lock that times out is tried again, what a backup holds is waited for, where no node answers it is looked again; what is
/// denied is said with its privilege, and done when it is granted.
#[tokio::test]
async fn what_is_held_for_a_while_is_done_in_the_same_pass_and_what_is_denied_is_not() {
    let both = |memory: usize| {
        let memory = format!("{memory}MiB");
        container("web", 100, &format!(", memory: {memory}"))
            + &machine("build", 101, ", state: stopped").replace("512MiB", &memory)
    };
    let refuse = |bed: &Bed, status: u16, message: &str| {
        for of in ["PUT *lxc/100/config", "PUT *qemu/101/config", "POST *qemu/101/config"] {
            let what = What::Status { status, message: message.into() };
            bed.add(Fault::new(what).on("proxmox", of).nth(1));
        }
    };
    let memories = |bed: &Bed| [100, 101].map(|vmid| bed.option(vmid, "memory"));
    let held = [
        (500, "can't lock file '/run/lock/lxc/pve-config-100.lock' - got timeout"),
        (500, "CT is locked (backup)"),
        (595, "Connection refused"),
    ];
    for release in RELEASES {
        let mut bed = Bed::new(release).await;
        let report = bed.pass(&both(512)).await;
        assert!(report.rest.in_true(), "{}", said(&report));
        for (round, (status, message)) in held.into_iter().enumerate() {
            let memory = 768 + 256 * round;
            refuse(&bed, status, message);
            let report = bed.pass(&both(memory)).await;
            bed.heal();
            let told = said(&report);
            assert!(report.rest.in_true() && !told.contains("failed: "), "{message}: {told}");
            assert_eq!(memories(&bed), [memory.to_string(), memory.to_string()], "{message}");
        }
        let before = memories(&bed);
        refuse(&bed, 403, "Permission check failed (/vms/100, VM.Config.Memory)");
        let report = bed.pass(&both(2048)).await;
        bed.heal();
        let told = said(&report);
        assert_eq!(told.matches("failed: ").count(), 2, "both calls are the ones that were held before: {told}");
        assert!(told.contains("VM.Config.Memory") && memories(&bed) == before, "{told}");
        let report = bed.pass(&both(2048)).await;
        assert!(report.rest.in_true(), "{}", said(&report));
    }
}

/// The listing of the cluster is up to 20 s old; which guests run is asked of the nodes.
#[tokio::test]
async fn a_guest_that_stopped_a_moment_ago_is_started_whatever_the_listing_says() {
    for release in RELEASES {
        let mut bed = Bed::new(release).await;
        let both = container("web", 100, "") + &machine("build", 101, "");
        let report = bed.pass(&both).await;
        assert!(report.rest.in_true(), "{}", said(&report));
        let mut listing = vec![];
        for (kind, vmid) in [("lxc", 100), ("qemu", 101)] {
            let (system, method, body) = ("proxmox".into(), "POST".into(), None);
            let path = format!("/api2/json/nodes/pve1/{kind}/{vmid}/status/stop");
            bed.drift(Drift::Call { system, method, path, body }).await;
            listing.push(json!({
                "id": format!("{kind}/{vmid}"), "type": kind, "vmid": vmid, "node": "pve1", "status": "running", "tags": "trueup",
            }));
        }
        let body = json!({ "data": listing }).to_string();
        let old = What::Body { status: 200, content_type: "application/json".into(), body };
        bed.add(Fault::new(old).on("proxmox", "GET /api2/json/cluster/resources*"));
        let report = bed.pass(&both).await;
        assert!(report.rest.in_true() && said(&report).matches("~ start").count() == 2, "{}", said(&report));
        assert!([100, 101].iter().all(|vmid| bed.guest(*vmid).running.is_some()));
    }
}
