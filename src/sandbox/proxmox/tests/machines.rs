//! Virtual machines that run: the recorded installation had none.
use super::client::Client;
use serde_json::json;

const NEW: &[(&str, &str)] = &[
    ("vmid", "201"),
    ("name", "k8s"),
    ("memory", "512"),
    ("cores", "1"),
    ("scsihw", "virtio-scsi-single"),
    ("scsi0", "local:1,format=qcow2"),
    ("ide2", "local:cloudinit"),
    ("net0", "virtio,bridge=vmbr0"),
    ("ipconfig0", "ip=10.99.0.61/24,gw=10.99.0.1"),
    ("agent", "1"),
];

async fn machine() -> Client {
    let client = Client::fast();
    assert_eq!(client.task("POST", "/nodes/pve1/qemu", NEW).await, "OK");
    client
}

async fn put(client: &Client, pairs: &[(&str, &str)]) {
    let (status, body) = client.call("PUT", "/nodes/pve1/qemu/201/config", pairs).await;
    assert_eq!(status, 200, "{pairs:?}: {body}");
}

async fn current(client: &Client, key: &str) -> serde_json::Value {
    client.get("/nodes/pve1/qemu/201/config?current=1").await[key].clone()
}

#[tokio::test]
async fn an_agent_tells_the_addresses_while_the_machine_runs() {
    let client = machine().await;
    let ask = "/nodes/pve1/qemu/201/agent/network-get-interfaces";
    let (status, body) = client.call("GET", ask, &[]).await;
    assert_eq!((status, &body["message"]), (500, &json!("VM 201 is not running\n")));
    assert_eq!(client.task("POST", "/nodes/pve1/qemu/201/status/start", &[]).await, "OK");
    let seen = client.get(ask).await;
    assert_eq!(seen["result"][1]["name"], "eth0");
    assert_eq!(
        seen["result"][1]["ip-addresses"][0],
        json!({
            "ip-address": "10.99.0.61", "ip-address-type": "ipv4", "prefix": 24,
        })
    );
    let guest = client.simulator.guests().remove(0);
    assert_eq!((guest.running, guest.networks[0].addresses.len()), (true, 1));
    put(&client, &[("delete", "agent")]).await;
    // What says that there is an agent is pending: it answers on.
    assert_eq!(client.call("GET", ask, &[]).await.0, 200);
    assert_eq!(client.task("POST", "/nodes/pve1/qemu/201/status/shutdown", &[]).await, "OK");
    assert_eq!(client.call("GET", ask, &[]).await.1["message"], "No QEMU guest agent configured\n");
}

#[tokio::test]
async fn a_running_machine_takes_some_changes_at_once_and_others_at_its_next_start() {
    let client = machine().await;
    client.task("POST", "/nodes/pve1/qemu/201/status/start", &[]).await;
    put(&client, &[("memory", "1024"), ("name", "renamed"), ("scsi1", "local:1"), ("ciuser", "ops"), ("cores", "2")])
        .await;
    assert_eq!(current(&client, "memory").await, "512");
    assert_eq!(current(&client, "cores").await, 1);
    assert_eq!(current(&client, "name").await, "renamed");
    assert_eq!(current(&client, "ciuser").await, "ops");
    assert_eq!(current(&client, "scsi1").await, "local:201/vm-201-disk-1.raw,size=1G");
    let (status, body) = client.call("PUT", "/nodes/pve1/qemu/201/config", &[("net1", "virtio,bridge=vmbr9")]).await;
    let why = "hotplug problem - bridge 'vmbr9' does not exist\n";
    assert_eq!((status, &body["errors"]["net1"]), (400, &json!(why)));
    assert_eq!(current(&client, "net1").await, json!(null));
    put(&client, &[("revert", "net1")]).await;
    assert_eq!(client.task("POST", "/nodes/pve1/qemu/201/status/reboot", &[]).await, "OK");
    assert_eq!(current(&client, "memory").await, "1024");
    let pending = client.get("/nodes/pve1/qemu/201/pending").await;
    assert!(pending.as_array().unwrap().iter().all(|row| row.get("pending").is_none()), "{pending}");
}

