//! The provider's traps, the API's shapes, and packets through the entry points.
use super::*;
use crate::sandbox::wire::{Api, Reply, Request};
use bytes::Bytes;
use serde_json::Value;
use std::fs;

fn route(slug: &str, address: &str) -> String {
    format!(
        "tcp:\n  routers:\n    {slug}: {{ entryPoints: [websecure], rule: \"HostSNI(`{slug}.dc-lk.test`)\", service: {slug}, tls: {{ passthrough: true }} }}\n  services:\n    {slug}: {{ loadBalancer: {{ servers: [{{ address: \"{address}\" }}] }} }}\n"
    )
}

async fn get(traefik: &Traefik, target: &str) -> Reply {
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q.to_owned())));
    let request = Request {
        method: "GET".into(),
        path: path.into(),
        query,
        headers: vec![],
        body: Bytes::new(),
        connection: 1,
        nth: 1,
    };
    traefik.answer(request).await
}

async fn json(traefik: &Traefik, target: &str) -> Value {
    serde_json::from_slice(&get(traefik, target).await.body).unwrap()
}

#[tokio::test]
async fn the_api_shows_what_is_in_force_and_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.yml"), route("k7m2p4", "10.0.1.5:443")).unwrap();
    fs::write(
        dir.path().join("b.yml"),
        "tcp: { routers: { b: { rule: 'HostSNI(`b.test`)', service: none, entryPoints: [ssh] } } }",
    )
    .unwrap();
    let traefik = Traefik::start(dir.path().into());
    let router = json(&traefik, "/api/tcp/routers/k7m2p4%40file").await;
    let rule = "HostSNI(`k7m2p4.dc-lk.test`)";
    assert_eq!(
        router,
        serde_json::json!({ "entryPoints": ["websecure"], "rule": rule, "service": "k7m2p4", "tls": { "passthrough": true }, "using": ["websecure"],
            "priority": rule.len(), "priorityStr": rule.len().to_string(), "status": "enabled", "name": "k7m2p4@file", "provider": "file" })
    );
    let service = json(&traefik, "/api/tcp/services/k7m2p4@file").await;
    assert_eq!((&service["type"], &service["usedBy"][0]), (&"loadbalancer".into(), &"k7m2p4@file".into()));
    assert_eq!(service["serverStatus"]["10.0.1.5:443"], "UP");
    let bad = json(&traefik, "/api/tcp/routers/b@file").await;
    assert_eq!(bad["status"], "disabled");
    let errors: Vec<_> = bad["error"].as_array().unwrap().iter().map(|e| e.as_str().unwrap()).collect();
    assert!(
        errors.contains(&"entryPoint \"ssh\" doesn't exist")
            && errors.contains(&"the service \"none@file\" does not exist"),
        "{errors:?}"
    );
    let missing = get(&traefik, "/api/tcp/routers/x@file").await;
    assert_eq!((missing.status, &missing.body[..]), (404, &b"{\"message\":\"router not found: x@file\"}\n"[..]));
    assert!(missing.headers[0].1.starts_with("text/plain"));
    let raw = json(&traefik, "/api/rawdata").await;
    assert_eq!(raw["tcpRouters"]["k7m2p4@file"]["status"], "enabled");
    assert!(raw.get("udpRouters").is_none() && raw["tcpRouters"]["k7m2p4@file"].get("name").is_none());
    assert_eq!(
        json(&traefik, "/api/overview").await["tcp"]["routers"],
        serde_json::json!({ "total": 2, "warnings": 0, "errors": 1 })
    );
    let page = get(&traefik, "/api/tcp/routers?per_page=1").await;
    assert!(page.headers.contains(&("x-next-page".into(), "2".into())));
    let last = get(&traefik, "/api/tcp/routers?per_page=1&page=2").await;
    assert!(last.headers.contains(&("x-next-page".into(), "1".into())));
    assert_eq!(get(&traefik, "/api/tcp/routers?per_page=1&page=3").await.status, 400);
    assert_eq!(json(&traefik, "/api/tcp/routers?status=enabled").await.as_array().unwrap().len(), 1);
}

/// Waits until `is` holds of what is in force.
async fn until(traefik: &Traefik, is: impl Fn(&Runtime) -> bool) {
    let mut current = traefik.current.subscribe();
    let found = current.wait_for(|current| is(&current.1));
    tokio::time::timeout(Duration::from_secs(20), found).await.expect("it never came").unwrap();
}

#[tokio::test]
async fn a_bad_file_keeps_the_last_good_and_empties_a_fresh_start() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        fs::write(dir.path().join(format!("{name}.new")), text).unwrap();
        fs::rename(dir.path().join(format!("{name}.new")), dir.path().join(name)).unwrap();
    };
    let traefik = Arc::new(Traefik::start(dir.path().into()));
    let _watching = traefik.watch(Duration::ZERO).unwrap();
    let has = |name: &'static str| move |r: &Runtime| r.one("tcp", "routers", name).is_some();
    write("a.yml", &route("a", "10.0.1.5:443"));
    until(&traefik, has("a@file")).await;
    write("bad.yml", "tcp: {nonsense: {a: 1}}");
    write("b.yml", &route("b", "10.0.1.6:443"));
    let fresh = Traefik::start(dir.path().into());
    assert!(!has("a@file")(&fresh.runtime()), "a start with a bad file is empty");
    fs::remove_file(dir.path().join("bad.yml")).unwrap();
    until(&traefik, has("b@file")).await;
    fs::remove_file(dir.path().join("a.yml")).unwrap();
    until(&traefik, |r| !has("a@file")(r) && has("b@file")(r)).await;
}

#[tokio::test]
async fn tls_is_spliced_by_name_and_http_is_redirected() {
    use crate::sandbox::{
        guests::{Inhabitant, Street},
        net::{
            Layout, Net,
            probe::{Probe, ask},
        },
    };
    if !crate::sandbox::net::tests::allowed("tls_is_spliced_by_name_and_http_is_redirected") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let net = Arc::new(Net::open(&Layout::default()).await.unwrap());
    let street = Street::new(Arc::clone(&net), 10);
    let root = dir.path().join("guest");
    street
        .settle(&[Inhabitant { vmid: 100, name: "web".into(), addresses: vec!["10.0.1.5/24".parse().unwrap()], root }])
        .await
        .unwrap();
    let dynamic = dir.path().join("dynamic");
    fs::create_dir(&dynamic).unwrap();
    fs::write(dynamic.join("a.yml"), route("k7m2p4", "10.0.1.5:443")).unwrap();
    let traefik = Arc::new(Traefik::start(dynamic));
    let _listening = traefik.listen(&net.edge).await.unwrap();
    let tls = |to: &str, name: &str| Probe::Tls { to: to.parse().unwrap(), name: name.into() };
    let name = "k7m2p4.dc-lk.test";
    assert_eq!(ask(&net.client, tls("203.0.113.1:443", name)).await.unwrap(), "certificate of web");
    assert_eq!(ask(&net.client, tls("[2001:db8:1::1]:443", name)).await.unwrap(), "certificate of web");
    assert_eq!(
        ask(&net.client, tls("203.0.113.1:443", "other.test")).await.unwrap(),
        "certificate of TRAEFIK DEFAULT CERT"
    );
    let http = Probe::Http { to: "203.0.113.1:80".parse().unwrap(), host: name.into() };
    assert_eq!(
        ask(&net.client, http).await.unwrap(),
        format!("HTTP/1.1 301 Moved Permanently Location: https://{name}/")
    );
}
