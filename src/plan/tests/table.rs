//! The notation of the tables. A cell lists objects with `;` between them.
//!
//! * wanted: `room/1 a 10` is room 1 of the declaration with the uid aaaa… and the size 10; then any of `adopt`, `observe`,
//!   `paused`, `retain`, `forbid`, `serves=b`, `as=name`, `other-site`, `needs=room/2`; `door/1 waits room/1` cannot be said yet
//! * live: `room/1 a 10` carries our mark; then any of `retain`, `forbid`, `serves=b`, `as=name`, `other-site`, `uses=room/2`;
//!   `room/1 foreign 10`; `room/1 twice`; `room blind` could not be looked at
//! * plan: `+ room/1`, with the sign of the verb, `#1` for a second step, `after …` for what it waits for, `blocked`,
//!   `withheld`; `later door/1 on room/1`; `conflict room/1`; `orphan room/1`; `unseen room`; `remark room/1`; `same room 1`
use super::toys::{Door, Gem, NAMES, Room, Thing, Toy};
use crate::{
    model::{
        DeclarationId, Deletion, Foreign, Found, Inventory, Mark, Mode, ObjectId, Observation, Observed, Ours, Plan,
        Ready, Resource, Revision, Uid, Waiting, Wanted, Wants,
    },
    plan::{Guards, Part, compare, join, lint, settled},
};
use std::collections::BTreeMap;

pub fn uid(letter: &str) -> Uid {
    letter.repeat(16).parse().expect("a letter of base32")
}

pub fn object(text: &str) -> ObjectId {
    text.to_string().try_into().expect("RESOURCE/KEY")
}

/// The objects of one resource in a cell: key and words.
fn lines<'a>(cell: &'a str, resource: &str) -> Vec<(&'a str, Vec<&'a str>)> {
    let all = cell.split(';').map(str::trim).filter(|text| !matches!(*text, "" | "-"));
    let words = all.map(|text| text.split_whitespace().collect::<Vec<_>>());
    let of = words.filter_map(|words| {
        let (name, key) = words[0].split_once('/').unwrap_or((words[0], "*"));
        assert!(NAMES.contains(&name), "no such toy: {name}");
        (name == resource).then(|| (key, words[1..].to_vec()))
    });
    of.collect()
}

fn mark(resource: &str, words: &[&str]) -> Mark {
    let after = |head: &str| words.iter().find_map(|word| word.strip_prefix(head));
    Mark {
        site: if words.contains(&"other-site") { "other" } else { "test" }.into(),
        uid: uid(words[0]),
        serves: after("serves=").map(uid),
        deletion: match () {
            () if words.contains(&"retain") => Deletion::Retain,
            () if words.contains(&"forbid") => Deletion::Forbid,
            () => Deletion::Delete,
        },
        declared: Some(DeclarationId::new(resource.to_string(), after("as=").unwrap_or(words[0]))),
    }
}

fn thing(words: &[&str], link: &str) -> Thing {
    let links = words.iter().filter_map(|word| word.strip_prefix(link)).map(object).collect();
    Thing { size: words[1].parse().expect("a size"), links }
}

pub fn wants<const N: usize>(cell: &str) -> Wants<Toy<N>> {
    let mut wants = Wants::default();
    for (key, words) in lines(cell, NAMES[N]) {
        let wanted = if words[0] == "waits" {
            let declared = DeclarationId::new(NAMES[N], key);
            Wanted::Waiting(Waiting { declared, on: object(words[1]), sketch: "something".into() })
        } else {
            Wanted::Ready(Ready {
                mark: mark(NAMES[N], &words),
                adopt: words.contains(&"adopt"),
                mode: match () {
                    () if words.contains(&"observe") => Mode::Observe,
                    () if words.contains(&"paused") => Mode::Paused,
                    () => Mode::Reconcile,
                },
                desired: thing(&words, "needs="),
            })
        };
        wants.add(key.parse().expect("a number"), wanted);
    }
    wants
}

pub fn observed<const N: usize>(cell: &str) -> Observed<Toy<N>> {
    let mut all: Inventory<Toy<N>> = BTreeMap::new();
    for (key, words) in lines(cell, NAMES[N]) {
        if words[0] == "blind" {
            return Observation::unavailable("no answer");
        }
        let revision = |live: &Thing| Revision::of(live);
        let found = match words[0] {
            "twice" => Found::Duplicates(vec!["this".into(), "that".into()]),
            "foreign" => {
                let live = thing(&words, "uses=");
                Found::Foreign(Foreign { holder: "somebody".into(), revision: revision(&live), live })
            }
            _ => {
                let live = thing(&words, "uses=");
                Found::Ours(Ours { mark: mark(NAMES[N], &words), revision: revision(&live), live })
            }
        };
        all.insert(key.parse().expect("a number"), found);
    }
    Observation::Complete(all)
}

