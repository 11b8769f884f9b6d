//! `trueup setup token` and `trueup doctor` on a sandbox.
use crate::environment::{Environment, Ran, events};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use trueup::providers::sandbox_connection::Connection;

fn site() -> Environment {
    let mut environment = Environment::with_site();
    environment.start_sandbox();
    environment
}

fn setup(environment: &Environment, more: &[&str]) -> Ran {
    environment.run(&[&["setup", "token", "--sandbox", "sandbox", "--file", "token"], more].concat())
}

fn password(environment: &Environment) -> String {
    Connection::read(&environment.path("sandbox")).unwrap().proxmox_password_file.display().to_string()
}

/// The status with which Proxmox answers a token.
fn answer(environment: &Environment, token: &str) -> String {
    let connection = Connection::read(&environment.path("sandbox")).unwrap();
    let header = format!("Authorization: PVEAPIToken={}", token.trim());
    let mut command = std::process::Command::new("curl");
    command
        .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", &header, "--cacert"])
        .arg(&connection.proxmox.ca);
    let output = command.arg(format!("{}/api2/json/version", connection.proxmox.url)).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn tokens(environment: &Environment) -> Vec<String> {
    let listed = environment.call("proxmox", "GET", "/api2/json/access/users/trueup@pve/token", None);
    listed["data"].as_array().unwrap().iter().map(|row| row["tokenid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn on_the_node_everything_is_made_once_and_then_left_alone() {
    let environment = site();
    let shown = setup(&environment, &["--dry-run"]);
    assert_eq!((shown.code, environment.writes()), (0, 0), "{}", shown.stderr);
    assert!(!environment.path("token").exists());
    let ran = setup(&environment, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(shown.stdout.replace("would: ", "done: "), ran.stdout.rsplit_once("trueup@pve!trueup holds").unwrap().0);
    let token = environment.read("token");
    let secret = token.trim().strip_prefix("trueup@pve!trueup=").unwrap();
    assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret));
    assert!(!environment.read("sandbox/calls.jsonl").contains(secret), "it is in no argument");
    let mode = std::fs::metadata(environment.path("token")).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode, answer(&environment, &token).as_str()), (0o600, "200"));

    let writes = environment.writes();
    let again = setup(&environment, &[]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stdout.starts_with("All is as it should be"), "{}", again.stdout);
    assert_eq!((environment.writes(), environment.read("token")), (writes, token));
}

#[test]
fn from_elsewhere_it_takes_a_password_and_no_token_of_root() {
    let environment = site();
    environment.write("wrong", "not the password\n");
    let refused = setup(&environment, &["--password-file", "wrong"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("log in at Proxmox VE as root@pam"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("not the password") && !environment.path("token").exists());
    let ran = setup(&environment, &["--password-file", &password(&environment), "--output", "json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let last = events(&ran.stdout).pop().unwrap();
    assert_eq!(
        (&last["event"], &last["id"], &last["missing"]),
        (&json!("token"), &json!("trueup@pve!trueup"), &json!([]))
    );
    assert_eq!(answer(&environment, &environment.read("token")), "200");
}

#[test]
fn a_token_is_replaced_only_when_asked_and_the_old_one_goes_last() {
    let environment = site();
    assert_eq!(setup(&environment, &[]).code, 0);
    let first = environment.read("token");
    environment.remove("token");
    let refused = setup(&environment, &[]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("--rotate"), "{}", refused.stderr);
    assert_eq!(tokens(&environment), ["trueup"]);

    environment.write("token", &first);
    let ran = setup(&environment, &["--rotate", "--keep-old"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let second = environment.read("token");
    assert!(second.starts_with("trueup@pve!trueup-2="));
    assert_eq!(answer(&environment, &first), "200", "kept");
    assert!(ran.stderr.contains("pveum user token remove trueup@pve trueup"), "{}", ran.stderr);
    assert_eq!(setup(&environment, &["--rotate"]).code, 0);
    assert_eq!(tokens(&environment), ["trueup", "trueup-3"]);
    assert_eq!(
        (answer(&environment, &second).as_str(), answer(&environment, &environment.read("token")).as_str()),
        ("401", "200")
    );
}

#[test]
fn what_is_missing_is_named_and_mended_without_a_new_token() {
    let environment = site();
    assert_eq!(setup(&environment, &[]).code, 0);
    let token = environment.read("token");
    let less = json!({ "privs": "VM.Audit,VM.Allocate" });
    environment.call("proxmox", "PUT", "/api2/json/access/roles/TrueupGuests", Some(less));
    // The sandbox's own token holds the same role.
    let asked = environment.run(&["doctor", "--sandbox", "sandbox"]);
    assert_eq!(asked.code, 4, "{}", asked.stderr);
    let line = asked.stdout.lines().find(|line| line.starts_with("wrong")).unwrap();
    assert!(line.contains("VM.PowerMgmt") && line.contains("on /vms (role TrueupGuests)"), "{line}");
    assert!(asked.stdout.contains("pveum role modify TrueupGuests --privs VM.Allocate,"), "{}", asked.stdout);
    let ran = setup(&environment, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.starts_with("done: set the role TrueupGuests to "), "{}", ran.stdout);
    assert_eq!(environment.read("token"), token);
    assert_eq!(environment.run(&["doctor", "--sandbox", "sandbox"]).code, 0);
}

#[test]
fn the_doctor_asks_for_all_that_the_manifests_name_and_writes_nothing() {
    let environment = site();
    let asked = environment.run(&["doctor", "--sandbox", "sandbox"]);
    assert_eq!(asked.code, 0, "{}{}", asked.stdout, asked.stderr);
    assert!(asked.stdout.ends_with("All is there.\n"), "{}", asked.stdout);
    for word in
        ["endpoint", "clock", "TrueupGuests on /vms", "TrueupDisks on /storage/local-zfs", "vmbr1", "local-zfs on pve1"]
    {
        assert!(asked.stdout.contains(word), "{word}: {}", asked.stdout);
    }
    assert_eq!(environment.writes(), 0);

    let other = environment.read("manifests/site.yaml").replace("node: pve1", "node: pve9");
    environment.write("manifests/site.yaml", &other);
    environment.write(
        "manifests/more.yaml",
        &crate::environment::guest("more", 6)
            .replace("template: debian-13", "template: 'local:vztmpl/none_1_amd64.tar.zst'\n  node: pve1"),
    );
    let asked = environment.run(&["doctor", "--sandbox", "sandbox", "--output", "json"]);
    assert_eq!(asked.code, 4, "{}", asked.stderr);
    let wrong: Vec<String> = events(&asked.stdout)
        .iter()
        .filter(|event| event["state"] == "wrong")
        .map(|event| event["text"].as_str().unwrap().to_owned())
        .collect();
    assert!(wrong.iter().any(|text| text == "there is no node pve9"), "{wrong:?}");
    assert!(wrong.iter().any(|text| text.starts_with("local:vztmpl/none_1_amd64.tar.zst is not there")), "{wrong:?}");

    environment.write("manifests/site.yaml", "kind: Nothing\n");
    assert_eq!(environment.run(&["doctor", "--sandbox", "sandbox"]).code, 1);
}
