//! The client against the simulated API, over HTTPS, with faults.
use super::*;
use crate::sandbox::faults::{Fault, What};
use serde_json::json;
use std::time::Duration;

pub mod world;
use world::{ACCOUNT, World, ZONE, seed, world};

async fn plain() -> World {
    world(&seed("secret"), "secret").await
}

fn a(name: &str) -> RecordBody {
    RecordBody {
        name: format!("{name}.decent-cloud.org"),
        kind: "A".into(),
        content: Some("203.0.113.1".into()),
        data: None,
        priority: None,
        ttl: 300,
        proxied: false,
        comment: "ours".into(),
    }
}

fn body(status: u16, kind: &str, body: &str) -> What {
    What::Body { status, content_type: kind.into(), body: body.into() }
}

#[tokio::test]
async fn records_come_and_go_in_normal_form() {
    let world = plain().await;
    let mut wanted = a("K7M2P4");
    wanted.name.push('.');
    let made = world.client.create_record(ZONE, &wanted).await.unwrap();
    assert_eq!((made.name.as_str(), made.ttl, made.comment.as_deref()), ("k7m2p4.decent-cloud.org", 300, Some("ours")));
    let patch = RecordPatch { proxied: Some(true), comment: Some(String::new()), ..RecordPatch::default() };
    let patched = world.client.patch_record(ZONE, &made.id, &patch).await.unwrap();
    assert_eq!((patched.proxied, patched.ttl, patched.comment), (true, 1, None));
    assert_eq!(world.client.records(ZONE).await.unwrap().len(), 1);
    assert_eq!(world.client.records_named(ZONE, "k7m2p4.decent-cloud.org").await.unwrap().len(), 1);
    assert_eq!(world.client.record_count(ZONE).await, Ok(1));
    for _ in 0..2 {
        assert_eq!(world.client.delete_record(ZONE, &made.id).await, Ok(()), "deleted twice is no error");
    }
    assert_eq!(world.client.records(ZONE).await, Ok(vec![]));
}

#[tokio::test]
async fn classes_tell_what_may_be_done() {
    let world = plain().await;
    let made = world.client.create_record(ZONE, &a("x")).await.unwrap();
    let class = |answer: Answer<Record>| answer.unwrap_err().class;
    assert_eq!(class(world.client.create_record(ZONE, &a("x")).await), Class::Conflict);
    let bad = RecordBody { content: Some("no address".into()), ..a("y") };
    let refused = world.client.create_record(ZONE, &bad).await.unwrap_err();
    assert_eq!(refused.class, Class::Invalid);
    assert!(refused.reason.contains("9005"), "the cause, not its wrapper: {refused}");
    let gone = world.client.patch_record(ZONE, &"0".repeat(32), &RecordPatch::default()).await;
    assert_eq!(class(gone), Class::NotFound);
    let elsewhere = world.client.create_record(&"f".repeat(32), &a("x")).await;
    assert_eq!(class(elsewhere), Class::Denied);
    let cname = RecordPatch { kind: Some("CNAME".into()), content: Some("a.test".into()), ..RecordPatch::default() };
    world.client.create_record(ZONE, &a("z")).await.unwrap();
    let second = RecordBody { content: Some("203.0.113.2".into()), ..a("z") };
    world.client.create_record(ZONE, &second).await.unwrap();
    world.client.patch_record(ZONE, &made.id, &cname).await.unwrap();
    assert_eq!(class(world.client.create_record(ZONE, &a("x")).await), Class::Conflict);
}

