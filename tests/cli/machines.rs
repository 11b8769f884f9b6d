//! Virtual machines through the command: cloned, imported, changed, grown, adopted, destroyed, and reached, on both releases.
use crate::environment::{Environment, RELEASES, SITE};
use serde_json::{Value, json};
use std::fs;
use trueup::sandbox::{control::Ask, drift::Drift};

/// A machine of the clone's template, with ports and a slug.
fn clone(spec: &str) -> String {
    format!(
        "apiVersion: trueup/v1alpha1
kind: VirtualMachine
metadata: {{ name: build, annotations: {{ trueup/deletion: delete }} }}
spec:
  vmid: 9101
  clone: {{ from: 9000, full: true }}
  networks: [{{ slot: net0, address: dhcp }}]
  agent: {{ enabled: true }}
  cloudInit: {{ user: ops, sshKeys: {{ file: ops.pub }} }}
{spec}---
apiVersion: trueup/v1alpha1
kind: PortAllocation
metadata: {{ name: build }}
spec: {{ guest: build }}
---
apiVersion: trueup/v1alpha1
kind: DnsSlug
metadata: {{ name: build }}
spec: {{ guest: build, slug: auto }}
"
    )
}

const KEYS: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIM64np/Snh1DrUjy3xYztYLpIHbCCTUO0V+32mAVuLuX ops@decent-cloud.org\n";

fn environment(release: &'static str, machine: &str) -> Environment {
    let mut environment = Environment::new().on(release);
    environment.write("manifests/site.yaml", SITE);
    environment.write("manifests/ops.pub", KEYS);
    environment.write("manifests/machine.yaml", machine);
    environment.start_sandbox();
    environment
}

fn config(environment: &Environment, vmid: u32) -> Value {
    let path = format!("/api2/json/nodes/pve1/qemu/{vmid}/config");
    environment.call("proxmox", "GET", &path, None)["data"].clone()
}

/// The ids of a pool's guests.
fn members(environment: &Environment, pool: &str) -> Vec<Value> {
    let pool = environment.call("proxmox", "GET", &format!("/api2/json/pools/{pool}"), None)["data"].clone();
    pool["members"].as_array().unwrap().iter().map(|member| member["vmid"].clone()).collect()
}

fn lease(environment: &Environment, address: &str) {
    let (guest, interface) = ("9101".to_owned(), "eth0".to_owned());
    environment.ask(&Ask::Drift(Drift::Lease { guest, interface, address: address.parse().unwrap() }));
}

/// Where the forwards lead.
fn targets(environment: &Environment) -> Vec<String> {
    let shown = environment.ask(&Ask::Show);
    let of = |forward: &Value| forward["to"].as_str().unwrap().rsplit_once(':').unwrap().0.to_owned();
    let mut all: Vec<String> = shown["forwards"].as_array().unwrap().iter().map(of).collect();
    all.dedup();
    all
}

fn reconciled(environment: &Environment) -> String {
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    ran.stdout
}

/// G11: the address is asked of the agent, and a new lease moves ports and route in the same pass.
#[test]
fn a_clone_is_settled_started_reached_and_followed() {
    for release in RELEASES {
        let big = "  cores: 4\n  memory: 8GiB\n  disks: [{ slot: scsi0, size: 32GiB }]\n";
        let stopped = format!("{big}  state: stopped\n  pool: lab\n");
        let environment = environment(release, &clone(&stopped));
        for pool in ["lab", "office"] {
            environment.call("proxmox", "POST", "/api2/json/pools", Some(json!({ "poolid": pool })));
        }
        let told = reconciled(&environment);
        assert!(told.contains("a copy of 9000"), "{told}");
        let made = config(&environment, 9101);
        assert_eq!((&made["cores"], &made["memory"]), (&json!(4), &json!("8192")), "{made}");
        let text = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
        assert!(text("scsi0").contains("size=32G") && text("tags").contains("trueup"), "{made}");
        assert_eq!((text("ciuser").as_str(), text("ipconfig0").as_str()), ("ops", "ip=dhcp"));
        assert!(text("sshkeys").starts_with("ssh-ed25519%20AAAAC3"), "{made}");
        assert!(targets(&environment).is_empty(), "no address is known yet");
        assert_eq!(members(&environment, "lab"), [json!(9101)]);

        // Where it is not said any more, it is left to people.
        environment.write("manifests/machine.yaml", &clone(big));
        lease(&environment, "10.0.1.23/24");
        reconciled(&environment);
        assert_eq!(targets(&environment), ["10.0.1.23"]);
        assert_eq!(environment.ask(&Ask::Show)["routes"][0]["status"], "enabled");
        let writes = environment.writes();
        assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));
        assert_eq!(environment.writes(), writes);

        lease(&environment, "10.0.1.77/24");
        reconciled(&environment);
        assert_eq!(targets(&environment), ["10.0.1.77"]);

        // More cores wait for a restart, which happens where it is allowed. Another pool takes it from the one that it was in.
        let more = format!("{}  restartPolicy: whenNeeded\n  pool: office\n", big.replace("cores: 4", "cores: 6"));
        environment.write("manifests/machine.yaml", &clone(&more));
        let told = reconciled(&environment);
        assert!(told.contains("restart") && told.contains("lab -> office"), "{told}");
        let (lab, office) = (members(&environment, "lab"), members(&environment, "office"));
        assert_eq!((lab, office), (vec![], vec![json!(9101)]));
        assert_eq!(config(&environment, 9101)["cores"], 6);
        let pending = environment.call("proxmox", "GET", "/api2/json/nodes/pve1/qemu/9101/pending", None);
        assert!(!pending.to_string().contains("\"pending\""), "{pending}");
        assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));

        // Without its manifest it goes, with everything that led to it.
        environment.remove("manifests/machine.yaml");
        reconciled(&environment);
        let shown = environment.ask(&Ask::Show);
        let left = shown["guests"].as_array().unwrap();
        assert_eq!(left.iter().map(|guest| guest["vmid"].clone()).collect::<Vec<_>>(), [json!(9000)], "{shown}");
        assert!(targets(&environment).is_empty() && environment.records().is_empty());
    }
}

