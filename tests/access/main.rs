//! The roles of `trueup setup token`, on both releases: with all of them everything works; without any one privilege
//! something does not, and says which one is missing.
#[allow(dead_code)]
#[path = "../cli/environment.rs"]
mod environment;

use environment::Environment;
use serde_json::{Value, json};
use std::{collections::BTreeSet, process::Command};
use trueup::providers::{
    proxmox::{PRIVILEGES, Privilege, Release, Role},
    sandbox_connection::Connection,
};

const VERSIONS: [&str; 2] = ["8.4", "9.2"];

/// A guest of every kind that there is, made and changed in every way that needs a privilege of its own. Disks and templates
/// lie apart, because whoever may make disks on a storage may read its templates too.
const MANIFESTS: &str = r#"---
apiVersion: trueup/v1alpha1
kind: Template
metadata: { name: debian-13 }
spec: { storage: local, container: { file: debian-13-standard_13.1-2_amd64.tar.zst } }
---
apiVersion: trueup/v1alpha1
kind: Template
metadata: { name: minimal }
spec:
  storage: local
  container:
    url: https://images.test/minimal_1.0_amd64.tar.zst
    checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
---
apiVersion: trueup/v1alpha1
kind: Container
metadata: { name: web }
spec:
  vmid: 101
  template: debian-13
  cores: 2
  memory: 512MiB
  rootfs: { size: 8GiB }
  features: [nesting]
  startOnBoot: true
  networks: [{ name: eth0, address: 10.0.1.5/24, gateway: 10.0.1.1 }]
---
apiVersion: trueup/v1alpha1
kind: Container
metadata: { name: small }
spec:
  vmid: 102
  template: minimal
  memory: 256MiB
  rootfs: { size: 4GiB }
  networks: [{ name: eth0, address: 10.0.1.6/24, gateway: 10.0.1.1 }]
"#;

fn site(endpoint: &str) -> String {
    format!(
        r#"apiVersion: trueup/v1alpha1
kind: Site
metadata: {{ name: dc-lk }}
spec:
  domain: decent-cloud.org
  proxmox:
    endpoints: ["{endpoint}"]
    ca: {{ file: ca.pem }}
    token: {{ file: secrets/token }}
    defaults: {{ node: pve1, storage: disks, bridge: vmbr1 }}
"#
    )
}

