use super::*;
use crate::providers::{
    host::{Host, Limits},
    nftables::{
        Counted, Direction, Element, Entry, Protocol, PublicPort, Rules, Target, Transaction,
        kernel_tests::in_namespace,
    },
};
use serde_json::Value;
use std::collections::BTreeSet;

/// A small generator: the same seed, the same transactions.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let sides = u64::try_from(from.len()).unwrap();
        &from[usize::try_from(self.roll(sides)).unwrap()]
    }
    fn some<T: Copy + Ord>(&mut self, from: &[T]) -> BTreeSet<T> {
        from.iter().copied().filter(|_| self.roll(2) == 0).collect()
    }
}

fn rules(dice: &mut Dice) -> Rules {
    let networks = [
        "10.0.1.0/24",
        "10.0.2.0/24",
        "10.0.5.0/24",
        "198.51.100.7/32",
        "fd00:1::/64",
        "fd00:1:0:1::/64",
        "2001:db8:9::/48",
    ];
    let addresses = ["203.0.113.1", "203.0.113.2", "2001:db8:1::1", "2001:db8:1::2"];
    Rules {
        public_addresses: dice.some(&addresses.map(|a| a.parse().unwrap())),
        public_interface: dice.pick(&["vmbr0", "eth0.7"]).parse().unwrap(),
        guest_networks: dice.some(&networks.map(|n| n.parse().unwrap())),
        host_tcp: dice.some(&[443, 22, 80]),
        host_udp: dice.some(&[51820]),
    }
}

fn entry(dice: &mut Dice) -> Entry {
    let six = dice.roll(3) == 0;
    let address = if six { "2001:db8:1::1" } else { "203.0.113.1" }.parse().unwrap();
    let protocol = *dice.pick(&[Protocol::Tcp, Protocol::Udp]);
    let public = PublicPort { address, protocol, port: *dice.pick(&[20000, 20001]) };
    let guest = dice.pick(if six { &["fd00:1::5", "fd00:1::6"] } else { &["10.0.1.5", "10.0.1.6"] }).parse().unwrap();
    let networks = if six { ["2001:db8:5::/48", "2001:db8:6::1/128"] } else { ["198.51.100.0/24", "192.0.2.7/32"] };
    let counted = Counted { packets: dice.roll(9), bytes: dice.roll(900) };
    let element = match dice.roll(6) {
        0..=1 => Element::Forward { public, to: Target { address: guest, port: *dice.pick(&[22, 443]) } },
        2 => Element::Guarded(public),
        3 => Element::Allowed { public, from: dice.pick(&networks).parse().unwrap() },
        4 => Element::Counter { direction: *dice.pick(&[Direction::Sent, Direction::Received]), guest, counted },
        _ => Element::Stamp(u32::try_from(dice.roll(3)).unwrap()),
    };
    let comment = (dice.roll(4) > 0).then(|| dice.pick(&["trueup/1 dc-lk a", "b"]).parse().unwrap());
    Entry { element, comment }
}

