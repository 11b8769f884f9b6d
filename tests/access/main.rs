//! The roles of `trueup setup token`, on both releases: with all of them everything works; without any one privilege
//! something does not, and says which one is missing.
#[allow(dead_code)]
#[path = "../cli/environment.rs"]
mod environment;
mod scenario;

use environment::{Environment, RELEASES};
use scenario::Scenario;
use serde_json::{Value, json};
use std::{collections::BTreeSet, process::Command};
use trueup::providers::{
    proxmox::{PRIVILEGES, Privilege, Release, Role},
    sandbox_connection::Connection,
};

fn site(endpoint: &str, more: &str) -> String {
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
    {more}
"#
    )
}

/// A sandbox whose Proxmox is reached as a real one is: by its address, its authority, and the token that was set up for what
/// is declared in the end. What stands before is made.
fn prepared(version: &'static str, scenario: Scenario) -> Environment {
    let mut environment = Environment::new().on(version);
    environment.write("manifests/site.yaml", &site("https://127.0.0.1:1", scenario.site));
    environment.write("manifests/guests.yaml", scenario.then);
    environment.start_sandbox();
    let connection = Connection::read(&environment.path("sandbox")).unwrap();
    environment.write("manifests/site.yaml", &site(&connection.proxmox.url, scenario.site));
    std::fs::copy(&connection.proxmox.ca, environment.path("manifests/ca.pem")).unwrap();
    let password = connection.proxmox_password_file.display().to_string();
    let ran = environment.run(&["setup", "token", "--password-file", &password]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    if let Some(pool) = scenario.pool {
        environment.call("proxmox", "POST", "/api2/json/pools", Some(json!({ "poolid": pool })));
    }
    if !scenario.before.is_empty() {
        environment.write("manifests/guests.yaml", scenario.before);
        let ran = reconcile(&environment);
        assert_eq!(ran.code, 0, "{version}: {}{}", ran.stdout, ran.stderr);
        environment.write("manifests/guests.yaml", scenario.then);
    }
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

/// Without `name`, a pass fails and names it with its path, and so does the doctor, who names the role too; with it again,
/// everything is made.
fn is_needed(role: Role, name: &'static str, path: &str, scenario: Scenario, version: &'static str) {
    let release: Release = version.parse().unwrap();
    let all = role.privileges(release);
    if !all.contains(name) {
        return;
    }
    let environment = prepared(version, scenario);
    let rest = all.iter().copied().filter(|held| *held != name).collect();
    set_role(&environment, role, &rest);
    let asked = environment.run(&["doctor", "--without", "host", "--without", "cloudflare"]);
    assert_eq!(asked.code, 4, "{}{}", asked.stdout, asked.stderr);
    let said = asked.stdout.lines().filter(|line| line.starts_with("wrong") && line.contains("privilege"));
    let place = format!(" on {path} (role {role})");
    let mut said = said.filter(|line| line.contains(name) && line.ends_with(&place));
    assert!(said.next().is_some(), "{name}{place} on {version}: {}", asked.stdout);
    let failed = reconcile(&environment);
    let told = format!("{}{}", failed.stdout, failed.stderr);
    assert!(matches!(failed.code, 1 | 4), "{name} on {version} is not needed: {told}");
    assert!(told.lines().any(|line| line.contains(name) && line.contains(path)), "{name} on {version}: {told}");
    set_role(&environment, role, &all);
    let done = reconcile(&environment);
    assert_eq!(done.code, 0, "{version}: {}{}", done.stdout, done.stderr);
}

macro_rules! needed {
    ($($test:ident: $role:ident $name:literal on $path:literal in $scenario:ident;)*) => {
        /// The privileges for which there is a test below.
        const TESTED: &[(Role, &str)] = &[$((Role::$role, $name)),*];
        $(
            #[test]
            fn $test() {
                for version in RELEASES {
                    is_needed(Role::$role, $name, $path, scenario::$scenario, version);
                }
            }
        )*
    };
}

needed! {
    vm_allocate: Guests "VM.Allocate" on "/vms" in CONTAINERS;
    vm_audit: Guests "VM.Audit" on "/vms" in CONTAINERS;
    vm_config_cpu: Guests "VM.Config.CPU" on "/vms" in CONTAINERS;
    vm_config_disk: Guests "VM.Config.Disk" on "/vms" in CONTAINERS;
    vm_config_memory: Guests "VM.Config.Memory" on "/vms" in CONTAINERS;
    vm_config_network: Guests "VM.Config.Network" on "/vms" in CONTAINERS;
    vm_config_options: Guests "VM.Config.Options" on "/vms" in CONTAINERS;
    vm_power_mgmt: Guests "VM.PowerMgmt" on "/vms" in CONTAINERS;
    vm_config_hwtype: Machines "VM.Config.HWType" on "/vms" in MACHINE;
    vm_clone: Clones "VM.Clone" on "/vms" in COPY;
    vm_config_cdrom: CloudInit "VM.Config.CDROM" on "/vms" in CLOUD_INIT;
    vm_config_cloudinit: CloudInit "VM.Config.Cloudinit" on "/vms" in CLOUD_INIT;
    vm_guest_agent_audit: Agents "VM.GuestAgent.Audit" on "/vms" in AGENT;
    vm_monitor: Agents "VM.Monitor" on "/vms" in AGENT;
    pool_allocate: Pools "Pool.Allocate" on "/pool/team" in POOL;
    pool_audit: Pools "Pool.Audit" on "/pool/team" in POOL;
    sys_audit: Placement "Sys.Audit" on "/nodes/pve1" in PLACEMENT;
    datastore_allocate_space: Disks "Datastore.AllocateSpace" on "/storage/disks" in CONTAINERS;
    datastore_allocate_space_of_a_machine: Disks "Datastore.AllocateSpace" on "/storage/disks" in MACHINE;
    datastore_allocate_space_of_a_copy: Disks "Datastore.AllocateSpace" on "/storage/disks" in COPY;
    datastore_audit: Templates "Datastore.Audit" on "/storage/local" in CONTAINERS;
    datastore_audit_of_an_image: Templates "Datastore.Audit" on "/storage/local" in MACHINE;
    datastore_allocate_template: Deliveries "Datastore.AllocateTemplate" on "/storage/local" in CONTAINERS;
    datastore_allocate_template_of_an_image: Deliveries "Datastore.AllocateTemplate" on "/storage/local" in MACHINE;
    sys_access_network: Downloads "Sys.AccessNetwork" on "/nodes/pve1" in CONTAINERS;
    sdn_use: Network "SDN.Use" on "/sdn/zones/localnetwork/vmbr1" in CONTAINERS;
    sdn_use_of_a_machine: Network "SDN.Use" on "/sdn/zones/localnetwork/vmbr1" in MACHINE;
    sys_modify_of_the_start_order: StartOrder "Sys.Modify" on "/" in START_ORDER;
    sys_modify_of_a_privileged_container: Privileged "Sys.Modify" on "/" in PRIVILEGED;
}

#[test]
fn every_privilege_has_its_test() {
    let all: BTreeSet<_> = PRIVILEGES.iter().map(|p| (p.role, p.name)).collect();
    assert_eq!(all, TESTED.iter().copied().collect());
    assert!(PRIVILEGES.iter().all(|p: &Privilege| RELEASES.iter().any(|v| p.is_in(v.parse().unwrap()))));
}

/// The account of the sandbox, with which demo and tests run, holds these roles and nothing else.
#[test]
fn the_sandbox_gives_the_product_these_roles_and_no_more() {
    for version in RELEASES {
        let mut environment = Environment::new().on(version);
        environment.write("manifests/site.yaml", &site("https://127.0.0.1:1", ""));
        environment.write("manifests/guests.yaml", scenario::CONTAINERS.then);
        environment.start_sandbox();
        let release: Release = version.parse().unwrap();
        let roles = PRIVILEGES.iter().filter(|p| p.is_in(release)).map(|p| p.role.to_string());
        let acl = environment.call("proxmox", "GET", "/api2/json/access/acl", None)["data"].clone();
        let held: BTreeSet<String> = acl
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["ugid"].as_str().unwrap().starts_with("sandbox@pve"))
            .map(|entry| entry["roleid"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(held, roles.collect());
        let token = environment.read("sandbox/proxmox.token");
        assert!(token.starts_with("sandbox@pve!trueup="), "{version}");
    }
}

/// It is a program's own check that nothing here runs as root.
#[test]
fn no_secret_is_in_the_process_list_or_the_output() {
    let environment = prepared("9.2", scenario::CONTAINERS);
    let secret = environment.read("manifests/secrets/token");
    let secret = secret.trim().split_once('=').unwrap().1;
    let again = environment.run(&["setup", "token", "--output", "json"]);
    assert_eq!(again.code, 0);
    assert!(!again.stdout.contains(secret) && !again.stderr.contains(secret));
    let mode =
        Command::new("stat").args(["-c", "%a"]).arg(environment.path("manifests/secrets/token")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&mode.stdout).trim(), "600");
}
