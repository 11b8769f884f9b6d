//! What a container's options take, and in which order a call is refused (pve-container 6.1, pve-common 9.1).
use super::client::Client;
use crate::sandbox::proxmox::{Seed, Timing, seed::SeedToken};
use serde_json::json;

const NEW: &[(&str, &str)] = &[
    ("vmid", "101"),
    ("ostemplate", "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"),
    ("rootfs", "local:1"),
    ("features", "nesting=1"),
    ("protection", "1"),
];
const LXC: &str = "/nodes/pve1/lxc/101";
const CONFIG: &str = "/nodes/pve1/lxc/101/config";

async fn container() -> Client {
    let client = Client::fast();
    assert_eq!(client.task("POST", "/nodes/pve1/lxc", NEW).await, "OK");
    client
}

#[tokio::test]
async fn an_option_of_a_wrong_format_is_refused_in_its_words() {
    let client = container().await;
    let ip4 = "invalid format - format error\nnet1.ip: invalid format - value does not look like a valid ipv4 network \
               configuration\n\n";
    let ip6 = ip4.replace("ip:", "ip6:").replace("ipv4", "ipv6");
    let device = |path: &str| {
        format!("invalid format - format error\ndev0.path: invalid format - {path} is not a valid device path\n\n")
    };
    for (key, value, why) in [
        ("net1", "name=eth1,ip=10.0.0.5/7", ip4),
        ("net1", "name=eth1,ip6=fd00::1/7", &ip6),
        ("dev0", "/tmp/x", &device("/tmp/x")),
        ("dev0", "/dev/../x", &device("/dev/../x")),
        ("dev0", "/dev/.", &device("/dev/.")),
        ("startup", "0", "invalid format - unable to parse startup options\n"),
        ("nameserver", "fe80::1%", "invalid format - value does not look like a valid IP address\n"),
    ] {
        let (status, body) = client.call("PUT", CONFIG, &[(key, value)]).await;
        assert_eq!((status, &body["errors"]), (400, &json!({key: why})), "{key}={value}");
    }
    for (key, value) in [("net1", "name=eth1,ip=10.0.0.5/08"), ("net1", "name=eth1,ip6=fd00::1/8"), ("startup", "00")] {
        let (status, body) = client.call("PUT", CONFIG, &[(key, value)]).await;
        assert_eq!(status, 200, "{key}={value}: {body}");
    }
}

#[tokio::test]
async fn a_create_tells_of_what_is_too_short_or_comes_alone() {
    let client = Client::fast();
    for (key, value, at, why) in [
        ("password", "abc", "password", "value must be at least 5 characters long"),
        ("unique", "1", "restore", "missing property required by 'unique'"),
        ("storage", "x", "storage", "invalid format - storage ID 'x' cannot be shorter than 2 characters\n"),
    ] {
        let mut new = NEW.to_vec();
        new.push((key, value));
        let (status, body) = client.call("POST", "/nodes/pve1/lxc", &new).await;
        assert_eq!((status, &body["errors"]), (400, &json!({at: why})), "{key}={value}");
    }
}

#[tokio::test]
async fn a_network_must_fit_its_bridge_and_whoever_configures_it() {
    let client = container().await;
    for (value, why) in [
        ("name=eth1,mtu=1500", "bridge '' does not exist\n"),
        ("name=eth1,bridge=nosuch,mtu=1500", "bridge 'nosuch' does not exist\n"),
        (
            "name=eth1,bridge=vmbr0,host-managed=1,ip6=auto",
            "net1: SLAAC is not supported for host-managed network configuration.\n",
        ),
    ] {
        let (status, body) = client.call("PUT", CONFIG, &[("net1", value)]).await;
        assert_eq!((status, &body["message"]), (500, &json!(why)), "{value}");
    }
    assert_eq!(client.get(CONFIG).await.get("net1"), None);
    let down = [("net1", "name=eth1,bridge=vmbr0,host-managed=1,ip6=auto,link_down=1")];
    assert_eq!(client.call("PUT", CONFIG, &down).await.0, 200);
}

