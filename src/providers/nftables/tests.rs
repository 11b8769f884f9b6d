use super::*;
use std::{collections::BTreeSet, fmt::Write, time::Instant};

pub(super) fn rules() -> Rules {
    Rules {
        public_addresses: ["203.0.113.1", "2001:db8:1::1"].map(|a| a.parse().unwrap()).into(),
        public_interface: "vmbr0".parse().unwrap(),
        guest_networks: ["10.0.1.0/24", "fd00:1::/64"].map(|n| n.parse().unwrap()).into(),
        host_tcp: [22, 80, 443, 8006].into(),
        host_udp: BTreeSet::new(),
    }
}

pub(super) fn public(port: u16, protocol: Protocol) -> PublicPort {
    PublicPort { address: "203.0.113.1".parse().unwrap(), protocol, port }
}

pub(super) fn forward(port: u16, protocol: Protocol, to: &str, at: u16, comment: &str) -> Entry {
    let to = Target { address: to.parse().unwrap(), port: at };
    Entry { element: Element::Forward { public: public(port, protocol), to }, comment: Some(comment.parse().unwrap()) }
}

/// The block that starts at 20000 in the default layout.
pub(super) fn block(base: u16, guest: &str, comment: &str) -> Vec<Entry> {
    let mut entries = vec![forward(base, Protocol::Tcp, guest, 22, comment)];
    entries.extend((1..=4).map(|i| forward(base + i, Protocol::Tcp, guest, 10_000 + i, comment)));
    entries.extend((5..=9).map(|i| forward(base + i, Protocol::Udp, guest, 10_000 + i, comment)));
    entries
}

#[test]
fn the_rules_of_a_gateway() {
    insta::assert_snapshot!(rules().text().unwrap(), @r#"
    add table inet trueup
    add map inet trueup forwards4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service ; }
    add set inet trueup guarded4 { type ipv4_addr . inet_proto . inet_service ; }
    add set inet trueup allowed4 { type ipv4_addr . inet_proto . inet_service . ipv4_addr ; flags interval ; }
    add set inet trueup received4 { type ipv4_addr ; counter ; }
    add set inet trueup sent4 { type ipv4_addr ; counter ; }
    add map inet trueup forwards6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service ; }
    add set inet trueup guarded6 { type ipv6_addr . inet_proto . inet_service ; }
    add set inet trueup allowed6 { type ipv6_addr . inet_proto . inet_service . ipv6_addr ; flags interval ; }
    add set inet trueup received6 { type ipv6_addr ; counter ; }
    add set inet trueup sent6 { type ipv6_addr ; counter ; }
    add set inet trueup stamp { type mark ; }
    add chain inet trueup prerouting { type nat hook prerouting priority -105 ; policy accept ; }
    add chain inet trueup output { type nat hook output priority -105 ; policy accept ; }
    add chain inet trueup postrouting { type nat hook postrouting priority 95 ; policy accept ; }
    add chain inet trueup forward { type filter hook forward priority 0 ; policy accept ; }
    add chain inet trueup input { type filter hook input priority 0 ; policy accept ; }
    add chain inet trueup host
    flush chain inet trueup prerouting
    flush chain inet trueup output
    flush chain inet trueup postrouting
    flush chain inet trueup forward
    flush chain inet trueup input
    flush chain inet trueup host
    add rule inet trueup prerouting ip daddr . meta l4proto . th dport @guarded4 ip daddr . meta l4proto . th dport . ip saddr != @allowed4 accept
    add rule inet trueup prerouting dnat ip to ip daddr . meta l4proto . th dport map @forwards4
    add rule inet trueup output dnat ip to ip daddr . meta l4proto . th dport map @forwards4
    add rule inet trueup postrouting ct status dnat ip saddr { 10.0.1.0/24 } ip daddr { 10.0.1.0/24 } masquerade
    add rule inet trueup postrouting oifname "vmbr0" ip saddr { 10.0.1.0/24 } ip daddr != { 10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16 } masquerade
    add rule inet trueup forward ip daddr @received4
    add rule inet trueup forward ip saddr @sent4
    add rule inet trueup prerouting ip6 daddr . meta l4proto . th dport @guarded6 ip6 daddr . meta l4proto . th dport . ip6 saddr != @allowed6 accept
    add rule inet trueup prerouting dnat ip6 to ip6 daddr . meta l4proto . th dport map @forwards6
    add rule inet trueup output dnat ip6 to ip6 daddr . meta l4proto . th dport map @forwards6
    add rule inet trueup postrouting ct status dnat ip6 saddr { fd00:1::/64 } ip6 daddr { fd00:1::/64 } masquerade
    add rule inet trueup postrouting oifname "vmbr0" ip6 saddr { fd00:1::/64 } ip6 daddr != { fc00::/7, fe80::/10 } masquerade
    add rule inet trueup forward ip6 daddr @received6
    add rule inet trueup forward ip6 saddr @sent6
    add rule inet trueup forward ct state established,related accept
    add rule inet trueup forward ct status dnat accept
    add rule inet trueup forward iifname "vmbr0" oifname != "vmbr0" ip daddr { 10.0.1.0/24 } drop
    add rule inet trueup input iifname "vmbr0" ip daddr { 203.0.113.1 } jump host
    add rule inet trueup forward iifname "vmbr0" oifname != "vmbr0" ip6 daddr { fd00:1::/64 } drop
    add rule inet trueup input iifname "vmbr0" ip6 daddr { 2001:db8:1::1 } jump host
    add rule inet trueup host ct state established,related accept
    add rule inet trueup host meta l4proto { icmp, ipv6-icmp } accept
    add rule inet trueup host tcp dport { 22, 80, 443, 8006 } accept
    add rule inet trueup host drop
    "#);
}

