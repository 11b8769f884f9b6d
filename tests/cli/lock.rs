//! `trueup lock`
use crate::environment::{Environment, events, guest};

#[test]
fn what_is_chosen_is_written_once_and_then_stays() {
    let environment = Environment::with_site();
    let check = environment.run(&["lock", "--check"]);
    assert_eq!(check.code, 1);
    assert!(check.stdout.contains("trueup.lock is out of date"), "{}", check.stdout);
    assert!(!environment.path("manifests/trueup.lock").exists(), "--check writes nothing");
    let ran = environment.run(&["lock", "--offline"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("PortAllocation/web: ports 20000-20009"), "{}", ran.stdout);
    let written = environment.read("manifests/trueup.lock");
    let again = environment.run(&["lock", "--offline"]);
    assert_eq!((again.code, again.stdout.as_str()), (0, "trueup.lock is up to date\n"));
    assert_eq!(environment.read("manifests/trueup.lock"), written);
    assert_eq!(environment.run(&["lock", "--check"]).code, 0);
    let events = events(&environment.run(&["lock", "--check", "--output", "json"]).stdout);
    assert_eq!((&events[0]["upToDate"], &events[0]["written"]), (&true.into(), &false.into()));
}

/// Credentials are asked for only where something is new; each that is missing is named at its line.
#[test]
fn without_credentials_it_says_which_and_how_to_do_without() {
    let environment = Environment::with_site();
    let ran = environment.run(&["lock"]);
    assert_eq!(ran.code, 1);
    for said in [
        "proxmox.token is in the environment variable PROXMOX_TOKEN: it is not set",
        "manifests/site.yaml:8:12",
        "cloudflare.token is in the environment variable CLOUDFLARE_TOKEN: it is not set",
        "--offline",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    assert!(!environment.path("manifests/trueup.lock").exists());
    // L4
    let empty = environment.command(&["lock"]).env("PROXMOX_TOKEN", "").env("CLOUDFLARE_TOKEN", " ").output().unwrap();
    let ran = environment.ran(empty);
    assert_eq!(ran.stderr.matches("configured but empty").count(), 2, "{}", ran.stderr);
    assert_eq!(environment.run(&["lock", "--offline"]).code, 0);
    assert_eq!(environment.run(&["lock"]).code, 0, "nothing is new, so nothing has to be looked at");
}

/// L4: an empty file is no credential either.
#[test]
fn an_empty_file_is_no_credential() {
    let environment = Environment::with_site();
    let site = environment.read("manifests/site.yaml");
    let site = site.replace("{ env: PROXMOX_TOKEN }", &format!("{{ file: {} }}", environment.path("token").display()));
    environment.write("manifests/site.yaml", &site);
    environment.write("token", "\n");
    let lock = environment.command(&["lock"]).env("CLOUDFLARE_TOKEN", "x").output().unwrap();
    let ran = environment.ran(lock);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stderr.contains("proxmox.token") && ran.stderr.contains("HOME/token"), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("configured but empty").count(), 1, "{}", ran.stderr);
    assert!(!environment.path("manifests/trueup.lock").exists());
}

/// P2, and "a lost disk changes nobody's port".
#[test]
fn a_lost_lock_file_is_made_again_from_what_the_live_site_carries() {
    let mut environment = Environment::with_site();
    environment.write("manifests/mail.yaml", &guest("mail", 9));
    environment.start_sandbox();
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let before = environment.read("manifests/trueup.lock");
    environment.remove("manifests/trueup.lock");
    let ran = environment.run(&["lock", "--sandbox", "sandbox"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let kept = |text: &str| -> Vec<String> {
        // Site and Template carry no mark anywhere: their uids are new.
        text.lines().filter(|line| !line.contains("Site/") && !line.contains("Template/")).map(str::to_owned).collect()
    };
    assert_eq!(kept(&environment.read("manifests/trueup.lock")), kept(&before));
}

/// A guest that leaves its node open gets one, once; before that a dry run says that it is open, and offline it stays so.
#[test]
fn a_node_is_chosen_once() {
    let mut environment = Environment::with_site();
    let nodes =
        "nodes: [{ name: pve1 }, { name: pve2, labels: { disk: nvme } }, { name: pve3, labels: { disk: nvme } }]";
    let site = environment.read("manifests/site.yaml").replace("    defaults:", &format!("    {nodes}\n    defaults:"));
    environment.write("manifests/site.yaml", &site);
    let placement = "placement: { labels: { disk: nvme } }\n  memory:";
    environment.write("manifests/web.yaml", &guest("web", 5).replace("memory:", placement));
    environment.start_sandbox();
    let ran = environment.run(&["lock", "--offline"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("which of pve2, pve3 gets it is chosen by free memory"), "{}", ran.stderr);
    assert_eq!(environment.run(&["check"]).code, 0, "a check looks at nothing");

    let ran = environment.reconcile(&["--dry-run"]);
    assert!(ran.code == 0 && ran.stdout.contains("web on (at lock) from "), "{}{}", ran.stdout, ran.stderr);
    let ran = environment.reconcile(&["--dry-run", "--offline"]);
    assert!(ran.code == 4 && ran.stdout.contains("no node is chosen for it yet"), "{}{}", ran.stdout, ran.stderr);
    let ran = environment.reconcile(&[]);
    assert!(ran.code == 0 && ran.stdout.contains("web on pve2 from "), "{}{}", ran.stdout, ran.stderr);
    let lock = environment.read("manifests/trueup.lock");
    assert!(lock.contains(", node: \"pve2\""), "{lock}");
    let shown = environment.ask(&trueup::sandbox::control::Ask::Show);
    assert_eq!(shown["guests"][0]["node"], "pve2");
    assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));
    assert_eq!(environment.read("manifests/trueup.lock"), lock);
}
