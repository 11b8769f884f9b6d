//! Edges are drawn from exact references, not between all pairs.
use super::table::{guards, plan};
use crate::plan::{lint, review};
use std::{fmt::Write, time::Instant};

fn site(count: usize, word: &str) -> String {
    let mut text = String::new();
    for n in 1..=count {
        let uid = if n % 2 == 0 { 'a' } else { 'b' };
        write!(text, "door/{n} {uid} 10 {word}=gem/{n}; gem/{n} {uid} 10; ").expect("a string");
    }
    text
}

/// 1,500 doors that use 1,500 gems. Unoptimised, on a busy machine: a few hundred milliseconds; all pairs would take minutes.
#[test]
fn three_thousand_deletes_and_creates_plan_fast() {
    let live = site(1_500, "uses");
    let parts = super::table::parts("-", &live);
    let began = Instant::now();
    let removal = crate::plan::join(parts);
    assert_eq!(removal.steps.len(), 3_000);
    assert!(lint(&removal).is_empty());
    assert!(review(removal, &guards(&live)).is_err(), "and no guard lets it through");
    let took = began.elapsed();
    println!("3,000 deletes: joined, linted and reviewed in {took:?}");
    assert!(took.as_millis() < 900, "{took:?}");
    let building = plan(&site(1_500, "needs"), "-");
    assert_eq!(building.steps.len(), 3_000);
    assert!(plan(&site(1_500, "needs").replace("needs=", "uses="), &site(1_500, "")).steps.is_empty());
}
