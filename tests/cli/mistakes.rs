//! What manifests must not say: found before anything is asked of any API, and shown at both places.
use crate::environment::{Environment, SITE, guest};
use std::collections::BTreeSet;
use trueup::sandbox::control::Ask;

/// A container with these lines in its spec, and this card.
fn container(name: &str, lines: &str, card: &str) -> String {
    format!(
        "apiVersion: trueup/v1alpha1\nkind: Container\nmetadata: {{ name: {name} }}\nspec:\n  template: debian-13\n  \
         memory: 512MiB\n  rootfs: {{ size: 8GiB }}\n{lines}  networks:\n    - {card}\n"
    )
}

/// The same with its own address and nothing else.
fn plain(name: &str, last: u8, lines: &str) -> String {
    container(name, lines, &format!("{{ name: eth0, address: 10.0.1.{last}/24, gateway: 10.0.1.1 }}"))
}

fn of(kind: &str, name: &str, spec: &str) -> String {
    format!("---\napiVersion: trueup/v1alpha1\nkind: {kind}\nmetadata: {{ name: {name} }}\nspec:\n{spec}")
}

fn tunnel(name: &str, guest: &str, host: &str) -> String {
    let rule = format!("    - host: {host} # here\n      service: http://127.0.0.1:80\n");
    of("Tunnel", name, &format!("  connector: {{ guest: {guest} }}\n  ingress:\n{rule}"))
}

fn renamed(name: &str, from: &str, last: u8) -> String {
    let metadata =
        format!("metadata:\n  name: {name} # here\n  annotations:\n    trueup/renamed-from: {from} # here\n");
    plain(name, last, "").replace(&format!("metadata: {{ name: {name} }}\n"), &metadata)
}

/// Each mistake: what it is, two files in which every `# here` is a place to be named, and words of the message.
fn mistakes() -> Vec<(&'static str, String, String, &'static str)> {
    let card = |rest: &str| format!("{{ name: eth0, {rest} }} # here");
    let slug = |name, guest, slug| of("DnsSlug", name, &format!("  guest: {guest}\n  slug: {slug} # here\n"));
    let block = |name, base| of("PortAllocation", name, &format!("  guest: {name}\n  base: {base} # here\n"));
    vec![
        (
            "a vmid",
            plain("one", 6, "  vmid: 105 # here\n"),
            plain("two", 7, "  vmid: 105 # here\n"),
            "the vmid 105 is given twice",
        ),
        (
            "a name",
            plain("one", 6, "").replace("{ name: one }", "{ name: one } # here"),
            plain("one", 7, "").replace("{ name: one }", "{ name: one } # here"),
            "one",
        ),
        (
            "an address",
            container("one", "", &card("address: 10.0.1.6/24")),
            container("two", "", &card("address: 10.0.1.6/25")),
            "the address 10.0.1.6 is given twice",
        ),
        (
            "a MAC address in two spellings",
            container("one", "", &card("address: 10.0.1.6/24, hwaddr: 'BC:24:11:00:00:AA'")),
            container("two", "", &card("address: 10.0.1.7/24, hwaddr: 'bc:24:11:00:00:aa'")),
            "is given twice",
        ),
        (
            "a hostname in two spellings",
            plain("one", 6, "  hostname: shop # here\n"),
            plain("two", 7, "  hostname: Shop # here\n"),
            "the hostname `shop` is given twice",
        ),
        (
            "a slug",
            plain("one", 6, "") + &slug("one", "one", "shop"),
            plain("two", 7, "") + &slug("two", "two", "shop"),
            "the slug `shop` is given twice",
        ),
        (
            "a host name of two tunnels",
            plain("one", 6, "") + &tunnel("one", "one", "shop.decent-cloud.org"),
            plain("two", 7, "") + &tunnel("two", "two", "Shop.decent-cloud.org"),
            "the host name shop.decent-cloud.org is given twice",
        ),
        (
            "a host name of a tunnel that is a slug's",
            plain("one", 6, "") + &slug("one", "one", "shop"),
            plain("two", 7, "") + &tunnel("two", "two", "shop.dc-lk.decent-cloud.org"),
            "the host name shop.dc-lk.decent-cloud.org is given twice",
        ),
        (
            "overlapping blocks of ports",
            plain("one", 6, "") + &block("one", 20_050),
            plain("two", 7, "") + &block("two", 20_050),
            "the ports 20050-20059 are given twice",
        ),
        ("a cycle of names", renamed("one", "two", 6), renamed("two", "one", 7), "is still declared"),
        (
            "a gateway outside",
            container("one", "", &card("address: 10.0.1.6/24, gateway: 10.0.2.1")),
            container("two", "", &card("address: 10.0.1.7/25, gateway: 10.0.1.129")),
            "is outside the network 10.0.1.0/2",
        ),
        (
            "a reference to nothing",
            of("PortAllocation", "one", "  guest: nobody # here\n"),
            of("SyncSchedule", "two", "  guest: wbe # here\n  schedule: '02:00'\n  command: [/bin/true]\n"),
            "there is no Container or VirtualMachine `",
        ),
    ]
}

