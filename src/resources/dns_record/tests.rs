//! Plans of records, as tables: what is desired, what the zone holds, what is done.
use super::*;
use crate::{
    model::{DeclarationId, Deletion, Mark, Mode, Observation, Ready, Wanted, Wants},
    plan::compare,
    providers::cloudflare::Record,
};
use std::collections::BTreeSet;

const NAME: &str = "k7m2p4.dc-lk.decent-cloud.org";

fn uid(letter: char) -> Uid {
    letter.to_string().repeat(16).parse().unwrap()
}

fn mark(letter: char) -> Mark {
    Mark {
        site: "dc-lk".into(),
        uid: uid(letter),
        serves: Some(uid('g')),
        deletion: Deletion::Delete,
        declared: Some(DeclarationId::new("DnsSlug", "web")),
    }
}

fn guest() -> Vec<ObjectId> {
    vec![ObjectId { resource: "guest".into(), key: "101".into() }]
}

fn ours(letter: char) -> String {
    comment::write(&mark(letter), &guest())
}

fn record(kind: &str, content: &str, comment: &str) -> Record {
    Record {
        id: format!("id-{content}"),
        name: NAME.into(),
        kind: kind.into(),
        content: content.into(),
        ttl: 300,
        proxied: false,
        comment: Some(comment.to_owned()).filter(|c| !c.is_empty()),
        priority: None,
        data: None,
    }
}

fn desired(contents: &[&str]) -> Desired {
    Desired {
        contents: contents.iter().map(|c| (*c).to_owned()).collect::<BTreeSet<_>>(),
        ttl: 300,
        proxied: false,
        needs: vec![],
        uses: guest(),
        warning: None,
    }
}

/// The plan for an A record set of the declaration `a`, in a line each.
fn plan_of(wanted: Option<(Desired, bool)>, records: &[Record]) -> String {
    let key = Key { name: NAME.into(), kind: "A".into() };
    let mut wants = Wants::<DnsRecord>::default();
    let mut scope = Scope { site: "dc-lk".into(), zone: "z".into(), wanted: BTreeMap::new() };
    if let Some((desired, adopt)) = wanted {
        scope.wanted.insert(key.clone(), uid('a'));
        wants.add(key, Wanted::Ready(Ready { mark: mark('a'), adopt, mode: Mode::Reconcile, desired }));
    }
    let inventory = sort::inventory(&scope, records);
    let part = compare::<DnsRecord, _>(wants, &Observation::Complete(inventory), ToString::to_string);
    let mut lines: Vec<String> = vec![];
    for step in &part.plan.steps {
        let short = step.id.object.key.replace(NAME, "NAME");
        lines.push(format!("{} {short}#{} {}", step.verb.sign(), step.id.nth, step.change));
        for field in &step.fields {
            let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".into());
            lines.push(format!("    {}: {} -> {}", field.name, side(&field.from), side(&field.to)));
        }
    }
    let notes = |sign: &str, notes: &[crate::model::Note]| {
        notes.iter().map(|note| format!("{sign} {}", note.text)).collect::<Vec<_>>()
    };
    lines.extend(notes("conflict:", &part.plan.conflicts));
    lines.extend(notes("remark:", &part.plan.remarks));
    lines.extend(notes("orphan:", &part.plan.orphans));
    if lines.is_empty() { "nothing".into() } else { lines.join("\n") }
}

fn wants(contents: &[&str]) -> Option<(Desired, bool)> {
    Some((desired(contents), false))
}