fn part<const N: usize>(wanted: &str, live: &str) -> Part<String> {
    compare::<Toy<N>, _>(wants(wanted), &observed::<N>(live), ToString::to_string)
}

/// The parts before they are joined, in building order.
pub fn parts(wanted: &str, live: &str) -> Vec<Part<String>> {
    vec![part::<0>(wanted, live), part::<1>(wanted, live), part::<2>(wanted, live)]
}

/// Plans, and holds the plan against the linter and against itself.
pub fn plan(wanted: &str, live: &str) -> Plan<String> {
    let plan = join(parts(wanted, live));
    assert_eq!(lint(&plan), Vec::<String>::new(), "{wanted} | {live}");
    let json = |plan: &Plan<String>| serde_json::to_string(plan).expect("plain data");
    assert_eq!(json(&plan), json(&join(parts(wanted, live))), "same input, same bytes");
    assert_eq!(serde_json::from_str::<Plan<String>>(&json(&plan)).expect("reads what it wrote"), plan);
    plan
}

/// What the guards know of this live world.
pub fn guards(live: &str) -> Guards {
    let parts = parts("-", live);
    Guards {
        populations: parts.iter().map(|part| (part.resource.to_string(), part.population)).collect(),
        precious: parts.iter().filter(|part| part.precious).map(|part| part.resource.to_string()).collect(),
        ..Guards::default()
    }
}

/// The rooms that later resources may read.
pub fn settled_rooms(wanted: &str, live: &str) -> Vec<u32> {
    match settled::<Room, _>(&observed::<0>(live), &part::<0>(wanted, live)) {
        Observation::Complete(all) => all.into_keys().collect(),
        Observation::Unavailable { .. } => panic!("blind"),
    }
}

/// The plan in the notation of the tables.
pub fn brief(plan: &Plan<String>) -> Vec<String> {
    let mut out = vec![];
    for step in &plan.steps {
        let nth = if step.id.nth > 0 { format!("#{}", step.id.nth) } else { String::new() };
        let mut line = format!("{} {}{nth}", step.verb.sign(), step.id.object);
        let others: Vec<String> =
            step.needs.iter().filter(|need| need.object != step.id.object).map(ToString::to_string).collect();
        if !others.is_empty() {
            line += &format!(" after {}", others.join(" ").replace("#0", ""));
        }
        line += if step.blocked.is_some() { " blocked" } else { "" };
        line += if step.withheld.is_some() { " withheld" } else { "" };
        out.push(line);
    }
    out.extend(plan.later.iter().map(|later| format!("later {} on {}", later.object, later.on)));
    out.extend(plan.conflicts.iter().map(|note| format!("conflict {}", note.object)));
    out.extend(plan.orphans.iter().map(|note| format!("orphan {}", note.object)));
    out.extend(plan.unseen.iter().map(|note| format!("unseen {}", note.object.resource)));
    out.extend(plan.remarks.iter().map(|note| format!("remark {}", note.object)));
    out.extend(plan.unchanged.iter().map(|(resource, count)| format!("same {resource} {count}")));
    out
}

/// Everything about a plan that people read, for snapshots.
pub fn words(plan: &Plan<String>) -> String {
    let mut out: Vec<String> = plan
        .steps
        .iter()
        .map(|step| {
            let why = step.blocked.as_ref().or(step.withheld.as_ref()).map_or(String::new(), |why| format!(": {why}"));
            format!("{} {} {}{why}", step.verb.sign(), step.id, step.change)
        })
        .collect();
    let notes = plan.conflicts.iter().chain(&plan.orphans).chain(&plan.unseen).chain(&plan.remarks);
    out.extend(notes.map(|note| {
        let hint = note.hint.as_ref().map_or(String::new(), |hint| format!("; {hint}"));
        format!("{}: {}{hint}", note.object, note.text)
    }));
    out.join("\n")
}

/// Checks rows of `wanted | live | plan`.
pub fn table(rows: &str) {
    let mut checked = 0;
    for row in rows.lines().filter(|row| row.contains('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [wanted, live, expected] = cells[..] else { panic!("three cells: {row}") };
        if expected == "plan" {
            continue;
        }
        let got = brief(&plan(wanted, live));
        let expected: Vec<&str> = expected.split(';').map(str::trim).filter(|text| !text.is_empty()).collect();
        assert_eq!(got, expected, "\nwanted {wanted}\nlive   {live}");
        checked += 1;
    }
    assert!(checked > 0, "no row was read");
}

#[test]
fn the_toys_keep_the_contract() {
    assert_eq!((Room::NAME, Door::NAME, Gem::NAME), ("room", "door", "gem"));
    assert!(Gem::PRECIOUS && Room::ONE_PER_UID && !Door::ONE_PER_UID && Door::USES == ["room"]);
}
