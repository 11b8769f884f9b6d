//! The client over real HTTPS: against recorded answers of a real Proxmox VE, and against a server that breaks off.
mod endpoints;
mod qemu;
mod server;
mod tasks;
mod turns;
use super::*;
use serde_json::{Value, json};
use server::{Reply, Server};
use std::collections::BTreeMap;

const QUICK: Patience = Patience {
    connect: Duration::from_secs(1),
    answer: Duration::from_secs(2),
    first_look: Duration::from_millis(1),
    last_look: Duration::from_millis(2),
    task: Duration::from_secs(5),
    lock: Duration::from_millis(200),
    lease: Duration::from_millis(50),
};

fn client(server: &Server) -> Proxmox {
    let access = Access {
        endpoints: vec![server.url.clone()],
        trust: Trust::Ca(server.pem.clone()),
        token: "gitops@pve!t1=5e0c6b0e-canary".into(),
    };
    Proxmox::connect_with(access, QUICK).unwrap()
}

fn at(vmid: u32) -> At {
    At { kind: GuestType::Lxc, node: "pve1".into(), vmid }
}

const UPID: &str = "UPID:pve1:000022ED:000C00ED:6B01A51C:vzcreate:101:root@pam!full:";

fn stopped(exit: &str) -> Reply {
    Reply::data(json!({"status": "stopped", "exitstatus": exit, "upid": UPID}))
}

/// Answers with the recorded lines of one scenario, each once, in their order per method and path.
async fn replay(recorded: &'static str) -> Server {
    let mut lines: Vec<Value> = recorded.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    Server::choosing(move |arrived| {
        let (method, path) = arrived.line.split_once(' ').unwrap();
        let path = path.split('?').next().unwrap();
        let found = lines.iter().position(|l| l["method"] == method && l["path"] == path);
        let Some(line) = found.map(|i| lines.remove(i)) else { return Reply::Drop };
        let answer = &line["response"];
        Reply::Say {
            status: answer["status"].as_u64().unwrap().try_into().unwrap(),
            reason: answer["reason"].as_str().unwrap().into(),
            body: answer["body"].to_string(),
        }
    })
    .await
}

#[tokio::test]
async fn a_recorded_guest_lives_and_dies() {
    let server =
        replay(include_str!("../../../tests/data/proxmox-9.2/baseline/one-guest-from-birth-to-death.jsonl")).await;
    let pve = client(&server);
    assert_eq!(pve.version().await.unwrap().to_string(), "9.2");
    assert_eq!(pve.guests().await.unwrap(), []);
    let templates = pve.storage_content("pve1", "local", "vztmpl").await.unwrap();
    assert_eq!(templates[0].id, "local:vztmpl/debian-13-min_13.0-1_amd64.tar.zst");
    assert_eq!(pve.next_free_id().await.unwrap(), 101, "the number comes as text");

    let wanted: Parameters = [("memory", "128"), ("net0", "name=eth0,bridge=vmbr0"), ("unprivileged", "1")]
        .map(|(k, v)| (k.into(), v.into()))
        .into();
    pve.create(&at(101), &wanted).await.unwrap();
    pve.start(&at(101)).await.unwrap();
    let addresses = pve.interfaces(&at(101)).await.unwrap();
    assert_eq!(addresses, [Address { interface: "eth0".into(), ip: "10.99.0.51".parse().unwrap() }]);

    let digest = "503660539d07d4a31f26c8a2322efd93b3509833";
    let set = BTreeMap::from([("memory".into(), "160".into()), ("tags".into(), "trueup;web".into())]);
    pve.update(&at(101), &set, &[], &[], digest).await.unwrap();
    let before = pve.config(&at(101)).await.unwrap();
    assert_eq!((before.get("memory"), before.pending.len()), (Some("160"), 0));
    let name_server = BTreeMap::from([("nameserver".into(), "1.1.1.1".into())]);
    pve.update(&at(101), &name_server, &[], &[], &before.digest).await.unwrap();
    let waiting = pve.config(&at(101)).await.unwrap();
    assert_eq!(waiting.get("nameserver"), Some("1.1.1.1"), "what is pending is in the values");
    assert!(waiting.pending.contains("nameserver") && waiting.only_pending.contains("nameserver"));
    pve.reboot(&at(101), Duration::from_secs(30)).await.unwrap();
    assert!(pve.config(&at(101)).await.unwrap().pending.is_empty());
    pve.resize(&at(101), "rootfs", 1100 << 20).await.unwrap();
    pve.shutdown(&at(101), Duration::from_secs(30)).await.unwrap();
    assert_eq!(pve.power(&at(101)).await.map_err(|f| f.class), Ok(Power::Running));
    assert_eq!(pve.power(&at(101)).await.map_err(|f| f.class), Ok(Power::Stopped));
    pve.destroy(&at(101)).await.unwrap();
}

