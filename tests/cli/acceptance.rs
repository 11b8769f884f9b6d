//! Cases of `docs/acceptance.md` that no other test shows through the command; and that each test named there exists.
use crate::environment::{Environment, RELEASES, guest};
use serde_json::json;
use std::{collections::BTreeMap, fs, path::Path};
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

fn done(environment: &Environment) {
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

/// Public port to target, as the sandbox shows them.
fn forwards(environment: &Environment) -> BTreeMap<String, String> {
    let shown = environment.ask(&Ask::Show)["forwards"].clone();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    shown.as_array().unwrap().iter().map(|one| (text(&one["public"]), text(&one["to"]))).collect()
}

/// Traefik's files by name.
fn routes(environment: &Environment) -> Vec<(String, String)> {
    let all = environment.everything_in("sandbox/node/etc/traefik/dynamic").into_iter();
    let files = all.filter(|(path, _)| path.extension().is_some());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.map(|(path, content)| (name(&path), String::from_utf8(content).unwrap())).collect()
}

/// Every test that the table of cases names is there, under its name.
#[test]
fn each_case_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/acceptance.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let mut cases: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [case, _, file, test] = cells[..] else { panic!("four columns: {row}") };
        let (file, test) = (file.trim_matches('`'), test.trim_matches('`'));
        let text = fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert!(text.contains(&format!("fn {test}(")), "{case}: there is no test {test} in {file}");
        *cases.entry(case.to_owned()).or_default() += 1;
    }
    for case in [
        "L1", "L2", "L3", "L4", "L5", "L7", "L8", "P1", "P2", "P3", "P5", "N1", "N2", "N3", "T1", "T3", "D1", "D2",
        "D3", "D4", "G1", "G3", "G5", "G13", "C1", "C2", "C3", "C4", "C5", "C7", "C8",
    ] {
        assert!(cases.contains_key(case), "{case} has no test");
    }
    println!("{} cases are shown by {} tests", cases.len(), cases.values().sum::<usize>());
}

/// D1, T1, N1: the A record, the route and the forwards of a guest; made twice they are the same, and all of them go.
#[test]
fn a_published_guest_has_its_record_route_and_forwards() {
    let environment = site();
    done(&environment);
    let records = environment.records();
    let [record] = &records[..] else { panic!("{records:?}") };
    let said = ["type", "name", "content", "ttl", "proxied"].map(|field| record[field].clone());
    assert_eq!(said, [json!("A"), json!(NAME), json!("203.0.113.1"), json!(300), json!(false)]);
    let mut expected = BTreeMap::from([("203.0.113.1 20000/tcp".to_owned(), "10.0.1.5:22".to_owned())]);
    expected.extend((1..5).map(|n| (format!("203.0.113.1 {}/tcp", 20_000 + n), format!("10.0.1.5:{}", 10_000 + n))));
    expected.extend((5..10).map(|n| (format!("203.0.113.1 {}/udp", 20_000 + n), format!("10.0.1.5:{}", 10_000 + n))));
    assert_eq!(forwards(&environment), expected);
    let before = routes(&environment);
    let [(_, route)] = &before[..] else { panic!("{before:?}") };
    for part in [format!("HostSNI(`{NAME}`)"), "websecure".into(), "passthrough: true".into(), "10.0.1.5:443".into()] {
        assert!(route.contains(&part), "{part}: {route}");
    }
    // Made anew, it is the same bytes: no time stamps.
    environment
        .ask(&Ask::Drift(Drift::RemoveFile { vmid: None, path: format!("/etc/traefik/dynamic/{}", before[0].0) }));
    done(&environment);
    assert_eq!((routes(&environment), environment.records()), (before, records));
    assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));
    // Somebody is faster in removing the record: that is no error.
    let (container, _) = guest("web", 5).split_once("---\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    environment.write("manifests/web.yaml", &container);
    environment.ask(&Ask::Drift(Drift::DeleteRecord { name: NAME.into() }));
    done(&environment);
    assert_eq!((environment.records().len(), forwards(&environment).len(), routes(&environment).len()), (0, 0, 0));
    assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));
}

