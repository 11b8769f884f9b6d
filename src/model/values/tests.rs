//! Tables: what is read, how it is written back, what is refused and with which words.
use super::*;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Display;

/// Reads the text as YAML, by way of a `Value` as manifests are read.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let value: serde_yaml::Value = serde_yaml::from_str(text).expect("the test's own YAML");
    serde_yaml::from_value(value).map_err(|e| e.to_string())
}

/// Each pair is read and its canonical spelling; the canonical spelling is read back to the same value.
fn spells<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug + Display>(pairs: &[(&str, &str)]) {
    for (text, canonical) in pairs {
        let value: T = read(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(value.to_string(), *canonical, "{text}");
        let written = serde_yaml::to_string(&value).expect("writes");
        assert_eq!(read::<T>(&written).expect("reads what it wrote"), value);
    }
}

fn refuses<T: DeserializeOwned + std::fmt::Debug>(pairs: &[(&str, &str)]) {
    for (text, words) in pairs {
        let error = read::<T>(text).expect_err(text);
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn names() {
    spells::<Name>(&[("web", "web"), ("debian-13", "debian-13"), ("3scale", "3scale")]);
    refuses::<Name>(&[
        ("Web", "only lower-case"),
        ("web_1", "`_`"),
        ("-web", "begin or end"),
        ("web-", "begin or end"),
        ("''", "is empty"),
        ("101", "expected a name"),
        (&"a".repeat(64), "at most 63"),
    ]);
}

/// D7.
#[test]
fn site_ids() {
    spells::<SiteId>(&[
        ("ab", "ab"),
        ("dc-lk", "dc-lk"),
        ("us-east-1", "us-east-1"),
        (&"a".repeat(20), &"a".repeat(20)),
    ]);
    for wrong in ["a", &"a".repeat(21), "-abc", "abc-", "DC-LK", "dc_lk", "''"] {
        assert!(read::<SiteId>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn sizes() {
    spells::<Size>(&[
        ("512MiB", "512MiB"),
        ("1024MiB", "1GiB"),
        ("1536MiB", "1536MiB"),
        ("8GiB", "8GiB"),
        ("0MiB", "0MiB"),
        ("4KiB", "4KiB"),
    ]);
    refuses::<Size>(&[
        ("512", "expected a size such as 512MiB"),
        ("'512'", "write 512MiB or 512GiB"),
        ("8GB", "write 8GiB"),
        ("8G", "write 8GiB"),
        ("-8GiB", "is not a size"),
        ("1.5GiB", "whole numbers"),
        ("8 GiB", "whole numbers"),
        ("99999999999TiB", "too large"),
    ]);
    assert_eq!((Size::gib(1).whole_mib(), Size::mib(1536).whole_gib()), (Some(1024), None));
}

#[test]
fn periods() {
    spells::<Period>(&[
        ("30s", "30s"),
        ("90m", "1h30m"),
        ("24h", "24h"),
        ("7d", "168h"),
        ("1h30m", "1h30m"),
        ("0s", "0s"),
    ]);
    refuses::<Period>(&[
        ("30", "expected a length of time"),
        ("'30'", "30s, 30m or 30h"),
        ("5min", "is not a length"),
        ("1m1h", "is not a length"),
        ("1h1h", "is not a length"),
        ("''", "is not a length"),
        ("99999999999999999w", "too large"),
    ]);
}

#[test]
fn rates() {
    spells::<Rate>(&[("12MB/s", "12MB/s"), ("0.5MB/s", "0.5MB/s"), ("1.250MB/s", "1.25MB/s")]);
    refuses::<Rate>(&[("12", "expected a rate"), ("12Mbit", "is not a rate"), ("0MB/s", "nothing through")]);
    assert_eq!(read::<Rate>("0.5MB/s").map(Rate::megabytes), Ok("0.5".into()));
}

#[test]
fn macs() {
    spells::<Mac>(&[("bc:24:11:0a:1b:2c", "BC:24:11:0A:1B:2C")]);
    refuses::<Mac>(&[
        ("BC:24:11:0A:1B", "is not a MAC"),
        ("BC:24:11:0A:1B:2C:00", "is not a MAC"),
        ("BC-24-11-0A-1B-2C", "is not a MAC"),
        ("01:24:11:0A:1B:2C", "multicast"),
    ]);
}

#[test]
fn addresses() {
    spells::<Cidr4>(&[
        ("10.0.1.5/24", "10.0.1.5/24"),
        ("10.0.1.0/31", "10.0.1.0/31"),
        ("203.0.113.9/32", "203.0.113.9/32"),
    ]);
    refuses::<Cidr4>(&[
        ("10.0.1.5", "write 10.0.1.5/24"),
        ("10.0.1.0/24", "of the network itself"),
        ("10.0.1.255/24", "of its broadcast"),
        ("127.0.0.1/8", "no guest can have"),
        ("fd00:1::5/64", "IPv6 address where"),
        ("'10.0.1.5; reboot'", "is not an IPv4 address"),
        ("10.0.1.256/24", "is not an IPv4"),
    ]);
    spells::<Cidr6>(&[("'fd00:1::5/64'", "fd00:1::5/64"), ("'FD00:0001::0005/64'", "fd00:1::5/64")]);
    refuses::<Cidr6>(&[("10.0.1.5/24", "IPv4 address where"), ("'fd00:1::5'", "write fd00:1::5/64")]);
    spells::<Network>(&[
        ("10.0.1.0/24", "10.0.1.0/24"),
        ("198.51.100.7", "198.51.100.7/32"),
        ("'fd00:1::/64'", "fd00:1::/64"),
    ]);
    refuses::<Network>(&[("10.0.1.5/24", "in the network 10.0.1.0/24"), ("ten", "is not a network")]);
}

#[test]
fn host_names() {
    spells::<HostName>(&[
        ("shop.acme.test", "shop.acme.test"),
        ("Shop.ACME.test.", "shop.acme.test"),
        ("bücher.test", "xn--bcher-kva.test"),
    ]);
    refuses::<HostName>(&[
        ("shop", "has no domain"),
        ("'https://shop.acme.test'", "without scheme"),
        ("shop.acme.test:443", "without scheme, port"),
        ("10.0.1.5", "is an address"),
        ("'*.acme.test'", "`*`"),
        ("a_b.test", "`_`"),
        ("a..test", "is empty"),
    ]);
    spells::<HostPattern>(&[("'*.Acme.test'", "*.acme.test"), ("acme.test", "acme.test")]);
    let zone: HostName = read("decent-cloud.org").expect("reads");
    let depth = |name: &str| read::<HostName>(name).expect(name).depth_below(&zone);
    assert_eq!(depth("decent-cloud.org"), Some(0));
    assert_eq!(depth("a.decent-cloud.org"), Some(1));
    assert_eq!(depth("a.b.decent-cloud.org"), Some(2));
    assert_eq!(depth("indecent-cloud.org"), None);
}

#[test]
fn ports() {
    spells::<PortRange>(&[("20000-59999", "20000-59999"), ("20000 - 20000", "20000-20000")]);
    refuses::<PortRange>(&[
        ("59999-20000", "ends before it starts"),
        ("20000-65536", "65536 is not between"),
        ("0-10", "0 is not between"),
        ("20000", "expected a range"),
        ("'20000'", "not a range"),
    ]);
    spells::<PortTarget>(&[("22/tcp", "22/tcp"), ("10005/udp", "10005/udp")]);
    refuses::<PortTarget>(&[("'22'", "write 22/tcp"), ("22/icmp", "neither tcp nor udp"), ("0/tcp", "between 1 and")]);
    assert_eq!(read::<PortRange>("20000-59999").map(PortRange::count), Ok(40_000));
}

#[test]
fn auto() {
    spells::<Auto<Vmid>>(&[("auto", "auto"), ("101", "101")]);
    spells::<Auto<Slug>>(&[("auto", "auto"), ("k7m2p4", "k7m2p4")]);
    refuses::<Auto<Vmid>>(&[
        ("99", "between 100"),
        ("-5", "invalid value"),
        ("[1]", "`auto` or a value"),
        ("'101'", "invalid type"),
    ]);
}

#[test]
fn references() {
    assert_eq!(read("{ env: TOKEN }"), Ok(Reference::Env("TOKEN".into())));
    assert_eq!(read("{ file: /etc/t }"), Ok(Reference::File("/etc/t".into())));
    refuses::<Reference>(&[
        ("{}", "needs `env`, `file` or `sops`"),
        ("{ env: A, file: b }", "only one of"),
        ("{ env: '' }", "names nothing"),
        ("{ vault: x }", "unknown field `vault`"),
        ("s3cret", Reference::EXPECTED),
    ]);
}

#[test]
fn words_and_paths() {
    spells::<Identifier>(&[("pve1", "pve1"), ("local-zfs", "local-zfs"), ("_apt", "_apt"), ("vmbr1.10", "vmbr1.10")]);
    refuses::<Identifier>(&[
        ("'a,b'", "`,`"),
        ("-rf", "begin with `-`"),
        ("'a b'", "` `"),
        ("'a;b'", "`;`"),
        ("''", "is empty"),
    ]);
    spells::<AbsolutePath>(&[("/srv/", "/srv"), ("/", "/"), ("/opt/a b", "/opt/a b")]);
    refuses::<AbsolutePath>(&[
        ("srv", "does not begin"),
        ("/srv/../etc", "`..`"),
        ("'/a,mp=/b'", "cannot stand there"),
    ]);
}

#[test]
fn urls() {
    spells::<HttpUrl>(&[
        ("https://10.0.1.1:8006/", "https://10.0.1.1:8006"),
        ("http://127.0.0.1:8787/run-sync", "http://127.0.0.1:8787/run-sync"),
    ]);
    refuses::<HttpUrl>(&[
        ("10.0.1.1:8006", "is not a URL"),
        ("ftp://a.test", "neither with"),
        ("https://u:p@a.test", HttpUrl::CREDENTIALS),
    ]);
}
