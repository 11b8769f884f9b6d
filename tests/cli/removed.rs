//! What happens to a guest whose manifest is renamed or gone: what its mark says, if the mark is still there when it counts.
use crate::environment::{Environment, RELEASES, guest};
use serde_json::{Value, json};
use std::process::Stdio;
use trueup::sandbox::{
    control::Ask,
    faults::{Fault, What},
};

const RETAIN: &str = "trueup/deletion: retain";
const DELETE: &str = "trueup/deletion: delete";

fn done(environment: &Environment) -> String {
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    ran.stdout
}

fn guests(environment: &Environment) -> Vec<Value> {
    environment.ask(&Ask::Show)["guests"].as_array().unwrap().clone()
}

fn names(environment: &Environment) -> Vec<String> {
    guests(environment).iter().map(|guest| guest["name"].as_str().unwrap().to_owned()).collect()
}

/// The guest alone, without ports and names.
fn alone(name: &str, last: u8) -> String {
    guest(name, last).split("---\n").next().unwrap().to_owned()
}

/// L8: under its new name the guest is the one that was there, whether the lock file knows of the old name or not.
#[test]
fn a_renamed_guest_is_not_destroyed_and_made_again() {
    for release in RELEASES {
        let mut environment = Environment::with_site().on(release);
        environment.start_sandbox();
        done(&environment);
        let before = environment.config(100);
        let records = environment.records();
        let renamed = guest("web", 5)
            .replace("name: web, annotations: {", "name: shop, annotations: { trueup/renamed-from: web,");
        let renamed = renamed.replace("{ name: web }", "{ name: shop, annotations: { trueup/renamed-from: web } }");
        let renamed = renamed
            .replace("guest: web", "guest: shop")
            .replace("spec:\n  template", "spec:\n  hostname: web\n  template");
        environment.write("manifests/web.yaml", &renamed);
        let logged = environment.written().len();
        let planned = environment.reconcile(&["--dry-run"]);
        assert_eq!(planned.code, 0, "{}{}", planned.stdout, planned.stderr);
        assert!(planned.stdout.contains(" 0 to delete") || !planned.stdout.contains("to delete"), "{}", planned.stdout);
        done(&environment);
        let written = &environment.written()[logged..];
        let harsh = |call: &&trueup::sandbox::faults::Logged| {
            call.system == "proxmox"
                && (call.call.starts_with("DELETE ") || call.call.contains("/status/") || call.call.ends_with("/lxc"))
        };
        assert_eq!(written.iter().filter(harsh).count(), 0, "{written:?}");
        let mut after = environment.config(100);
        assert!(after["description"].as_str().unwrap().contains("declared=Container/shop "), "{after}");
        for own in ["description", "digest"] {
            after[own] = before[own].clone();
        }
        assert_eq!(after, before, "the guest is what it was but for its mark");
        let known = |records: &[Value]| -> Vec<Value> {
            records.iter().map(|record| json!([record["id"], record["name"], record["content"]])).collect()
        };
        assert_eq!(known(&environment.records()), known(&records), "the same names lead to it");
        assert!(done(&environment).starts_with("No changes"));
    }
}

/// G13: what is to be retained stays, whatever else is consented to, and is reported in each pass; it goes when a person
/// has said so in the manifest.
#[test]
fn a_retained_guest_is_reported_and_goes_only_when_a_person_says_so() {
    for release in RELEASES {
        let mut environment = Environment::with_site().on(release);
        let kept = alone("kept", 9).replace(DELETE, RETAIN);
        environment.write("manifests/kept.yaml", &kept);
        environment.start_sandbox();
        done(&environment);
        let config = |environment: &Environment| {
            let vmid =
                guests(environment).iter().find(|guest| guest["name"] == "kept").unwrap()["vmid"].as_u64().unwrap();
            environment.config(vmid)
        };
        let before = config(&environment);
        environment.remove("manifests/kept.yaml");
        for arguments in [&[][..], &["--consent", "000000000000"]] {
            let ran = environment.reconcile(arguments);
            assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
            assert!(ran.stdout.contains("no manifest wants it; kept (policy retain)"), "{}", ran.stdout);
            assert!(ran.stdout.contains("bring the manifest back with `trueup/deletion: delete`"), "{}", ran.stdout);
            assert_eq!(config(&environment), before);
        }
        environment.write("manifests/kept.yaml", &kept.replace(RETAIN, DELETE));
        done(&environment);
        environment.remove("manifests/kept.yaml");
        done(&environment);
        assert_eq!(names(&environment), ["web"]);
        assert!(done(&environment).starts_with("No changes"));
    }
}

/// G13: policy `delete` is in the mark, so it holds when the manifest is gone; without the mark nothing does.
#[test]
fn a_guest_goes_by_its_mark_and_not_without_it() {
    for release in RELEASES {
        let mut environment = Environment::with_site().on(release);
        environment.write("manifests/goes.yaml", &alone("goes", 8));
        environment.write("manifests/stays.yaml", &alone("stays", 9));
        environment.start_sandbox();
        done(&environment);
        let stays =
            guests(&environment).iter().find(|guest| guest["name"] == "stays").unwrap()["vmid"].as_u64().unwrap();
        unmark(&environment, stays);
        environment.remove("manifests/goes.yaml");
        environment.remove("manifests/stays.yaml");
        let before = environment.config(stays);
        done(&environment);
        assert_eq!(names(&environment), ["stays", "web"], "in the order of their ids");
        assert_eq!(environment.config(stays), before);
    }
}

/// G13: the mark counts at the moment of the call, not when the plan was made.
#[test]
fn a_mark_that_went_after_the_plan_saves_its_guest() {
    for release in RELEASES {
        let mut environment = Environment::with_site().on(release);
        environment.start_sandbox();
        done(&environment);
        environment.remove("manifests/web.yaml");
        environment.write("manifests/mail.yaml", &alone("mail", 6));
        // Names go before the guests that they lead to.
        let slow = Fault::new(What::Delay { ms: 3_000 }).on("cloudflare", "*dns_records*").only_writes();
        environment.ask(&Ask::SetFaults(vec![slow]));
        let mut command = environment.command(&["reconcile", "--sandbox", "sandbox"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = || environment.ask(&Ask::Faults)[0]["seen"].as_u64().unwrap() > 0;
        assert!((0..100_000).any(|_| begun()), "the record was not removed");
        unmark(&environment, 100);
        let before = environment.config(100);
        let ran = environment.ran(child.wait_with_output().unwrap());
        assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
        assert!(names(&environment).contains(&"web".to_owned()), "{}", ran.stdout);
        assert_eq!(environment.config(100), before, "not even stopped");
        assert_eq!(environment.records().len(), 0);
    }
}

/// Somebody empties the notes of a guest.
fn unmark(environment: &Environment, vmid: u64) {
    let path = format!("/api2/json/nodes/pve1/lxc/{vmid}/config");
    environment.call("proxmox", "PUT", &path, Some(json!({ "description": "mine now", "tags": "mine" })));
}
