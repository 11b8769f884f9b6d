//! Tasks: warnings, ends that nobody saw, nodes that are gone.
use super::{
    super::*,
    UPID, at, client,
    server::{Reply, Server},
    stopped,
};
use crate::providers::remarks::hear;
use serde_json::json;

#[tokio::test]
async fn warnings_are_success_and_are_said() {
    let log = json!([{"n": 1, "t": "extracting archive"}, {"n": 2, "t": "WARN: enable nesting"}, {"n": 3, "t": "TASK WARNINGS: 1"}]);
    let server = Server::with([Reply::data(json!(UPID)), stopped("WARNINGS: 1"), Reply::data(log)]).await;
    let (done, heard) = hear(client(&server).create(&at(101), &Parameters::new())).await;
    done.unwrap();
    assert_eq!(heard, ["create container 101 on pve1: enable nesting"]);
    // Without its log it is still success.
    let server = Server::with([Reply::data(json!(UPID)), stopped("WARNINGS: 2")]).await;
    let (done, heard) = hear(client(&server).create(&at(101), &Parameters::new())).await;
    done.unwrap();
    assert_eq!(heard, ["create container 101 on pve1: WARNINGS: 2"]);
}

fn upid(kind: &str, who: &str, later: i64) -> String {
    let start = jiff::Timestamp::now().as_second() + later;
    format!("UPID:pve1:000022ED:000C00ED:{start:08X}:{kind}:101:{who}:")
}

/// 596 means that the worker may still do it. Its task tells.
#[tokio::test]
async fn the_task_of_a_lost_reply_is_found_and_followed() {
    let us = "gitops@pve!t1";
    let mine = upid("vzcreate", us, 0);
    let others =
        [upid("vzcreate", "root@pam", 5), upid("vzcreate", "gitops@pve!t2", 5), upid("vzstart", us, 5), mine.clone()];
    let listed = json!(others.map(|upid| json!({"upid": upid})));
    for (exit, class) in [("OK", None), ("tar: broken", Some(Class::Invalid))] {
        let (listed, mine) = (listed.clone(), mine.clone());
        let server = Server::choosing(move |asked| match &*asked.line {
            // So that the server's clock is known.
            "GET /version" => Reply::data(json!({"release": "9.2"})),
            line if line.starts_with("POST") => Reply::Say { status: 596, reason: "tls".into(), body: String::new() },
            line if line.starts_with("GET /nodes/pve1/tasks?") => Reply::data(listed.clone()),
            line if line.contains(&encode::segment(&mine)) && line.ends_with("/status") => stopped(exit),
            line if line.ends_with("/log?limit=0") => Reply::data(json!([])),
            _ => Reply::refusal(500, "something else was asked for"),
        })
        .await;
        let pve = client(&server);
        pve.version().await.unwrap();
        let done = pve.create(&at(101), &Parameters::new()).await;
        assert_eq!(done.err().map(|f| f.class), class, "{:?}", server.lines());
        let lines = server.lines();
        assert_eq!(lines.iter().filter(|line| line.starts_with("POST")).count(), 1, "never sent again");
        let asked = lines.iter().find(|line| line.starts_with("GET /nodes/pve1/tasks?")).unwrap();
        assert!(asked.contains("source=all&vmid=101&typefilter=vzcreate&since="), "{asked}");
    }
}

/// Of a guest that the cluster runs, starting and stopping are requests, and the guest follows later.
#[tokio::test]
async fn a_lost_request_to_the_cluster_is_found_and_its_effect_waited_for() {
    for (verb, kind, own, before, after) in [
        ("start", "hastart", "vzstart", "stopped", "running"),
        ("stop", "hastop", "vzstop", "running", "stopped"),
        ("shutdown", "hastop", "vzshutdown", "running", "stopped"),
    ] {
        let ours = upid(kind, "gitops@pve!t1", 0);
        let (listed, mine) = (json!([{"upid": ours}]), encode::segment(&ours));
        let mut looks = 0;
        let server = Server::choosing(move |asked| match &*asked.line {
            "GET /version" => Reply::data(json!({"release": "9.2"})),
            line if line.starts_with("POST") => Reply::Drop,
            line if line.contains(&format!("typefilter={kind}&")) => Reply::data(listed.clone()),
            line if line.starts_with("GET /nodes/pve1/tasks?") => Reply::data(json!([])),
            line if line.contains(&mine) && line.ends_with("/status") => stopped("OK"),
            "GET /nodes/pve1/lxc/101/status/current" => {
                looks += 1;
                Reply::data(json!({"status": if looks < 3 { before } else { after }}))
            }
            _ => Reply::refusal(500, "something else was asked for"),
        })
        .await;
        let pve = client(&server);
        pve.version().await.unwrap();
        let done = match verb {
            "start" => pve.start(&at(101)).await,
            "stop" => pve.stop(&at(101)).await,
            _ => pve.shutdown(&at(101), std::time::Duration::from_secs(60)).await,
        };
        let lines = server.lines();
        done.unwrap_or_else(|why| panic!("{why}: {lines:?}"));
        assert_eq!(lines.iter().filter(|line| line.starts_with("POST")).count(), 1, "never sent again: {lines:?}");
        assert!(lines.iter().any(|line| line.contains(&format!("typefilter={own}&"))), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.ends_with("/status/current")).count(), 3, "{lines:?}");
    }
}

#[tokio::test]
async fn a_lost_reply_without_a_task_stays_unknown() {
    let server = Server::choosing(|asked| match &*asked.line {
        "GET /version" => Reply::data(json!({"release": "9.2"})),
        line if line.starts_with("GET") => Reply::data(json!([])),
        _ => Reply::Drop,
    })
    .await;
    let pve = client(&server);
    pve.version().await.unwrap();
    assert_eq!(pve.create(&at(101), &Parameters::new()).await.unwrap_err().class, Class::UnknownOutcome);
}

#[tokio::test]
async fn a_task_whose_node_has_gone_is_lost_and_said_to_be() {
    let server = Server::choosing(|asked| match &*asked.line {
        line if line.starts_with("POST") => Reply::data(json!(UPID)),
        "GET /nodes" => {
            Reply::data(json!([{"node": "pve1", "status": "offline"}, {"node": "pve2", "status": "online"}]))
        }
        _ => Reply::Say { status: 595, reason: "No route to host".into(), body: String::new() },
    })
    .await;
    let lost = client(&server).create(&at(101), &Parameters::new()).await.unwrap_err();
    assert_eq!(lost.class, Class::UnknownOutcome);
    assert!(lost.reason.contains("the node pve1 has gone offline"), "{lost}");
}

#[tokio::test]
async fn a_short_interruption_of_the_view_is_no_end() {
    let mut asked_for_status = 0;
    let server = Server::choosing(move |asked| match &*asked.line {
        line if line.starts_with("POST") => Reply::data(json!(UPID)),
        "GET /nodes" => Reply::data(json!([{"node": "pve1", "status": "online"}])),
        _ => {
            asked_for_status += 1;
            if asked_for_status < 12 { Reply::Drop } else { stopped("OK") }
        }
    })
    .await;
    client(&server).create(&at(101), &Parameters::new()).await.unwrap();
}
