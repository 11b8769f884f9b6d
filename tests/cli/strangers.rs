//! What others made or changed: in the way, taken over, repaired, or not to be seen.
use crate::environment::{Environment, RELEASES, ZONE, guest};
use serde_json::json;
use trueup::sandbox::{
    control::Ask,
    drift::Drift,
    faults::{Fault, What},
};

const NAME: &str = "k7m2p4.dc-lk.decent-cloud.org";

fn site() -> Environment {
    site_on(RELEASES[0])
}

fn site_on(release: &'static str) -> Environment {
    let mut environment = Environment::with_site().on(release);
    environment.write("manifests/web.yaml", &guest("web", 5).replace("slug: auto", "slug: k7m2p4"));
    environment.start_sandbox();
    environment
}

fn records_path() -> String {
    format!("/client/v4/zones/{ZONE}/dns_records")
}

/// D2: a record of somebody else is never overwritten, until a person says that it is to be taken over.
#[test]
fn a_foreign_record_at_our_name_is_a_conflict_until_it_is_adopted() {
    let environment = site();
    let theirs = json!({ "type": "A", "name": NAME, "content": "198.51.100.9", "ttl": 300, "comment": "mail server" });
    environment.call("cloudflare", "POST", &records_path(), Some(theirs));
    let before = environment.records();
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("is held by A 198.51.100.9 (someone else, \"mail server\")"), "{}", ran.stdout);
    assert!(ran.stdout.contains("annotate the manifest with `trueup/adopt: "), "{}", ran.stdout);
    assert_eq!(environment.records(), before);

    let slug = "kind: DnsSlug\nmetadata: { name: web";
    let adopting = format!("{slug}, annotations: {{ trueup/adopt: {NAME} }}");
    let manifest = environment.read("manifests/web.yaml").replace(slug, &adopting);
    environment.write("manifests/web.yaml", &manifest);
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let after = environment.records();
    assert_eq!(after.len(), 1, "{after:?}");
    assert_eq!((&after[0]["id"], &after[0]["content"]), (&before[0]["id"], &json!("203.0.113.1")));
    let copy = "mark A 198.51.100.9 (TTL 300, comment \"mail server\") as ours";
    assert!(history(&environment).iter().any(|message| message == copy), "the history keeps what it was");
    assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));
}

/// What the history says of each step.
fn history(environment: &Environment) -> Vec<String> {
    let database = rusqlite::Connection::open(environment.path("sandbox/trueup/history.db")).unwrap();
    let mut query = database.prepare("SELECT message FROM events ORDER BY id").unwrap();
    query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// D3: a CNAME where an A record is wanted is never overwritten; taken over, it makes way in one batch, so that the name
/// is never without an answer.
#[test]
fn a_cname_in_the_way_makes_way_in_one_batch() {
    let environment = site();
    let theirs = json!({ "type": "CNAME", "name": NAME, "content": "shop.acme.test", "ttl": 300 });
    environment.call("cloudflare", "POST", &records_path(), Some(theirs));
    let before = environment.records();
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("is held by CNAME shop.acme.test"), "{}", ran.stdout);
    assert_eq!(environment.records(), before);
    let slug = "kind: DnsSlug\nmetadata: { name: web";
    let manifest = environment.read("manifests/web.yaml");
    environment.write(
        "manifests/web.yaml",
        &manifest.replace(slug, &format!("{slug}, annotations: {{ trueup/adopt: {NAME} }}")),
    );
    let logged = environment.written().len();
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let after = environment.records();
    assert_eq!((after.len(), &after[0]["type"], &after[0]["content"]), (1, &json!("A"), &json!("203.0.113.1")));
    let calls: Vec<String> = environment.written()[logged..].iter().map(|call| call.call.clone()).collect();
    let to_records: Vec<&String> = calls.iter().filter(|call| call.contains("dns_records")).collect();
    assert!(to_records.iter().all(|call| call.ends_with("/batch")) && to_records.len() <= 2, "{calls:?}");
}

