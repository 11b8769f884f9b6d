//! Schedules inside simulated guests.
use crate::{
    kinds::container::tests::world::{Site, container, declared},
    providers::host::{Limits, Place},
    sandbox::{
        faults::{Fault, What},
        proxmox::Seed,
    },
};
use bytes::Bytes;

const GUEST: Place = Place::Guest { vmid: 100 };

fn nightly(more: &str) -> String {
    format!(
        "---
apiVersion: trueup/v1alpha1
kind: SyncSchedule
metadata: {{ name: nightly }}
spec: {{ guest: xero, schedule: '02:00', timezone: UTC, command: [/opt/sync], environment: {{ file: {{ file: xero.env }} }}{more} }}
"
    )
}

async fn site() -> Site {
    let site = Site::new(Seed::default()).await;
    std::fs::write(site.directory.path().join("xero.env"), "TOKEN=canary\n").unwrap();
    site
}

async fn systemd(site: &Site, property: &str, unit: &str) -> String {
    let argv = ["systemctl", "show", "--value", "-p", property, unit];
    let output = site.providers.host.as_ref().unwrap().run_at(GUEST, &argv, Bytes::new(), Limits::default()).await;
    String::from_utf8(output.unwrap().stdout.to_vec()).unwrap().trim().to_owned()
}

fn names(site: &Site, directory: &str) -> Vec<String> {
    let all = std::fs::read_dir(site.node.guest_root(100).join(directory)).into_iter().flatten();
    let mut all: Vec<_> = all.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    all.retain(|name| name.contains("trueup-"));
    all.sort();
    all
}

/// S1, S3, S5
#[tokio::test]
async fn a_schedule_is_deployed_without_a_run_and_then_left_alone() {
    let site = site().await;
    let guest = container("xero", "", 5, "");
    let all = declared(&(guest.clone() + &nightly(", misfire: runOnce")));
    insta::assert_snapshot!(site.converge(&all).await.join("\n"), @"
    + guest/100 xero on pve1 from local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst
    ~ guest/100 start
    + guest-unit/100/trueup-schedule-nightly write trueup-schedule-nightly.service, trueup-schedule-nightly.timer, trueup-schedule-nightly.env; activate trueup-schedule-nightly.timer
    ");
    assert_eq!(site.config(100, "tags"), "trueup;trueup-units");
    assert!(systemd(&site, "NextElapseUSecRealtime", "trueup-schedule-nightly.timer").await.ends_with(" 02:00:00 UTC"));
    assert_eq!(systemd(&site, "ExecMainStartTimestamp", "trueup-schedule-nightly.service").await, "", "no run");
    let host = site.providers.host.as_ref().unwrap();
    let secret = host.read_file(GUEST, "/etc/trueup/trueup-schedule-nightly.env").await.unwrap().unwrap();
    assert_eq!((secret.mode, &secret.content[..]), (0o600, &b"TOKEN=canary\n"[..]));
    let writes = site.faults.counts().1;
    assert_eq!(site.converge(&all).await, Vec::<String>::new());
    assert_eq!(site.faults.counts().1, writes);

    std::fs::write(site.directory.path().join("xero.env"), "TOKEN=rotated\n").unwrap();
    insta::assert_snapshot!(site.converge(&all).await.join("\n"), @"~ guest-unit/100/trueup-schedule-nightly write trueup-schedule-nightly.env; activate trueup-schedule-nightly.timer");
    let later = declared(&(guest.clone() + &nightly(", misfire: runOnce").replace("02:00", "03:30")));
    insta::assert_snapshot!(site.converge(&later).await.join("\n"), @"~ guest-unit/100/trueup-schedule-nightly write trueup-schedule-nightly.timer; activate trueup-schedule-nightly.timer");
    assert!(systemd(&site, "NextElapseUSecRealtime", "trueup-schedule-nightly.timer").await.ends_with(" 03:30:00 UTC"));
    assert_eq!(systemd(&site, "ExecMainStartTimestamp", "trueup-schedule-nightly.service").await, "", "still no run");

    insta::assert_snapshot!(site.converge(&declared(&guest)).await.join("\n"), @"- guest-unit/100/trueup-schedule-nightly stop and remove");
    let left: Vec<_> =
        ["etc/systemd/system", "etc/systemd/system/timers.target.wants", "etc/trueup", "var/lib/systemd/timers"]
            .into_iter()
            .flat_map(|directory| names(&site, directory))
            .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_inside_a_stopped_guest_waits() {
    let site = site().await;
    let guest = container("xero", "", 5, "");
    site.converge(&declared(&(guest.clone() + &nightly("")))).await;
    let stopped = container("xero", "", 5, ", state: stopped");
    let changed = nightly("").replace("02:00", "03:30");
    insta::assert_snapshot!(site.converge(&declared(&(stopped.clone() + &changed))).await.join("\n"), @"
    ~ guest/100 shut down
    later guest-unit/100/trueup-schedule-nightly timer 03:30 (after guest/100)
    later guest-unit/100/trueup-schedule-nightly timer 03:30 (after guest/100)
    ");
    insta::assert_snapshot!(site.converge(&declared(&(guest + &changed))).await.join("\n"), @"
    ~ guest/100 start
    later guest-unit/100/trueup-schedule-nightly timer 03:30 (after guest/100)
    ~ guest-unit/100/trueup-schedule-nightly write trueup-schedule-nightly.timer; activate trueup-schedule-nightly.timer
    ");
}

/// C3: killed after each write in turn; the next pass finishes, and nothing is left when it is removed.
#[tokio::test]
async fn any_lost_reply_is_made_good_by_the_next_pass() {
    let guest = container("xero", "", 5, "");
    let all = declared(&(guest.clone() + &nightly("")));
    for nth in [1, 2, 4, 6, 7] {
        let site = site().await;
        site.converge(&declared(&guest)).await;
        site.faults.add(Fault::new(What::Drop).on("host", "*").only_writes().after().nth(nth)).unwrap();
        site.converge(&all).await;
        assert_eq!(site.converge(&all).await, Vec::<String>::new(), "write {nth}");
        assert_eq!(names(&site, "etc/trueup").len(), 1);
        site.faults.replace(vec![Fault::new(What::Drop).on("host", "*").only_writes().after().nth(nth)]).unwrap();
        site.converge(&declared(&guest)).await;
        site.converge(&declared(&guest)).await;
        assert_eq!(names(&site, "etc/systemd/system").len() + names(&site, "etc/trueup").len(), 0, "write {nth}");
    }
}

/// C2
#[tokio::test]
async fn a_secret_that_leads_to_nothing_fails_its_own_schedule_before_anything_is_written() {
    let site = Site::new(Seed::default()).await;
    let all = declared(&(container("xero", "", 5, "") + &nightly("")));
    insta::assert_snapshot!(site.wave(&all).await.join("\n"), @"
    + guest/100 xero on pve1 from local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst
    ~ guest/100 start
    + guest-unit/100/trueup-schedule-nightly write trueup-schedule-nightly.service, trueup-schedule-nightly.timer, trueup-schedule-nightly.env; activate trueup-schedule-nightly.timer
        not found: could not read the file xero.env: it does not exist
    ");
    assert_eq!(names(&site, "etc/systemd/system"), Vec::<String>::new());
}
