use super::*;

fn code(reply: &Reply) -> (u16, u64, Option<u64>) {
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let error = &body["errors"][0];
    (reply.status, error["code"].as_u64().unwrap(), error.pointer("/error_chain/0/code").and_then(Value::as_u64))
}

#[tokio::test]
async fn credentials_are_refused_in_the_words_of_the_real_one() {
    let site = Site::new(&seed());
    let list = records();
    for (headers, expected) in [
        (vec![], (400, 9106, None)),
        (vec![("authorization", "Bearer ")], (400, 6003, Some(6111))),
        (vec![("authorization", "Bearer a b")], (400, 6003, Some(6111))),
        (vec![("authorization", "Basic all")], (400, 6003, Some(6111))),
        (vec![("authorization", "Bearer all"), ("x-auth-email", "a@b.test")], (400, 6003, Some(6111))),
        (vec![("x-auth-key", "all"), ("x-auth-email", "a@b.test")], (400, 6003, Some(6103))),
        (vec![("x-auth-key", &"a1".repeat(19)[..37]), ("x-auth-email", "a@b.test")], (403, 9103, None)),
        (vec![("authorization", "Bearer unknown")], (403, 9109, None)),
        (vec![("authorization", "Bearer off")], (403, 9109, None)),
    ] {
        assert_eq!(code(&site.raw("GET", &list, &headers, "").await), expected, "{headers:?}");
    }
}

#[tokio::test]
async fn a_token_may_only_what_it_may() {
    let site = Site::new(&seed());
    let other = "ffffffffffffffffffffffffffffffff";
    for (token, method, path, expected) in [
        ("reads", "GET", records(), 200),
        ("reads", "GET", tunnels(), 200),
        ("reads", "DELETE", format!("{}/{other}", records()), 403),
        ("reads", "GET", format!("/zones/{ZONE}"), 403),
        ("all", "GET", format!("/zones/{ZONE}"), 200),
        ("all", "GET", format!("/zones/{other}/dns_records"), 403),
        ("cfat_owned", "GET", records(), 403),
    ] {
        let (status, reply) = site.call_as(token, method, &path, Value::Null).await;
        assert_eq!(status, expected, "{token} {method} {path}: {reply}");
    }
    let (_, reply) = site.call_as("reads", "POST", &records(), a("x", "203.0.113.5")).await;
    assert_eq!(reply["errors"][0]["code"], 10000);
}

#[tokio::test]
async fn tokens_verify_themselves_where_they_belong() {
    let site = Site::new(&seed());
    let user = "/user/tokens/verify";
    let account = &format!("/accounts/{ACCOUNT}/tokens/verify");
    let (status, reply) = site.call_as("all", "GET", user, Value::Null).await;
    assert_eq!((status, &reply["result"]["status"]), (200, &json!("active")));
    assert_eq!(reply["messages"][0]["code"], 10000);
    assert_eq!(site.call_as("off", "GET", user, Value::Null).await.1["result"]["status"], "disabled");
    assert_eq!(site.call_as("cfat_owned", "GET", account, Value::Null).await.0, 200);
    for (token, path) in [("cfat_owned", user), ("nobody", user), ("all", account)] {
        let (status, reply) = site.call_as(token, "GET", path, Value::Null).await;
        assert_eq!((status, &reply["errors"][0]["code"]), (401, &json!(1000)), "{token} {path}");
    }
    let (status, reply) = site.call_as("cfat_owned", "GET", "/accounts", Value::Null).await;
    assert_eq!((status, &reply["errors"][0]["code"]), (400, &json!(1001)));
}

