//! Volumes of containers that go elsewhere.
use super::client::Client;
use serde_json::json;

const NEW: &[(&str, &str)] = &[
    ("ostemplate", "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"),
    ("rootfs", "local:1"),
    ("mp0", "local:2,mp=/data,backup=1"),
    ("features", "nesting=1"),
];

/// Containers 101 and 102, and a second storage.
async fn two() -> Client {
    let client = Client::fast();
    for vmid in ["101", "102"] {
        let mut new = NEW.to_vec();
        new.push(("vmid", vmid));
        if vmid == "102" {
            new.retain(|(key, _)| *key != "mp0");
        }
        assert_eq!(client.task("POST", "/nodes/pve1/lxc", &new).await, "OK");
    }
    let second = [("storage", "second"), ("type", "dir"), ("path", "/mnt/second"), ("content", "rootdir")];
    assert_eq!(client.call("POST", "/storage", &second).await.0, 200);
    client
}

const MOVE: &str = "/nodes/pve1/lxc/101/move_volume";

#[tokio::test]
async fn a_volume_goes_to_another_storage_and_the_old_one_is_unused() {
    let client = two().await;
    assert_eq!(client.task("POST", MOVE, &[("volume", "mp0"), ("storage", "second")]).await, "OK");
    let config = client.get("/nodes/pve1/lxc/101/config").await;
    assert_eq!(config["mp0"], "second:101/vm-101-disk-0.raw,mp=/data,backup=1,size=2G");
    assert_eq!((&config["unused0"], config.get("lock")), (&json!("local:101/vm-101-disk-1.raw"), None));
    // And back, and nothing is left there.
    let back = [("volume", "mp0"), ("storage", "local"), ("delete", "1")];
    assert_eq!(client.task("POST", MOVE, &back).await, "OK");
    assert_eq!(client.get("/nodes/pve1/storage/second/content").await, json!([]));
}

#[tokio::test]
async fn a_move_is_refused_before_anything_is_locked() {
    let client = two().await;
    let said = async |pairs: &[(&str, &str)]| client.call("POST", MOVE, pairs).await.1;
    let missing = "both 'storage' and 'target-vmid' missing, either needs to be set";
    assert_eq!(said(&[("volume", "mp0")]).await["errors"], json!({"storage": missing, "target-vmid": missing}));
    let why = said(&[("volume", "unused0"), ("storage", "second")]).await;
    assert_eq!(
        why["message"],
        "cannot move volume 'unused0', only configured volumes can be moved to another storage\n"
    );
    assert_eq!(client.task("POST", "/nodes/pve1/lxc/101/status/start", &[]).await, "OK");
    let why = said(&[("volume", "mp0"), ("storage", "second")]).await;
    assert_eq!(why["message"], "cannot move volumes of a running container\n");
    let why = said(&[("volume", "mp0"), ("target-vmid", "102"), ("target-volume", "rootfs")]).await;
    assert_eq!(why["message"], "Cannot move to/from 'rootfs'\n");
    assert_eq!(client.get("/nodes/pve1/lxc/101/config").await.get("lock"), None);
}

#[tokio::test]
async fn a_volume_goes_to_another_container() {
    let client = two().await;
    let give = [("volume", "mp0"), ("target-vmid", "102"), ("target-volume", "mp3")];
    assert_eq!(client.task("POST", MOVE, &give).await, "OK");
    assert_eq!(client.get("/nodes/pve1/lxc/101/config").await.get("mp0"), None);
    let mp3 = client.get("/nodes/pve1/lxc/102/config").await["mp3"].clone();
    assert_eq!(mp3, "local:102/vm-102-disk-1.raw,mp=/data,backup=1,size=2G");
    let (status, body) = client.call("POST", MOVE, &give).await;
    assert_eq!((status, &body["message"]), (500, &json!("volume 'mp0' for container '101' does not exist\n")));
}