#[tokio::test]
async fn a_full_copy_has_its_own_disks_and_a_linked_one_holds_on_to_its_base() {
    let client = machine().await;
    assert_eq!(client.task("POST", "/nodes/pve1/qemu/201/clone", &[("newid", "202"), ("full", "1")]).await, "OK");
    let copy = client.get("/nodes/pve1/qemu/202/config").await;
    assert_eq!(copy["scsi0"], "local:202/vm-202-disk-0.qcow2,size=1G");
    assert_ne!(copy["net0"], client.get("/nodes/pve1/qemu/201/config").await["net0"]);
    assert!(copy.get("lock").is_none());
    assert_eq!(client.task("POST", "/nodes/pve1/qemu/201/template", &[]).await, "OK");
    assert_eq!(client.task("POST", "/nodes/pve1/qemu/201/clone", &[("newid", "203")]).await, "OK");
    let linked = client.get("/nodes/pve1/qemu/203/config").await;
    assert_eq!(linked["scsi0"], "local:201/base-201-disk-0.qcow2/203/vm-203-disk-0.qcow2,size=1G");
    // The copies start; the template does not.
    assert_eq!(client.task("POST", "/nodes/pve1/qemu/203/status/start", &[]).await, "OK");
    let exit = client.task("POST", "/nodes/pve1/qemu/201/status/start", &[]).await;
    assert_eq!(exit, "you can't start a vm if it's a template");
}

#[tokio::test]
async fn a_disk_moves_to_another_format_and_its_old_volume_is_kept_or_not() {
    let client = machine().await;
    let raw = [("disk", "scsi0"), ("storage", "local"), ("format", "raw")];
    assert_eq!(client.task("POST", "/nodes/pve1/qemu/201/move_disk", &raw).await, "OK");
    let config = client.get("/nodes/pve1/qemu/201/config").await;
    assert_eq!(config["scsi0"], "local:201/vm-201-disk-1.raw,size=1G");
    assert_eq!(config["unused0"], "local:201/vm-201-disk-0.qcow2");
    let back = [("disk", "scsi0"), ("storage", "local"), ("format", "qcow2"), ("delete", "1")];
    assert_eq!(client.task("POST", "/nodes/pve1/qemu/201/move_disk", &back).await, "OK");
    let left = client.get("/nodes/pve1/storage/local/content?vmid=201").await;
    let raw = left.as_array().unwrap().iter().filter(|v| v["format"] == "raw").count();
    assert_eq!(raw, 0, "{left}");
}

#[tokio::test]
async fn a_snapshot_brings_back_the_config_of_its_time() {
    let client = machine().await;
    put(&client, &[("delete", "ide2")]).await;
    assert_eq!(client.task("POST", "/nodes/pve1/qemu/201/snapshot", &[("snapname", "one")]).await, "OK");
    put(&client, &[("memory", "1024")]).await;
    assert_eq!(client.task("POST", "/nodes/pve1/qemu/201/snapshot/one/rollback", &[("start", "1")]).await, "OK");
    assert_eq!(current(&client, "memory").await, "512");
    assert_eq!(client.get("/nodes/pve1/qemu/201/status/current").await["status"], "running");
    assert_eq!(client.task("DELETE", "/nodes/pve1/qemu/201/snapshot/one", &[]).await, "OK");
    assert_eq!(current(&client, "parent").await, json!(null));
}

#[tokio::test]
async fn windows_keeps_the_machine_type_of_its_birth() {
    let client = Client::fast();
    for (vmid, given, pinned) in [("301", None, "pc-i440fx-10.0"), ("302", Some("q35"), "pc-q35-10.0")] {
        let mut new = vec![("vmid", vmid), ("ostype", "win11")];
        new.extend(given.map(|m| ("machine", m)));
        assert_eq!(client.task("POST", "/nodes/pve1/qemu", &new).await, "OK");
        assert_eq!(client.get(&format!("/nodes/pve1/qemu/{vmid}/config")).await["machine"], pinned);
    }
}