#[tokio::test]
async fn paths_queries_and_bodies_must_agree_with_the_facts() {
    let site = Site::new(&seed());
    let list = records();
    assert_eq!(site.refused("GET", "/zones/xyz/dns_records", Value::Null).await, (400, 7003));
    assert_eq!(site.refused("GET", "/nothing/here", Value::Null).await, (400, 7000));
    assert_eq!(site.refused("PATCH", &list, json!({})).await, (405, 10405));
    for query in ["per_page=0", "per_page=x", "page=0", "unknown=1", "type=X", "proxied=yes", "page=1&page=2"] {
        assert_eq!(site.refused("GET", &format!("{list}?{query}"), Value::Null).await, (400, 9207), "{query}");
    }
    let good = a("x", "203.0.113.5");
    for (field, value) in [
        ("ttl", json!("300")),
        ("proxied", json!("true")),
        ("unknown", json!(1)),
        ("type", json!("X")),
        ("name", json!("")),
        ("tags", json!("a")),
        ("comment", Value::Null),
        ("priority", json!(1)),
    ] {
        let mut body = good.clone();
        body[field] = value;
        assert_eq!(site.refused("POST", &list, body).await, (400, 9207), "{field}");
    }
    let mut without = good.clone();
    without.as_object_mut().unwrap().remove("name");
    assert_eq!(site.refused("POST", &list, without).await, (400, 9207));
    let headers = [("authorization", "Bearer all"), ("content-type", "application/json")];
    assert_eq!(code(&site.raw("POST", &list, &headers, "{").await), (400, 1004, Some(9208)));
    assert_eq!(code(&site.raw("POST", &list, &headers[..1], &good.to_string()).await), (400, 6003, Some(6106)));
    assert_eq!(site.ok("GET", &list, Value::Null).await, json!([]));
}

#[tokio::test]
async fn over_the_budget_everything_is_refused_until_the_window_ends() {
    let mut seed = seed();
    seed.behaviour.rate_limit = Some(3);
    for (body, expected) in
        [(ThrottledBody::Envelope, "10100"), (ThrottledBody::Empty, "{}"), (ThrottledBody::Html, "<html>")]
    {
        seed.behaviour.throttled_body = body;
        let site = Site::new(&seed);
        for _ in 0..3 {
            site.ok("GET", &records(), Value::Null).await;
        }
        site.pass(299);
        let reply = site.raw("GET", "/ips", &[], "").await;
        assert_eq!(reply.status, 429);
        assert!(String::from_utf8_lossy(&reply.body).contains(expected));
        let header = |name: &str| reply.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        assert_eq!(header("retry-after"), Some("1"));
        assert_eq!(header("ratelimit"), Some("\"default\";r=0;t=1"));
        site.pass(1);
        site.ok("GET", &records(), Value::Null).await;
    }
}

#[tokio::test]
async fn state_is_all_that_a_restart_needs() {
    let mut seed = seed();
    seed.records.insert(ZONE.into(), vec![a("mail", "198.51.100.7")]);
    seed.tunnels.insert(ACCOUNT.into(), vec!["by-hand".into()]);
    let site = Site::new(&seed);
    let mut changed = site.simulator.changed();
    site.ok("GET", &records(), Value::Null).await;
    assert!(!changed.has_changed().unwrap(), "reading changes nothing");
    site.ok("POST", &records(), a("x", "203.0.113.5")).await;
    assert!(changed.has_changed().unwrap());
    changed.mark_unchanged();
    let text = serde_json::to_string(&site.simulator.snapshot()).unwrap();
    let again = Site::with(&seed, serde_json::from_str(&text).unwrap());
    assert_eq!(again.simulator.snapshot(), site.simulator.snapshot());
    let listed = again.ok("GET", &records(), Value::Null).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "the seed is planted once: {listed}");
    assert_eq!(again.ok("GET", &tunnels(), Value::Null).await[0]["name"], "by-hand");
}

#[test]
fn an_unknown_field_of_a_seed_is_refused() {
    assert!(serde_json::from_value::<Seed>(json!({"zone": []})).is_err());
}

#[test]
fn only_the_usual_budget_is_left_out_for_speed() {
    assert_eq!(Behaviour::default().unhurried().rate_limit, None);
    let meant = Behaviour { rate_limit: Some(3), ..Behaviour::default() };
    assert_eq!(meant.unhurried().rate_limit, Some(3));
}
