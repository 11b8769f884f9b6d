//! Several nodes: guests that move, nodes that go down, guests that the cluster runs.
use super::client::{Client, request};
use crate::sandbox::proxmox::{Seed, SeedNode, SeedStorage, Timing};
use serde_json::json;

/// Three nodes, a local directory on each, and one that all of them see.
fn cluster() -> Client {
    let mut seed = Seed::default();
    for (name, address) in [("pve2", "10.99.0.3"), ("pve3", "10.99.0.4")] {
        seed.nodes.insert(name.into(), SeedNode { address: address.into(), ..SeedNode::default() });
    }
    let shared = SeedStorage { kind: "nfs".into(), path: Some("/mnt/pve/nas".into()), ..SeedStorage::default() };
    seed.storages.insert("nas".into(), shared);
    let only = SeedStorage { path: Some("/srv".into()), nodes: ["pve3".into()].into(), ..SeedStorage::default() };
    seed.storages.insert("scratch".into(), only);
    Client::with(seed, Timing::Fast)
}

const NEW: &[(&str, &str)] = &[
    ("vmid", "101"),
    ("ostemplate", "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"),
    ("hostname", "web"),
    ("rootfs", "local:1"),
    ("features", "nesting=1"),
    ("unprivileged", "1"),
];

async fn node_of(client: &Client, id: &str) -> (String, String) {
    let rows = client.get("/cluster/resources?type=vm").await;
    let row = rows.as_array().unwrap().iter().find(|r| r["id"] == id).unwrap_or_else(|| panic!("{rows}")).clone();
    (row["node"].as_str().unwrap().into(), row["status"].as_str().unwrap().into())
}

#[tokio::test]
async fn a_guest_moves_and_is_found_where_it_went() {
    let client = cluster();
    assert_eq!(client.task("POST", "/nodes/pve1/lxc", NEW).await, "OK");
    client.task("POST", "/nodes/pve1/lxc/101/status/start", &[]).await;
    let (status, body) = client.call("POST", "/nodes/pve1/lxc/101/migrate", &[("target", "pve2")]).await;
    let why = "can't migrate running container without --online or --restart\n";
    assert_eq!((status, &body["message"]), (500, &json!(why)));
    let how = [("target", "pve2"), ("restart", "1")];
    assert_eq!(client.task("POST", "/nodes/pve1/lxc/101/migrate", &how).await, "OK");
    assert_eq!(node_of(&client, "lxc/101").await, ("pve2".into(), "running".into()));
    let (status, body) = client.call("GET", "/nodes/pve1/lxc/101/config", &[]).await;
    let gone = "Configuration file 'nodes/pve1/lxc/101.conf' does not exist\n";
    assert_eq!((status, &body["message"]), (500, &json!(gone)));
    assert_eq!(client.get("/nodes/pve2/lxc/101/config").await["hostname"], "web");
    assert_eq!(client.get("/nodes/pve1/storage/local/content?vmid=101").await, json!([]));
    assert_eq!(client.get("/nodes/pve2/storage/local/content?vmid=101").await.as_array().unwrap().len(), 1);
    let (status, body) = client.call("POST", "/nodes/pve2/lxc", NEW).await;
    assert_eq!((status, &body["message"]), (500, &json!("CT 101 already exists on node 'pve2'\n")));
}

