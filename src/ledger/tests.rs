use super::*;
use crate::model::{PortRange, Uid};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn uid(n: u8) -> Uid {
    Uid::from_bits([n; 10])
}
fn id(name: &str) -> DeclarationId {
    DeclarationId::new("PortAllocation", name)
}
fn now(hour: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + hour * 3_600).unwrap()
}
fn blocks<'a>(range: &str, size: u16, reserved: &'a BTreeSet<u16>) -> Blocks<'a> {
    Blocks { gateway: "edge", range: range.parse::<PortRange>().unwrap(), size, reserved }
}
fn taken(lock: &Lock) -> Taken {
    lock.objects.values().filter_map(|entry| entry.block.as_ref()).collect()
}
fn give(lock: &mut Lock, blocks: &Blocks<'_>, name: &str, n: u8, at: Timestamp) -> Result<u16, String> {
    let block = blocks.allocate(&id(name), &taken(lock), lock, DAY, at)?;
    let base = block.base;
    lock.objects.insert(id(name), Entry { block: Some(block), ..Entry::of(uid(n)) });
    lock.sweep(|_| DAY, at);
    Ok(base)
}

#[test]
fn four_thousand_blocks_and_then_an_error_that_names_the_figures() {
    let none = BTreeSet::new();
    let blocks = blocks("20000-59999", 10, &none);
    assert_eq!(blocks.count(), 4_000);
    let mut held = Taken::default();
    for nth in 0..4_000u16 {
        let block = Block { gateway: "edge".into(), base: 20_000 + nth * 10, size: 10 };
        if !(3..=3_997).contains(&nth) {
            assert_eq!(blocks.allocate(&id("x"), &held, &Lock::default(), DAY, now(0)), Ok(block.clone()));
        }
        assert_eq!(block.last(), block.base + 9);
        held.add(&block);
    }
    let error = blocks.allocate(&id("x"), &held, &Lock::default(), DAY, now(0)).unwrap_err();
    assert_eq!(error, "gateway edge has no free block: range 20000-59999, blocks of 10, 4000 of 4000 in use");
}

#[test]
fn a_freed_block_rests_and_its_old_owner_gets_it_back() {
    let none = BTreeSet::new();
    let blocks = blocks("20000-20049", 10, &none);
    let mut lock = Lock::default();
    assert_eq!(give(&mut lock, &blocks, "a", 1, now(0)), Ok(20_000));
    assert_eq!(give(&mut lock, &blocks, "b", 2, now(0)), Ok(20_010));
    lock.release(&id("a"), now(1));
    // somebody else: not while it rests
    assert_eq!(give(&mut lock, &blocks, "c", 3, now(2)), Ok(20_020));
    // the old owner: at once
    let mut again = lock.clone();
    assert_eq!(give(&mut again, &blocks, "a", 1, now(3)), Ok(20_000));
    assert_eq!(again.freed, vec![]);
    // somebody else after the quarantine: the freed one, because it is the lowest
    lock.sweep(|_| DAY, now(25));
    assert_eq!(give(&mut lock, &blocks, "d", 4, now(25)), Ok(20_000));
    // the error counts what rests
    lock.release(&id("b"), now(26));
    assert_eq!(give(&mut lock, &blocks, "e", 5, now(27)), Ok(20_030));
    assert_eq!(give(&mut lock, &blocks, "f", 6, now(27)), Ok(20_040));
    assert!(give(&mut lock, &blocks, "g", 7, now(27)).unwrap_err().ends_with("4 of 5 in use, 1 rest in quarantine"));
}

#[test]
fn a_block_over_a_reserved_port_is_given_to_nobody() {
    let reserved = BTreeSet::from([20_009, 20_010]);
    let blocks = blocks("20000-20049", 5, &reserved);
    let mut lock = Lock::default();
    let bases: Vec<_> = (0..4).map(|n| give(&mut lock, &blocks, &format!("g{n}"), n, now(0)).unwrap()).collect();
    assert_eq!(bases, [20_000, 20_015, 20_020, 20_025]);
}