#[tokio::test]
async fn a_change_is_refused_for_the_guest_before_it_is_for_its_keys() {
    let client = container().await;
    let said = async |path: &str, pairs: &[(&str, &str)]| client.call("PUT", path, pairs).await;
    let (status, body) = said("/nodes/pve1/lxc/999/config", &[("delete", "nosuch")]).await;
    let gone = "Configuration file 'nodes/pve1/lxc/999.conf' does not exist\n";
    assert_eq!((status, &body["message"]), (500, &json!(gone)));
    let (_, body) = said(CONFIG, &[("delete", "nosuch"), ("digest", "x")]).await;
    assert_eq!(body["message"], "detected modified configuration - file changed by other user? Try again.\n");
    // What only the node writes may be named, and is not set.
    assert_eq!(said(CONFIG, &[("delete", "parent,snaptime")]).await.0, 200);
    for (pairs, at, why) in [
        ([("revert", "nosuch"), ("delete", "nosuch")], "revert", "unknown option 'nosuch'"),
        (
            [("memory", "64"), ("revert", "memory")],
            "revert",
            "you can't use '-memory' and '-revert memory' at the same time",
        ),
        (
            [("delete", "memory"), ("revert", "memory")],
            "delete",
            "you can't use '-delete memory' and '-revert memory' at the same time",
        ),
    ] {
        assert_eq!(said(CONFIG, &pairs).await.1["errors"], json!({at: why}));
    }
    assert_eq!(said(CONFIG, &[("lock", "backup")]).await.0, 200);
    let (_, body) = said(CONFIG, &[("delete", "nosuch")]).await;
    assert_eq!(body["message"], "CT is locked (backup)\n");
}

#[tokio::test]
async fn a_copy_is_refused_for_its_source_before_it_is_for_its_number() {
    let client = container().await;
    let said = async |from: &str, pairs: &[(&str, &str)]| {
        client.call("POST", &format!("/nodes/pve1/lxc/{from}/clone"), pairs).await.1["message"].clone()
    };
    let gone = "Configuration file 'nodes/pve1/lxc/999.conf' does not exist\n";
    assert_eq!(said("999", &[("newid", "101")]).await, gone);
    assert_eq!(said("101", &[("newid", "101"), ("full", "0")]).await, "CT 101 already exists on node 'pve1'\n");
    let wrong = [("newid", "102"), ("full", "0"), ("storage", "local"), ("snapname", "nosuch")];
    assert_eq!(said("101", &wrong).await, "parameter 'storage' not allowed for linked clones\n");
    assert_eq!(
        said("101", &wrong[..2]).await,
        "Linked clone feature for 'local:101/vm-101-disk-0.raw' is not available\n"
    );
    assert_eq!(client.task("POST", "/nodes/pve1/lxc/101/clone", &[("newid", "102")]).await, "OK");
    assert_eq!(client.get("/nodes/pve1/lxc/102/config").await["protection"], 1);
}

#[tokio::test]
async fn a_snapshot_is_refused_by_its_name_and_described_only_when_there_is_a_description() {
    let client = container().await;
    let snapshots = format!("{LXC}/snapshot");
    let (status, body) = client.call("POST", &snapshots, &[("snapname", "vzdump")]).await;
    assert_eq!((status, &body["message"]), (500, &json!("unable to use snapshot name 'vzdump' (reserved name)\n")));
    let pending = [("snapname", "pending")];
    assert_eq!(client.task("POST", &snapshots, &pending).await, "snapshot feature is not available");
    let nosuch = format!("{snapshots}/nosuch/config");
    assert_eq!(client.call("PUT", &nosuch, &[]).await.0, 200);
    assert_eq!(client.call("PUT", &nosuch, &[("description", "x")]).await.0, 500);
    assert_eq!(client.call("PUT", CONFIG, &[("lock", "backup")]).await.0, 200);
    let missing = "snapshot 'nosuch' does not exist";
    assert_eq!(client.task("DELETE", &format!("{snapshots}/nosuch"), &[]).await, missing);
    assert_eq!(client.task("POST", &format!("{snapshots}/nosuch/rollback"), &[]).await, missing);
}

#[tokio::test]
async fn a_start_looks_at_templates_locks_and_quotas() {
    let client = container().await;
    let start = format!("{LXC}/status/start");
    let said = "Quotas are not supported by unprivileged containers.";
    let quota = [("rootfs", "local:101/vm-101-disk-0.raw,quota=1"), ("protection", "0")];
    assert_eq!(client.call("PUT", CONFIG, &quota[1..]).await.0, 200);
    assert_eq!(client.call("PUT", CONFIG, &quota[..1]).await.0, 200);
    assert_eq!(client.task("POST", &start, &[]).await, said);
    assert_eq!(client.call("PUT", CONFIG, &[("rootfs", "local:101/vm-101-disk-0.raw")]).await.0, 200);
    assert_eq!(client.call("PUT", CONFIG, &[("lock", "mounted")]).await.0, 200);
    assert_eq!(client.task("POST", &start, &[]).await, "OK");
    assert_eq!(client.task("POST", &format!("{LXC}/status/stop"), &[]).await, "OK");
}