#[tokio::test]
async fn a_machine_does_not_move_to_where_its_storage_is_not() {
    let client = cluster();
    let new = [("vmid", "201"), ("scsi0", "scratch:1")];
    let (status, body) = client.call("POST", "/nodes/pve3/qemu", &new).await;
    assert_eq!(status, 200, "{body}");
    let (status, body) = client.call("POST", "/nodes/pve3/qemu/201/migrate", &[("target", "pve1")]).await;
    let why = "storage 'scratch' is not available on node 'pve1'\n";
    assert_eq!((status, &body["message"]), (500, &json!(why)));
    let names = |rows: &serde_json::Value| -> Vec<String> {
        rows.as_array().unwrap().iter().map(|r| r["storage"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(names(&client.get("/nodes/pve1/storage").await), ["local", "nas"]);
    assert_eq!(names(&client.get("/nodes/pve3/storage").await), ["local", "nas", "scratch"]);
}

#[tokio::test]
async fn a_node_that_is_down_does_not_answer_and_what_it_has_is_unknown() {
    let client = cluster();
    client.task("POST", "/nodes/pve1/lxc", NEW).await;
    client.task("POST", "/nodes/pve1/lxc/101/migrate", &[("target", "pve2")]).await;
    client.simulator.set_online("pve2", false).unwrap();
    assert!(client.simulator.set_online("nosuch", false).is_err());
    let (reply, _) = client.send(request("GET", "/nodes/pve2/lxc/101/config", None)).await;
    assert_eq!((reply.status, reply.body.len(), reply.close), (595, 0, true));
    assert_eq!(node_of(&client, "lxc/101").await, ("pve2".into(), "unknown".into()));
    let status = client.get("/cluster/status").await;
    let rows = status.as_array().unwrap();
    assert_eq!((&rows[0]["type"], &rows[0]["quorate"], rows.len()), (&json!("cluster"), &json!(1), 4));
    assert!(rows.iter().any(|r| r["name"] == "pve2" && r["online"] == 0), "{status}");
    let (code, body) = client.call("POST", "/nodes/pve1/lxc/101/migrate", &[("target", "pve2")]).await;
    assert_eq!((code, &body["message"]), (500, &json!("node 'pve2' is not online\n")));
    client.simulator.set_online("pve2", true).unwrap();
    assert_eq!(client.get("/nodes/pve2/lxc/101/config").await["hostname"], "web");
}

#[tokio::test]
async fn starting_what_the_cluster_runs_is_a_request_to_it() {
    let client = cluster();
    client.task("POST", "/nodes/pve1/lxc", NEW).await;
    let managed = [("sid", "ct:101"), ("state", "stopped")];
    assert_eq!(client.call("POST", "/cluster/ha/resources", &managed).await.0, 200);
    let (status, body) = client.call("POST", "/cluster/ha/resources", &managed).await;
    let why = "create resource failed: resource ID 'ct:101' already defined\n";
    assert_eq!((status, &body["message"]), (500, &json!(why)));
    let (_, body) = client.call("POST", "/nodes/pve1/lxc/101/status/start", &[]).await;
    assert!(body["data"].as_str().unwrap().contains(":hastart:101:"), "{body}");
    // The request is noted first; the node acts on it afterwards.
    for _ in 0..3 {
        client.get("/version").await;
    }
    let current = client.get("/nodes/pve1/lxc/101/status/current").await;
    assert_eq!((&current["status"], &current["ha"]["managed"]), (&json!("running"), &json!(1)));
    assert_eq!(client.get("/cluster/ha/resources/ct:101").await["state"], "started");
    let (status, body) = client.call("DELETE", "/cluster/ha/resources/ct:102", &[]).await;
    assert_eq!((status, &body["message"]), (500, &json!("cannot delete service 'ct:102', not HA managed!\n")));
}

#[tokio::test]
async fn tags_that_guests_have_may_be_given_to_others() {
    let client = Client::fast();
    let mut new = NEW.to_vec();
    new.push(("tags", "web;prod"));
    assert_eq!(client.task("POST", "/nodes/pve1/lxc", &new).await, "OK");
    let allowed = async || client.get("/cluster/options").await["allowed-tags"].clone();
    assert_eq!(allowed().await, json!(["prod", "web"]));
    let set = [("user-tag-access", "user-allow=list,user-allow-list=z;a"), ("registered-tags", "y;b")];
    assert_eq!(client.call("PUT", "/cluster/options", &set).await.0, 200);
    assert_eq!(allowed().await, json!(["a", "b", "prod", "web", "y", "z"]));
    // Lists stand as they were given until the file is written again.
    assert_eq!(client.get("/cluster/options").await["registered-tags"], json!(["y", "b"]));
    let old = [("console", "applet"), ("migration_unsecure", "1")];
    assert_eq!(client.call("PUT", "/cluster/options", &old).await.0, 200);
    let options = client.get("/cluster/options").await;
    assert_eq!(options["registered-tags"], json!(["b", "y"]));
    assert_eq!(options["user-tag-access"]["user-allow-list"], json!(["a", "z"]));
    assert_eq!((&options["console"], &options["migration"]), (&json!("html5"), &json!({"type": "insecure"})));
}
