//! Ownership and identity while executing.
use super::{
    declared::{Specs, foreign, full, plain, run},
    site::Site,
};
use crate::{
    engine::Outcome,
    model::{Class, Deletion},
};
use std::sync::Arc;

/// Ids get reused: between the plan and the write, somebody else's room takes the number.
#[tokio::test(start_paused = true)]
async fn identity_is_looked_at_right_before_the_write() {
    let site = Arc::new(Site::default());
    run(&site, &full(2)).await;
    site.heal();
    site.state().meddling = Some(("pipe/101 remove".into(), |state| {
        if let Some(room) = state.objects.get_mut(&("room", "101".to_string())) {
            room.mark = None;
        }
    }));
    let report = run(&site, &Specs::default()).await;
    let failure = report.outcomes().find_map(|(id, outcome)| match outcome {
        Outcome::Failed { failure, .. } if id.to_string() == "room/101#0" => Some(failure.clone()),
        _ => None,
    });
    let failure = failure.expect("the removal must fail");
    assert!(failure.class == Class::Conflict && failure.reason.contains("held by somebody"), "{failure}");
    assert_eq!(site.keys("room"), ["101"], "theirs stays, ours goes");
}

#[tokio::test(start_paused = true)]
async fn what_changed_since_the_plan_is_left_to_the_next_pass() {
    let site = Arc::new(Site::default());
    let mut specs = full(2);
    run(&site, &specs).await;
    site.heal();
    specs.rooms.values_mut().for_each(|room| room.0 = "other".into());
    specs.lines.insert("101".into(), "102".into());
    // The line waits for its new room; meanwhile somebody else changes the line.
    site.state().meddling = Some(("room/102 set".into(), |state| {
        if let Some(line) = state.objects.get_mut(&("line", "101".to_string())) {
            line.revision += 1;
        }
    }));
    let report = run(&site, &specs).await;
    let failures: Vec<_> = report
        .outcomes()
        .filter_map(|(id, outcome)| match outcome {
            Outcome::Failed { failure, .. } => Some((id.to_string(), failure.class, failure.reason.clone())),
            _ => None,
        })
        .collect();
    let [(id, Class::Conflict, reason)] = &failures[..] else { panic!("{failures:?}") };
    assert!(id == "line/101#0" && reason.contains("it has changed since"), "{id}: {reason}");
    site.heal();
    assert!(run(&site, &specs).await.rest.in_true());
}

#[tokio::test(start_paused = true)]
async fn foreign_objects_in_the_way_are_conflicts_and_stay() {
    let site = Arc::new(Site::default());
    let theirs = foreign(&site, "room", "101");
    let report = plain(&site, &full(2)).await;
    assert_eq!(report.rest.conflicts.len(), 1);
    assert_eq!(site.state().objects[&("room", "101".to_string())], theirs);
    assert!(
        !site.state().tried.iter().any(|line| line.contains("room/101") || line.contains("/101 ")),
        "nor its users"
    );
    assert_eq!(site.keys("sign"), ["102"]);
}

#[tokio::test(start_paused = true)]
async fn adopting_writes_the_mark_first_and_then_what_differs() {
    let site = Arc::new(Site::default());
    let theirs = foreign(&site, "room", "101");
    let mut specs = Specs { rooms: full(1).rooms, adopt: true, ..Specs::default() };
    specs.rooms.insert("101".into(), ("theirs".into(), 7));
    assert!(plain(&site, &specs).await.rest.in_true());
    assert_eq!(site.state().log, ["room/101 mark"]);
    assert_eq!(site.state().objects[&("room", "101".to_string())].live, theirs.live);
    specs.rooms.insert("101".into(), ("ours".into(), 7));
    foreign(&site, "room", "101");
    site.heal();
    assert!(plain(&site, &specs).await.rest.in_true());
    assert_eq!(site.state().log, ["room/101 mark", "room/101 set"]);
}

#[tokio::test(start_paused = true)]
async fn retained_objects_stay_and_keep_what_they_use() {
    let site = Arc::new(Site::default());
    let specs = Specs { policy: Some(Deletion::Retain), ..full(1) };
    run(&site, &specs).await;
    site.heal();
    let report = plain(&site, &Specs::default()).await;
    assert_eq!((report.rest.orphans.len(), site.state().tried.len()), (4, 0));
    assert!(report.rest.in_true(), "an orphan is not out of true");
}
