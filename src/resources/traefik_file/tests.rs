use super::*;
use crate::{
    model::{Class, Deletion, Found, Mark, Observation, Ours, Revision, Vmid, Wanted},
    providers::{
        host::Host,
        traefik::{Api, Traefik},
    },
    resources::rehearsal::{pass, planned, ready, shown},
};

fn mark() -> Mark {
    Mark {
        site: "dc-lk".into(),
        uid: "abcdefghijklmnop".parse().unwrap(),
        serves: Some("qrstuvwxyz234567".parse().unwrap()),
        deletion: Deletion::Delete,
        declared: Some("DnsSlug/web".parse().unwrap()),
    }
}

fn vmid(number: u32) -> Vmid {
    number.to_string().parse().unwrap()
}

fn desired(target: &str) -> Desired {
    let hosts = ["k7m2p4.dc-lk.decent-cloud.org".parse().unwrap()].into();
    Desired { guest: vmid(101), hosts, target: target.parse().unwrap() }
}

fn web(target: &str) -> (FileName, Wanted<Desired>) {
    (FileName::of(&mark()), ready(mark(), desired(target)))
}

fn scope() -> Scope {
    Scope { site: "dc-lk".into() }
}

fn in_true(desired: &Desired) -> Live {
    Live {
        guest: Some(desired.guest),
        hosts: desired.hosts.clone(),
        target: Some(desired.target),
        intact: true,
        served: Served::Yes,
        ..Live::default()
    }
}

#[test]
fn plans() {
    let plan_of = |wanted: Option<Desired>, live: Option<Live>, there: Mark| {
        let ours = |live| Found::Ours(Ours { mark: there.clone(), revision: Revision("r".into()), live });
        let found = live.map(|live| (FileName::of(&mark()), ours(live)));
        let wanted = wanted.map(|desired| (FileName::of(&mark()), ready(mark(), desired)));
        shown(&planned::<TraefikFile>(wanted, &Observation::Complete(found.into_iter().collect())))
    };
    let is = desired("10.0.1.5:443");
    let edited = Live { hosts: [].into(), target: None, guest: None, intact: false, ..in_true(&is) };
    let all = [
        ("new", plan_of(Some(is.clone()), None, mark())),
        ("in true", plan_of(Some(is.clone()), Some(in_true(&is)), mark())),
        ("moved", plan_of(Some(desired("10.0.1.9:443")), Some(in_true(&is)), mark())),
        ("edited", plan_of(Some(is.clone()), Some(edited), mark())),
        ("reformatted", plan_of(Some(is.clone()), Some(Live { intact: false, ..in_true(&is) }), mark())),
        ("policy", plan_of(Some(is.clone()), Some(in_true(&is)), Mark { deletion: Deletion::Retain, ..mark() })),
        (
            "not served",
            plan_of(
                Some(is.clone()),
                Some(Live { served: Served::No("it is disabled".into()), ..in_true(&is) }),
                mark(),
            ),
        ),
        ("unwanted", plan_of(None, Some(in_true(&is)), mark())),
    ];
    let text: String = all.iter().map(|(name, plan)| format!("{name}:\n{plan}")).collect();
    insta::assert_snapshot!(text, @r"
    new:
    + traefik-file/trueup-abcdefghijklmnop.yml k7m2p4.dc-lk.decent-cloud.org to 10.0.1.5:443 (nothing)
        hosts: - -> k7m2p4.dc-lk.decent-cloud.org
        target: - -> 10.0.1.5:443
    in true:
    moved:
    ~ traefik-file/trueup-abcdefghijklmnop.yml k7m2p4.dc-lk.decent-cloud.org to 10.0.1.9:443 (an interruption)
        target: 10.0.1.5:443 -> 10.0.1.9:443
    edited:
    ~ traefik-file/trueup-abcdefghijklmnop.yml k7m2p4.dc-lk.decent-cloud.org to 10.0.1.5:443 (an interruption)
        hosts: - -> k7m2p4.dc-lk.decent-cloud.org
        target: - -> 10.0.1.5:443
        guest: - -> 101
    reformatted:
    ~ traefik-file/trueup-abcdefghijklmnop.yml k7m2p4.dc-lk.decent-cloud.org to 10.0.1.5:443 (nothing)
        file: changed by hand -> as we write it
    policy:
    ~ traefik-file/trueup-abcdefghijklmnop.yml k7m2p4.dc-lk.decent-cloud.org to 10.0.1.5:443 (nothing)
        mark: of before -> written anew
    not served:
    # traefik-file/trueup-abcdefghijklmnop.yml: it is disabled
    unwanted:
    - traefik-file/trueup-abcdefghijklmnop.yml no route (an interruption)
        hosts: k7m2p4.dc-lk.decent-cloud.org -> -
        target: 10.0.1.5:443 -> -
    ");
}

/// A directory of its own, without an API, or with one that answers so.
fn providers(directory: &std::path::Path, api: Option<&str>) -> Providers {
    let api = api.map(|url| Api::new(url.parse().unwrap()).unwrap());
    let patience = std::time::Duration::from_millis(300);
    let traefik = Traefik::new(Host::local(), &directory.display().to_string(), api).patience(patience);
    Providers { traefik: Some(traefik), ..Providers::default() }
}

#[tokio::test]
async fn a_route_is_written_kept_moved_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let providers = providers(directory.path(), None);
    let theirs = "tcp: {routers: {theirs: {rule: 'HostSNI(`other.test`)', service: s, tls: {passthrough: true}}}}";
    std::fs::write(at("theirs.yml"), theirs).unwrap();
    let done = async |wanted: Vec<(FileName, Wanted<Desired>)>| {
        let (text, answers) = pass::<TraefikFile>(&providers, &scope(), wanted).await;
        assert!(answers.iter().all(|(_, answer)| answer.is_ok()), "{answers:?}");
        text
    };
    assert!(done(vec![web("10.0.1.5:443")]).await.starts_with("+ traefik-file/trueup-abcdefghijklmnop.yml"));
    let written = std::fs::read_to_string(at("trueup-abcdefghijklmnop.yml")).unwrap();
    assert!(written.contains("address: \"10.0.1.5:443\""));
    assert_eq!(done(vec![web("10.0.1.5:443")]).await, "", "twice: no change");
    for (drift, named) in [
        (written.replace("10.0.1.5", "10.0.1.66"), "target: 10.0.1.66:443 -> 10.0.1.5:443"),
        (written.replace("passthrough: true", "passthrough: false"), "file: changed by hand -> as we write it"),
        (format!("{written}# a remark\n"), "file: changed by hand -> as we write it"),
        (written.replace("deletion: delete", "deletion: retain"), "mark: of before -> written anew"),
    ] {
        std::fs::write(at("trueup-abcdefghijklmnop.yml"), drift).unwrap();
        let text = done(vec![web("10.0.1.5:443")]).await;
        assert!(text.starts_with('~') && text.contains(named), "{text}");
        assert_eq!(std::fs::read_to_string(at("trueup-abcdefghijklmnop.yml")).unwrap(), written);
    }
    assert!(done(vec![web("10.0.1.9:443")]).await.contains("target: 10.0.1.5:443 -> 10.0.1.9:443"));
    assert!(done(vec![]).await.starts_with("- traefik-file/trueup-abcdefghijklmnop.yml"));
    assert!(!at("trueup-abcdefghijklmnop.yml").exists());
    assert_eq!(std::fs::read_to_string(at("theirs.yml")).unwrap(), theirs);
    assert_eq!(done(vec![]).await, "");
}

