//! What a reconciler meets.
use super::client::{Client, encode};
use crate::sandbox::proxmox::{Kind, Seed, Simulator, Timing, seed::SeedToken};
use serde_json::json;

const TEMPLATE: &str = "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst";
const NEW: &[(&str, &str)] = &[
    ("vmid", "101"),
    ("ostemplate", TEMPLATE),
    ("hostname", "web"),
    ("rootfs", "local:1"),
    ("memory", "128"),
    ("features", "nesting=1"),
    ("net0", "name=eth0,bridge=vmbr0,ip=10.99.0.51/24,gw=10.99.0.1"),
];

#[tokio::test]
async fn a_create_shows_at_once_and_comes_into_effect_later() {
    let client = Client::with(Seed::default(), Timing::Real);
    let (_, body) = client.call("POST", "/nodes/pve1/lxc", NEW).await;
    let upid = encode(body["data"].as_str().unwrap());
    let config = client.get("/nodes/pve1/lxc/101/config").await;
    assert_eq!(config["lock"], "create");
    assert_eq!(config.as_object().unwrap().len(), 2, "{config}");
    let status = client.get(&format!("/nodes/pve1/tasks/{upid}/status")).await;
    assert_eq!(status["status"], "running");

    // A write waits for the task that holds the guest's lock file.
    let (status, body) = client.call("PUT", "/nodes/pve1/lxc/101/config", &[("memory", "256")]).await;
    assert_eq!(status, 200, "{body}");
    let config = client.get("/nodes/pve1/lxc/101/config").await;
    assert_eq!((&config["memory"], &config["hostname"]), (&json!(256), &json!("web")));
    assert_eq!(client.get(&format!("/nodes/pve1/tasks/{upid}/status")).await["exitstatus"], "OK");
}

#[tokio::test]
async fn a_create_that_fails_leaves_nothing() {
    let client = Client::fast();
    let bad = [("vmid", "101"), ("ostemplate", "local:vztmpl/nosuch.tar.zst"), ("rootfs", "local:1")];
    let exit = client.task("POST", "/nodes/pve1/lxc", &bad).await;
    assert_eq!(exit, "unable to create CT 101 - volume 'local:vztmpl/nosuch.tar.zst' does not exist");
    assert_eq!(client.get("/cluster/resources?type=vm").await, json!([]));
    assert_eq!(client.get("/nodes/pve1/storage/local/content?vmid=101").await, json!([]));
}

#[tokio::test]
async fn numbers_are_taken_cluster_wide() {
    let client = Client::fast();
    assert_eq!(client.task("POST", "/nodes/pve1/lxc", NEW).await, "OK");
    let (status, body) = client.call("POST", "/nodes/pve1/lxc", NEW).await;
    assert_eq!((status, body["message"].as_str()), (500, Some("CT 101 already exists on node 'pve1'\n")));
    assert_eq!(client.get("/cluster/nextid").await, json!("100"));
}

#[tokio::test]
async fn a_running_guest_keeps_some_changes_pending() {
    let client = Client::fast();
    client.task("POST", "/nodes/pve1/lxc", NEW).await;
    assert_eq!(client.task("POST", "/nodes/pve1/lxc/101/status/start", &[]).await, "OK");
    let set = [("memory", "256"), ("nameserver", "1.1.1.1")];
    assert_eq!(client.call("PUT", "/nodes/pve1/lxc/101/config", &set).await.0, 200);
    let now = client.get("/nodes/pve1/lxc/101/config?current=1").await;
    assert_eq!((&now["memory"], now.get("nameserver")), (&json!(256), None));
    client.task("POST", "/nodes/pve1/lxc/101/status/reboot", &[]).await;
    assert_eq!(client.get("/nodes/pve1/lxc/101/config?current=1").await["nameserver"], "1.1.1.1");
}

#[tokio::test]
async fn a_token_sees_and_does_only_what_its_roles_allow() {
    let mut seed = Seed::default();
    let role = ["VM.Audit", "VM.Config.Memory"].map(str::to_string).into();
    seed.roles.insert("Few".into(), role);
    let limited = SeedToken { id: "ci@pve!t".into(), secret: "s".into(), privsep: true, roles: vec!["Few".into()] };
    seed.tokens.push(limited);
    let client = Client::with(seed, Timing::Fast);
    client.task("POST", "/nodes/pve1/lxc", NEW).await;
    let client = Client { token: "PVEAPIToken=ci@pve!t=s".into(), ..client };
    assert_eq!(client.call("PUT", "/nodes/pve1/lxc/101/config", &[("memory", "256")]).await.0, 200);
    let (status, body) = client.call("PUT", "/nodes/pve1/lxc/101/config", &[("cores", "2")]).await;
    assert_eq!((status, &body["message"]), (403, &json!("Permission check failed (/vms/101, VM.Config.CPU)\n")));
    let (status, body) = client.call("POST", "/nodes/pve1/lxc/101/status/start", &[]).await;
    assert_eq!((status, &body["message"]), (403, &json!("Permission check failed (/vms/101, VM.PowerMgmt)\n")));
    let held = client.get("/access/permissions?path=/vms/101").await;
    assert_eq!(held, json!({"/vms/101": {"VM.Audit": 1, "VM.Config.Memory": 1}}));
}

