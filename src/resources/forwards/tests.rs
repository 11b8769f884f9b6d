use super::*;
use crate::{
    model::{Deletion, Found, Mark, Observation, Ours, Revision, Vmid, Wanted},
    providers::nftables::{Counted, Element, Entry, Protocol, PublicPort, Target, kernel_tests::in_namespace, read},
    resources::{
        gateway_table::{
            GatewayTable, Table,
            tests::{mark as gateway_mark, nft, providers, rules, scope as gateway_scope},
        },
        rehearsal::{pass, planned, ready, shown},
    },
};
use std::collections::BTreeMap;

fn mark(owner: &str, guest: &str) -> Mark {
    Mark {
        site: "dc-lk".into(),
        uid: format!("{owner:a<16}").parse().unwrap(),
        serves: Some(format!("{guest:a<16}").parse().unwrap()),
        deletion: Deletion::Delete,
        declared: Some(format!("PortAllocation/{owner}").parse().unwrap()),
    }
}

fn vmid(number: u32) -> Vmid {
    number.to_string().parse().unwrap()
}

/// The default layout of a block of ten at the IPv4 address.
fn block(base: u16, guest: u32, address: &str) -> Desired {
    let public =
        |offset: u16, protocol| PublicPort { address: "203.0.113.1".parse().unwrap(), protocol, port: base + offset };
    let places = (0..10u16).map(|offset| match offset {
        0 => (offset, Protocol::Tcp, 22),
        1..=4 => (offset, Protocol::Tcp, 10_000 + offset),
        _ => (offset, Protocol::Udp, 10_000 + offset),
    });
    let forwards = places
        .map(|(offset, protocol, port)| Forward {
            public: public(offset, protocol),
            to: Target { address: address.parse().unwrap(), port },
            allow: None,
        })
        .collect();
    Desired { guest: vmid(guest), size: 10, forwards }
}

fn web(address: &str) -> (Base, Wanted<Desired>) {
    (Base(20000), ready(mark("web", "guestweb"), block(20000, 101, address)))
}

fn shop(address: &str) -> (Base, Wanted<Desired>) {
    (Base(20010), ready(mark("shop", "guestshop"), block(20010, 102, address)))
}

fn scope() -> Scope {
    Scope { site: "dc-lk".into() }
}

fn in_true(desired: &Desired) -> Live {
    Live { guest: Some(desired.guest), size: desired.size, forwards: desired.forwards.clone(), ..Live::default() }
}