fn transaction(dice: &mut Dice) -> String {
    let mut transaction = Transaction::new();
    for _ in 0..=dice.roll(3) {
        let entries: Vec<Entry> = (0..=dice.roll(2)).map(|_| entry(dice)).collect();
        match dice.roll(20) {
            0..=1 => drop(transaction.establish(&rules(dice)).unwrap()),
            2 => drop(transaction.rebuild(&rules(dice)).unwrap()),
            3 => drop(transaction.flush_stamp()),
            4..=7 => drop(transaction.delete(entries.iter().map(|e| &e.element))),
            8 => drop(transaction.delete([&entries[0].element]).create(&entries[..1]).unwrap()),
            _ => drop(transaction.create(&entries).unwrap()),
        }
    }
    if dice.roll(60) == 0 {
        transaction.drop_table();
    }
    let odd = [
        "add rule inet trueup nowhere accept",
        "add rule inet trueup host jump nowhere",
        "add rule inet trueup host ip daddr @nowhere",
        "add chain inet trueup host { type filter hook input priority 7 ; policy accept ; }",
        "add chain inet trueup forward { type filter hook forward priority 0 ; policy drop ; }",
        "add set inet trueup stamp { type inet_service ; }",
        "create element inet trueup stamp { 10.0.1.5 }",
        "create element inet trueup received4 { 10.0.1.5; reboot }",
        "create element inet trueup received4 { fd00:1::5 counter packets 0 bytes 0 }",
        "create element inet trueup forwards4 { 203.0.113.1 . tcp : 10.0.1.5 . 22 }",
        "flush chain inet trueup",
        "delete element inet trueup stamp { }",
    ];
    let mut text = transaction.text().to_owned();
    if dice.roll(12) == 0 {
        let line: &str = dice.pick::<&str>(&odd);
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Without what differs between any two loads: handles, the program's name, and the order of elements.
fn comparable(stdout: &[u8]) -> Value {
    fn strip(json: &mut Value) {
        match json {
            Value::Object(fields) => {
                fields.remove("handle");
                fields.remove("metainfo");
                if let Some(Value::Array(elements)) = fields.get_mut("elem") {
                    elements.sort_by_key(ToString::to_string);
                }
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut json = serde_json::from_slice(stdout).unwrap_or(Value::Null);
    strip(&mut json);
    json
}

#[test]
fn the_simulated_nft_does_what_nft_and_the_kernel_do() {
    in_namespace("the_simulated_nft_does_what_nft_and_the_kernel_do", |_| async {
        let real = Host::local();
        let mut version = String::new();
        let (mut done, mut refused) = (0, 0);
        for seed in 1..=2 {
            let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ seed);
            let mut simulated = NftSimulated::default();
            real.run(&["nft", "flush", "ruleset"], Bytes::new(), Limits::default()).await.unwrap();
            for step in 0..50 {
                let text = if step == 0 {
                    Transaction::new().establish(&rules(&mut dice)).unwrap().text().to_owned()
                } else {
                    transaction(&mut dice)
                };
                let theirs = real.run(&APPLY, Bytes::from(text.clone()), Limits::default()).await.unwrap();
                let ours = simulated.run(&APPLY, text.as_bytes());
                let place = format!("seed {seed}, step {step}");
                let said = format!("\nnft: {}\nsimulated: {}", theirs.complaint(), ours.complaint());
                assert_eq!(ours.status, theirs.status, "{place}:\n{text}{said}");
                *(if ours.status == 0 { &mut done } else { &mut refused }) += 1;
                let theirs = real.run(&LIST, Bytes::new(), Limits::default()).await.unwrap();
                let ours = simulated.run(&LIST, b"");
                assert_eq!((ours.status, ours.complaint()), (theirs.status, theirs.complaint()), "{place}");
                version = String::from_utf8_lossy(&theirs.stdout).chars().take(60).collect();
                let (ours, theirs) = (comparable(&ours.stdout), comparable(&theirs.stdout));
                if version.contains("1.0.6") && ours != theirs {
                    let lines = |json: &Value| -> Vec<String> {
                        json["nftables"].as_array().unwrap().iter().map(ToString::to_string).collect()
                    };
                    let (ours, theirs) = (lines(&ours), lines(&theirs));
                    let first = ours.iter().zip(&theirs).find(|(a, b)| a != b);
                    panic!("{place}: {} and {} objects, {first:#?}\n{text}", ours.len(), theirs.len());
                }
                // what the product reads of it
                let read = |json: &Value| read(json.to_string().as_bytes()).ok();
                assert_eq!(read(&ours).map(|t| t.entries), read(&theirs).map(|t| t.entries), "{place}:\n{text}");
            }
        }
        println!("{done} transactions done and {refused} refused by both; {version}");
        assert!(done > 20 && refused > 20, "the dice are loaded: {done} done, {refused} refused");
    });
}

#[test]
fn what_the_renderer_does_not_write_is_refused() {
    let mut nft = NftSimulated::default();
    let run = |nft: &mut NftSimulated, text: &str| nft.run(&APPLY, text.as_bytes()).complaint();
    for text in [
        "flush ruleset",
        "add table ip filter",
        "add table inet trueup2",
        "table inet trueup { }",
        "add table inet trueup ; reboot",
        "add rule inet trueup host log prefix \"x\" accept",
        "create element inet trueup stamp { 1 comment \"x }",
        "include \"/etc/passwd\"",
    ] {
        let said = run(&mut nft, text);
        assert!(said.contains("Error: syntax error"), "{text}: {said}");
    }
    let argv = |nft: &mut NftSimulated, argv: &[&str]| nft.run(argv, b"").status;
    assert_eq!(argv(&mut nft, &["nft", "flush", "ruleset"]), 1);
    assert_eq!(argv(&mut nft, &["nft", "-j", "list", "ruleset"]), 1);
    insta::assert_snapshot!(run(&mut nft, "add table inet trueup\ncreate element inet trueup stamp { 1 }"), @r"
        /dev/stdin:2:28-32: Error: No such file or directory
        create element inet trueup stamp { 1 }
                                   ^^^^^
        ");
    assert_eq!(nft, NftSimulated::default(), "all or nothing");
}

#[test]
fn the_state_outlives_the_program() {
    let mut nft = NftSimulated::default();
    let mut dice = Dice(7);
    let rules = rules(&mut dice);
    let mut made = Transaction::new();
    let forward = Entry {
        element: Element::Forward {
            public: PublicPort { address: "203.0.113.1".parse().unwrap(), protocol: Protocol::Tcp, port: 20000 },
            to: Target { address: "10.0.1.5".parse().unwrap(), port: 22 },
        },
        comment: Some("trueup/1".parse().unwrap()),
    };
    made.establish(&rules).unwrap().create([&forward]).unwrap();
    assert_eq!(nft.run(&CHECK, made.text().as_bytes()), Output::default());
    assert_eq!(nft, NftSimulated::default(), "a check changes nothing");
    assert_eq!(nft.run(&APPLY, made.text().as_bytes()), Output::default());
    let stored = serde_json::to_string(&nft).unwrap();
    let mut again: NftSimulated = serde_json::from_str(&stored).unwrap();
    assert_eq!(again, nft);
    assert_eq!(again.run(&LIST, b""), nft.run(&LIST, b""));
    assert_eq!(again.forwards().into_values().map(|t| t.port).collect::<Vec<_>>(), [22]);
    again.flush_ruleset();
    assert_eq!(again.run(&LIST, b"").status, 1);
    assert!(NftSimulated::answers(&LIST) && !NftSimulated::answers(&["cat"]));
}