#[tokio::test]
async fn a_list_that_is_not_whole_is_a_failure() {
    let world = plain().await;
    for n in 0..4 {
        world.client.create_record(ZONE, &a(&format!("h{n}"))).await.unwrap();
    }
    assert_eq!(world.client.records(ZONE).await.map(|all| all.len()), Ok(4));
    for (spoiled, expected) in [
        (What::TruncatedPage, "2 objects came, but there are 4"),
        (What::Status { status: 500, message: "oops".into() }, "oops"),
        (What::Drop, "connection"),
        (
            body(200, "application/json", r#"{"success":true,"errors":[],"messages":[],"result":[]}"#),
            "does not say how many",
        ),
        (body(200, "application/json", r#"{"success":true,"errors":[],"messages":[],"result":null}"#), "no list"),
        (body(200, "application/json", "{}"), "no success"),
        (body(200, "text/html", "<html>"), "no JSON"),
        (body(520, "text/html", "<html>"), "520"),
    ] {
        world.faults.replace(vec![Fault::new(spoiled.clone())]).unwrap();
        let failure = world.client.records(ZONE).await.unwrap_err();
        assert_eq!(failure.class, Class::Transient, "{spoiled}");
        assert!(failure.reason.contains(expected), "{spoiled}: {failure}");
    }
    // An empty list that claims to be whole is caught by the second source.
    world.faults.replace(vec![Fault::new(What::EmptyList)]).unwrap();
    assert_eq!(world.client.records(ZONE).await, Ok(vec![]));
    assert_eq!(world.client.record_count(ZONE).await, Ok(4));
}

#[tokio::test]
async fn reads_are_repeated_with_growing_pauses() {
    let world = plain().await;
    world.client.create_record(ZONE, &a("x")).await.unwrap();
    let once = |nth| Fault::new(What::Status { status: 502, message: String::new() }).nth(nth);
    world.faults.replace(vec![once(1), once(1), once(1)]).unwrap();
    assert_eq!(world.client.records(ZONE).await.map(|all| all.len()), Ok(1));
    let pauses = world.pauses.lock().unwrap().clone();
    assert!(pauses.len() <= 3 && pauses.iter().is_sorted(), "{pauses:?}");
    assert!(pauses.last().is_some_and(|last| *last < Duration::from_secs(20)), "{pauses:?}");
}

#[tokio::test]
async fn a_create_whose_reply_is_lost_is_not_sent_twice() {
    let world = plain().await;
    for spoiled in [What::Drop, What::Status { status: 502, message: String::new() }, body(200, "text/html", "<html>")]
    {
        world.simulator.edit(|state| state.records.clear());
        world.faults.replace(vec![Fault::new(spoiled.clone()).on("cloudflare", "POST *").after()]).unwrap();
        let failure = world.client.create_record(ZONE, &a("x")).await.unwrap_err();
        assert_eq!(failure.class, Class::UnknownOutcome, "{spoiled}: {failure}");
        assert_eq!(world.simulator.snapshot().records[ZONE].len(), 1, "{spoiled}");
    }
}

#[tokio::test]
async fn a_delete_whose_reply_is_lost_is_repeated() {
    let world = plain().await;
    let made = world.client.create_record(ZONE, &a("x")).await.unwrap();
    world.faults.replace(vec![Fault::new(What::Drop).on("cloudflare", "DELETE *").after().nth(1)]).unwrap();
    assert_eq!(world.client.delete_record(ZONE, &made.id).await, Ok(()));
    assert!(world.simulator.snapshot().records[ZONE].is_empty());
}

#[tokio::test]
async fn over_the_budget_the_client_waits_as_long_as_it_is_told_and_loses_nothing() {
    for kind in ["envelope", "empty", "html"] {
        let mut seed = seed("secret");
        seed.behaviour.rate_limit = Some(2);
        seed.behaviour.throttled_body = serde_json::from_value(json!(kind)).unwrap();
        let world = world(&seed, "secret").await;
        for n in 0..5 {
            world.client.create_record(ZONE, &a(&format!("h{n}"))).await.unwrap();
        }
        assert_eq!(world.simulator.snapshot().records[ZONE].len(), 5);
        assert_eq!(*world.pauses.lock().unwrap(), [Duration::from_secs(300); 2], "{kind}");
    }
}

#[tokio::test]
async fn patience_ends() {
    let world = plain().await;
    world.faults.replace(vec![Fault::new(body(429, "application/json", "{}"))]).unwrap();
    let failure = world.client.records(ZONE).await.unwrap_err();
    assert_eq!(failure.class, Class::Throttled);
    let waited: Duration = world.pauses.lock().unwrap().iter().sum();
    assert!(waited >= Duration::from_secs(300) && waited <= Duration::from_secs(330), "{waited:?}");
}

#[tokio::test]
async fn batches_are_one_call_and_all_or_nothing() {
    let world = plain().await;
    let made = world.client.create_record(ZONE, &a("x")).await.unwrap();
    let patch = RecordPatch { ttl: Some(60), ..RecordPatch::default() };
    let batch = Batch {
        deletes: vec![],
        patches: vec![(made.id.clone(), patch)],
        posts: (0..50).map(|n| a(&format!("h{n}"))).collect(),
    };
    let (before, _) = world.faults.counts();
    let done = world.client.batch(ZONE, &batch).await.unwrap();
    assert_eq!(world.faults.counts().0 - before, 1);
    assert_eq!((done.patches[0].ttl, done.posts.len()), (60, 50));
    let again = Batch { deletes: vec![made.id.clone()], ..batch };
    assert_eq!(world.client.batch(ZONE, &again).await.unwrap_err().class, Class::NotFound);
    assert_eq!(world.client.records(ZONE).await.map(|all| all.len()), Ok(51));
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let mut seed = seed("secret");
    seed.zones[0].plan = crate::sandbox::cloudflare::Plan::Enterprise;
    let world = world(&seed, "secret").await;
    let posts: Vec<RecordBody> = (0..7).map(|n| a(&format!("h{n}"))).collect();
    world.client.batch(ZONE, &Batch { posts, ..Batch::default() }).await.unwrap();
    let path = format!("/zones/{ZONE}/dns_records");
    let all = world.client.list("list", &path, &[], 3, page::Count::Told).await.unwrap();
    assert_eq!(all.len(), 7);
    // One page of the three is cut.
    world.faults.replace(vec![Fault::new(What::TruncatedPage).on("cloudflare", "*page=3*")]).unwrap();
    assert!(world.client.list("list", &path, &[], 3, page::Count::Told).await.is_err());
}

#[tokio::test]
async fn tunnels_are_made_configured_and_ended() {
    let world = plain().await;
    let client = &world.client;
    let made = client.create_tunnel(ACCOUNT, "web").await.unwrap();
    assert!(made.remote);
    assert_eq!(client.create_tunnel(ACCOUNT, "web").await.unwrap_err().class, Class::Conflict);
    assert_eq!(client.tunnels(ACCOUNT).await, Ok(vec![made.clone()]));
    let fresh = client.configuration(ACCOUNT, &made.id).await.unwrap();
    assert_eq!((fresh.version, fresh.config), (0, Value::Null));
    let config = json!({"ingress": [{"service": "http_status:404"}]});
    let put = client.put_configuration(ACCOUNT, &made.id, &config).await.unwrap();
    assert_eq!((put.version, put.config), (1, config));
    let open = json!({"ingress": [{"hostname": "a.test", "service": "http://x"}]});
    let refused = client.put_configuration(ACCOUNT, &made.id, &open).await;
    assert_eq!(refused.unwrap_err().class, Class::Invalid);
    use secrecy::ExposeSecret;
    let token = client.tunnel_token(ACCOUNT, &made.id).await.unwrap();
    world.simulator.connect(token.expose_secret(), "one").unwrap();
    let connections = client.connections(ACCOUNT, &made.id).await.unwrap();
    assert_eq!(connections, [Connector { id: "one".into(), connections: 4 }]);
    assert_eq!(client.delete_tunnel(ACCOUNT, &made.id).await.unwrap_err().class, Class::Busy);
    world.simulator.disconnect("one");
    assert_eq!(client.connections(ACCOUNT, &made.id).await.unwrap()[0].connections, 0);
    client.end_connections(ACCOUNT, &made.id).await.unwrap();
    for _ in 0..2 {
        assert_eq!(client.delete_tunnel(ACCOUNT, &made.id).await, Ok(()));
    }
    assert_eq!(client.tunnels(ACCOUNT).await, Ok(vec![]));
}

#[tokio::test]
async fn tokens_of_users_and_of_accounts_are_verified_where_they_belong() {
    for (token, expected) in
        [("secret\n", None), ("cfat_owned", None), ("off", Some("disabled")), ("wrong", Some("1000"))]
    {
        let answer = world(&seed("secret"), token).await.client.verify(ACCOUNT).await;
        match expected {
            None => assert_eq!(answer, Ok(()), "{token}"),
            Some(words) => {
                let failure = answer.unwrap_err();
                assert_eq!(failure.class, Class::Denied);
                assert!(failure.reason.contains(words), "{failure}");
            }
        }
    }
    let zone = plain().await.client.zone(ZONE).await.unwrap();
    assert_eq!((zone.name.as_str(), zone.status.as_str()), ("decent-cloud.org", "active"));
}

#[test]
fn a_token_that_is_none_is_refused_without_showing_it() {
    for token in ["", " \n", "two words", "l\u{e4}nger"] {
        let access = Access { base: API.parse().unwrap(), token: token.into(), trust: Trust::SystemRoots };
        let failure = Cloudflare::connect(&access).map(|_| ()).unwrap_err();
        assert_eq!(failure.class, Class::Invalid);
        assert!(token.trim().is_empty() || !failure.to_string().contains(token.trim()), "{failure}");
        assert!(token.trim().is_empty() || !format!("{access:?}").contains(token.trim()));
    }
}
