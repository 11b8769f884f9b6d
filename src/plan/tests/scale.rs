//! Edges are drawn from exact references, not between all pairs.
use super::table::{guards, plan};
use crate::plan::{lint, review};
use std::{fmt::Write, time::Duration};

fn site(count: usize, word: &str) -> String {
    let mut text = String::new();
    for n in 1..=count {
        let uid = if n % 2 == 0 { 'a' } else { 'b' };
        write!(text, "door/{n} {uid} 10 {word}=gem/{n}; gem/{n} {uid} 10; ").expect("a string");
    }
    text
}

/// The time that this thread has really computed: other work on the machine does not count
/// (<https://docs.kernel.org/scheduler/sched-stats.html>).
fn computed() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux with schedstat");
    Duration::from_nanos(text.split(' ').next().and_then(|first| first.parse().ok()).expect("nanoseconds"))
}

/// 1,500 doors that use 1,500 gems. Unoptimised it takes some 150 ms; with all pairs it took minutes.
#[test]
fn three_thousand_deletes_and_creates_plan_fast() {
    let live = site(1_500, "uses");
    let parts = super::table::parts("-", &live);
    let began = computed();
    let removal = crate::plan::join(parts);
    assert_eq!(removal.steps.len(), 3_000);
    assert!(lint(&removal).is_empty());
    assert!(review(removal, &guards(&live)).is_err(), "and no guard lets it through");
    let took = computed() - began;
    println!("3,000 deletes: joined, linted and reviewed in {took:?}");
    assert!(took < Duration::from_millis(900), "{took:?}");
    let building = plan(&site(1_500, "needs"), "-");
    assert_eq!(building.steps.len(), 3_000);
    assert!(plan(&site(1_500, "needs").replace("needs=", "uses="), &site(1_500, "")).steps.is_empty());
}