#[test]
fn a_record_is_made_and_then_left_alone() {
    insta::assert_snapshot!(plan_of(wants(&["203.0.113.1"]), &[]), @"
    + NAME/A#0 A 203.0.113.1
        content: - -> 203.0.113.1
        ttl: - -> 300
        proxied: - -> false
    ");
    insta::assert_snapshot!(plan_of(wants(&["203.0.113.1"]), &[record("A", "203.0.113.1", &ours('a'))]), @"nothing");
    insta::assert_snapshot!(plan_of(None, &[record("A", "203.0.113.1", &ours('a'))]), @"- NAME/A#0 A 203.0.113.1");
    insta::assert_snapshot!(plan_of(None, &[record("A", "203.0.113.1", "by hand")]), @"nothing");
}

#[test]
fn an_edit_by_others_is_drift() {
    let mut edited = record("A", "198.51.100.9", &ours('a'));
    (edited.ttl, edited.proxied) = (1, true);
    insta::assert_snapshot!(plan_of(wants(&["203.0.113.1"]), &[edited]), @"
    ~ NAME/A#0 A 198.51.100.9 becomes A 203.0.113.1
        content: 198.51.100.9 -> 203.0.113.1
        ttl: 1 -> 300
        proxied: true -> false
    ");
}

#[test]
fn what_belongs_to_others_is_a_conflict_until_it_is_adopted() {
    let foreign = [record("A", "198.51.100.9", "mail server"), record("TXT", "x", "")];
    insta::assert_snapshot!(plan_of(wants(&["203.0.113.1"]), &foreign), @r#"conflict: is held by A 198.51.100.9 (someone else, "mail server")"#);
    insta::assert_snapshot!(plan_of(Some((desired(&["203.0.113.1"]), true)), &foreign), @r#"
    = NAME/A#0 mark A 198.51.100.9 (TTL 300, comment "mail server") as ours
        comment of A 198.51.100.9: mail server -> our mark
    ~ NAME/A#1 A 198.51.100.9 becomes A 203.0.113.1
        content: 198.51.100.9 -> 203.0.113.1
    "#);
    let other_site = [record("A", "203.0.113.1", &ours('a').replace("dc-lk", "dc-nz"))];
    insta::assert_snapshot!(plan_of(wants(&["203.0.113.1"]), &other_site), @"conflict: is held by A 203.0.113.1 (site dc-nz)");
}

#[test]
fn a_foreign_alias_in_the_way_is_seen_before_the_api_refuses() {
    let foreign = [record("CNAME", "shop.acme.test", "")];
    insta::assert_snapshot!(plan_of(wants(&["203.0.113.1"]), &foreign), @"conflict: is held by CNAME shop.acme.test (someone else)");
    insta::assert_snapshot!(plan_of(Some((desired(&["203.0.113.1"]), true)), &foreign), @"
    = NAME/A#0 mark CNAME shop.acme.test (TTL 300) as ours
        comment of CNAME shop.acme.test: - -> our mark
    ~ NAME/A#1 CNAME shop.acme.test becomes A 203.0.113.1
        type: CNAME -> A
        content: shop.acme.test -> 203.0.113.1
    ");
}

#[test]
fn two_of_ours_converge_to_one() {
    let both = [record("A", "203.0.113.1", &ours('a')), record("A", "203.0.113.2", &ours('a'))];
    insta::assert_snapshot!(plan_of(wants(&["203.0.113.1"]), &both), @"
    ~ NAME/A#0 remove A 203.0.113.2
        content: 203.0.113.1, 203.0.113.2 (2 records) -> 203.0.113.1
    ");
    // The other one is of a declaration that is gone.
    let others = [record("A", "203.0.113.1", &ours('b')), record("A", "203.0.113.2", &ours('a'))];
    insta::assert_snapshot!(plan_of(wants(&["203.0.113.1"]), &others), @"
    ~ NAME/A#0 remove A 203.0.113.1, A 203.0.113.2 becomes A 203.0.113.1
        content: 203.0.113.1, 203.0.113.2 (2 records) -> 203.0.113.1
    ");
    insta::assert_snapshot!(plan_of(None, &both), @"- NAME/A#0 A 203.0.113.1, A 203.0.113.2");
}

#[test]
fn several_addresses_are_kept_together() {
    let one = [record("A", "203.0.113.1", &ours('a'))];
    insta::assert_snapshot!(plan_of(wants(&["203.0.113.1", "203.0.113.2"]), &one), @"
    ~ NAME/A#0 add A 203.0.113.2
        content: 203.0.113.1 -> 203.0.113.1, 203.0.113.2
    ");
    let both = [record("A", "203.0.113.3", &ours('a')), record("A", "203.0.113.2", &ours('a'))];
    insta::assert_snapshot!(plan_of(wants(&["203.0.113.1", "203.0.113.2"]), &both), @"
    ~ NAME/A#0 A 203.0.113.3 becomes A 203.0.113.1
        content: 203.0.113.2, 203.0.113.3 -> 203.0.113.1, 203.0.113.2
    ");
}

#[test]
fn our_alias_makes_way_for_our_address() {
    // Of the same declaration: it becomes the address.
    insta::assert_snapshot!(plan_of(wants(&["203.0.113.1"]), &[record("CNAME", "t.test", &ours('a'))]), @"
    ~ NAME/A#0 CNAME t.test becomes A 203.0.113.1
        type: CNAME -> A
        content: t.test -> 203.0.113.1
    ");
    // Of another one: it goes, in the same batch.
    insta::assert_snapshot!(plan_of(wants(&["203.0.113.1"]), &[record("CNAME", "t.test", &ours('b'))]), @"
    + NAME/A#0 A 203.0.113.1
        content: - -> 203.0.113.1
        ttl: - -> 300
        proxied: - -> false
    - NAME/CNAME#0 CNAME t.test
    ");
}

#[test]
fn a_foreign_record_beside_ours_is_told_and_left() {
    let both = [record("A", "203.0.113.1", &ours('a')), record("A", "198.51.100.9", "")];
    insta::assert_snapshot!(plan_of(wants(&["203.0.113.1"]), &both), @"remark: answers come also from a record that is not ours: A 198.51.100.9 (someone else)");
}

#[test]
fn a_mark_that_says_something_else_is_written_anew() {
    let retained = Mark { deletion: Deletion::Retain, ..mark('a') };
    let old = record("A", "203.0.113.1", &comment::write(&retained, &guest()));
    insta::assert_snapshot!(plan_of(wants(&["203.0.113.1"]), std::slice::from_ref(&old)), @"
    ~ NAME/A#0 write the mark anew
        mark: - -> written anew
    ");
    insta::assert_snapshot!(plan_of(None, std::slice::from_ref(&old)), @"orphan: no manifest wants it; kept (policy retain)");
    // What one of two forbids is forbidden.
    let mixed = [old, record("A", "203.0.113.2", &ours('a'))];
    insta::assert_snapshot!(plan_of(None, &mixed), @"orphan: no manifest wants it; kept (policy retain)");
}

#[test]
fn changes_survive_being_stored() {
    let held = Held {
        id: "x".into(),
        row: Row { kind: "A".into(), content: "203.0.113.1".into(), ttl: 1, proxied: true, comment: Some("c".into()) },
        surplus: true,
    };
    let change = Change::Set {
        deletes: vec![held.clone()],
        patches: vec![Patch { id: "y".into(), from: held.row.clone(), to: held.row.clone() }],
        posts: vec![held.row.clone()],
        uses: guest(),
        mark: true,
    };
    for change in [change, Change::Adopt { was: vec![held.clone()], uses: vec![] }, Change::Delete { was: vec![held] }]
    {
        let value = serde_json::to_value(&change).unwrap();
        assert_eq!(serde_json::from_value::<Change>(value).unwrap(), change);
    }
    let key = Key { name: "*.x.test".into(), kind: "CNAME".into() };
    assert_eq!(key.to_string().parse(), Ok(key));
}