/// C2: the zone is denied. Everything else converges, and it says which privilege or token that is.
#[test]
fn a_denied_zone_stops_nothing_else() {
    let environment = site();
    let denied = What::Status { status: 403, message: "Authentication error".into() };
    environment.ask(&Ask::SetFaults(vec![Fault::new(denied).on("cloudflare", "*/zones/*")]));
    assert_eq!(environment.run(&["lock", "--offline"]).code, 0);
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("Authentication error"), "{}", ran.stdout);
    let shown = environment.ask(&Ask::Show);
    assert_eq!(shown["guests"][0]["running"], true, "{shown}");
    assert_eq!(shown["forwards"].as_array().unwrap().len(), 10, "{shown}");
    assert!(shown["routes"].to_string().contains(NAME), "{shown}");
    environment.ask(&Ask::SetFaults(vec![]));
    assert_eq!(environment.reconcile(&[]).code, 0);
}

/// D3: an edited record of ours is drift, and two of ours at one name become one.
#[test]
fn an_edited_record_of_ours_is_repaired_and_a_second_one_goes() {
    let environment = site();
    assert_eq!(environment.reconcile(&[]).code, 0);
    environment.ask(&Ask::Drift(Drift::Record { name: NAME.into(), content: "198.51.100.7".into() }));
    let ran = environment.reconcile(&["--dry-run", "--detailed-exitcode"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stdout.contains("198.51.100.7") && ran.stdout.contains("drifted"), "{}", ran.stdout);
    assert_eq!(environment.reconcile(&[]).code, 0);
    let ours = environment.records();
    assert_eq!((ours.len(), &ours[0]["content"]), (1, &json!("203.0.113.1")));

    let copy = json!({
        "type": "A", "name": NAME, "content": "198.51.100.7", "ttl": 300, "comment": ours[0]["comment"],
    });
    environment.call("cloudflare", "POST", &records_path(), Some(copy));
    assert_eq!(environment.records().len(), 2);
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let left = environment.records();
    assert_eq!((left.len(), &left[0]["content"]), (1, &json!("203.0.113.1")), "{left:?}");
    assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));
}

/// D4: a listing that failed, or is cut short or empty where there were records, is no reason to write anything to the zone.
#[test]
fn a_zone_that_cannot_be_seen_is_left_alone() {
    let environment = site();
    environment.write("manifests/mail.yaml", &guest("mail", 9));
    assert_eq!(environment.reconcile(&[]).code, 0);
    let before = environment.records();
    assert_eq!(before.len(), 2);
    // One name is to go, and one to come.
    let (kept, _) = guest("mail", 9).split_once("---\napiVersion: trueup/v1alpha1\nkind: DnsSlug").map(own).unwrap();
    environment.write("manifests/mail.yaml", &kept);
    let more =
        "---\napiVersion: trueup/v1alpha1\nkind: DnsSlug\nmetadata: { name: more }\nspec: { guest: web, slug: more }\n";
    let web = environment.read("manifests/web.yaml") + more;
    environment.write("manifests/web.yaml", &web);
    for what in [What::Status { status: 403, message: "not now".into() }, What::EmptyList, What::TruncatedPage] {
        environment.ask(&Ask::SetFaults(vec![Fault::new(what.clone()).on("cloudflare", "GET *dns_records?*")]));
        let logged = environment.written().len();
        let ran = environment.reconcile(&[]);
        assert_eq!(ran.code, 4, "{what}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.to_lowercase().contains("could not look"), "{what}: {}", ran.stdout);
        assert_eq!(environment.records(), before, "{what}");
        let written = &environment.written()[logged..];
        assert!(written.iter().all(|call| call.system != "cloudflare"), "{what}: {written:?}");
        let routes = environment.ask(&Ask::Show)["routes"].to_string();
        for record in &before {
            let name = record["name"].as_str().unwrap();
            assert!(routes.contains(name), "{what}: the route stays while a record may lead to it: {routes}");
        }
    }
    environment.ask(&Ask::SetFaults(vec![]));
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let names: Vec<_> =
        environment.records().iter().map(|record| record["name"].as_str().unwrap().to_owned()).collect();
    assert!(names.len() == 2 && names.contains(&"more.dc-lk.decent-cloud.org".to_owned()), "{names:?}");
}

fn own((a, b): (&str, &str)) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

/// G3: the vmid is somebody else's. Nothing of it is changed, and the others converge.
#[test]
fn a_foreign_guest_at_our_vmid_is_a_conflict_and_stays_as_it_is() {
    for release in RELEASES {
        let environment = site_on(release);
        environment.make_guest("pve1", 105, "theirs", 512, "vmbr1", "10.0.1.77/24,gw=10.0.1.1");
        let before = environment.config(105);
        let (web, _) = guest("web", 5).split_once("---\n").map(own).unwrap();
        environment.write("manifests/web.yaml", &web.replace("  template:", "  vmid: 105\n  template:"));
        environment.write("manifests/mail.yaml", &guest("mail", 9));
        let ran = environment.reconcile(&[]);
        assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("is held by container 105 (theirs)"), "{}", ran.stdout);
        assert_eq!(environment.config(105), before);
        let shown = environment.ask(&Ask::Show);
        let guests = shown["guests"].as_array().unwrap();
        assert_eq!(
            guests.iter().filter(|guest| guest["name"] == "mail" && guest["running"] == true).count(),
            1,
            "{shown}"
        );
        let theirs = guests.iter().find(|guest| guest["vmid"] == 105).unwrap();
        assert_eq!(theirs["running"], false, "nobody started it");
    }
}

