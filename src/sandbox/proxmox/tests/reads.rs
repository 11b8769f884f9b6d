//! Reads about a node and what runs on it.
use super::client::{Client, encode};
use crate::sandbox::proxmox::{Page, Release, Seed, Timing};
use serde_json::json;

#[tokio::test]
async fn a_history_has_a_row_for_each_step_and_figures_since_there_were_any() {
    let client = Client::with(Seed::default(), Timing::Real);
    let rows = client.get("/nodes/pve1/rrddata?timeframe=hour").await;
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 60);
    let time = |n: usize| rows[n]["time"].as_u64().unwrap();
    assert_eq!((time(1) - time(0), time(0) % 60), (60, 0));
    assert_eq!(client.get("/nodes/pve1/storage/local/rrddata?timeframe=week").await.as_array().unwrap().len(), 336);
    let (status, body) = client.call("GET", "/nodes/pve1/lxc/999/rrddata", &[("timeframe", "hour")]).await;
    let why = "RRD error: opening '/var/lib/rrdcached/db/pve-vm-9.0/999': No such file or directory\n";
    assert_eq!((status, &body["message"]), (500, &json!(why)));
}

#[tokio::test]
async fn processor_models_are_listed_and_others_refused() {
    let client = Client::fast();
    let models = client.get("/nodes/pve1/capabilities/qemu/cpu").await;
    let of = |name: &str| models.as_array().unwrap().iter().find(|m| m["name"] == name).cloned().unwrap();
    assert_eq!(of("EPYC-Rome"), json!({"name": "EPYC-Rome", "vendor": "AuthenticAMD", "custom": 0}));
    assert_eq!(of("x86-64-v3")["abstract"], 1);
    let (status, body) = client.call("POST", "/nodes/pve1/qemu", &[("vmid", "102"), ("cpu", "EPYC-Romee")]).await;
    let why = "invalid format - Built-in cputype 'EPYC-Romee' is not defined (missing 'custom-' prefix?)\n";
    assert_eq!((status, &body["errors"]["cpu"]), (400, &json!(why)));
}

#[tokio::test]
async fn a_node_tells_of_the_release_that_the_api_tells_of() {
    for version in [Release::V9_2_11, Release::V8_4_21] {
        let client = Client::with(Seed { version, ..Seed::default() }, Timing::Fast);
        let told = client.get("/version").await;
        let (number, build) = (told["version"].as_str().unwrap(), told["repoid"].as_str().unwrap());
        let status = client.get("/nodes/pve1/status").await;
        assert_eq!(status["pveversion"], format!("pve-manager/{number}/{build}"));
    }
}

#[tokio::test]
async fn an_address_is_asked_for_its_file() {
    let mut seed = Seed::default();
    seed.web.insert("https://example.org/a/x.iso?y=1".into(), Page { size: 42, ..Page::default() });
    let client = Client::with(seed, Timing::Fast);
    let ask = |url: &str| format!("/nodes/pve1/query-url-metadata?url={}", encode(url));
    let seen = client.get(&ask("https://example.org/a/x.iso?y=1")).await;
    assert_eq!(seen, json!({"filename": "x.iso", "size": 42, "mimetype": "application/octet-stream"}));
    let (status, body) =
        client.call("GET", "/nodes/pve1/query-url-metadata", &[("url", "https://example.org/b")]).await;
    let why = "invalid server response: '500 Can't connect to example.org:443 (Connection refused)'\n";
    assert_eq!((status, &body["message"]), (500, &json!(why)));
}

#[tokio::test]
async fn directories_of_one_file_system_tell_of_all_that_is_on_it() {
    let client = Client::fast();
    let used = async |name: &str| client.get(&format!("/nodes/pve1/storage/{name}/status")).await["used"].clone();
    for (name, mount) in [("beside", "0"), ("apart", "1")] {
        let mut new = vec![("storage", name), ("type", "dir"), ("path", "/mnt/x"), ("content", "iso")];
        new.extend(Some(("is_mountpoint", mount)).filter(|(_, m)| *m == "1"));
        assert_eq!(client.call("POST", "/storage", &new).await.0, 200);
    }
    assert_eq!(used("beside").await, used("local").await);
    assert_eq!(used("apart").await, 0);
}