/// The image is brought first; the disk grows before the first start; disks are added and taken out.
#[test]
fn a_machine_is_made_from_an_image_and_its_disks_change() {
    for release in RELEASES {
        let machine = |disks: &str| {
            format!(
                "apiVersion: trueup/v1alpha1
kind: Template
metadata: {{ name: noble }}
spec: {{ storage: local, image: {{ upload: noble.qcow2 }} }}
---
apiVersion: trueup/v1alpha1
kind: VirtualMachine
metadata: {{ name: store }}
spec:
  vmid: 300
  memory: 2GiB
  disks: [{disks}]
  networks: [{{ slot: net0, address: 10.0.1.30/24, gateway: 10.0.1.1 }}]
  cloudInit: {{ user: ops }}
  boot: [scsi0]
---
apiVersion: trueup/v1alpha1
kind: PortAllocation
metadata: {{ name: store }}
spec: {{ guest: store }}
"
            )
        };
        let root = "{ slot: scsi0, size: 16GiB, image: noble, storage: local, discard: true }";
        let mut environment = Environment::new().on(release);
        environment.write("manifests/site.yaml", SITE);
        fs::write(environment.path("manifests/noble.qcow2"), vec![3; 600_000]).unwrap();
        environment.write("manifests/machine.yaml", &machine(root));
        environment.start_sandbox();
        reconciled(&environment);
        let made = config(&environment, 300);
        let value = |config: &Value, key: &str| config[key].as_str().unwrap_or_default().to_owned();
        assert!(value(&made, "scsi0").contains("discard=on") && value(&made, "scsi0").contains("size=16G"), "{made}");
        assert_eq!(value(&made, "ipconfig0"), "ip=10.0.1.30/24,gw=10.0.1.1");
        assert_eq!(targets(&environment), ["10.0.1.30"]);
        let running = || environment.call("proxmox", "GET", "/api2/json/nodes/pve1/qemu/300/status/current", None);
        assert_eq!(running()["data"]["status"], "running");
        assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));

        let two = format!("{}, {{ slot: scsi1, size: 8GiB, storage: local }}", root.replace("16GiB", "24GiB"));
        environment.write("manifests/machine.yaml", &machine(&two));
        reconciled(&environment);
        let grown = config(&environment, 300);
        assert!(value(&grown, "scsi0").contains("size=24G") && value(&grown, "scsi1").contains("size=8G"), "{grown}");
        assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));

        let out = two.replace("slot: scsi1, size: 8GiB, storage: local", "slot: scsi1, detached: true");
        environment.write("manifests/machine.yaml", &machine(&out));
        reconciled(&environment);
        let kept = config(&environment, 300);
        assert!(kept["scsi1"].is_null() && value(&kept, "unused0").contains("vm-300-disk"), "{kept}");
        assert_eq!(value(&kept, "net0"), value(&made, "net0"), "the card keeps its address");
    }
}