#[test]
fn what_there_is_none_of_makes_no_rule() {
    let bare = Rules {
        public_addresses: ["203.0.113.1".parse().unwrap()].into(),
        // routed by the world: neither hidden nor closed
        guest_networks: ["198.51.100.0/24".parse().unwrap()].into(),
        host_tcp: BTreeSet::new(),
        host_udp: [51820].into(),
        ..rules()
    };
    let text = bare.text().unwrap();
    let rules: String = text.lines().filter(|l| l.starts_with("add rule")).map(|l| format!("{l}\n")).collect();
    insta::assert_snapshot!(rules, @r#"
    add rule inet trueup prerouting ip daddr . meta l4proto . th dport @guarded4 ip daddr . meta l4proto . th dport . ip saddr != @allowed4 accept
    add rule inet trueup prerouting dnat ip to ip daddr . meta l4proto . th dport map @forwards4
    add rule inet trueup output dnat ip to ip daddr . meta l4proto . th dport map @forwards4
    add rule inet trueup postrouting ct status dnat ip saddr { 198.51.100.0/24 } ip daddr { 198.51.100.0/24 } masquerade
    add rule inet trueup forward ip daddr @received4
    add rule inet trueup forward ip saddr @sent4
    add rule inet trueup prerouting ip6 daddr . meta l4proto . th dport @guarded6 ip6 daddr . meta l4proto . th dport . ip6 saddr != @allowed6 accept
    add rule inet trueup prerouting dnat ip6 to ip6 daddr . meta l4proto . th dport map @forwards6
    add rule inet trueup output dnat ip6 to ip6 daddr . meta l4proto . th dport map @forwards6
    add rule inet trueup forward ip6 daddr @received6
    add rule inet trueup forward ip6 saddr @sent6
    add rule inet trueup forward ct state established,related accept
    add rule inet trueup forward ct status dnat accept
    add rule inet trueup input iifname "vmbr0" ip daddr { 203.0.113.1 } jump host
    add rule inet trueup host ct state established,related accept
    add rule inet trueup host meta l4proto { icmp, ipv6-icmp } accept
    add rule inet trueup host udp dport { 51820 } accept
    add rule inet trueup host drop
    "#);
}

#[test]
fn what_is_no_address_never_reaches_a_command() {
    // what is not of the type at all
    assert!("10.0.1.5; reboot".parse::<std::net::IpAddr>().is_err());
    for bad in ["", "vmbr0\"", "eth0 eth1", "vmbr*", "a/b", "sixteen-letters-x", "..", "vmbr0\n"] {
        assert!(bad.parse::<Interface>().is_err(), "{bad:?}");
    }
    for bad in ["", "a\"b", "a\\", "line\nline", "grüß", &"x".repeat(129)] {
        assert!(bad.parse::<Comment>().is_err(), "{bad:?}");
    }
    // what is of the type and wrong
    let refused = |entry: Entry| Transaction::new().create(&[entry]).map(|t| t.text().to_owned()).unwrap_err();
    let to = |address: &str| refused(forward(20000, Protocol::Tcp, address, 22, "x"));
    let all = [
        to("fd00:1::5"),
        to("203.0.113.1"),
        to("127.0.0.1"),
        to("224.0.0.1"),
        to("0.0.0.0"),
        to("255.255.255.255"),
        refused(forward(0, Protocol::Tcp, "10.0.1.5", 22, "x")),
        refused(forward(20000, Protocol::Tcp, "10.0.1.5", 0, "x")),
        refused(Entry {
            element: Element::Allowed { public: public(20001, Protocol::Tcp), from: "2001:db8::/32".parse().unwrap() },
            comment: None,
        }),
        refused(Entry {
            element: Element::Allowed { public: public(20001, Protocol::Tcp), from: "10.0.1.5/24".parse().unwrap() },
            comment: None,
        }),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
    203.0.113.1 20000/tcp cannot lead to [fd00:1::5]:22: one is IPv4, the other IPv6
    203.0.113.1 20000/tcp cannot lead to 203.0.113.1:22: that is an address of the gateway itself
    127.0.0.1 is not the address of one machine on a network
    224.0.0.1 is not the address of one machine on a network
    0.0.0.0 is not the address of one machine on a network
    255.255.255.255 is not the address of one machine on a network
    203.0.113.1 0/tcp -> 10.0.1.5:22: 0 is not a port
    203.0.113.1 20000/tcp -> 10.0.1.5:0: 0 is not a port
    2001:db8::/32 cannot be a source for 203.0.113.1 20001/tcp: one is IPv4, the other IPv6
    10.0.1.5/24 has bits beyond its prefix; meant is perhaps 10.0.1.0/24
    ");
    let wrong = |change: fn(&mut Rules)| {
        let mut rules = rules();
        change(&mut rules);
        rules.text().unwrap_err()
    };
    let all = [
        wrong(|r| _ = r.public_addresses.insert("127.0.0.1".parse().unwrap())),
        wrong(|r| _ = r.guest_networks.insert("10.0.1.5/24".parse().unwrap())),
        wrong(|r| _ = r.guest_networks.insert("10.0.1.128/25".parse().unwrap())),
        wrong(|r| _ = r.guest_networks.insert("0.0.0.0/0".parse().unwrap())),
        wrong(|r| _ = r.host_tcp.insert(0)),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
    127.0.0.1 is not an address that the world can connect to
    guest network 10.0.1.0/24 is part of guest network 10.0.1.5/24
    guest network 10.0.1.128/25 is part of guest network 10.0.1.0/24
    0.0.0.0/0 is the whole world, not a network of guests
    0 is not a port
    ");
}

#[test]
fn a_part_is_told_from_its_neighbours_by_its_lines() {
    let mut transaction = Transaction::new();
    transaction.flush_stamp();
    let (old, new) = (block(20000, "10.0.1.5", "a"), block(20000, "10.0.1.9", "a"));
    transaction.part(7).delete(old.iter().map(|e| &e.element)).create(&new).unwrap();
    transaction.part(8).create(&block(20010, "10.0.1.6", "b")[..1]).unwrap();
    insta::assert_snapshot!(transaction.text(), @r#"
    flush set inet trueup stamp
    delete element inet trueup forwards4 { 203.0.113.1 . tcp . 20000, 203.0.113.1 . tcp . 20001, 203.0.113.1 . tcp . 20002, 203.0.113.1 . tcp . 20003, 203.0.113.1 . tcp . 20004, 203.0.113.1 . udp . 20005, 203.0.113.1 . udp . 20006, 203.0.113.1 . udp . 20007, 203.0.113.1 . udp . 20008, 203.0.113.1 . udp . 20009 }
    create element inet trueup forwards4 { 203.0.113.1 . tcp . 20000 comment "a" : 10.0.1.9 . 22, 203.0.113.1 . tcp . 20001 comment "a" : 10.0.1.9 . 10001, 203.0.113.1 . tcp . 20002 comment "a" : 10.0.1.9 . 10002, 203.0.113.1 . tcp . 20003 comment "a" : 10.0.1.9 . 10003, 203.0.113.1 . tcp . 20004 comment "a" : 10.0.1.9 . 10004, 203.0.113.1 . udp . 20005 comment "a" : 10.0.1.9 . 10005, 203.0.113.1 . udp . 20006 comment "a" : 10.0.1.9 . 10006, 203.0.113.1 . udp . 20007 comment "a" : 10.0.1.9 . 10007, 203.0.113.1 . udp . 20008 comment "a" : 10.0.1.9 . 10008, 203.0.113.1 . udp . 20009 comment "a" : 10.0.1.9 . 10009 }
    create element inet trueup forwards4 { 203.0.113.1 . tcp . 20010 comment "b" : 10.0.1.6 . 22 }
    "#);
    let parts: Vec<_> = (0..=5).map(|line| transaction.part_of_line(line)).collect();
    assert_eq!(parts, [None, None, Some(7), Some(7), Some(8), None]);
}

#[test]
fn every_store_has_a_name_of_its_own() {
    let names: BTreeSet<&str> = Store::all().map(Store::name).collect();
    assert_eq!(names.len(), Store::all().count());
    assert!(Store::all().all(|store| Store::named(store.name()) == Some(store)));
    let text = rules().text().unwrap();
    assert!(names.iter().all(|name| text.contains(&format!(" inet trueup {name} {{ type"))), "{text}");
}

/// As nft 1.0.6 lists it; below, spellings that others use or may use.
const LISTED: &str = r#"{"nftables": [{"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}},
 {"table": {"family": "inet", "name": "trueup", "handle": 1}},
 {"map": {"family": "inet", "name": "forwards4", "table": "trueup", "type": ["ipv4_addr", "inet_proto", "inet_service"], "handle": 1,
  "map": "ipv4_addr . inet_service", "elem": [[{"elem": {"val": {"concat": ["203.0.113.1", "tcp", 20000]}, "comment": "mark"}}, {"concat": ["10.0.1.5", 22]}]]}},
 {"set": {"family": "inet", "name": "allowed6", "table": "trueup", "type": ["ipv6_addr", "inet_proto", "inet_service", "ipv6_addr"], "handle": 3, "flags": ["interval"],
  "elem": [{"elem": {"val": {"concat": ["2001:db8::1", "tcp", 20001, {"prefix": {"addr": "2001:db8:5::", "len": 48}}]}, "comment": "m"}}]}},
 {"set": {"family": "inet", "name": "received4", "table": "trueup", "type": "ipv4_addr", "handle": 3,
  "elem": [{"elem": {"val": "10.0.1.5", "comment": "g", "counter": {"packets": 7, "bytes": 700}}}], "stmt": [{"counter": null}]}},
 {"chain": {"family": "inet", "table": "trueup", "name": "host", "handle": 11}},
 {"rule": {"family": "inet", "table": "trueup", "chain": "host", "handle": 28, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": [22, 80]}}}, {"accept": null}]}}]}"#;

#[test]
fn a_listing_is_read_object_by_object() {
    let table = read(LISTED.as_bytes()).unwrap();
    let text: Vec<String> = table.entries.iter().map(|e| format!("{} {:?}", e.element, e.comment)).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    203.0.113.1 20000/tcp -> 10.0.1.5:22 Some(Comment("mark"))
    2001:db8::1 20001/tcp from 2001:db8:5::/48 Some(Comment("m"))
    counter of traffic to 10.0.1.5 Some(Comment("g"))
    "#);
    assert_eq!(table.stores, ["allowed6", "forwards4", "received4"].map(String::from).into());
    assert_eq!((table.chains.len(), table.unread.len()), (1, 0));
    let same = |from: &str, to: &str| {
        assert!(LISTED.contains(from));
        read(LISTED.replace(from, to).as_bytes()).unwrap()
    };
    // other spellings of the same
    assert_eq!(same(r#""handle": 28, "#, r#""handle": 99, "#), table);
    assert_eq!(same("[22, 80]", "[80, 22]"), table);
    assert_eq!(same(r#""tcp", 20000"#, r#""6", "20000""#), table);
    assert_eq!(same(r#""version": "1.0.6""#, r#""version": "1.1.3""#), table);
    let elements_first = r#"{"nftables": [{"set": {"elem": [3], "name": "stamp"}}]}"#;
    assert_eq!(read(elements_first.as_bytes()).unwrap().entries, [Entry { element: Element::Stamp(3), comment: None }]);
    // what somebody changed
    let rules = same("[22, 80]", "[22, 80, 8080]");
    assert!(rules.digest != table.digest && rules.entries == table.entries);
    let counted = same(r#""packets": 7"#, r#""packets": 8"#);
    assert!(counted.digest == table.digest && counted.entries != table.entries);
    let more = same(r#"{"chain""#, r#"{"flowtable": {"name": "fast"}}, {"chain""#);
    assert!(more.stores.contains("fast") && more.digest != table.digest);
    let odd = same(r#"{"concat": ["10.0.1.5", 22]}"#, r#"{"concat": ["10.0.1.5"]}"#);
    assert_eq!((odd.entries.len(), odd.unread.len()), (table.entries.len() - 1, 1));
    assert!(read(&LISTED.as_bytes()[..LISTED.len() - 9]).is_err(), "a listing that was cut short is none");
}

#[test]
fn complaints_have_classes() {
    let output = |status, stderr: &str| crate::providers::host::Output {
        status,
        stderr: bytes::Bytes::copy_from_slice(stderr.as_bytes()),
        ..Default::default()
    };
    let absent = "Error: No such file or directory\nlist table inet trueup\n                ^^^^^^\n";
    assert!(refusal::says_absent(&output(1, absent)));
    assert!(!refusal::says_absent(&output(127, "nft: No such file or directory")));
    assert!(!refusal::says_absent(&output(1, "Error: Operation not permitted")));
    let class = |status, text: &str| refusal::failure("x", &output(status, text)).class;
    let place = "/dev/stdin:3:40-64: Error: Could not process rule: ";
    assert_eq!(class(1, &format!("{place}File exists\ncreate …")), Class::Conflict);
    assert_eq!(class(1, &format!("{place}No such file or directory")), Class::Conflict);
    assert_eq!(class(1, &format!("{place}Operation not permitted")), Class::Denied);
    assert_eq!(class(1, "Operation not permitted (you must be root)"), Class::Denied);
    assert_eq!(class(1, &format!("{place}Device or resource busy")), Class::Conflict);
    assert_eq!(class(1, &format!("{place}Resource temporarily unavailable")), Class::Busy);
    assert_eq!(class(1, "/dev/stdin:1:8-8: Error: syntax error, unexpected newline"), Class::Invalid);
    assert_eq!(class(137, ""), Class::UnknownOutcome);
}

/// 4,000 guests with ten forwards each.
pub(super) fn crowd() -> Vec<Vec<Entry>> {
    (0..4000u16)
        .map(|i| {
            block(20000 + 10 * i, &format!("10.0.{}.{}", 16 + i / 250, 1 + i % 250), &format!("trueup/1 dc-lk {i}"))
        })
        .collect()
}

#[test]
fn forty_thousand_elements_are_written_and_read_in_a_moment() {
    let parts = crowd();
    let started = Instant::now();
    let mut transaction = Transaction::new();
    for (number, entries) in parts.iter().enumerate() {
        transaction.part(number).create(entries).unwrap();
    }
    let written = started.elapsed();
    let mut listing = String::from(r#"{"nftables": [{"map": {"name": "forwards4", "elem": ["#);
    for (number, entry) in parts.iter().flatten().enumerate() {
        let Element::Forward { public, to } = entry.element else { panic!() };
        let comma = if number == 0 { "" } else { ", " };
        let comment = entry.comment.as_ref().unwrap();
        write!(
            listing,
            r#"{comma}[{{"elem": {{"val": {{"concat": ["{}", "{}", {}]}}, "comment": "{comment}"}}}}, {{"concat": ["{}", {}]}}]"#,
            public.address, public.protocol, public.port, to.address, to.port
        )
        .unwrap();
    }
    listing.push_str("]}}]}");
    let started = Instant::now();
    let table = read(listing.as_bytes()).unwrap();
    let took = started.elapsed();
    println!("40,000 elements: written in {written:?}, {} bytes of listing read in {took:?}", listing.len());
    assert_eq!(table.entries.len(), 40_000);
    let mut all: Vec<Entry> = parts.concat();
    all.sort();
    assert_eq!(table.entries, all);
    assert_eq!(transaction.text().lines().count(), 4000);
}

#[test]
fn marks_fit_into_comments_and_come_back() {
    use crate::model::{Deletion, Mark};
    let mark = |site: &str, name: String| Mark {
        site: site.into(),
        uid: "abcdefghijklmnop".parse().unwrap(),
        serves: Some("qrstuvwxyz234567".parse().unwrap()),
        deletion: Deletion::Delete,
        declared: Some(format!("PortAllocation/{name}").parse().unwrap()),
    };
    let owner =
        OwnerMark { mark: mark("dc-lk", "web".into()), base: 20000, size: 10, guest: Some("101".parse().unwrap()) };
    let text = owner.comment().unwrap();
    insta::assert_snapshot!(text, @"trueup/1 dc-lk abcdefghijklmnop qrstuvwxyz234567 d 20000+10 101 PortAllocation/web");
    assert_eq!(OwnerMark::read(&text), Some(owner.clone()));
    // the longest of everything: the name gives way, nothing else
    let long = OwnerMark {
        mark: mark(&"s".repeat(20), "n".repeat(63)),
        base: 59990,
        size: 40000,
        guest: Some("999999999".parse().unwrap()),
    };
    let mut short = long.clone();
    short.mark.declared = None;
    assert_eq!(OwnerMark::read(&long.comment().unwrap()), Some(short));
    let unknown = OwnerMark { guest: None, mark: Mark { serves: None, ..owner.mark.clone() }, ..owner.clone() };
    assert_eq!(OwnerMark::read(&unknown.comment().unwrap()), Some(unknown));
    let table = TableMark(Mark { serves: None, deletion: Deletion::Retain, ..owner.mark });
    insta::assert_snapshot!(table.comment().unwrap(), @"trueup/1 dc-lk table abcdefghijklmnop r PortAllocation/web");
    assert_eq!(TableMark::read(&table.comment().unwrap()), Some(table.clone()));
    let guest = GuestMark { site: "dc-lk".into(), guest: Some("qrstuvwxyz234567".parse().unwrap()) };
    assert_eq!(GuestMark::read(&guest.comment().unwrap()), Some(guest.clone()));
    // none is taken for another, and nothing else for one of them
    for comment in [&text, &table.comment().unwrap(), &guest.comment().unwrap(), &"hello".parse().unwrap()] {
        let read = [
            OwnerMark::read(comment).is_some(),
            TableMark::read(comment).is_some(),
            GuestMark::read(comment).is_some(),
        ];
        assert!(read.iter().filter(|r| **r).count() == usize::from(comment.as_str() != "hello"), "{comment}: {read:?}");
    }
}