#[tokio::test]
async fn a_recorded_refusal_that_was_half_applied_is_seen_by_the_next_read() {
    let server = replay(include_str!("../../../tests/data/proxmox-9.2/lxc-config/refused-halfway.jsonl")).await;
    let pve = client(&server);
    let set = BTreeMap::from([("net0".into(), "name=eth0,bridge=vmbr9".into())]);
    let failed = pve.update(&at(101), &set, &[], &[], "x").await.unwrap_err();
    assert_eq!(failed.class, Class::Invalid);
    assert!(failed.reason.contains("bridge 'vmbr9' does not exist"), "{failed}");
    let left = pve.config(&at(101)).await.unwrap();
    assert_eq!(left.get("memory"), Some("144"), "this part was applied");
    assert!(left.only_pending.contains("net0"), "and this one breaks the next start");
}

#[tokio::test]
async fn values_are_encoded_so_that_the_server_cannot_split_them() {
    let server = Server::with([Reply::data(json!(null)), Reply::data(json!(UPID)), stopped("OK")]).await;
    let set = BTreeMap::from([("features".into(), "nesting=1;mount=a&b".into())]);
    client(&server).update(&at(101), &set, &["net1".into(), "mp0".into()], &[], "d").await.unwrap();
    client(&server).destroy(&at(101)).await.unwrap();
    let seen = server.seen();
    insta::assert_snapshot!(seen[0].line, @"PUT /nodes/pve1/lxc/101/config");
    insta::assert_snapshot!(seen[0].body, @"features=nesting%3D1%3Bmount%3Da%26b&delete=net1%2Cmp0&digest=d");
    insta::assert_snapshot!(seen[1].line, @"DELETE /nodes/pve1/lxc/101?purge=1");
    assert_eq!(seen[1].body, "", "a body would be refused");
    assert!(seen[0].headers.contains(&"authorization: pveapitoken=gitops@pve!t1=5e0c6b0e-canary".into()));
    assert!(!seen[0].headers.iter().any(|h| h.starts_with("transfer-encoding")));
}

#[tokio::test]
async fn a_read_is_asked_once_more_and_a_write_never() {
    let server = Server::with([Reply::Drop, Reply::data(json!({"release": "9.2"}))]).await;
    assert_eq!(client(&server).version().await.unwrap().to_string(), "9.2");
    assert_eq!(server.lines(), ["GET /version", "GET /version"]);

    let server = Server::with([Reply::Drop, Reply::data(json!(UPID))]).await;
    let lost = client(&server).create(&at(101), &Parameters::new()).await.unwrap_err();
    assert_eq!(lost.class, Class::UnknownOutcome);
    assert_eq!(server.lines(), ["POST /nodes/pve1/lxc"]);
}

#[tokio::test]
async fn a_write_has_a_connection_of_its_own() {
    let server = Server::with([
        Reply::data(json!("101")),
        Reply::data(json!(null)),
        Reply::data(json!(null)),
        Reply::data(json!("102")),
    ])
    .await;
    let pve = client(&server);
    assert_eq!(pve.next_free_id().await.unwrap(), 101);
    for _ in 0..2 {
        pve.update(&at(101), &Parameters::new(), &[], &[], "d").await.unwrap();
    }
    assert_eq!(pve.next_free_id().await.unwrap(), 102);
    let connections: Vec<usize> = server.seen().iter().map(|a| a.connection).collect();
    assert_eq!(connections, [1, 2, 3, 1], "reads share one");
}

