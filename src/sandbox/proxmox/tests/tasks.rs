//! Lists of tasks, their logs, and ending them (pve-manager 9.2).
use super::client::{Client, encode};
use crate::sandbox::proxmox::{Seed, Timing};
use serde_json::json;

const NEW: &[(&str, &str)] = &[
    ("vmid", "101"),
    ("ostemplate", "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"),
    ("rootfs", "local:1"),
    ("features", "nesting=1"),
];

#[tokio::test]
async fn filters_that_are_empty_filter_nothing_but_for_the_status() {
    let client = Client::fast();
    assert_eq!(client.task("POST", "/nodes/pve1/lxc", NEW).await, "OK");
    let bad = [("ostemplate", "local:vztmpl/nosuch.tar.zst"), ("vmid", "102"), ("rootfs", "local:1")];
    client.task("POST", "/nodes/pve1/lxc", &bad).await;
    let count =
        async |query: &str| client.get(&format!("/nodes/pve1/tasks?{query}")).await.as_array().map(Vec::len).unwrap();
    for (query, rows) in [
        ("typefilter=&userfilter=", 2),
        ("statusfilter=", 0),
        ("statusfilter=OK", 1),
        ("statusfilter=ok&errors=1", 1),
        ("since=-1", 2),
        ("until=-1", 0),
    ] {
        assert_eq!(count(query).await, rows, "{query}");
    }
}

#[tokio::test]
async fn a_task_that_is_not_there_cannot_be_ended() {
    let client = Client::fast();
    let upid = encode("UPID:pve1:00000001:00000001:6B000000:vzcreate:101:root@pam:");
    for (verb, path) in
        [("DELETE", format!("/nodes/pve1/tasks/{upid}")), ("GET", format!("/nodes/pve1/tasks/{upid}/status"))]
    {
        let (status, body) = client.call(verb, &path, &[]).await;
        assert_eq!((status, &body["errors"]), (400, &json!({"upid": "no such task"})), "{verb}");
    }
}

#[tokio::test]
async fn a_log_is_loaded_whole_or_read_in_parts() {
    let client = Client::with(Seed::default(), Timing::Real);
    let (_, body) = client.call("POST", "/nodes/pve1/lxc/101/status/start", &[]).await;
    let log = format!("/nodes/pve1/tasks/{}/log", encode(body["data"].as_str().unwrap()));
    assert_eq!(client.get(&log).await, json!([{"n": 1, "t": "no content"}]));
    let (status, body) = client.call("GET", &log, &[("download", "1"), ("limit", "1")]).await;
    let why = "'download' cannot be used together with 'start' or 'limit' parameters\n";
    assert_eq!((status, &body["message"]), (500, &json!(why)));
}
