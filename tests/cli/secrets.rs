//! C8: canaries stand where secrets stand, and are looked for in everything that is printed or kept.
use crate::environment::{Environment, Ran};
use std::process::Stdio;
use trueup::{
    providers::sandbox_connection::Connection,
    sandbox::{
        control::Ask,
        faults::{Fault, What},
    },
};

const CANARY: &str = "canary-5b1f-do-not-print";

const SCHEDULE: &str = "\
apiVersion: trueup/v1alpha1
kind: SyncSchedule
metadata: { name: nightly }
spec:
  guest: web
  schedule: \"02:00\"
  command: [/bin/true]
  environment: { file: { env: NIGHTLY } }
";

fn told(ran: &Ran) -> String {
    format!("{}{}", ran.stdout, ran.stderr)
}

#[test]
fn secrets_are_in_nothing_that_is_printed_or_kept() {
    let mut environment = Environment::with_site();
    environment.write("manifests/nightly.yaml", SCHEDULE);
    environment.start_sandbox();
    let connection = Connection::read(&environment.path("sandbox")).unwrap();
    let token = |path: &std::path::Path| std::fs::read_to_string(path).unwrap().trim().to_owned();
    let proxmox = token(&connection.proxmox.token_file);
    let cloudflare = token(&connection.cloudflare.token_file);
    let secret = proxmox.split_once('=').unwrap().1;
    let mut command = environment.command(&["reconcile", "--sandbox", "sandbox", "--json-into", "events.jsonl"]);
    command.env("NIGHTLY", format!("TOKEN={CANARY}\n")).env("TRUEUP_LOG", "trace");
    let ran = environment.ran(command.output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert!(ran.stderr.contains("DEBUG") || ran.stderr.contains("TRACE"), "the log is there");
    let in_guest = environment.everything_in("sandbox/guests");
    assert!(in_guest.values().any(|content| contains(content, CANARY)), "the secret has reached the guest");
    let mut kept = environment.everything_in("sandbox/trueup");
    kept.extend(environment.everything_in("manifests"));
    kept.extend(environment.everything_in("events.jsonl"));
    for secret in [CANARY, secret, &cloudflare] {
        assert!(!told(&ran).contains(secret), "printed");
        for (path, content) in &kept {
            assert!(!contains(content, secret), "kept in {}", path.display());
        }
    }
}

/// Whoever lists the processes while a secret is on its way into a guest does not see it.
#[test]
fn secrets_are_in_no_list_of_processes() {
    let mut environment = Environment::with_site();
    environment.write("manifests/nightly.yaml", SCHEDULE);
    environment.start_sandbox();
    let slow = Fault::new(What::Hold).on("host", "put */etc/trueup/*").after();
    environment.ask(&Ask::AddFault(slow));
    let mut command = environment.command(&["reconcile", "--sandbox", "sandbox"]);
    let mut child = command
        .env("NIGHTLY", format!("TOKEN={CANARY}\n"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    environment.ask(&Ask::WaitForHold);
    let in_guest = environment.everything_in("sandbox/guests");
    assert!(in_guest.values().any(|content| contains(content, CANARY)), "the secret has reached the guest");
    let processes =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    let lines: Vec<Vec<u8>> = processes.collect();
    assert!(lines.iter().any(|line| contains(line, "reconcile")), "the program is in the list");
    assert!(lines.iter().all(|line| !contains(line, CANARY)), "in a list of processes");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_refused_token_is_not_in_the_refusal() {
    let mut environment = Environment::with_site();
    environment.start_sandbox();
    let connection = Connection::read(&environment.path("sandbox")).unwrap();
    let site = environment.read("manifests/site.yaml").replace("https://127.0.0.1:1", &connection.proxmox.url);
    let ca = format!("    ca: {{ file: {} }}\n    token: {{ env: PROXMOX", connection.proxmox.ca.display());
    environment.write("manifests/site.yaml", &site.replace("    token: { env: PROXMOX", &ca));
    for value in [format!("root@pam!x={CANARY}"), CANARY.to_owned()] {
        let mut command = environment.command(&[
            "reconcile",
            "--dry-run",
            "--offline",
            "--without",
            "host",
            "--without",
            "cloudflare",
        ]);
        command.env("PROXMOX_TOKEN", value).env("TRUEUP_LOG", "trace");
        let ran = environment.ran(command.output().unwrap());
        assert_ne!(ran.code, 0);
        assert!(!told(&ran).contains(CANARY), "{}", told(&ran));
    }
}

fn contains(content: &[u8], text: &str) -> bool {
    content.windows(text.len()).any(|window| window == text.as_bytes())
}