#[test]
fn the_text_round_trips_byte_for_byte() {
    let mut lock = Lock::default();
    let mut web = Entry::of(uid(1));
    web.vmid = Some(101);
    web.macs.insert("eth0".into(), "BC:24:11:0A:1B:2C".parse().unwrap());
    lock.objects.insert(DeclarationId::new("Container", "web"), web);
    // a slug of digits alone, or with an exponent, must stay text
    lock.objects.insert(
        DeclarationId::new("DnsSlug", "web"),
        Entry { slug: Some("123e45".parse().unwrap()), ..Entry::of(uid(2)) },
    );
    let block = Block { gateway: "edge".into(), base: 20_000, size: 10 };
    lock.objects.insert(id("web"), Entry { block: Some(block), ..Entry::of(uid(3)) });
    lock.freed.push(Freed {
        block: Block { gateway: "edge".into(), base: 20_010, size: 10 },
        owner: id("old"),
        uid: uid(4),
        freed_at: now(0),
    });
    let text = lock.to_text();
    insta::assert_snapshot!(text, @r#"
    # trueup.lock: what git must remember. Written by `trueup lock`; review it, and do not edit it by hand.
    version: 1
    objects:
      Container/web: { uid: aeaqcaibaeaqcaib, vmid: 101, macs: { eth0: "BC:24:11:0A:1B:2C" } }
      DnsSlug/web: { uid: aibaeaqcaibaeaqc, slug: "123e45" }
      PortAllocation/web: { uid: ambqgaydambqgayd, ports: { gateway: edge, base: 20000, size: 10 } }
    freed:
      - { gateway: edge, base: 20010, size: 10, owner: PortAllocation/old, uid: aqcaibaeaqcaibae, freedAt: "2026-09-21T14:13:20Z" }
    "#);
    assert_eq!(Lock::parse(&text), Ok(lock));
    assert_eq!(Lock::parse(&Lock::default().to_text()), Ok(Lock::default()));
}

#[test]
fn what_is_no_lock_file_is_refused_with_its_line() {
    let parse = |text: &str| Lock::parse(text).unwrap_err();
    let markers = parse("version: 1\nobjects:\n<<<<<<< HEAD\n");
    assert_eq!((markers.line, markers.hint.is_some()), (Some(3), true));
    assert!(parse("version: 2\nobjects: {}\n").message.contains("version 2"));
    assert!(parse("version: 1\nobjects: {}\nextra: 1\n").message.contains("extra"));
    let twice = "version: 1\nobjects:\n  A/b: { uid: aaaaaaaaaaaaaaaa }\n  A/b: { uid: aaaaaaaaaaaaaaab }\n";
    assert!(parse(twice).message.contains("duplicate"), "{}", parse(twice));
    assert!(parse("version: 1\nobjects:\n  A/b: { uid: nope }\n").message.contains("nope"));
}

#[test]
fn a_merge_that_gives_one_block_to_two_is_found() {
    let mut lock = Lock::default();
    for (n, (name, base)) in [("a", 20_000), ("b", 20_010), ("c", 20_010)].into_iter().enumerate() {
        let block = Block { gateway: "edge".into(), base, size: 10 };
        lock.objects.insert(id(name), Entry { block: Some(block), ..Entry::of(uid(n as u8)) });
    }
    let clashes = lock.clashes();
    assert_eq!(clashes.len(), 1);
    assert_eq!((&clashes[0].first, &clashes[0].second), (&id("b"), &id("c")));
    assert!(clashes[0].what.contains("20010-20019 of gateway edge"), "{}", clashes[0].what);
}

#[test]
fn the_file_is_written_once_and_only_when_it_differs() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(read(directory.path()), Ok(Lock::default()));
    let mut lock = Lock::default();
    lock.objects.insert(id("a"), Entry::of(uid(1)));
    assert!(write(directory.path(), &lock).unwrap());
    assert!(!write(directory.path(), &lock).unwrap());
    assert_eq!(read(directory.path()), Ok(lock));
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, [FILE]);
}

#[test]
fn a_long_block_below_a_short_one_is_still_taken() {
    let none = BTreeSet::new();
    let block = |base, size| Block { gateway: "edge".into(), base, size };
    let taken: Taken = [block(20_000, 50), block(20_010, 5)].iter().collect();
    let got = blocks("20000-20059", 10, &none).allocate(&id("x"), &taken, &Lock::default(), DAY, now(0));
    assert_eq!(got.map(|block| block.base), Ok(20_050));
}
