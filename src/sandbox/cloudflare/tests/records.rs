use super::*;

#[tokio::test]
async fn posting_is_no_upsert() {
    let site = Site::new(&seed());
    let first = site.ok("POST", &records(), a("k7m2p4.dc-lk", "203.0.113.1")).await;
    assert_eq!(first["name"], "k7m2p4.dc-lk.decent-cloud.org");
    assert_eq!(first["created_on"], "2026-11-21T12:00:00.000000Z");
    let again = a("K7M2P4.dc-lk.decent-cloud.org.", "203.0.113.1");
    assert_eq!(site.refused("POST", &records(), again).await, (400, 81058));
    let second = site.ok("POST", &records(), a("k7m2p4.dc-lk", "203.0.113.2")).await;
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn names_and_contents_take_the_form_of_the_api() {
    let site = Site::new(&seed());
    for (body, name, content) in [
        (a("@", "203.0.113.1"), "decent-cloud.org", "203.0.113.1"),
        (a("Bücher", "203.0.113.1"), "xn--bcher-kva.decent-cloud.org", "203.0.113.1"),
        (a("*.dc-lk", "203.0.113.1"), "*.dc-lk.decent-cloud.org", "203.0.113.1"),
        (
            json!({"type": "AAAA", "name": "v6", "content": "2001:DB8:0:0:0:0:0:1", "ttl": 1}),
            "v6.decent-cloud.org",
            "2001:db8::1",
        ),
        (
            json!({"type": "CNAME", "name": "www", "content": "Web.Acme.TEST.", "ttl": 1}),
            "www.decent-cloud.org",
            "web.acme.test",
        ),
        (json!({"type": "TXT", "name": "t", "content": "\"as sent\"", "ttl": 1}), "t.decent-cloud.org", "\"as sent\""),
        (
            json!({"type": "SRV", "name": "_sip._tcp", "ttl": 1,
                "data": {"priority": 1, "weight": 2, "port": 5060, "target": "sip.acme.test"}}),
            "_sip._tcp.decent-cloud.org",
            "1 2 5060 sip.acme.test",
        ),
        (
            json!({"type": "CAA", "name": "@", "ttl": 1, "data": {"flags": 0, "tag": "issue", "value": "letsencrypt.org"}}),
            "decent-cloud.org",
            "0 issue \"letsencrypt.org\"",
        ),
    ] {
        let made = site.ok("POST", &records(), body).await;
        assert_eq!((&made["name"], &made["content"]), (&json!(name), &json!(content)));
    }
}

#[tokio::test]
async fn contents_that_are_none_are_refused_inside_the_wrapper() {
    let site = Site::new(&seed());
    let cname = |content: &str| json!({"type": "CNAME", "name": "x", "content": content, "ttl": 1});
    for (body, code) in [
        (a("-x", "203.0.113.1"), 9000),
        (a("a..b", "203.0.113.1"), 9000),
        (a("x", "203.0.113"), 9005),
        (a("x", "2001:db8::1"), 9005),
        (json!({"type": "AAAA", "name": "x", "content": "203.0.113.1", "ttl": 1}), 9006),
        (cname("203.0.113.1"), 9007),
        (cname("x.decent-cloud.org"), 9039),
        (json!({"type": "MX", "name": "x", "content": "203.0.113.1", "ttl": 1, "priority": 1}), 9009),
        (json!({"type": "MX", "name": "x", "content": "mx.acme.test", "ttl": 1}), 9101),
        (json!({"type": "A", "name": "x", "content": "203.0.113.1", "ttl": 59}), 9021),
        (json!({"type": "TXT", "name": "x", "content": "x", "ttl": 1, "proxied": true}), 9004),
        (json!({"type": "A", "name": "x", "content": "10.0.1.5", "ttl": 1, "proxied": true}), 9003),
        (json!({"type": "A", "name": "x", "content": "203.0.113.1", "ttl": 1, "tags": ["a:b"]}), 9300),
        (json!({"type": "A", "name": "x", "content": "203.0.113.1", "ttl": 1, "comment": "c".repeat(101)}), 9313),
    ] {
        assert_eq!(site.refused("POST", &records(), body.clone()).await, (400, code), "{body}");
    }
    let (_, reply) = site.call("POST", &records(), a("x", "203.0.113")).await;
    assert_eq!(reply["errors"][0]["code"], 1004);
    let mut seed = seed();
    seed.behaviour.wrapped_errors = false;
    let (_, reply) = Site::new(&seed).call("POST", &records(), a("x", "203.0.113")).await;
    assert_eq!(reply["errors"][0]["code"], 9005);
}

#[tokio::test]
async fn some_records_cannot_stand_beside_others() {
    let site = Site::new(&seed());
    let cname = |name: &str, to: &str| json!({"type": "CNAME", "name": name, "content": to, "ttl": 1});
    let ns = |name: &str| json!({"type": "NS", "name": name, "content": "ns1.acme.test", "ttl": 1});
    site.ok("POST", &records(), a("a", "203.0.113.1")).await;
    let other = site.ok("POST", &records(), cname("c", "acme.test")).await;
    site.ok("POST", &records(), ns("n")).await;
    for (body, code) in [
        (cname("a", "acme.test"), 81053),
        (cname("c", "other.test"), 81053),
        (cname("c", "acme.test"), 81058),
        (a("c", "203.0.113.1"), 81054),
        (a("n", "203.0.113.1"), 81056),
        (ns("a"), 81053),
    ] {
        assert_eq!(site.refused("POST", &records(), body.clone()).await, (400, code), "{body}");
    }
    let path = format!("{}/{}", records(), other["id"].as_str().unwrap());
    assert_eq!(site.refused("PATCH", &path, json!({"name": "a"})).await, (400, 81053));
    site.ok("POST", &records(), json!({"type": "TXT", "name": "c", "content": "beside", "ttl": 1})).await;
    // The same id may take another type.
    let turned = site.ok("PATCH", &path, json!({"type": "A", "content": "203.0.113.9"})).await;
    assert_eq!((&turned["type"], &turned["id"]), (&json!("A"), &other["id"]));
}

#[tokio::test]
async fn a_patch_keeps_and_a_put_wipes() {
    let site = Site::new(&seed());
    let body =
        json!({"type": "A", "name": "x", "content": "203.0.113.1", "ttl": 1, "comment": "ours", "proxied": true});
    let made = site.ok("POST", &records(), body).await;
    let path = format!("{}/{}", records(), made["id"].as_str().unwrap());
    site.pass(60);
    let patched = site.ok("PATCH", &path, json!({"content": "203.0.113.2"})).await;
    assert_eq!((&patched["comment"], &patched["proxied"]), (&json!("ours"), &json!(true)));
    assert_eq!(patched["created_on"], made["created_on"]);
    assert_eq!(patched["modified_on"], "2026-11-21T12:01:00.000000Z");
    assert_eq!(patched["comment_modified_on"], made["created_on"]);
    let put = site.ok("PUT", &path, a("x", "203.0.113.3")).await;
    assert_eq!((&put["comment"], &put["proxied"], &put["ttl"]), (&Value::Null, &json!(false), &json!(300)));
}

#[tokio::test]
async fn proxying_decides_the_ttl_and_is_sometimes_dropped_in_silence() {
    let mut seed = seed();
    let proxied = json!({"type": "A", "name": "x", "content": "203.0.113.1", "ttl": 300, "proxied": true});
    let site = Site::new(&seed);
    let made = site.ok("POST", &records(), proxied.clone()).await;
    assert_eq!(made["ttl"], 1);
    let path = format!("{}/{}", records(), made["id"].as_str().unwrap());
    let silent = site.ok("PATCH", &path, json!({"content": "10.0.1.5"})).await;
    assert_eq!((&silent["proxied"], &silent["proxiable"]), (&json!(false), &json!(false)));
    seed.behaviour.silent_proxied = false;
    let site = Site::new(&seed);
    let made = site.ok("POST", &records(), proxied).await;
    let path = format!("{}/{}", records(), made["id"].as_str().unwrap());
    assert_eq!(site.refused("PATCH", &path, json!({"content": "10.0.1.5"})).await, (400, 9003));
}

#[tokio::test]
async fn lists_come_in_pages_and_by_filter() {
    let mut seed = seed();
    seed.zones[0].plan = Plan::Pro;
    let site = Site::new(&seed);
    for n in 0..5 {
        let body = json!({"type": "A", "name": format!("h{n}"), "content": "203.0.113.1", "ttl": 300,
            "comment": if n == 3 { "Ours" } else { "" }});
        site.ok("POST", &records(), body).await;
    }
    let (_, reply) = site.call("GET", &format!("{}?per_page=2&page=3&order=name", records()), Value::Null).await;
    assert_eq!(reply["result_info"], json!({"page": 3, "per_page": 2, "count": 1, "total_count": 5, "total_pages": 3}));
    assert_eq!(reply["result"][0]["name"], "h4.decent-cloud.org");
    for (query, expected) in [
        ("name=H3.decent-cloud.org", 1),
        ("name.startswith=h", 5),
        ("comment=ours", 1),
        ("comment.absent=true", 4),
        ("comment.startswith=our&name.exact=h2.decent-cloud.org", 0),
        ("comment.startswith=our&name.exact=h2.decent-cloud.org&match=any", 2),
        ("type=TXT", 0),
        ("proxied=false", 5),
    ] {
        let listed = site.ok("GET", &format!("{}?{query}", records()), Value::Null).await;
        assert_eq!(listed.as_array().map(Vec::len), Some(expected), "{query}");
    }
}

#[tokio::test]
async fn a_zone_has_room_for_so_many() {
    let site = Site::new(&seed());
    for n in 0..200 {
        site.ok("POST", &records(), a(&format!("h{n}"), "203.0.113.1")).await;
    }
    assert_eq!(site.refused("POST", &records(), a("more", "203.0.113.1")).await, (400, 81045));
    let usage = site.ok("GET", &format!("{}/usage", records()), Value::Null).await;
    assert_eq!(usage, json!({"record_quota": 200, "record_usage": 200}));
}

#[tokio::test]
async fn what_is_gone_is_gone() {
    let site = Site::new(&seed());
    let made = site.ok("POST", &records(), a("x", "203.0.113.1")).await;
    let path = format!("{}/{}", records(), made["id"].as_str().unwrap());
    assert_eq!(site.ok("DELETE", &path, Value::Null).await, json!({"id": made["id"]}));
    for (method, body) in [("DELETE", Value::Null), ("GET", Value::Null), ("PATCH", json!({"ttl": 60}))] {
        assert_eq!(site.refused(method, &path, body).await, (404, 81044), "{method}");
    }
}

#[tokio::test]
async fn lists_may_lag_and_fields_may_be_missing() {
    let mut seed = seed();
    seed.behaviour.list_delay = 5;
    seed.behaviour.sparse = true;
    let site = Site::new(&seed);
    let made = site.ok("POST", &records(), a("x", "203.0.113.1")).await;
    assert_eq!(made.get("comment"), None);
    assert_eq!(site.ok("GET", &records(), Value::Null).await, json!([]));
    site.pass(5);
    assert_eq!(site.ok("GET", &records(), Value::Null).await[0]["id"], made["id"]);
}