#[tokio::test]
async fn a_task_that_fails_says_why_with_the_end_of_its_log() {
    let log =
        json!([{"n": 1, "t": "extracting archive"}, {"n": 2, "t": "tar: broken"}, {"n": 3, "t": "TASK ERROR: exit 2"}]);
    let server = Server::with([Reply::data(json!(UPID)), stopped("exit 2"), Reply::data(log)]).await;
    let failed = client(&server).create(&at(101), &Parameters::new()).await.unwrap_err();
    insta::assert_snapshot!(failed, @"could not create container 101 on pve1: exit 2 (task log: extracting archive / tar: broken)");
}

#[tokio::test]
async fn locks_are_waited_for_and_then_given_up() {
    let busy = || Reply::refusal(500, "can't lock file '/run/lock/lxc/pve-config-101.lock' - got timeout");
    let locked = || Reply::refusal(500, "CT is locked (backup)");
    let server = Server::with([busy(), locked(), Reply::data(json!(null))]).await;
    client(&server).update(&at(101), &Parameters::new(), &[], &[], "d").await.unwrap();
    assert_eq!(server.seen().len(), 3);

    let server = Server::choosing(move |_| locked()).await;
    let given_up = client(&server).update(&at(101), &Parameters::new(), &[], &[], "d").await.unwrap_err();
    assert_eq!(given_up.class, Class::Busy);
    assert!(given_up.to_string().contains("pct unlock"), "{given_up}");
}

#[tokio::test]
async fn what_the_proxy_inside_proxmox_says_about_the_daemon() {
    for (status, class) in [(595, Class::Unreachable), (596, Class::UnknownOutcome)] {
        let server = Server::choosing(move |_| Reply::Say { status, reason: "no".into(), body: String::new() }).await;
        let failed = client(&server).resize(&at(101), "rootfs", 1 << 30).await.unwrap_err();
        assert_eq!(failed.class, class);
        assert_eq!(server.lines().iter().filter(|line| line.starts_with("PUT")).count(), 1, "not sent again");
    }
}

#[tokio::test]
async fn starting_what_runs_is_fine_and_stopping_what_is_missing_is_not() {
    let running = || Reply::refusal(500, "CT 101 already running");
    let server = Server::with([running(), Reply::data(json!({"status": "running"}))]).await;
    client(&server).start(&at(101)).await.unwrap();

    let missing = Reply::refusal(500, "Configuration file 'nodes/pve1/lxc/999.conf' does not exist");
    let server = Server::with([Reply::refusal(500, "CT 999 not running"), missing]).await;
    assert_eq!(client(&server).stop(&at(999)).await.unwrap_err().class, Class::NotFound);
}

#[tokio::test]
async fn answers_of_something_else_are_not_taken_for_an_empty_list() {
    for body in ["<html>hello</html>", "{}", r#"{"data":null}"#, r#"{"data":[{"vmid":101,"type":"lxc"}]}"#] {
        let server =
            Server::choosing(move |_| Reply::Say { status: 200, reason: "OK".into(), body: body.into() }).await;
        assert_eq!(client(&server).guests().await.unwrap_err().class, Class::Transient, "{body}");
    }
}

#[test]
fn a_client_needs_https_and_a_token() {
    let of = |endpoint: &str, token: &str| {
        let endpoints = vec![endpoint.parse().unwrap()];
        let access = Access { endpoints, trust: Trust::SystemRoots, token: token.into() };
        Proxmox::connect(access).map(|_| ()).map_err(|f| f.to_string())
    };
    assert!(of("https://pve1:8006", "a@pve!t=s").is_ok());
    assert!(of("http://pve1:8006", "a@pve!t=s").unwrap_err().contains("https"));
    let wrong = of("https://pve1:8006", "secret-canary").unwrap_err();
    assert!(wrong.contains("user@realm!id=secret") && !wrong.contains("canary"), "{wrong}");
}
