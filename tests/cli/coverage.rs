//! `trueup coverage`
use crate::environment::{Environment, ZONE, events, guest};
use serde_json::json;
use trueup::sandbox::{
    control::Ask,
    faults::{Fault, What},
};

const ACCOUNT: &str = "0f2c6d1e9b7a4385a1c4f7e2d8b6093c";

/// A converged site, and beside it one of everything that others made.
fn with_strangers() -> Environment {
    let mut environment = Environment::with_site();
    environment.write("manifests/web.yaml", &guest("web", 5).replace("slug: auto", "slug: k7m2p4"));
    environment.start_sandbox();
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    environment.make_guest("pve1", 228, "xero-sync", 512, "vmbr1", "10.0.1.228/24");
    let mail = json!({ "type": "A", "name": "mail.decent-cloud.org", "content": "198.51.100.9", "comment": "by hand" });
    environment.call("cloudflare", "POST", &format!("/client/v4/zones/{ZONE}/dns_records"), Some(mail));
    let tunnel = json!({ "name": "by-hand", "config_src": "cloudflare" });
    environment.call("cloudflare", "POST", &format!("/client/v4/accounts/{ACCOUNT}/cfd_tunnel"), Some(tunnel));
    environment
}

#[test]
fn what_no_manifest_names_is_listed_by_system_and_nothing_is_written() {
    let environment = with_strangers();
    let (writes, lock) = (environment.writes(), environment.read("manifests/trueup.lock"));
    let ran = environment.run(&["coverage", "--sandbox", "sandbox"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let tunnel = ran.stdout.lines().find(|line| line.contains("by-hand")).unwrap_or_default().to_owned();
    let id = tunnel.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let shown: String = ran.stdout.replace(&id, "ID").lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let squeezed: Vec<String> =
        shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    insta::assert_snapshot!(squeezed.join("\n"), @r#"
    guests: no manifest names 1 of 2
    VMID NAME NODE TYPE TAGS
    228 xero-sync pve1 container bridge
    DNS records: no manifest names 1 of 2
    NAME TYPE CONTENT MARK OR COMMENT
    mail.decent-cloud.org A 198.51.100.9 "by hand"
    Traefik files: manifests name all 1
    tunnels: no manifest names 1 of 1
    NAME ID STATUS
    by-hand ID inactive
    "#);
    assert_eq!(environment.writes(), writes);
    assert_eq!(environment.read("manifests/trueup.lock"), lock);

    // An orphan is named by its mark, and by no manifest.
    let (web, _) = guest("web", 5).split_once("---\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    environment.write("manifests/web.yaml", &web.replace("name: web", "name: other"));
    let ran = environment.run(&["coverage", "--sandbox", "sandbox", "--output", "json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let events = events(&ran.stdout);
    let strays: Vec<_> = events.iter().filter(|event| event["event"] == "stray").collect();
    let guests: Vec<_> = strays.iter().filter(|stray| stray["what"] == "guest").collect();
    assert_eq!(guests.len(), 2, "{strays:?}");
    assert_eq!(
        (&guests[0]["vmid"], &guests[0]["mark"]),
        (&100.into(), &"Container/web, whose manifest is gone".into())
    );
    assert_eq!((&guests[1]["vmid"], &guests[1]["mark"]), (&228.into(), &serde_json::Value::Null));
    assert_eq!((&guests[1]["type"], &guests[1]["tags"]), (&"lxc".into(), &json!(["bridge"])));
    let of = |what: &str| events.iter().find(|e| e["event"] == "coverage" && e["what"] == what).cloned().unwrap();
    assert_eq!((&of("dns-record")["all"], &of("dns-record")["strays"]), (&2.into(), &2.into()));
    assert_eq!((&of("file")["strays"], &of("tunnel")["strays"]), (&1.into(), &1.into()));
}

#[test]
fn what_could_not_be_looked_at_is_said() {
    let environment = with_strangers();
    let fault =
        Fault::new(What::Status { status: 403, message: "not now".into() }).on("cloudflare", "GET *dns_records?*");
    environment.ask(&Ask::SetFaults(vec![fault]));
    let ran = environment.run(&["coverage", "--sandbox", "sandbox"]);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("DNS records: could not look: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("guests: no manifest names 1 of 2"), "{}", ran.stdout);
    // What a person leaves out is no failure.
    let ran = environment.run(&["coverage", "--sandbox", "sandbox", "--without", "cloudflare"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("DNS records: left out (--without cloudflare)"), "{}", ran.stdout);
}