#[tokio::test]
async fn a_saved_state_goes_on_where_it_was() {
    let client = Client::with(Seed::default(), Timing::Real);
    let (_, body) = client.call("POST", "/nodes/pve1/lxc", NEW).await;
    let upid = encode(body["data"].as_str().unwrap());
    let saved = serde_json::to_string(&client.simulator.snapshot()).unwrap();
    let restored = serde_json::from_str(&saved).unwrap();
    let simulator = Simulator::by(&Seed::default(), Some(restored), Timing::Real, client.clock.clone()).unwrap();
    let client = Client { simulator, ..client };
    assert_eq!(client.get(&format!("/nodes/pve1/tasks/{upid}/status")).await["status"], "running");
    client.clock.wait(5000).await;
    assert_eq!(client.get(&format!("/nodes/pve1/tasks/{upid}/status")).await["exitstatus"], "OK");
}

#[tokio::test]
async fn the_rest_of_the_sandbox_sees_guests_and_gives_leases() {
    let client = Client::fast();
    let mut changed = client.simulator.changed();
    client.task("POST", "/nodes/pve1/lxc", NEW).await;
    client.call("PUT", "/nodes/pve1/lxc/101/config", &[("net1", "name=eth1,bridge=vmbr0,ip=dhcp")]).await;
    client.task("POST", "/nodes/pve1/lxc/101/status/start", &[]).await;
    assert!(changed.has_changed().unwrap());
    changed.mark_unchanged();
    client.simulator.set_lease(101, "eth1", "10.99.0.77/24".parse().unwrap());
    assert!(changed.has_changed().unwrap());
    let guests = client.simulator.guests();
    assert_eq!((guests[0].vmid, guests[0].kind, guests[0].running), (101, Kind::Lxc, true));
    let [first, second] = &guests[0].networks[..] else { panic!("{guests:?}") };
    assert_eq!((first.gateway.as_deref(), first.dhcp), (Some("10.99.0.1"), false));
    assert_eq!((second.addresses.len(), second.dhcp), (1, true));
    let seen = client.get("/nodes/pve1/lxc/101/interfaces").await;
    assert_eq!(seen[2]["inet"], "10.99.0.77/24");
}

#[tokio::test]
async fn answers_of_400_and_more_and_the_hundredth_close_the_connection() {
    let client = Client::fast();
    let mut ask = super::client::request("GET", "/version", None);
    ask.nth = 99;
    assert!(!client.send(ask.clone()).await.0.close);
    ask.nth = 100;
    assert!(client.send(ask).await.0.close);
    assert!(client.send(super::client::request("GET", "/nosuch", None)).await.0.close);
}

/// The types of the tasks that there were, the newest first.
async fn kinds(client: &Client) -> Vec<String> {
    let tasks = client.get("/nodes/pve1/tasks").await;
    tasks.as_array().unwrap().iter().map(|t| t["type"].as_str().unwrap().to_string()).collect()
}

#[tokio::test]
async fn a_new_guest_is_started_by_a_task_of_its_own() {
    let client = Client::fast();
    let mut new = NEW.to_vec();
    new.push(("start", "1"));
    assert_eq!(client.task("POST", "/nodes/pve1/lxc", &new).await, "OK");
    assert_eq!(kinds(&client).await, ["vzstart", "vzcreate"]);
    assert_eq!(client.get("/nodes/pve1/lxc/101/status/current").await["status"], "running");
    let tasks = client.get("/nodes/pve1/tasks").await;
    assert_eq!(tasks[0]["user"], tasks[1]["user"]);
}

#[tokio::test]
async fn all_guests_of_a_node_are_started_in_their_order_and_stopped_against_it() {
    let client = Client::fast();
    for (vmid, startup) in [("101", "order=2"), ("102", "order=1"), ("103", "")] {
        let mut new: Vec<(&str, &str)> = NEW.iter().filter(|(k, _)| !matches!(*k, "vmid" | "net0")).copied().collect();
        new.extend([("vmid", vmid), ("onboot", "1")]);
        new.extend(Some(("startup", startup)).filter(|(_, s)| !s.is_empty()));
        assert_eq!(client.task("POST", "/nodes/pve1/lxc", &new).await, "OK");
    }
    assert_eq!(client.call("PUT", "/nodes/pve1/lxc/103/config", &[("onboot", "0")]).await.0, 200);
    let done = async |path: &str| {
        let (_, body) = client.call("POST", path, &[]).await;
        let log = client.get(&format!("/nodes/pve1/tasks/{}/log", encode(body["data"].as_str().unwrap()))).await;
        log.as_array().unwrap().iter().map(|l| l["t"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(done("/nodes/pve1/startall").await, ["Starting CT 102", "Starting CT 101", "TASK OK"]);
    let stopped = done("/nodes/pve1/stopall").await;
    let down = |vmid: u32| format!("Stopping CT {vmid} (timeout = 180 seconds)");
    assert_eq!(stopped, [down(101), down(102), "TASK OK".into()]);
    assert_eq!(client.get("/nodes/pve1/lxc/101/status/current").await["status"], "stopped");
}