/// Made in one call, reached at its fixed address, changed with a restart, and destroyed with everything that led to it.
#[test]
fn a_machine_is_made_reached_changed_and_destroyed() {
    for release in RELEASES {
        let machine = |spec: &str| {
            format!(
                "apiVersion: trueup/v1alpha1
kind: VirtualMachine
metadata: {{ name: store, annotations: {{ trueup/deletion: delete }} }}
spec:
  vmid: 300
  cores: 1
{spec}
  disks: [{{ slot: scsi0, size: 16GiB, storage: local, discard: true }}]
  networks: [{{ slot: net0, address: 10.0.1.30/24, gateway: 10.0.1.1 }}]
  cloudInit: {{ user: ops, sshKeys: {{ file: ops.pub }}, storage: local }}
  startOnBoot: true
  restartPolicy: whenNeeded
---
apiVersion: trueup/v1alpha1
kind: PortAllocation
metadata: {{ name: store }}
spec: {{ guest: store }}
---
apiVersion: trueup/v1alpha1
kind: DnsSlug
metadata: {{ name: store }}
spec: {{ guest: store, slug: auto }}
"
            )
        };
        let environment = environment(release, &machine("  memory: 2GiB"));
        reconciled(&environment);
        let made = config(&environment, 300);
        let value = |config: &Value, key: &str| config[key].as_str().unwrap_or_default().to_owned();
        assert!(value(&made, "scsi0").contains("discard=on") && value(&made, "scsi0").contains("size=16G"), "{made}");
        assert_eq!(value(&made, "ipconfig0"), "ip=10.0.1.30/24,gw=10.0.1.1");
        assert!(value(&made, "sshkeys").starts_with("ssh-ed25519%20AAAAC3"), "{made}");
        assert_eq!(targets(&environment), ["10.0.1.30"]);
        assert_eq!(environment.ask(&Ask::Show)["routes"][0]["status"], "enabled");
        let running = || environment.call("proxmox", "GET", "/api2/json/nodes/pve1/qemu/300/status/current", None);
        assert_eq!(running()["data"]["status"], "running");
        let writes = environment.writes();
        assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));
        assert_eq!(environment.writes(), writes);

        environment.write("manifests/machine.yaml", &machine("  memory: 4GiB"));
        let told = reconciled(&environment);
        assert!(told.contains("restart"), "{told}");
        let changed = config(&environment, 300);
        assert_eq!((value(&changed, "memory"), value(&changed, "net0")), ("4096".into(), value(&made, "net0")));
        let pending = environment.call("proxmox", "GET", "/api2/json/nodes/pve1/qemu/300/pending", None);
        assert!(!pending.to_string().contains("\"pending\""), "{pending}");
        assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));

        // Firmware that it was not made with is added, once.
        let safe = "  memory: 4GiB\n  bios: ovmf\n  efiDisk: { storage: local }\n  tpm: { storage: local }";
        environment.write("manifests/machine.yaml", &machine(safe));
        let told = reconciled(&environment);
        assert!(told.contains("efiDisk") && told.contains("tpm") && told.contains("restart"), "{told}");
        let added = config(&environment, 300);
        assert!(
            value(&added, "efidisk0").contains("efitype=4m") && value(&added, "tpmstate0").contains("v2.0"),
            "{added}"
        );
        let pending = environment.call("proxmox", "GET", "/api2/json/nodes/pve1/qemu/300/pending", None);
        assert!(!pending.to_string().contains("\"pending\""), "{pending}");
        assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));

        environment.remove("manifests/machine.yaml");
        let ran = environment.reconcile(&[]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        let shown = environment.ask(&Ask::Show);
        assert_eq!(shown["guests"].as_array().unwrap().len(), 0, "{shown}");
        assert!(targets(&environment).is_empty() && environment.records().is_empty());
    }
}

/// A machine that a person made is adopted by a mark, and the next plan is empty.
#[test]
fn a_machine_is_adopted_with_its_odd_spellings() {
    for release in RELEASES {
        let machine = "apiVersion: trueup/v1alpha1
kind: VirtualMachine
metadata: { name: old, annotations: { trueup/adopt: \"400\" } }
spec:
  vmid: 400
  memory: 1GiB
  disks: [{ slot: scsi0, size: 8GiB, storage: local }]
  networks: [{ slot: net0, bridge: vmbr1 }]
  agent: { enabled: true }
  cloudInit: { user: ops, sshKeys: { file: ops.pub } }
  tags: [Prod, db]
  state: stopped
";
        let environment = environment(release, machine);
        let body = json!({
            "vmid": 400, "name": "old", "memory": 1024, "scsi0": "local:8,discard=on", "scsihw": "virtio-scsi-single",
            "net0": "model=virtio,macaddr=BC:24:11:00:00:31,bridge=vmbr1,queues=2", "tags": "db,prod,other",
            "agent": "enabled=1,fstrim_cloned_disks=1", "description": "of the old days\n", "ide2": "local:cloudinit",
            "ciuser": "ops",
            "sshkeys": "ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5AAAAIM64np%2FSnh1DrUjy3xYztYLpIHbCCTUO0V%2B32mAVuLuX%20ops%40decent-cloud.org%0A",
        });
        let task = environment.call("proxmox", "POST", "/api2/json/nodes/pve1/qemu", Some(body));
        environment.finished("pve1", task["data"].as_str().unwrap_or_default());
        let before = config(&environment, 400);
        let told = reconciled(&environment);
        assert!(told.contains("1 adopted"), "{told}");
        let after = config(&environment, 400);
        for (key, value) in before.as_object().unwrap() {
            let marked = ["description", "tags", "digest"].contains(&key.as_str());
            assert!(marked || after[key] == *value, "{key}: {value} became {}", after[key]);
        }
        assert!(after["description"].as_str().unwrap().starts_with("of the old days\n<!-- trueup "), "{after}");
        let writes = environment.writes();
        assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));
        assert_eq!(environment.writes(), writes);
    }
}