/// N3: after somebody's `nft flush ruleset` the next pass puts back what was there.
#[test]
fn a_flushed_ruleset_is_put_back_by_the_next_pass() {
    let environment = site();
    assert_eq!(environment.reconcile(&[]).code, 0);
    let before = environment.ask(&Ask::Show)["forwards"].clone();
    assert_eq!(before.as_array().unwrap().len(), 10);
    let ran = environment.run(&["sandbox", "drift", "--state", "sandbox", "flush-ruleset"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(environment.ask(&Ask::Show)["forwards"], json!([]));
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(environment.ask(&Ask::Show)["forwards"], before);
    assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));
}

/// C2, G1: one guest cannot be made. It says why with the end of the task's log, and everything else converges.
#[test]
fn one_broken_guest_stops_no_other() {
    for release in RELEASES {
        let environment = site_on(release);
        let broken =
            guest("broken", 9).replace("template: debian-13", "template: local:vztmpl/no-such_1_amd64.tar.zst");
        environment.write("manifests/broken.yaml", &broken);
        let ran = environment.reconcile(&[]);
        assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("volume 'local:vztmpl/no-such_1_amd64.tar.zst' does not exist"), "{}", ran.stdout);
        assert!(ran.stdout.contains("task log: "), "{}", ran.stdout);
        let shown = environment.ask(&Ask::Show);
        let guests = shown["guests"].as_array().unwrap();
        assert!(guests.len() == 1 && guests[0]["name"] == "web" && guests[0]["running"] == true, "{shown}");
        let to_web = |forward: &&serde_json::Value| forward["to"].as_str().unwrap().starts_with("10.0.1.5:");
        assert_eq!(shown["forwards"].as_array().unwrap().iter().filter(to_web).count(), 10, "{shown}");
        assert!(environment.records().iter().any(|record| record["name"] == NAME));
    }
}

/// C7: 11 of 100 names are too many to lose unasked, and consent is for exactly the list that was shown.
#[test]
fn eleven_of_a_hundred_names_go_only_by_consent() {
    let environment = site();
    let names = |count: u32| -> String {
        let name = |n| format!("kind: DnsSlug\nmetadata: {{ name: s{n} }}\nspec: {{ guest: web, slug: s{n} }}\n");
        (0..count).map(|n| format!("---\napiVersion: trueup/v1alpha1\n{}", name(n))).collect()
    };
    let (web, _) = guest("web", 5).split_once("---\napiVersion: trueup/v1alpha1\nkind: DnsSlug").map(own).unwrap();
    environment.write("manifests/web.yaml", &(web.clone() + &names(100)));
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(environment.records().len(), 100);
    environment.write("manifests/web.yaml", &(web + &names(89)));
    let writes = environment.writes();
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(environment.writes(), writes);
    let digest = ran.stdout.split("--consent ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert_eq!(environment.reconcile(&["--consent", "000000000000"]).code, 3);
    let ran = environment.reconcile(&["--consent", &digest]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(environment.records().len(), 89);
}
