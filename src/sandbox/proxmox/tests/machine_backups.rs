//! Backups of virtual machines, and machines out of them.
use super::client::{Client, encode};
use crate::sandbox::proxmox::{Lack, Seed, Timing};
use serde_json::json;

const NEW: &[(&str, &str)] = &[
    ("vmid", "201"),
    ("name", "k8s"),
    ("memory", "512"),
    ("scsi0", "local:1"),
    ("scsi1", "local:2,backup=0"),
    ("ide2", "local:cloudinit"),
    ("net0", "virtio,bridge=vmbr0"),
    ("description", "mine"),
];
const DUMP: &[(&str, &str)] = &[("vmid", "201"), ("storage", "local"), ("compress", "zstd")];

async fn machine(client: Client) -> Client {
    assert_eq!(client.task("POST", "/nodes/pve1/qemu", NEW).await, "OK");
    client
}

/// The log of the last task.
async fn log(client: &Client) -> Vec<String> {
    let tasks = client.get("/nodes/pve1/tasks?limit=1").await;
    let upid = encode(tasks[0]["upid"].as_str().unwrap());
    let lines = client.get(&format!("/nodes/pve1/tasks/{upid}/log?limit=0")).await;
    lines.as_array().unwrap().iter().map(|line| line["t"].as_str().unwrap().to_string()).collect()
}

async fn archive(client: &Client) -> String {
    let rows = client.get("/nodes/pve1/storage/local/content?content=backup").await;
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["subtype"]), (1, &json!("qemu")));
    rows[0]["volid"].as_str().unwrap().to_string()
}

#[tokio::test]
async fn a_machine_comes_out_of_its_backup_as_it_was() {
    let client = machine(Client::fast()).await;
    assert_eq!(client.task("POST", "/nodes/pve1/vzdump", DUMP).await, "OK");
    let said = log(&client).await;
    for line in [
        "INFO: Starting Backup of VM 201 (qemu)",
        "INFO: VM Name: k8s",
        "INFO: include disk 'scsi0' 'local:201/vm-201-disk-0.raw' 1G",
        "INFO: exclude disk 'scsi1' 'local:201/vm-201-disk-1.raw' (backup=no)",
        "INFO: starting kvm to execute backup task",
        "INFO: stopping kvm after backup task",
        "INFO: Backup job finished successfully",
    ] {
        assert!(said.iter().any(|l| l == line), "{line}: {said:#?}");
    }
    let volid = archive(&client).await;
    assert!(volid.starts_with("local:backup/vzdump-qemu-201-") && volid.ends_with(".vma.zst"), "{volid}");
    let inside = client.get(&format!("/nodes/pve1/vzdump/extractconfig?volume={}", encode(&volid))).await;
    assert!(inside.as_str().unwrap().ends_with("#qmdump#map:scsi0:drive-scsi0:local:raw:\n"), "{inside}");

    let before = client.get("/nodes/pve1/qemu/201/config").await;
    let back = [("vmid", "202"), ("archive", &*volid), ("unique", "1"), ("memory", "1024")];
    assert_eq!(client.task("POST", "/nodes/pve1/qemu", &back).await, "OK");
    let after = client.get("/nodes/pve1/qemu/202/config").await;
    assert_eq!((&after["name"], &after["memory"], after.get("lock")), (&json!("k8s"), &json!("1024"), None));
    assert_eq!(after["scsi0"], "local:202/vm-202-disk-0.raw,size=1G");
    assert_eq!(after["ide2"], "local:202/vm-202-cloudinit.qcow2,media=cdrom");
    for key in ["net0", "smbios1", "vmgenid"] {
        assert_ne!(after[key], before[key], "{key}");
    }
    // A disk that was in no backup is told of in the notes.
    assert_eq!(after.get("scsi1"), None);
    assert_eq!(after["description"], "mine\nscsi1: local:201/vm-201-disk-1.raw,backup=0,size=2G");
}

#[tokio::test]
async fn a_machine_is_overwritten_only_by_force_and_while_it_rests() {
    let client = machine(Client::fast()).await;
    assert_eq!(client.task("POST", "/nodes/pve1/vzdump", DUMP).await, "OK");
    let volid = archive(&client).await;
    let mut back = vec![("vmid", "201"), ("archive", &*volid)];
    let (status, body) = client.call("POST", "/nodes/pve1/qemu", &back).await;
    let why = "unable to restore VM 201 - VM 201 already exists on node 'pve1'\n";
    assert_eq!((status, &body["message"]), (500, &json!(why)));
    back.push(("scsi0", "local:1"));
    let (status, body) = client.call("POST", "/nodes/pve1/qemu", &back).await;
    assert_eq!((status, &body["errors"]["scsi0"]), (400, &json!("option conflicts with option 'archive'")));
    back.pop();
    back.push(("force", "1"));
    assert_eq!(client.task("POST", "/nodes/pve1/qemu/201/status/start", &[]).await, "OK");
    let running = client.task("POST", "/nodes/pve1/qemu", &back).await;
    assert_eq!(running, "unable to restore VM 201 - vm is running");
    assert_eq!(client.task("POST", "/nodes/pve1/qemu/201/status/stop", &[]).await, "OK");
    assert_eq!(client.task("POST", "/nodes/pve1/qemu", &back).await, "OK");
    let config = client.get("/nodes/pve1/qemu/201/config").await;
    // What was in no backup is kept, unused.
    assert_eq!(config["unused0"], "local:201/vm-201-disk-1.raw");
    assert_eq!(config["scsi0"], "local:201/vm-201-disk-0.raw,size=1G");
}

#[tokio::test]
async fn without_kvm_only_a_machine_without_disks_is_backed_up() {
    let mut seed = Seed::default();
    seed.nodes.values_mut().for_each(|node| node.lacks = [Lack::Kvm].into());
    let client = machine(Client::with(seed, Timing::Fast)).await;
    assert_eq!(client.task("POST", "/nodes/pve1/vzdump", DUMP).await, "job errors");
    let said = log(&client).await;
    let at = said.iter().position(|l| l == "INFO: aborting backup job").unwrap();
    assert!(said[at - 1].starts_with("ERROR: KVM virtualisation configured, but not available."), "{said:#?}");
    assert_eq!(said[at + 1..at + 3], ["ERROR: VM 201 not running", "VM 201 not running"]);
    let bare = [("vmid", "203"), ("memory", "64")];
    assert_eq!(client.task("POST", "/nodes/pve1/qemu", &bare).await, "OK");
    let dump = [("vmid", "203"), ("storage", "local")];
    assert_eq!(client.task("POST", "/nodes/pve1/vzdump", &dump).await, "OK");
    assert!(log(&client).await.iter().any(|l| l == "INFO: starting diskless backup"));
}