#[tokio::test]
async fn files_of_others_are_seen_for_what_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let providers = providers(directory.path(), None);
    pass::<TraefikFile>(&providers, &scope(), [web("10.0.1.5:443")]).await;
    let ours = std::fs::read_to_string(directory.path().join("trueup-abcdefghijklmnop.yml")).unwrap();
    std::fs::write(directory.path().join("copy.yml"), &ours).unwrap();
    std::fs::write(directory.path().join("bad.yml"), "tcp: {routerz: {}}").unwrap();
    let unmarked = ours.replace("x-trueup:", "x-nobody:");
    std::fs::write(directory.path().join("trueup-abcdefghijklmnop.yml"), unmarked).unwrap();
    let Observation::Complete(all) = TraefikFile::observe(&providers, &scope()).await else { panic!() };
    let lines: Vec<String> = all
        .iter()
        .map(|(name, found)| match found {
            Found::Foreign(foreign) => format!("{name}: {}; refused: {:?}", foreign.holder, foreign.live.refused),
            other => format!("{name}: {other:?}"),
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    bad.yml: a file without our mark; refused: Some("Traefik refuses it, and with it the whole directory: field not found, node: tcp.routerz")
    copy.yml: a copy of trueup-abcdefghijklmnop.yml; refused: None
    trueup-abcdefghijklmnop.yml: a file without our mark; refused: None
    "#);
    let (text, answers) = pass::<TraefikFile>(&providers, &scope(), [web("10.0.1.5:443")]).await;
    assert_eq!(text, "# traefik-file/trueup-abcdefghijklmnop.yml: is held by a file without our mark\n");
    assert!(answers.is_empty());
}

/// The file is in place; that nobody serves it is said, and is no reason to write it again.
#[tokio::test]
async fn a_route_that_traefik_refuses_is_reported_with_its_reason() {
    use axum::{Json, Router as App, routing::get};
    let name = "trueup-abcdefghijklmnop@file";
    let body = serde_json::json!({ "tcpRouters": { name: { "rule": "HostSNI(`k7m2p4.dc-lk.decent-cloud.org`)",
        "service": "trueup-abcdefghijklmnop", "status": "disabled", "error": ["no valid entryPoint for this router"] } } });
    let app = App::new().route("/api/rawdata", get(|| async { Json(body) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let directory = tempfile::tempdir().unwrap();
    let providers = providers(directory.path(), Some(&url));
    let (_, answers) = pass::<TraefikFile>(&providers, &scope(), [web("10.0.1.5:443")]).await;
    let failure = answers[0].1.clone().unwrap_err();
    assert_eq!(failure.class, Class::Invalid);
    assert!(failure.reason.contains("no valid entryPoint for this router"), "{failure}");
    let (text, answers) = pass::<TraefikFile>(&providers, &scope(), [web("10.0.1.5:443")]).await;
    assert!(text.contains("Traefik has it disabled: no valid entryPoint"), "{text}");
    assert!(answers.is_empty());
}

#[tokio::test]
async fn without_a_directory_nothing_is_known() {
    let nowhere = providers(std::path::Path::new("/nowhere/at/all"), None);
    for providers in [nowhere, Providers::default()] {
        let observed = TraefikFile::observe(&providers, &scope()).await;
        assert!(matches!(observed, Observation::Unavailable { .. }), "{observed:?}");
    }
}
