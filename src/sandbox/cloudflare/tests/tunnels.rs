use super::*;
use base64::{Engine as _, prelude::BASE64_STANDARD};

async fn made(site: &Site, name: &str) -> (String, String) {
    let tunnel = site.ok("POST", &tunnels(), json!({"name": name, "config_src": "cloudflare"})).await;
    let id = tunnel["id"].as_str().unwrap().to_owned();
    (format!("{}/{id}", tunnels()), id)
}

#[tokio::test]
async fn a_tunnel_is_made_once_and_deleted_softly() {
    let site = Site::new(&seed());
    let (path, id) = made(&site, "web").await;
    assert_eq!(site.refused("POST", &tunnels(), json!({"name": "web"})).await, (409, 1013));
    assert_eq!(site.refused("POST", &tunnels(), json!({"name": id})).await, (400, 1001));
    let live = format!("{}?is_deleted=false", tunnels());
    assert_eq!(site.ok("GET", &live, Value::Null).await[0]["status"], "inactive");
    site.ok("DELETE", &path, Value::Null).await;
    assert_eq!(site.ok("GET", &live, Value::Null).await, json!([]));
    let all = site.ok("GET", &tunnels(), Value::Null).await;
    assert_eq!(
        (&all[0]["id"], all[0]["deleted_at"].is_string()),
        (&json!(id), true),
        "still listed without the filter"
    );
    assert_eq!(site.refused("DELETE", &path, Value::Null).await, (404, 1003));
    assert_eq!(site.refused("GET", &format!("{path}/token"), Value::Null).await, (404, 1003));
    let (_, again) = made(&site, "web").await;
    assert_ne!(again, id, "a deleted name is free");
}

#[tokio::test]
async fn connections_hold_a_tunnel() {
    let site = Site::new(&seed());
    let (path, id) = made(&site, "web").await;
    let token = site.ok("GET", &format!("{path}/token"), Value::Null).await.as_str().unwrap().to_owned();
    let inside: Value = serde_json::from_slice(&BASE64_STANDARD.decode(&token).unwrap()).unwrap();
    assert_eq!((&inside["a"], &inside["t"]), (&json!(ACCOUNT), &json!(id)));
    assert!(site.simulator.connect("bm8=", "one").is_err());
    site.simulator.connect(&token, "one").unwrap();
    assert_eq!(site.ok("GET", &path, Value::Null).await["status"], "healthy");
    let clients = site.ok("GET", &format!("{path}/connections"), Value::Null).await;
    assert_eq!(clients[0]["conns"].as_array().map(Vec::len), Some(4));
    assert_eq!(site.refused("DELETE", &path, Value::Null).await, (400, 1022));
    site.simulator.disconnect("one");
    assert_eq!(site.ok("GET", &path, Value::Null).await["status"], "down");
    assert_eq!(site.refused("DELETE", &path, Value::Null).await, (400, 1022), "connections linger");
    let lingering = site.ok("GET", &format!("{path}/connections"), Value::Null).await;
    assert_eq!(lingering[0]["conns"][0]["is_pending_reconnect"], true);
    site.pass(180);
    assert_eq!(site.ok("GET", &format!("{path}/connections"), Value::Null).await, json!([]));
    site.ok("DELETE", &path, Value::Null).await;
}

#[tokio::test]
async fn connections_can_be_ended_one_by_one_or_with_the_tunnel() {
    let site = Site::new(&seed());
    let (path, _) = made(&site, "web").await;
    let token = site.ok("GET", &format!("{path}/token"), Value::Null).await.as_str().unwrap().to_owned();
    site.simulator.connect(&token, "one").unwrap();
    site.simulator.connect(&token, "two").unwrap();
    site.ok("DELETE", &format!("{path}/connections?client_id=one"), Value::Null).await;
    let left = site.ok("GET", &format!("{path}/connections"), Value::Null).await;
    assert_eq!(left.as_array().map(|all| all.iter().map(|c| c["id"].clone()).collect()), Some(vec![json!("two")]));
    site.ok("DELETE", &format!("{path}?cascade=true"), Value::Null).await;
    assert!(site.simulator.connect(&token, "three").is_err());
}

#[tokio::test]
async fn a_new_secret_makes_the_old_token_useless_for_new_connections() {
    let site = Site::new(&seed());
    let (path, _) = made(&site, "web").await;
    let token = site.ok("GET", &format!("{path}/token"), Value::Null).await.as_str().unwrap().to_owned();
    site.simulator.connect(&token, "one").unwrap();
    assert_eq!(site.refused("PATCH", &path, json!({"tunnel_secret": "c2hvcnQ="})).await, (400, 1001));
    site.ok("PATCH", &path, json!({"tunnel_secret": BASE64_STANDARD.encode([7; 32])})).await;
    assert!(site.simulator.connect(&token, "two").is_err());
    assert_eq!(site.ok("GET", &path, Value::Null).await["status"], "healthy");
}

#[tokio::test]
async fn only_writers_see_tokens() {
    let site = Site::new(&seed());
    let (path, _) = made(&site, "web").await;
    assert_eq!(site.call_as("reads", "GET", &format!("{path}/token"), Value::Null).await.0, 403);
}

#[tokio::test]
async fn configurations_are_replaced_whole_and_counted() {
    let site = Site::new(&seed());
    let (path, _) = made(&site, "web").await;
    let path = format!("{path}/configurations");
    let fresh = site.ok("GET", &path, Value::Null).await;
    assert_eq!((&fresh["version"], &fresh["config"]), (&json!(0), &Value::Null));
    let rule = json!({"hostname": "a.test", "service": "http://10.0.1.5:80"});
    let rest = json!({"service": "http_status:404"});
    let first = json!({"config": {"ingress": [rule, rest], "warp-routing": {"enabled": false}}});
    assert_eq!(site.ok("PUT", &path, first).await["version"], 1);
    let second = site.ok("PUT", &path, json!({"config": {"ingress": [rest]}})).await;
    assert_eq!((&second["version"], &second["config"]), (&json!(2), &json!({"ingress": [rest]})));
}

#[tokio::test]
async fn ingress_rules_are_checked_as_cloudflared_does() {
    let site = Site::new(&seed());
    let (path, _) = made(&site, "web").await;
    let path = format!("{path}/configurations");
    let rest = json!({"service": "http_status:404"});
    let host = |host: &str, service: &str| json!({"hostname": host, "service": service});
    for rules in [
        json!([host("a.test", "http://x")]),
        json!([rest, rest]),
        json!([host("a.test:80", "http://x"), rest]),
        json!([host("a.*.test", "http://x"), rest]),
        json!([host("a.test", "x:80"), rest]),
        json!([host("a.test", "http://x/path"), rest]),
        json!([host("a.test", "ftp://x"), rest]),
        json!([host("a.test", "http_status:99"), rest]),
        json!([{"hostname": "a.test", "path": "(", "service": "http://x"}, rest]),
    ] {
        let refused = site.refused("PUT", &path, json!({"config": {"ingress": rules}})).await;
        assert_eq!(refused, (400, 1056), "{rules}");
    }
    let body = json!({"config": {"ingress": [{"hostname": "a.test", "service": "http://x", "extra": 1}, rest]}});
    assert_eq!(site.refused("PUT", &path, body).await, (400, 9207));
    assert_eq!(site.ok("GET", &path, Value::Null).await["version"], 0);
    let fine = json!([host("a.test", "unix:/run/x"), host("*.test", "ssh://10.0.1.5:22"), rest]);
    site.ok("PUT", &path, json!({"config": {"ingress": fine}})).await;
}