/// A sandbox whose Proxmox is reached as a real one is: by its address, its authority, and the token that was set up.
fn prepared(version: &str) -> Environment {
    let mut environment = Environment::new();
    environment.write("manifests/site.yaml", &site("https://127.0.0.1:1"));
    environment.write("manifests/guests.yaml", MANIFESTS);
    environment.start_sandbox_with(&["--pve-version", version]);
    let connection = Connection::read(&environment.path("sandbox")).unwrap();
    environment.write("manifests/site.yaml", &site(&connection.proxmox.url));
    std::fs::copy(&connection.proxmox.ca, environment.path("manifests/ca.pem")).unwrap();
    let password = connection.proxmox_password_file.display().to_string();
    let ran = environment.run(&["setup", "token", "--password-file", &password]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    environment
}

fn reconcile(environment: &Environment) -> environment::Ran {
    environment.run(&["reconcile", "--without", "host", "--without", "cloudflare", "--state-dir", "state"])
}

fn set_role(environment: &Environment, role: Role, privileges: &BTreeSet<&str>) {
    let privileges = privileges.iter().copied().collect::<Vec<_>>().join(",");
    let path = format!("/api2/json/access/roles/{role}");
    let answer = environment.call("proxmox", "PUT", &path, Some(json!({ "privs": privileges })));
    assert_eq!(answer["data"], Value::Null, "{answer}");
}

/// Without `name`, a pass fails and names it, and so does the doctor; with it again, everything is made.
fn is_needed(role: Role, name: &'static str, version: &str) {
    let release: Release = version.parse().unwrap();
    let all = role.privileges(release);
    if !all.contains(name) {
        return;
    }
    let environment = prepared(version);
    let rest = all.iter().copied().filter(|held| *held != name).collect();
    set_role(&environment, role, &rest);
    let asked = environment.run(&["doctor", "--without", "host", "--without", "cloudflare"]);
    assert_eq!(asked.code, 4, "{}{}", asked.stdout, asked.stderr);
    let said = asked.stdout.lines().filter(|line| line.starts_with("wrong") && line.contains("privilege"));
    let said: Vec<&str> = said.filter(|line| line.contains(name)).collect();
    assert!(!said.is_empty(), "{}", asked.stdout);
    let failed = reconcile(&environment);
    assert!(matches!(failed.code, 1 | 4), "{name} on {version} is not needed: {}", failed.stdout);
    let named = format!("{}{}", failed.stdout, failed.stderr);
    assert!(named.contains(name), "{name} on {version} is not named: {named}");
    set_role(&environment, role, &all);
    let done = reconcile(&environment);
    assert_eq!(done.code, 0, "{version}: {}{}", done.stdout, done.stderr);
}

macro_rules! needed {
    ($($test:ident: $role:ident $name:literal;)*) => {
        /// The privileges for which there is a test below.
        const TESTED: &[(Role, &str)] = &[$((Role::$role, $name)),*];
        $(
            #[test]
            fn $test() {
                for version in VERSIONS {
                    is_needed(Role::$role, $name, version);
                }
            }
        )*
    };
}

needed! {
    vm_allocate: Guests "VM.Allocate";
    vm_audit: Guests "VM.Audit";
    vm_config_cpu: Guests "VM.Config.CPU";
    vm_config_disk: Guests "VM.Config.Disk";
    vm_config_memory: Guests "VM.Config.Memory";
    vm_config_network: Guests "VM.Config.Network";
    vm_config_options: Guests "VM.Config.Options";
    vm_power_mgmt: Guests "VM.PowerMgmt";
    datastore_allocate_space: Disks "Datastore.AllocateSpace";
    datastore_audit: Templates "Datastore.Audit";
    datastore_allocate_template: Deliveries "Datastore.AllocateTemplate";
    sys_access_network: Downloads "Sys.AccessNetwork";
    sdn_use: Network "SDN.Use";
}

/// Roles for what is not declared in any test yet: `VirtualMachine`.
const UNTESTED: &[Role] = &[Role::Machines];

#[test]
fn every_privilege_has_its_test() {
    let all: BTreeSet<_> =
        PRIVILEGES.iter().filter(|p| !UNTESTED.contains(&p.role)).map(|p| (p.role, p.name)).collect();
    assert_eq!(all, TESTED.iter().copied().collect());
    assert!(PRIVILEGES.iter().all(|p: &Privilege| VERSIONS.iter().any(|v| p.is_in(v.parse().unwrap()))));
}

/// The account of the sandbox, with which demo and tests run, holds these roles and nothing else.
#[test]
fn the_sandbox_gives_the_product_these_roles_and_no_more() {
    for version in VERSIONS {
        let mut environment = Environment::new();
        environment.write("manifests/site.yaml", &site("https://127.0.0.1:1"));
        environment.write("manifests/guests.yaml", MANIFESTS);
        environment.start_sandbox_with(&["--pve-version", version]);
        let roles: Vec<String> = PRIVILEGES.iter().map(|p| p.role.to_string()).collect();
        let acl = environment.call("proxmox", "GET", "/api2/json/access/acl", None)["data"].clone();
        let held: BTreeSet<String> = acl
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["ugid"].as_str().unwrap().starts_with("sandbox@pve"))
            .map(|entry| entry["roleid"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(held, roles.into_iter().collect());
        let token = environment.read("sandbox/proxmox.token");
        assert!(token.starts_with("sandbox@pve!trueup="), "{version}");
    }
}

/// It is a program's own check that nothing here runs as root.
#[test]
fn no_secret_is_in_the_process_list_or_the_output() {
    let environment = prepared("9.2");
    let secret = environment.read("manifests/secrets/token");
    let secret = secret.trim().split_once('=').unwrap().1;
    let again = environment.run(&["setup", "token", "--output", "json"]);
    assert_eq!(again.code, 0);
    assert!(!again.stdout.contains(secret) && !again.stderr.contains(secret));
    let mode =
        Command::new("stat").args(["-c", "%a"]).arg(environment.path("manifests/secrets/token")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&mode.stdout).trim(), "600");
}
