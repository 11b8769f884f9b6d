use super::*;
use crate::model::{Deletion, Mark};
use std::{collections::BTreeSet, io::Read as _};

fn route() -> Route {
    Route {
        mark: Mark {
            site: "dc-lk".into(),
            uid: "abcdefghijklmnop".parse().unwrap(),
            serves: Some("qrstuvwxyz234567".parse().unwrap()),
            deletion: Deletion::Delete,
            declared: Some("DnsSlug/web".parse().unwrap()),
        },
        guest: Some("101".parse().unwrap()),
        hosts: ["k7m2p4.dc-lk.decent-cloud.org".parse().unwrap()].into(),
        target: "10.0.1.5:443".parse().unwrap(),
    }
}

#[test]
fn a_slug_routes_by_name_without_ending_tls() {
    let text = route().render().unwrap();
    insta::assert_snapshot!(text, @r#"
    # Written by trueup. What is changed here by hand is undone.
    x-trueup:
      site: "dc-lk"
      uid: abcdefghijklmnop
      serves: qrstuvwxyz234567
      guest: 101
      deletion: delete
      declared: "DnsSlug/web"
    tcp:
      routers:
        trueup-abcdefghijklmnop:
          entryPoints: [websecure]
          rule: "HostSNI(`k7m2p4.dc-lk.decent-cloud.org`)"
          service: trueup-abcdefghijklmnop
          tls: {passthrough: true}
      services:
        trueup-abcdefghijklmnop:
          loadBalancer:
            servers: [{address: "10.0.1.5:443"}]
    "#);
    assert_eq!(route().render().unwrap(), text, "the same bytes");
    let read = read(&text).unwrap();
    assert_eq!((read.mark, read.route), (Some(route().mark), Some(route())));
    assert_eq!(Route::file_name(&route().mark), "trueup-abcdefghijklmnop.yml");
}

#[test]
fn what_is_written_fits_the_schema_of_traefik() {
    let gz = include_bytes!("../../../tests/data/traefik/dynamic-3.7.schema.json.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&gz[..]).read_to_string(&mut text).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap();
    let several = Route {
        hosts: ["a.test.example", "b.test.example"].map(|h| h.parse().unwrap()).into(),
        target: "[fd00:1::5]:8443".parse().unwrap(),
        ..route()
    };
    for route in [route(), several] {
        let text = route.render().unwrap();
        let value: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let errors: Vec<String> = schema.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{text}\n{errors:?}");
        assert_eq!(read(&text).unwrap().route, Some(route));
    }
    assert!(!schema.is_valid(&serde_json::json!({ "tcp": { "routers": { "a": { "rules": "x" } } } })), "it can fail");
}

#[test]
fn what_cannot_be_said_in_a_file_is_refused() {
    let none = Route { hosts: BTreeSet::new(), ..route() };
    assert!(none.render().unwrap_err().contains("without host names"));
    let itself = Route { target: "127.0.0.1:443".parse().unwrap(), ..route() };
    assert!(itself.render().unwrap_err().contains("not the address of a guest"));
    let mut template = route();
    template.mark.site = "{{ env `HOME` }}".into();
    assert!(template.render().unwrap_err().contains("template"));
    let mut lines = route();
    lines.mark.site = "a\nb: \"c".into();
    assert_eq!(read(&lines.render().unwrap()).unwrap().mark.unwrap().site, "a\nb: \"c");
    for bad in ["", "web", "10.0.0.1", "a b.example", "a`.example", "{{x}}.example", "x.example/path"] {
        assert!(bad.parse::<crate::model::HostName>().is_err(), "{bad}");
    }
}

fn refused(text: &str) -> String {
    match read(text) {
        Err(Problem::Refused(why)) => why,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn what_traefik_would_refuse_is_named() {
    let all = [
        refused("tcp: {routers: {a: {rule: x, rulez: y}}}"),
        refused("tcp: {}"),
        refused("tcp: {routers: {a: null}}"),
        refused("http: {services: {a: {loadBalancer: {}}}}"),
        refused("tcp: {routers: {a: {priority: soon}}}"),
        refused("tcp: {routers: {a: [1]}}"),
        refused("tcp: {routers: {a@file: {rule: x}}}"),
        refused("tcp: {serversTransports: {a: {dialTimeout: 5x}}}"),
        refused("tcp: {routers: {a: {rule: x}, a: {rule: y}}}"),
        refused("tcp: [\n"),
        refused("just text"),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    field not found, node: tcp.routers.a.rulez
    tcp cannot be a standalone element, node: tcp
    routers cannot be a standalone element, node: tcp.routers
    loadBalancer cannot be a standalone element, node: http.services.a.loadBalancer
    tcp.routers.a.priority: `soon` is not what stands there
    tcp.routers.a: wrong type
    tcp.routers.a@file: a name may not contain `@`
    tcp.serversTransports.a.dialTimeout: `5x` is not what stands there
    tcp.routers: duplicate entry with key "a" at line 1 column 16
    did not find expected node content at line 2 column 1, while parsing a flow node
    it is not a map
    "#);
    // what it takes
    for fine in [
        "",
        "# only a comment",
        "x-owner: {any: [thing]}",
        "TCP: {Routers: {a: {ENTRYPOINTS: [web], rule: x, priority: \"80\", tls: {}}}}",
        "tcp: {routers: {a: {rule: x, tls: true}}}",
        "tcp: {routers: {a: {rule: x, middlewares: null}}}",
        "tcp: {serversTransports: {pp2: {proxyProtocol: {version: 2}, dialTimeout: 5s}}}",
        "tcp: {serversTransports: {pp2: {dialTimeout: 1m30s, dialKeepAlive: 15}}}",
        "http: {middlewares: {z: {compress: {}}, h: {headers: {customRequestHeaders: {X-A: b}}}, p: {plugin: {any: {x: 1}}}}}",
    ] {
        assert!(read(fine).is_ok(), "{fine}: {:?}", read(fine));
    }
    assert!(matches!(read("a: {{ env `X` }}"), Err(Problem::NotJudged(_))));
    let toml = DynamicFile { name: "a.toml".into(), text: "[tcp]".into() };
    assert!(matches!(toml.read(), Err(Problem::NotJudged(_))));
}

#[test]
fn a_file_of_others_is_read_as_far_as_it_concerns_us() {
    let theirs = read(
        "http: {routers: {a: {rule: 'Host(`Shop.acme.test`) && PathPrefix(`/x`)', tls: {certResolver: le}, service: s},
                          b: {rule: 'Host(`plain.acme.test`)', service: s}}}\n\
         tcp: {routers: {c: {rule: 'HostSNI(`ssh.acme.test`)', tls: {passthrough: true}, service: s}}}",
    )
    .unwrap();
    let claims: Vec<_> = theirs.hosts.iter().map(|c| (c.host.as_str(), c.ends_tls)).collect();
    assert_eq!(claims, [("shop.acme.test", true), ("ssh.acme.test", false)]);
    assert_eq!((theirs.mark, theirs.route), (None, None));
    // ours, and somebody's hand was in it: still ours, but not as we write it
    let edited = route().render().unwrap().replace("HostSNI(`k7", "HostSNI(`*`) || HostSNI(`k7");
    let read = read(&edited).unwrap();
    assert_eq!((read.mark, read.route), (Some(route().mark), None));
}

#[test]
fn a_route_is_served_when_traefik_says_so() {
    let running = |json: serde_json::Value| serde_json::from_value::<Running>(json).unwrap();
    let route = route();
    let name = "trueup-abcdefghijklmnop@file";
    let router = serde_json::json!({ "entryPoints": ["websecure"], "rule": route.rule(), "service": "trueup-abcdefghijklmnop",
        "status": "enabled", "priority": 39, "tls": { "passthrough": true }, "using": ["websecure"] });
    let service = serde_json::json!({ "loadBalancer": { "servers": [{ "address": "10.0.1.5:443" }] }, "status": "enabled",
        "serverStatus": { "10.0.1.5:443": "UP" }, "usedBy": [name] });
    let all = serde_json::json!({ "tcpRouters": { name: router }, "tcpServices": { name: service } });
    assert_eq!(running(all.clone()).serves(&route), Ok(()));
    let says = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = all.clone();
        change(&mut json);
        running(json).serves(&route).unwrap_err().reason
    };
    let all = [
        says(&|all| all["tcpRouters"] = serde_json::json!({})),
        says(&|all| *all = serde_json::json!({})),
        says(&|all| {
            all["tcpRouters"][name]["status"] = "disabled".into();
            all["tcpRouters"][name]["error"] = serde_json::json!(["the service \"x@file\" does not exist"]);
        }),
        says(&|all| all["tcpServices"][name]["loadBalancer"]["servers"][0]["address"] = "10.0.1.9:443".into()),
        says(&|all| all["tcpRouters"][name]["rule"] = "HostSNI(`other`)".into()),
        says(&|all| {
            all["routers"] = serde_json::json!({ "theirs@docker": { "rule": "Host(`k7m2p4.dc-lk.decent-cloud.org`)",
                "status": "enabled", "tls": {} } });
        }),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    the file is in place, but Traefik runs no such router
    the file is in place, but Traefik runs no such router
    Traefik has it disabled: the service "x@file" does not exist
    Traefik still serves HostSNI(`k7m2p4.dc-lk.decent-cloud.org`) to 10.0.1.9:443
    Traefik still serves HostSNI(`other`) to 10.0.1.5:443
    the HTTPS router theirs@docker ends TLS for the same name and goes before every passthrough
    "#);
}

/// Traefik's API answers a missing router with 404 and text; ids are URL-encoded.
#[tokio::test]
async fn the_api_is_asked_over_http() {
    use axum::{Router as App, extract::Path, http::StatusCode, routing::get};
    let app = App::new()
        .route("/api/tcp/routers/{id}", get(|Path(id): Path<String>| async move {
            match id.as_str() {
                "bar@file" => (StatusCode::OK, r#"{"entryPoints":["web"],"name":"bar@file","provider":"file","priorityStr":"0","rule":"HostSNI(`foo.bar`)","service":"foo","status":"disabled","error":["the service \"foo@file\" does not exist"],"using":["web"]}"#.to_owned()),
                _ => (StatusCode::NOT_FOUND, format!(r#"{{"message":"router not found: {id}"}}"#)),
            }
        }))
        .route("/api/rawdata", get(|| async { "{}" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let api = Api::new(url.parse().unwrap()).unwrap();
    let bar = api.tcp_router("bar").await.unwrap().unwrap();
    assert_eq!((bar.status.as_str(), bar.error[0].as_str()), ("disabled", "the service \"foo@file\" does not exist"));
    assert_eq!(api.tcp_router("foo / bar").await.unwrap(), None);
    assert_eq!(api.running().await.unwrap(), Running::default());
    let nobody = Api::new("http://127.0.0.1:9".parse().unwrap()).unwrap();
    assert_eq!(nobody.running().await.unwrap_err().class, Class::Unreachable);
}

/// A real directory: put, list, replace, remove, and what others left there.
#[tokio::test]
async fn files_are_put_whole_and_taken_away() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let traefik = Traefik::new(Host::local(), &format!("{}/", directory.path().display()), None);
    std::fs::write(at(".hidden.yaml"), "tcp: {}").unwrap();
    std::fs::write(at("notes.txt"), "not for Traefik").unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all.yml", at("gone.yml")).unwrap();
    traefik.put(&route()).await.unwrap();
    let files = traefik.files().await.unwrap();
    let seen: Vec<_> = files.iter().map(|f| (f.name.as_str(), f.read().is_ok())).collect();
    assert_eq!(seen, [(".hidden.yaml", false), ("gone.yml", false), ("trueup-abcdefghijklmnop.yml", true)]);
    let moved = Route { target: "10.0.1.9:443".parse().unwrap(), ..route() };
    traefik.put(&moved).await.unwrap();
    let file = traefik.file("trueup-abcdefghijklmnop.yml").await.unwrap().unwrap();
    assert_eq!(file.read().unwrap().route, Some(moved.clone()));
    assert_eq!(traefik.await_served(&[&moved]).await, [Ok(())], "without an API nothing is known and nothing is said");
    traefik.remove("trueup-abcdefghijklmnop.yml").await.unwrap();
    traefik.remove("trueup-abcdefghijklmnop.yml").await.unwrap();
    assert_eq!(traefik.file("trueup-abcdefghijklmnop.yml").await.unwrap(), None);
    assert_eq!(traefik.remove("../x").await.unwrap_err().class, Class::Invalid);
    let left = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 3, "no temporary file stays");
    let nowhere = Traefik::new(Host::local(), "/nowhere/at/all", None);
    assert_eq!(nowhere.files().await.unwrap_err().class, Class::NotFound);
}