/// L2
#[test]
fn each_mistake_is_shown_at_both_places_and_nothing_is_asked() {
    let mut environment = Environment::with_site();
    environment.start_sandbox();
    let calls = environment.ask(&Ask::Calls);
    for (what, one, two, said) in mistakes() {
        environment.write("manifests/one.yaml", &one);
        environment.write("manifests/two.yaml", &two);
        let ran = environment.reconcile(&["--dry-run"]);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, 1, "{what}: {told}");
        assert!(told.contains(said), "{what}: {told}");
        for (file, text) in [("one", &one), ("two", &two)] {
            for (n, _) in text.lines().enumerate().filter(|(_, line)| line.contains("# here")) {
                let place = format!("manifests/{file}.yaml:{}:", n + 1);
                assert!(told.contains(&place), "{what}: {place}: {told}");
            }
        }
    }
    assert_eq!(environment.ask(&Ask::Calls), calls, "an API was asked");
}

/// L2: the guest networks are in the Gateway, so that is the other place.
#[test]
fn an_address_outside_the_guest_networks_is_shown_beside_them() {
    let environment = Environment::with_site();
    let outside = guest("far", 6).replace("10.0.1.", "10.9.9.");
    environment.write("manifests/far.yaml", &outside);
    let ran = environment.run(&["check"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("the address 10.9.9.6 is outside the guest networks of the Gateway"), "{}", ran.stdout);
    let networks = SITE.lines().position(|line| line.contains("guestNetworks")).unwrap() + 1;
    for place in ["manifests/far.yaml:8:".to_owned(), format!("manifests/site.yaml:{networks}:")] {
        assert!(ran.stdout.contains(&place), "{place}: {}", ran.stdout);
    }
}

/// L3: every placeholder in one run, whatever the case of its letters; a path with `examples` in it is none.
#[test]
fn placeholders_are_reported_all_together_and_in_any_case() {
    let environment = Environment::new();
    let schedule =
        "  guest: web\n  schedule: '02:00'\n  command: [/usr/share/examples/run, --of, /srv/example.com/www]\n";
    let schedule = of("SyncSchedule", "nightly", schedule);
    environment.write("manifests/site.yaml", SITE);
    environment.write("manifests/web.yaml", &(guest("web", 5) + &schedule));
    let ran = environment.run(&["check"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);

    let placeholders = [
        "CHANGEME",
        "changeme",
        "Change-Me",
        "CHANGE-ME",
        "REPLACE-WITH-A-PATH",
        "replace-with-this",
        "YOUR-SERVER",
        "your-server",
        "YOUR_TOKEN",
        "Your_Zone",
        "example.com",
        "www.Example.ORG",
        "api.example.net",
    ];
    let arguments = placeholders.join(", ");
    let schedule = schedule.replace("--of", &arguments);
    environment.write("manifests/web.yaml", &(guest("web", 5) + &schedule));
    let site = SITE.replace("domain: decent-cloud.org", "domain: Example.Com").replace("PROXMOX_TOKEN", "YOUR_TOKEN");
    environment.write("manifests/site.yaml", &site);
    let ran = environment.run(&["check", "--output", "json"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    let found: Vec<_> = crate::environment::events(&ran.stdout);
    let found: Vec<_> = found.iter().filter(|event| event["code"] == "placeholder").collect();
    let words: BTreeSet<&str> = found.iter().map(|event| event["message"].as_str().unwrap()).collect();
    for word in placeholders.iter().chain(&["Example.Com"]) {
        assert!(words.contains(&*format!("`{word}` is a placeholder")), "{word}: {words:?}");
    }
    assert_eq!(found.len(), placeholders.len() + 2, "{words:?}");
    let files: BTreeSet<&str> = found.iter().map(|event| event["file"].as_str().unwrap()).collect();
    assert_eq!(files, BTreeSet::from(["manifests/site.yaml", "manifests/web.yaml"]));
}