#[tokio::test]
async fn the_environment_is_shown_to_those_who_may_set_it() {
    let mut seed = Seed::default();
    seed.roles.insert("Look".into(), ["VM.Audit".to_string()].into());
    let reader = SeedToken { id: "ci@pve!look".into(), secret: "s".into(), privsep: true, roles: vec!["Look".into()] };
    seed.tokens.push(reader);
    let client = Client::with(seed, Timing::Fast);
    let mut new = NEW.to_vec();
    new.push(("env", "SECRET=1"));
    assert_eq!(client.task("POST", "/nodes/pve1/lxc", &new).await, "OK");
    let row = json!({"key": "env", "value": "SECRET=1"});
    let shown = async |client: &Client| {
        let rows = client.get(&format!("{LXC}/pending")).await;
        (client.get(CONFIG).await.get("env").cloned(), rows.as_array().unwrap().contains(&row))
    };
    assert_eq!(shown(&client).await, (Some(json!("SECRET=1")), true));
    let client = Client { token: "PVEAPIToken=ci@pve!look=s".into(), ..client };
    assert_eq!(shown(&client).await, (None, false));
}

#[tokio::test]
async fn a_volume_that_is_not_there_is_attached_and_missed_at_the_start() {
    let client = container().await;
    let set = [("protection", "0")];
    assert_eq!(client.call("PUT", CONFIG, &set).await.0, 200);
    let gone = [("mp0", "local:101/vm-101-disk-9.raw,mp=/data")];
    assert_eq!(client.call("PUT", CONFIG, &gone).await.0, 200);
    assert_eq!(client.get(CONFIG).await["mp0"], gone[0].1);
    let exit = client.task("POST", &format!("{LXC}/status/start"), &[]).await;
    assert_eq!(exit, "volume 'local:101/vm-101-disk-9.raw' does not exist");
}

#[tokio::test]
async fn a_limit_stands_for_cores_that_are_not_given() {
    let client = container().await;
    let told = async || {
        let current = client.get(&format!("{LXC}/status/current")).await["cpus"].clone();
        (current, client.get("/cluster/resources?type=vm").await[0]["maxcpu"].clone())
    };
    assert_eq!(client.call("PUT", CONFIG, &[("cpulimit", "1.5"), ("delete", "cores")]).await.0, 200);
    assert_eq!(told().await, (json!("1.5"), json!(1.5)));
    assert_eq!(client.call("PUT", CONFIG, &[("cores", "3")]).await.0, 200);
    assert_eq!(told().await, (json!(3), json!(3)));
}

#[tokio::test]
async fn what_a_refused_change_left_waiting_hinders_no_other() {
    let client = container().await;
    let card = [("net0", "name=eth0,bridge=vmbr0"), ("protection", "0")];
    assert_eq!(client.call("PUT", CONFIG, &card).await.0, 200);
    assert_eq!(client.task("POST", &format!("{LXC}/status/start"), &[]).await, "OK");
    // Another card, since its address is another: the old one is taken away before the bridge is missed.
    let (status, body) = client.call("PUT", CONFIG, &[("net0", "name=eth0,bridge=nosuch")]).await;
    let why = "unable to hotplug net0: bridge 'nosuch' does not exist\n";
    assert_eq!((status, &body["errors"]), (400, &json!({"net0": why})));
    for pairs in [[("memory", "256")], [("net1", "name=eth1,bridge=vmbr0")], [("delete", "net1")]] {
        let (status, body) = client.call("PUT", CONFIG, &pairs).await;
        assert_eq!(status, 200, "{pairs:?}: {body}");
    }
    let rows = client.get(&format!("{LXC}/pending")).await;
    assert!(rows.as_array().unwrap().contains(&json!({"key": "net0", "pending": "name=eth0,bridge=nosuch"})), "{rows}");
    assert_eq!(client.get(&format!("{CONFIG}?current=1")).await["memory"], 256);
}
