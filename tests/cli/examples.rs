//! The examples, as they are given to people.
use crate::environment::{Environment, RELEASES};

const BRIDGES: &str = include_str!("../../examples/nz-bridges/manifests.yaml");
const EDGE: &str = include_str!("../../examples/public-edge/manifests.yaml");

fn converges(text: &str) {
    let mut environment = Environment::new();
    environment.write("manifests/site.yaml", text);
    let checked = environment.run(&["check"]);
    assert!(checked.code == 0 && checked.stdout.contains("no mistakes"), "{}", checked.stdout);
    environment.start_sandbox();
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let writes = environment.writes();
    let ran = environment.reconcile(&[]);
    assert!(ran.code == 0 && ran.stdout.starts_with("No changes"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(environment.writes(), writes);
}

/// C1, L3
#[test]
fn nz_bridges_has_no_mistake_and_converges_in_one_pass() {
    converges(BRIDGES);
}

/// C1, L3
#[test]
fn public_edge_has_no_mistake_and_converges_in_one_pass() {
    converges(EDGE);
}

/// L1: three guests that somebody made by hand are taken over by their marks alone.
#[test]
fn three_containers_of_an_existing_site_are_adopted_and_not_changed() {
    for release in RELEASES {
        let mut environment = Environment::new().on(release);
        let (guests, _) = BRIDGES.split_once("---\napiVersion: trueup/v1alpha1\nkind: Tunnel").unwrap();
        let guests = [("xero-sync", 100), ("myird", 101), ("companies-office", 102)].iter().fold(
            guests.to_owned(),
            |text, (name, vmid)| {
                let metadata = format!("metadata: {{ name: {name}");
                text.replace(&metadata, &format!("{metadata}, annotations: {{ trueup/adopt: \"{vmid}\" }}"))
            },
        );
        environment.write("manifests/site.yaml", &guests);
        environment.start_sandbox();
        for (vmid, name, memory, last) in
            [(100, "Xero-Sync", 512, 228), (101, "MyIRD", 1024, 226), (102, "CompaniesOffice", 4096, 225)]
        {
            let address = format!("192.168.61.{last}/24,gw=192.168.61.254,firewall=1");
            environment.make_guest("pve", vmid, name, memory, "vmbr0", &address);
            let start = format!("/api2/json/nodes/pve/lxc/{vmid}/status/start");
            let task = environment.call("proxmox", "POST", &start, None);
            environment.finished("pve", task["data"].as_str().unwrap());
        }
        let before: Vec<_> = (100..=102).map(|vmid| environment.config(vmid)).collect();

        let planned = environment.reconcile(&["--dry-run"]);
        assert_eq!(planned.code, 0, "{}{}", planned.stdout, planned.stderr);
        assert!(planned.stdout.contains("3 to adopt"), "{}", planned.stdout);
        let ran = environment.reconcile(&[]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        for (vmid, was) in (100..=102).zip(&before) {
            let mut is = environment.config(vmid);
            let notes = is["description"].as_str().unwrap();
            assert!(notes.starts_with("made by hand\n<!-- trueup site=nz-office "), "{notes}");
            assert_eq!(is["tags"], "bridge;trueup");
            for own in ["description", "tags", "digest"] {
                is[own] = was[own].clone();
            }
            assert_eq!(is, *was, "nothing else was written, the MAC least of all");
        }
        let ran = environment.reconcile(&[]);
        assert!(ran.code == 0 && ran.stdout.starts_with("No changes"), "{}", ran.stdout);
    }
}