/// N2: a guest's new address is one transaction, and nothing of the old one is left.
#[test]
fn a_new_address_moves_all_forwards_in_one_transaction() {
    let environment = site();
    environment.write("manifests/mail.yaml", &guest("mail", 6));
    done(&environment);
    let of_mail = |all: BTreeMap<String, String>| all.into_iter().filter(|(_, to)| to.starts_with("10.0.1.6:")).count();
    assert_eq!(of_mail(forwards(&environment)), 10);
    let moved = environment.read("manifests/web.yaml").replace("10.0.1.5/24", "10.0.1.9/24");
    environment.write(
        "manifests/web.yaml",
        &moved.replace("spec:\n  template", "spec:\n  restartPolicy: whenNeeded\n  template"),
    );
    let logged = environment.written().len();
    done(&environment);
    let written = environment.written();
    let transactions = written[logged..].iter().filter(|call| call.call.contains("nft -f")).count();
    assert_eq!(transactions, 1, "{:?}", &written[logged..]);
    let all = forwards(&environment);
    assert!(all.len() == 20 && all.values().all(|to| !to.starts_with("10.0.1.5:")), "{all:?}");
    assert_eq!(of_mail(all), 10);
    assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));
}

/// P2: a block that was given back rests before somebody else gets it, and its owner finds it again meanwhile.
#[test]
fn a_block_that_was_given_back_rests_and_is_its_owners_again() {
    let environment = Environment::with_site();
    let lock = || {
        let ran = environment.run(&["lock", "--offline"]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    };
    let base = |name: &str| -> u16 {
        let lock = environment.read("manifests/trueup.lock");
        let line = lock.lines().find(|line| line.contains(&format!("PortAllocation/{name}"))).unwrap().to_owned();
        line.split("base: ").nth(1).unwrap().split([',', ' ', '}']).next().unwrap().parse().unwrap()
    };
    environment.write("manifests/mail.yaml", &guest("mail", 6));
    lock();
    let (web, mail) = (base("web"), base("mail"));
    assert_eq!((web.min(mail), web.max(mail)), (20_000, 20_010));
    environment.remove("manifests/web.yaml");
    environment.write("manifests/shop.yaml", &guest("shop", 7));
    lock();
    assert_eq!((base("shop"), base("mail")), (20_020, mail), "the block of web rests");
    environment.write("manifests/web.yaml", &guest("web", 5));
    lock();
    assert_eq!((base("web"), base("shop"), base("mail")), (web, 20_020, mail));
    // Given back long ago, it has rested, and is the next one's.
    environment.remove("manifests/web.yaml");
    lock();
    let text = environment.read("manifests/trueup.lock");
    let (before, rest) = text.split_once("freedAt: \"").expect(&text);
    let (_, after) = rest.split_once('"').unwrap();
    environment.write("manifests/trueup.lock", &format!("{before}freedAt: \"2020-01-01T00:00:00Z\"{after}"));
    environment.write("manifests/next.yaml", &guest("next", 8));
    lock();
    assert_eq!((base("next"), base("shop"), base("mail")), (web, 20_020, mail));
}

/// G5: another spelling of the same is no difference, and a card keeps its address.
#[test]
fn another_spelling_is_no_drift() {
    for release in RELEASES {
        let environment = site_on(release);
        done(&environment);
        let shown = environment.ask(&Ask::Show);
        let guest = &shown["guests"][0];
        let vmid = guest["vmid"].as_u64().unwrap();
        let before = environment.config(vmid);
        let text = |key: &str| before[key].as_str().unwrap().to_owned();
        let mut card: Vec<String> = text("net0").split(',').map(str::to_owned).collect();
        card.reverse();
        let path = format!("/api2/json/nodes/{}/lxc/{vmid}/config", guest["node"].as_str().unwrap());
        let spelled = json!({
            "net0": card.join(","), "tags": format!("zeta;{}", text("tags").to_uppercase()),
            "description": format!("{}\n", text("description")), "memory": "512",
        });
        environment.call("proxmox", "PUT", &path, Some(spelled));
        let writes = environment.writes();
        let ran = environment.reconcile(&[]);
        assert!(ran.code == 0 && ran.stdout.starts_with("No changes"), "{}{}", ran.stdout, ran.stderr);
        assert_eq!(environment.writes(), writes);
        let address = |net: &serde_json::Value| {
            let net = net["net0"].as_str().unwrap().to_owned();
            net.split(',').find(|part| part.starts_with("hwaddr=")).unwrap().to_owned()
        };
        assert_eq!(address(&environment.config(vmid)), address(&before));
    }
}

/// G6: a disk that is to shrink is refused at the line that says so, and everything else of the guest is done.
#[test]
fn a_disk_that_is_to_shrink_is_refused_at_its_line() {
    for release in RELEASES {
        let mut environment = Environment::with_site().on(release);
        let sized = |size: &str, memory: &str| {
            guest("web", 5)
                .replace("size: 8GiB", &format!("size: {size}"))
                .replace("memory: 512MiB", &format!("memory: {memory}"))
        };
        environment.write("manifests/web.yaml", &sized("8GiB", "512MiB"));
        environment.start_sandbox();
        done(&environment);
        environment.write("manifests/web.yaml", &sized("4GiB", "1GiB"));
        for arguments in [&["--dry-run"][..], &[]] {
            let ran = environment.reconcile(arguments);
            assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
            assert!(
                ran.stderr.contains("Container/web: rootfs has 8GiB, more than 4GiB: disks only grow"),
                "{}",
                ran.stderr
            );
            let text = sized("4GiB", "1GiB");
            let (line, column) =
                text.lines().enumerate().find_map(|(n, l)| Some((n + 1, l.find("4GiB")? + 1))).unwrap();
            assert!(ran.stderr.contains(&format!("manifests/web.yaml:{line}:{column}")), "{}", ran.stderr);
            assert!(ran.stderr.contains("^^^^") && ran.stderr.contains("write 8GiB"), "{}", ran.stderr);
            assert!(ran.stdout.contains("1 refused") || ran.stdout.contains("1 value refused"), "{}", ran.stdout);
        }
        let vmid = environment.ask(&Ask::Show)["guests"][0]["vmid"].as_u64().unwrap();
        let config = environment.config(vmid);
        assert_eq!(config["memory"], 1024);
        assert!(config["rootfs"].as_str().unwrap().contains("size=8G"), "{config}");
        let json = environment.reconcile(&["--dry-run", "--output", "json"]);
        let line = json.stdout.lines().find(|line| line.contains("\"impossible\"") && line.contains("rootfs"));
        assert!(line.is_some(), "{}", json.stdout);
    }
}

/// A Cloudflare that is down is asked a few times and named; everything else is done. How long that took is printed.
#[test]
fn a_cloudflare_that_is_down_holds_nobody_up() {
    let environment = site();
    let down = What::Status { status: 500, message: "internal error".into() };
    environment.ask(&Ask::SetFaults(vec![Fault::new(down).on("cloudflare", "*")]));
    assert_eq!(environment.run(&["lock", "--offline"]).code, 0);
    let began = std::time::Instant::now();
    let ran = environment.reconcile(&[]);
    println!("a pass while Cloudflare answers 500: {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    let told = ran.stdout.to_lowercase();
    assert!(told.contains("could not look at dns-record") || told.contains("could not look"), "{}", ran.stdout);
    let asked = environment
        .read("sandbox/calls.jsonl")
        .lines()
        .filter(|line| line.contains(r#""system":"cloudflare""#))
        .count();
    assert!((3..=18).contains(&asked), "asked {asked} times");
    assert_eq!(forwards(&environment).len(), 10, "the rest is done");
}
