//! Blocks of ports, from the range to the forwards.
use crate::environment::{Environment, SITE, guest};
use std::collections::BTreeSet;
use trueup::sandbox::{
    control::Ask,
    faults::{Fault, What},
};

fn site(ports: &str) -> String {
    let interface = "  publicInterface: vmbr0\n";
    SITE.replace(interface, &format!("{interface}  ports: {{ {ports} }}\n"))
}

/// The public ports that are forwarded, in order.
fn forwarded(environment: &Environment) -> Vec<u16> {
    let shown = environment.ask(&Ask::Show);
    let port = |forward: &serde_json::Value| -> u16 {
        let public = forward["public"].as_str().unwrap();
        let (_, port) = public.split_once(' ').expect(public);
        port.split('/').next().unwrap().parse().expect(public)
    };
    let mut all: Vec<u16> = shown["forwards"].as_array().unwrap().iter().map(port).collect();
    all.sort_unstable();
    all
}

/// P1: the blocks follow each other to the end of the range, and the request after the last one says what is in use.
#[test]
fn when_all_blocks_are_taken_it_says_range_size_and_count() {
    let environment = Environment::new();
    environment.write("manifests/site.yaml", &site("range: 59970-59999, blockSize: 10"));
    for (name, last) in [("a", 5), ("b", 6), ("c", 7)] {
        environment.write(&format!("manifests/{name}.yaml"), &guest(name, last));
    }
    let ran = environment.run(&["lock", "--offline"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for block in ["PortAllocation/a: ports 59970-59979", "/b: ports 59980-59989", "/c: ports 59990-59999"] {
        assert!(ran.stdout.contains(block), "{block}: {}", ran.stdout);
    }
    let before = environment.read("manifests/trueup.lock");
    environment.write("manifests/d.yaml", &guest("d", 8));
    let ran = environment.run(&["lock", "--offline"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.code, 1, "{said}");
    assert!(said.contains("range 59970-59999, blocks of 10, 3 of 3 in use"), "{said}");
    assert_eq!(environment.read("manifests/trueup.lock"), before);
}

/// P1: 20000-59999 by 10 has exactly 4,000 blocks, each of them given once, and not one more.
#[test]
fn the_usual_range_has_exactly_four_thousand_blocks() {
    let environment = Environment::with_site();
    let blocks = |numbers: std::ops::Range<u32>| -> String {
        let block = |n| format!("kind: PortAllocation\nmetadata: {{ name: p{n} }}\nspec: {{ guest: web }}\n");
        numbers.map(|n| format!("---\napiVersion: trueup/v1alpha1\n{}", block(n))).collect()
    };
    // The guest itself has one more.
    environment.write("manifests/blocks.yaml", &blocks(1..4_000));
    let ran = environment.run(&["lock", "--offline"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lock = environment.read("manifests/trueup.lock");
    let bases: Vec<u16> =
        lock.lines().filter_map(|line| line.split("base: ").nth(1)?.split(',').next()?.parse().ok()).collect();
    let given: BTreeSet<u16> = bases.iter().copied().collect();
    assert_eq!(bases.len(), 4_000);
    assert_eq!(given, (20_000..60_000).step_by(10).collect());
    environment.write("manifests/more.yaml", &blocks(4_000..4_001));
    let ran = environment.run(&["lock", "--offline"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.code, 1, "{said}");
    assert!(said.contains("range 20000-59999, blocks of 10, 4000 of 4000 in use"), "{said}");
    assert_eq!(environment.read("manifests/trueup.lock"), lock);
}

fn exactly_a_block_each(size: u16) {
    let mut environment = Environment::with_site();
    environment.write("manifests/site.yaml", &site(&format!("blockSize: {size}")));
    environment.write("manifests/mail.yaml", &guest("mail", 9));
    environment.start_sandbox();
    let ran = environment.reconcile(&["--without", "cloudflare"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let all: Vec<u16> = (20_000..20_000 + 2 * size).collect();
    assert_eq!(forwarded(&environment), all, "each port once, and no other");
    let shown = environment.ask(&Ask::Show);
    let to = |address: &str| {
        let forwards = shown["forwards"].as_array().unwrap().iter();
        forwards.filter(|forward| forward["to"].as_str().unwrap().starts_with(address)).count()
    };
    assert_eq!((to("10.0.1.5:"), to("10.0.1.9:")), (size.into(), size.into()));
}

/// P3
#[test]
fn blocks_of_five_have_five_forwards_each() {
    exactly_a_block_each(5);
}

/// P3
#[test]
fn blocks_of_twenty_have_twenty_forwards_each() {
    exactly_a_block_each(20);
}

/// P3
#[test]
fn ranges_and_blocks_that_cannot_be_are_refused_at_their_place() {
    let mistakes = [
        ("blockSize: 0", "blocks of 0 ports"),
        ("range: 59999-20000", "59999-20000 ends before it starts"),
        ("range: 60000-70000", "the port 70000 is not between 1 and 65535"),
    ];
    let environment = Environment::with_site();
    for (ports, said) in mistakes {
        environment.write("manifests/site.yaml", &site(ports));
        for command in [&["check"][..], &["lock", "--offline"]] {
            let ran = environment.run(command);
            let told = format!("{}{}", ran.stdout, ran.stderr);
            assert_eq!(ran.code, 1, "{ports}: {told}");
            let column = 12 + ports.find(' ').unwrap() + 1;
            let place = format!("manifests/site.yaml:22:{column}");
            assert!(told.contains(&place) && told.contains(said), "{ports}: {told}");
        }
    }
    environment.write("manifests/site.yaml", &site("reserved: [20015]"));
    let pinned = guest("web", 5).replace("{ guest: web }\n---", "{ guest: web, base: 20010 }\n---");
    environment.write("manifests/web.yaml", &pinned);
    let ran = environment.run(&["check"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("the block 20010-20019 has the reserved port 20015 in it"), "{}", ran.stdout);
    assert!(ran.stdout.contains("manifests/web.yaml:13:27"), "{}", ran.stdout);
    assert!(!environment.path("manifests/trueup.lock").exists());
}

/// P5: DNS is down. The block stays with its owner, nobody gets a second one, and the rest is done later.
#[test]
fn a_block_stays_with_its_owner_when_a_later_step_fails() {
    let mut environment = Environment::with_site();
    environment.write("manifests/mail.yaml", &guest("mail", 9));
    environment.start_sandbox();
    let refuse = What::Status { status: 403, message: "records cannot be written now".into() };
    environment.ask(&Ask::AddFault(Fault::new(refuse).on("cloudflare", "*dns_records*").only_writes()));
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("records cannot be written now"), "{}", ran.stdout);
    assert_eq!(environment.records().len(), 0);
    let lock = environment.read("manifests/trueup.lock");
    let bases: BTreeSet<&str> =
        lock.lines().filter_map(|line| line.split("base: ").nth(1)?.split(',').next()).collect();
    assert_eq!(bases.into_iter().collect::<Vec<_>>(), ["20000", "20010"], "{lock}");
    let ports: Vec<u16> = (20_000..20_020).collect();
    assert_eq!(forwarded(&environment), ports);
    let forwards = environment.ask(&Ask::Show)["forwards"].clone();

    environment.ask(&Ask::SetFaults(vec![]));
    let logged = environment.written().len();
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let rest = &environment.written()[logged..];
    assert!(!rest.is_empty() && rest.iter().all(|call| call.system == "cloudflare"), "just the rest: {rest:?}");
    assert_eq!(environment.records().len(), 2);
    assert_eq!(environment.ask(&Ask::Show)["forwards"], forwards);
    assert_eq!(environment.read("manifests/trueup.lock"), lock);
    assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));
}
