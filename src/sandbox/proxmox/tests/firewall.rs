//! Firewalls of virtual machines and nodes: the recordings have those of containers.
use super::client::Client;
use serde_json::json;

#[tokio::test]
async fn a_machine_has_rules_of_its_own_and_may_name_what_the_cluster_has() {
    let client = Client::fast();
    let base = "/nodes/pve1/qemu/201/firewall";
    let rule = [("type", "in"), ("action", "ACCEPT"), ("source", "+office")];
    let (status, body) = client.call("POST", &format!("{base}/rules"), &rule).await;
    assert_eq!((status, &body["errors"]["source"]), (400, &json!("no such ipset 'office'")));
    assert_eq!(client.call("POST", "/cluster/firewall/ipset", &[("name", "office")]).await.0, 200);
    assert_eq!(client.call("POST", "/cluster/firewall/ipset/office", &[("cidr", "192.0.2.77/24")]).await.0, 200);
    assert_eq!(client.get("/cluster/firewall/ipset/office").await[0]["cidr"], "192.0.2.0/24");
    assert_eq!(client.call("POST", &format!("{base}/rules"), &rule).await.0, 200);
    let second = [("type", "out"), ("action", "DROP"), ("pos", "1"), ("enable", "1")];
    assert_eq!(client.call("POST", &format!("{base}/rules"), &second).await.0, 200);
    // A position is not heeded, and what is not switched on is off.
    let rules = client.get(&format!("{base}/rules")).await;
    assert_eq!((&rules[0]["action"], &rules[1]["enable"]), (&json!("DROP"), &json!(0)));
    let stale = [("comment", "x"), ("digest", "0000000000000000000000000000000000000000")];
    assert_eq!(client.call("PUT", &format!("{base}/rules/0"), &stale).await.0, 500);
    assert_eq!(client.call("PUT", &format!("{base}/rules/0"), &[("moveto", "2")]).await.0, 200);
    assert_eq!(client.get(&format!("{base}/rules/1")).await["action"], "DROP");
    assert_eq!(client.get("/nodes/pve1/firewall/rules").await, json!([]));
    let (status, body) = client.call("DELETE", "/cluster/firewall/ipset/office", &[]).await;
    assert_eq!((status, &body["message"]), (500, &json!("IPSet 'office' is not empty\n")));
}

#[tokio::test]
async fn the_digest_of_rules_is_of_what_they_mean() {
    let client = Client::fast();
    let alias = [("name", "gate"), ("cidr", "10.0.0.1")];
    assert_eq!(client.call("POST", "/cluster/firewall/aliases", &alias).await.0, 200);
    let rule = [("type", "in"), ("action", "ACCEPT"), ("source", "gate"), ("enable", "1")];
    assert_eq!(client.call("POST", "/cluster/firewall/rules", &rule).await.0, 200);
    let read = async || client.get("/cluster/firewall/rules").await[0].clone();
    let before = read().await;
    assert_eq!(before["ipversion"], 4);
    assert_eq!(client.call("DELETE", "/cluster/firewall/aliases/gate", &[]).await.0, 200);
    let after = read().await;
    assert!(after["errors"].is_object() && after["digest"] != before["digest"], "{after}");
}