#[test]
fn plans() {
    let plan_of = |wanted: Option<Desired>, live: Option<Live>| {
        let found = live.map(|live| {
            (Base(20000), Found::Ours(Ours { mark: mark("web", "guestweb"), revision: Revision("r".into()), live }))
        });
        let wanted = wanted.map(|desired| (Base(20000), ready(mark("web", "guestweb"), desired)));
        shown(&planned::<Forwards>(wanted, &Observation::Complete(found.into_iter().collect())))
    };
    let is = block(20000, 101, "10.0.1.5");
    let mut restricted = is.clone();
    restricted.forwards[1].allow = Some(["198.51.100.0/24".parse().unwrap()].into());
    restricted.forwards.remove(9);
    let all = [
        ("new", plan_of(Some(is.clone()), None)),
        ("in true", plan_of(Some(is.clone()), Some(in_true(&is)))),
        ("moved", plan_of(Some(block(20000, 101, "10.0.1.9")), Some(in_true(&is)))),
        ("restricted", plan_of(Some(restricted.clone()), Some(in_true(&is)))),
        ("opened", plan_of(Some(is.clone()), Some(in_true(&restricted)))),
        ("another guest", plan_of(Some(block(20000, 102, "10.0.1.5")), Some(in_true(&is)))),
        (
            "edited by hand",
            plan_of(
                Some(is.clone()),
                Some(Live { odd: vec!["its elements carry 2 different marks".into()], ..in_true(&is) }),
            ),
        ),
        (
            "counters gone",
            plan_of(Some(is.clone()), Some(Live { uncounted: ["10.0.1.5".parse().unwrap()].into(), ..in_true(&is) })),
        ),
        ("unwanted", plan_of(None, Some(in_true(&is)))),
    ];
    let text: String = all.iter().map(|(name, plan)| format!("{name}:\n{plan}")).collect();
    insta::assert_snapshot!(text, @r"
    new:
    + forwards/20000 10 forwards to 10.0.1.5 (nothing)
        ports: - -> 20000-20009
        to: - -> 10.0.1.5
    in true:
    moved:
    ~ forwards/20000 10 forwards to 10.0.1.9 (an interruption)
        to: 10.0.1.5 -> 10.0.1.9
    restricted:
    ~ forwards/20000 9 forwards to 10.0.1.5 (an interruption)
        203.0.113.1 20001/tcp: 10.0.1.5:10001 -> 10.0.1.5:10001 for 198.51.100.0/24
        203.0.113.1 20009/udp: 10.0.1.5:10009 -> -
    opened:
    ~ forwards/20000 10 forwards to 10.0.1.5 (an interruption)
        203.0.113.1 20001/tcp: 10.0.1.5:10001 for 198.51.100.0/24 -> 10.0.1.5:10001
        203.0.113.1 20009/udp: - -> 10.0.1.5:10009
    another guest:
    ~ forwards/20000 10 forwards to 10.0.1.5 (nothing)
        guest: 101 -> 102
    edited by hand:
    ~ forwards/20000 10 forwards to 10.0.1.5 (nothing)
        elements: its elements carry 2 different marks -> as the manifest says
    counters gone:
    ~ forwards/20000 10 forwards to 10.0.1.5 (nothing)
        counters: not of this guest -> of this guest
    unwanted:
    - forwards/20000 no forwards (an interruption)
        ports: 20000-20009 -> -
        to: 10.0.1.5 -> -
    ");
}

#[test]
fn what_a_forward_needs_and_uses() {
    let ids = |ids: Vec<ObjectId>| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let desired = block(20000, 101, "10.0.1.5");
    assert_eq!(ids(Forwards::needs(&desired)), "guest/101 gateway-table/trueup");
    assert_eq!(ids(Forwards::uses(&in_true(&desired))), "guest/101 gateway-table/trueup");
}

async fn table() {
    pass::<GatewayTable>(&providers(), &gateway_scope(), [(Table, ready(gateway_mark(), rules()))]).await;
}

/// A pass in which everything succeeds; its plan.
async fn done(wanted: impl IntoIterator<Item = (Base, Wanted<Desired>)>) -> String {
    let (text, answers) = pass::<Forwards>(&providers(), &scope(), wanted).await;
    for (step, answer) in answers {
        assert_eq!(answer, Ok(()), "{step}");
    }
    text
}

#[test]
fn a_block_leads_to_its_guest_and_follows_it() {
    in_namespace("a_block_leads_to_its_guest_and_follows_it", |nftables| async move {
        table().await;
        assert_eq!(done([web("10.0.1.5"), shop("10.0.1.6")]).await.matches("\n+").count() + 1, 2);
        let listed = async || nftables.list().await.unwrap().unwrap();
        let leads = async || {
            let mut lines = vec![];
            for entry in listed().await.entries {
                if let Element::Forward { public, to } = entry.element {
                    lines.push(format!("{public} -> {to}"));
                }
            }
            lines.join("\n")
        };
        insta::assert_snapshot!(leads().await, @r"
        203.0.113.1 20000/tcp -> 10.0.1.5:22
        203.0.113.1 20001/tcp -> 10.0.1.5:10001
        203.0.113.1 20002/tcp -> 10.0.1.5:10002
        203.0.113.1 20003/tcp -> 10.0.1.5:10003
        203.0.113.1 20004/tcp -> 10.0.1.5:10004
        203.0.113.1 20010/tcp -> 10.0.1.6:22
        203.0.113.1 20011/tcp -> 10.0.1.6:10001
        203.0.113.1 20012/tcp -> 10.0.1.6:10002
        203.0.113.1 20013/tcp -> 10.0.1.6:10003
        203.0.113.1 20014/tcp -> 10.0.1.6:10004
        203.0.113.1 20005/udp -> 10.0.1.5:10005
        203.0.113.1 20006/udp -> 10.0.1.5:10006
        203.0.113.1 20007/udp -> 10.0.1.5:10007
        203.0.113.1 20008/udp -> 10.0.1.5:10008
        203.0.113.1 20009/udp -> 10.0.1.5:10009
        203.0.113.1 20015/udp -> 10.0.1.6:10005
        203.0.113.1 20016/udp -> 10.0.1.6:10006
        203.0.113.1 20017/udp -> 10.0.1.6:10007
        203.0.113.1 20018/udp -> 10.0.1.6:10008
        203.0.113.1 20019/udp -> 10.0.1.6:10009
        ");
        assert_eq!(done([web("10.0.1.5"), shop("10.0.1.6")]).await, "", "twice: no change");
        // N2: the guest moves; its neighbour's counters go on
        let counts = "counter packets 7 bytes 700 comment \"trueup/1 dc-lk guest guestshopaaaaaaa\"";
        nft(&format!(
            "delete element inet trueup sent4 {{ 10.0.1.6 }}\nadd element inet trueup sent4 {{ 10.0.1.6 {counts} }}"
        ))
        .await;
        let before = listed().await;
        done([web("10.0.1.9"), shop("10.0.1.6")]).await;
        let after = listed().await;
        let of = |table: &crate::providers::nftables::Table, text: &str| -> Vec<Entry> {
            table.entries.iter().filter(|e| format!("{:?}", e.comment).contains(text)).cloned().collect()
        };
        assert_eq!(of(&before, "guestshop"), of(&after, "guestshop"));
        assert_eq!(format!("{after:?}").matches("10.0.1.5").count(), 0, "nothing is left of the old one");
        assert_eq!(of(&after, "guestwebaaaaaaaa").len(), 12);
        // gone with its counters, and nobody else
        done([shop("10.0.1.6")]).await;
        let last = listed().await;
        assert_eq!((of(&last, "guestweb").len(), of(&last, "guestshop").len()), (0, 12));
        assert_eq!(last.digest, before.digest);
        done([]).await;
        let left = listed().await.entries;
        assert!(left.iter().all(|e| matches!(e.element, Element::Stamp(_))), "{left:?}");
    });
}

#[test]
fn one_refused_owner_does_not_stop_the_others() {
    in_namespace("one_refused_owner_does_not_stop_the_others", |nftables| async move {
        table().await;
        // somebody sits on one of shop's ports
        nft("add element inet trueup forwards4 { 203.0.113.1 . tcp . 20011 : 10.0.1.77 . 80 }").await;
        let mut third = block(20020, 103, "10.0.1.7");
        third.forwards[0].allow = Some(["198.51.100.0/24".parse().unwrap(), "192.0.2.7/32".parse().unwrap()].into());
        let third = (Base(20020), ready(mark("third", "guestthird"), third));
        let broken = (Base(20030), ready(mark("broken", "guestbroken"), block(20030, 104, "127.0.0.1")));
        let wanted = [web("10.0.1.5"), shop("10.0.1.6"), third.clone(), broken];
        let (_, answers) = pass::<Forwards>(&providers(), &scope(), wanted).await;
        let said: Vec<String> = answers
            .iter()
            .map(|(step, answer)| {
                format!("{step}: {}", answer.as_ref().map_or_else(ToString::to_string, |()| "done".into()))
            })
            .collect();
        let mut said = said;
        said.sort();
        insta::assert_snapshot!(said.join("\n"), @r"
        forwards/20000#0: done
        forwards/20010#0: could not change table inet trueup: Could not process rule: File exists; somebody else holds one of its ports: see `nft list table inet trueup`
        forwards/20020#0: done
        forwards/20030#0: could not forward ports: 127.0.0.1 is not the address of one machine on a network
        ");
        let observed = Forwards::observe(&providers(), &scope()).await;
        let Observation::Complete(there) = observed else { panic!() };
        assert_eq!(there.keys().copied().collect::<Vec<_>>(), [Base(20000), Base(20020)]);
        assert_eq!(done([web("10.0.1.5"), third]).await, "", "a restricted port comes back as it is written");
        let table = nftables.list().await.unwrap().unwrap();
        let guarded =
            table.entries.iter().filter(|e| matches!(e.element, Element::Guarded(_) | Element::Allowed { .. }));
        assert_eq!(guarded.count(), 3);
    });
}

#[test]
fn what_was_done_by_hand_is_undone() {
    in_namespace("what_was_done_by_hand_is_undone", |_| async move {
        table().await;
        done([web("10.0.1.5"), shop("10.0.1.6")]).await;
        let owner = "trueup/1 dc-lk webaaaaaaaaaaaaa guestwebaaaaaaaa d 20000+10 101 PortAllocation/web";
        for drift in [
            "delete element inet trueup forwards4 { 203.0.113.1 . tcp . 20000 }".to_string(),
            format!("delete element inet trueup forwards4 {{ 203.0.113.1 . tcp . 20000 }}
                     add element inet trueup forwards4 {{ 203.0.113.1 . tcp . 20000 comment \"{owner}\" : 10.0.1.66 . 22 }}"),
            format!("add element inet trueup guarded4 {{ 203.0.113.1 . tcp . 20001 comment \"{owner}\" }}"),
            format!("add element inet trueup allowed4 {{ 203.0.113.1 . tcp . 20001 . 192.0.2.0/24 comment \"{owner}\" }}"),
            "delete element inet trueup sent4 { 10.0.1.5 }".to_string(),
        ] {
            nft(&drift).await;
            let text = done([web("10.0.1.5"), shop("10.0.1.6")]).await;
            assert!(text.starts_with("~ forwards/20000"), "{drift}: {text}");
            assert_eq!(done([web("10.0.1.5"), shop("10.0.1.6")]).await, "", "{drift}");
        }
        // the whole ruleset is flushed: the table comes back, then the forwards
        nft("flush ruleset").await;
        let (_, answers) = pass::<Forwards>(&providers(), &scope(), [web("10.0.1.5")]).await;
        assert!(answers[0].1.as_ref().unwrap_err().to_string().contains("is not there"), "{answers:?}");
        table().await;
        assert!(done([web("10.0.1.5")]).await.starts_with("+ forwards/20000"));
    });
}

#[test]
fn a_block_passes_from_one_owner_to_another_in_one_transaction() {
    in_namespace("a_block_passes_from_one_owner_to_another_in_one_transaction", |nftables| async move {
        table().await;
        done([web("10.0.1.5")]).await;
        let heir = mark("heir", "guestheir");
        let table = nftables.list().await.unwrap().unwrap();
        let desired = block(20000, 105, "10.0.1.5");
        let (old, new) = (mark("web", "guestweb"), heir);
        let wishes = [
            apply::Wish { part: 0, mark: &new, base: 20000, desired: Some(&desired) },
            apply::Wish { part: 1, mark: &old, base: 20000, desired: None },
        ];
        let (transaction, wrong) = apply::transaction(&table, "dc-lk", &wishes);
        assert!(wrong.is_empty());
        nftables.apply(&transaction).await.unwrap();
        let there = observe::inventory(&nftables.list().await.unwrap().unwrap(), "dc-lk");
        let Some(Found::Ours(ours)) = there.get(&Base(20000)) else { panic!("{there:?}") };
        assert_eq!((ours.mark.uid.clone(), &ours.live), (new.uid.clone(), &in_true(&desired)));
    });
}

#[test]
fn two_owners_of_one_block_are_seen() {
    let mut table = crate::providers::nftables::Table::default();
    for (owner, port) in [("web", 20000), ("shop", 20001)] {
        let mark = crate::providers::nftables::OwnerMark {
            mark: mark(owner, "guest"),
            base: 20000,
            size: 10,
            guest: Some(vmid(101)),
        };
        let public = PublicPort { address: "203.0.113.1".parse().unwrap(), protocol: Protocol::Tcp, port };
        let to = Target { address: "10.0.1.5".parse().unwrap(), port: 22 };
        table.entries.push(Entry { element: Element::Forward { public, to }, comment: Some(mark.comment().unwrap()) });
    }
    let there = observe::inventory(&table, "dc-lk");
    let all = vec!["PortAllocation/shop".to_string(), "PortAllocation/web".into()];
    assert_eq!(there, BTreeMap::from([(Base(20000), Found::Duplicates(all))]));
    assert!(observe::inventory(&table, "dc-nz").is_empty(), "another site's elements are none of ours");
}

/// N6: what a pass does at 40,000 forwards, without nft's own part.
#[test]
fn a_changed_guest_costs_its_own_elements() {
    let started = std::time::Instant::now();
    let mut table = crate::providers::nftables::Table::default();
    let all: Vec<(Mark, Desired)> = (0..4000u16)
        .map(|i| {
            let name: String = i.to_string().chars().map(|c| char::from(b'a' + (c as u8 - b'0'))).collect();
            let address = format!("10.0.{}.{}", 16 + i / 250, 1 + i % 250);
            (mark(&name, &format!("g{name}")), block(20000 + 10 * i, 1000 + u32::from(i), &address))
        })
        .collect();
    for (mark, desired) in &all {
        let owner = crate::providers::nftables::OwnerMark {
            mark: mark.clone(),
            base: desired.forwards[0].public.port,
            size: 10,
            guest: Some(desired.guest),
        };
        let comment = owner.comment().unwrap();
        for forward in &desired.forwards {
            let element = Element::Forward { public: forward.public, to: forward.to };
            table.entries.push(Entry { element, comment: Some(comment.clone()) });
        }
        let of = crate::providers::nftables::GuestMark { site: "dc-lk".into(), guest: mark.serves.clone() };
        for direction in [crate::providers::nftables::Direction::Received, crate::providers::nftables::Direction::Sent]
        {
            let (guest, counted) = (desired.forwards[0].to.address, Counted::default());
            let element = Element::Counter { direction, guest, counted };
            table.entries.push(Entry { element, comment: Some(of.comment().unwrap()) });
        }
    }
    table.entries.sort();
    println!("made in {:?}", started.elapsed());
    let started = std::time::Instant::now();
    let there = observe::inventory(&table, "dc-lk");
    println!("read as {} owners in {:?}", there.len(), started.elapsed());
    assert_eq!(there.len(), 4000);
    let started = std::time::Instant::now();
    let wanted = all.iter().map(|(mark, d)| (Base(d.forwards[0].public.port), ready(mark.clone(), d.clone())));
    let part = planned::<Forwards>(wanted, &Observation::Complete(there));
    println!("planned in {:?}", started.elapsed());
    assert_eq!(shown(&part), "");
    let (mark, _) = &all[7];
    let moved = block(20070, 1007, "10.0.200.1");
    let started = std::time::Instant::now();
    let wish = apply::Wish { part: 0, mark, base: 20070, desired: Some(&moved) };
    let (transaction, _) = apply::transaction(&table, "dc-lk", &[wish]);
    println!("one moved guest written in {:?}", started.elapsed());
    assert_eq!(transaction.text().lines().count(), 6, "{}", transaction.text());
    assert!(read(b"{\"nftables\": []}").is_ok());
}
