//! Logging in, and who may do what.
use super::client::{Client, form, request};
use crate::sandbox::{
    proxmox::{Clock, Seed, Simulator, Timing},
    wire::{Api, Reply},
};
use serde_json::{Value, json};

/// A browser: a ticket and its token instead of an API token.
#[derive(Clone, Default)]
struct Session {
    ticket: String,
    csrf: Option<String>,
}

async fn ask(simulator: &Simulator, verb: &str, path: &str, pairs: &[(&str, &str)], as_: &Session) -> (Reply, Value) {
    let mut request = request(verb, path, None);
    if matches!(verb, "POST" | "PUT") {
        request.body = form(pairs).into();
        request.headers.push(("content-type".into(), "application/x-www-form-urlencoded".into()));
    }
    if !as_.ticket.is_empty() {
        request.headers.push(("cookie".into(), format!("PVEAuthCookie={}", super::client::encode(&as_.ticket))));
    }
    request.headers.extend(as_.csrf.iter().map(|c| ("csrfpreventiontoken".to_string(), c.clone())));
    let reply = simulator.answer(request).await;
    let body = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
    (reply, body)
}

async fn log_in(simulator: &Simulator, user: &str, password: &str) -> (u16, Value) {
    let pairs = [("username", user), ("password", password)];
    let (reply, body) = ask(simulator, "POST", "/access/ticket", &pairs, &Session::default()).await;
    (reply.status, body)
}

fn session(body: &Value) -> Session {
    let text = |key: &str| body["data"][key].as_str().unwrap().to_string();
    Session { ticket: text("ticket"), csrf: Some(text("CSRFPreventionToken")) }
}

async fn root(seed: &Seed, simulator: &Simulator) -> Session {
    let (status, body) = log_in(simulator, "root@pam", seed.root_password().unwrap()).await;
    assert_eq!(status, 200, "{body}");
    session(&body)
}

#[tokio::test]
async fn a_password_gives_a_ticket_that_reads_and_writes_until_it_expires() {
    let seed = Seed::default();
    let clock = Clock::starting_at(1_795_269_900_000);
    let simulator = Simulator::by(&seed, None, Timing::Fast, clock.clone()).unwrap();
    let (status, body) = log_in(&simulator, "root@pam", "wrong").await;
    assert_eq!((status, &body["message"]), (401, &json!("authentication failure\n")));
    let root = root(&seed, &simulator).await;
    let without = Session { csrf: None, ..root.clone() };
    assert_eq!(ask(&simulator, "GET", "/access/users", &[], &without).await.0.status, 200);
    let (reply, _) = ask(&simulator, "POST", "/pools", &[("poolid", "a")], &without).await;
    assert_eq!((reply.status, reply.reason.as_deref()), (401, Some("Permission denied - invalid csrf token")));
    assert_eq!(ask(&simulator, "POST", "/pools", &[("poolid", "a")], &root).await.0.status, 200);
    // The ticket in place of the password renews it.
    let (status, body) = log_in(&simulator, "root@pam", &root.ticket).await;
    assert_eq!(status, 200, "{body}");
    clock.wait(7200 * 1000).await;
    let (reply, _) = ask(&simulator, "GET", "/version", &[], &root).await;
    assert_eq!((reply.status, reply.reason.as_deref()), (401, Some("Authentication failed!")));
}

#[tokio::test]
async fn what_only_root_may_is_for_its_ticket_and_not_for_its_token() {
    let seed = Seed::default();
    let client = Client::with(seed.clone(), Timing::Fast);
    let root = root(&seed, &client.simulator).await;
    let mount = [
        ("vmid", "101"),
        ("ostemplate", "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"),
        ("rootfs", "local:1"),
        ("unprivileged", "1"),
        ("mp0", "/srv,mp=/srv"),
    ];
    let (status, body) = client.call("POST", "/nodes/pve1/lxc", &mount).await;
    let denied = "Permission check failed (mount point type bind is only allowed for root@pam)\n";
    assert_eq!((status, &body["message"]), (403, &json!(denied)));
    let (reply, body) = ask(&client.simulator, "POST", "/nodes/pve1/lxc", &mount, &root).await;
    assert_eq!(reply.status, 200, "{body}");
    assert_eq!(client.get("/nodes/pve1/lxc/101/config").await["mp0"], "/srv,mp=/srv");
    let (status, body) =
        client.call("PUT", "/access/password", &[("userid", "root@pam"), ("password", "new-one-1")]).await;
    assert_eq!(status, 403, "{body}");
    assert!(body["message"].as_str().unwrap().contains("not available with API token"), "{body}");
}

#[tokio::test]
async fn a_user_made_with_a_password_logs_in_and_hands_out_no_more_than_it_has() {
    let seed = Seed::default();
    let client = Client::with(seed.clone(), Timing::Fast);
    let root = root(&seed, &client.simulator).await;
    let made = [("userid", "ops@pve"), ("password", "long enough")];
    assert_eq!(client.call("POST", "/access/users", &made).await.0, 200);
    let (status, body) = log_in(&client.simulator, "ops@pve", "long enough").await;
    assert_eq!((status, &body["data"]["cap"]["vms"]), (200, &json!({})));
    let grant = [("path", "/vms/101"), ("users", "ops@pve"), ("roles", "PVEVMAdmin")];
    assert_eq!(client.call("PUT", "/access/acl", &grant).await.0, 200);
    let ops = session(&body);
    let simulator = &client.simulator;
    let give = |role: &'static str| [("path", "/vms/101"), ("users", "ops@pve"), ("roles", role)];
    assert_eq!(ask(simulator, "PUT", "/access/acl", &give("PVEVMUser"), &ops).await.0.status, 200);
    let (reply, body) = ask(simulator, "PUT", "/access/acl", &give("Administrator"), &ops).await;
    assert_eq!(reply.status, 500, "{body}");
    assert!(body["message"].as_str().unwrap().contains("superset of privileges"), "{body}");
    // Its password is its own to change, with the old one; root needs none.
    let set = [("userid", "ops@pve"), ("password", "another one")];
    let (reply, body) = ask(simulator, "PUT", "/access/password", &set, &ops).await;
    assert_eq!(
        (reply.status, &body["errors"]["confirmation-password"]),
        (400, &json!("password is required to modify user"))
    );
    assert_eq!(ask(simulator, "PUT", "/access/password", &set, &root).await.0.status, 200);
    assert_eq!(log_in(simulator, "ops@pve", "long enough").await.0, 401);
    assert_eq!(log_in(simulator, "ops@pve", "another one").await.0, 200);
    // Without its user a ticket is nothing.
    assert_eq!(client.call("DELETE", "/access/users/ops@pve", &[]).await.0, 200);
    assert_eq!(ask(simulator, "GET", "/version", &[], &ops).await.0.status, 401);
}
