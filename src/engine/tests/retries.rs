//! Failures that pass, and replies that get lost. The clock stands still except where somebody sleeps.
use super::{
    declared::{Specs, full, run},
    site::{At, How, Site, When},
};
use crate::{engine::Outcome, model::Class};
use std::{sync::Arc, time::Duration};

fn one_room() -> Specs {
    Specs { rooms: full(1).rooms, ..Specs::default() }
}

/// Tries to make a room with this fault; gives how the make ended, how often it was tried, and how long the pass took.
async fn make(times: usize, when: When, class: Class) -> (Outcome, usize, Duration) {
    let site = Arc::new(Site::default());
    site.fault(At::Line("room/101 make", times), when, How::Fail(class));
    let began = tokio::time::Instant::now();
    let report = run(&site, &one_room()).await;
    let took = began.elapsed();
    let outcome = report.outcomes().find(|(id, _)| id.to_string() == "room/101#0").expect("tried").1.clone();
    let tried = site.state().tried.iter().filter(|line| line.ends_with("make")).count();
    let made = site.state().log.iter().filter(|line| line.ends_with("make")).count();
    assert_eq!(made, site.keys("room").len());
    (outcome, tried, took)
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_three_times() {
    for class in [Class::Busy, Class::Throttled, Class::Transient, Class::Unreachable] {
        let (outcome, tried, took) = make(1, When::Before, class).await;
        assert!(outcome.is_done() && tried == 2 && took >= Duration::from_millis(250), "{class}");
        let (outcome, tried, took) = make(2, When::Before, class).await;
        assert!(outcome.is_done() && tried == 3 && took >= Duration::from_millis(2_250), "{class} {took:?}");
        let (outcome, tried, took) = make(3, When::Before, class).await;
        assert!(matches!(&outcome, Outcome::Failed { failure, .. } if failure.class == class), "{class}: {outcome:?}");
        assert!(tried == 3 && took < Duration::from_secs(3), "{class} {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_will_not_pass_is_tried_once() {
    for class in [Class::NotFound, Class::Conflict, Class::Denied, Class::Invalid] {
        let (outcome, tried, took) = make(1, When::Before, class).await;
        assert!(!outcome.is_done() && tried == 1 && took < Duration::from_millis(250), "{class}");
    }
}

/// The effect was there although the answer was a failure: the look before the next attempt finds it.
#[tokio::test(start_paused = true)]
async fn a_failure_after_the_effect_is_found_out_by_looking() {
    for class in [Class::Busy, Class::Transient, Class::Unreachable] {
        let (outcome, tried, _) = make(1, When::After, class).await;
        assert!(outcome.is_done() && tried == 1, "{class}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_resolved_by_looking() {
    let (outcome, tried, _) = make(1, When::After, Class::UnknownOutcome).await;
    assert!(outcome.is_done() && tried == 1, "made: {outcome:?}");
    let (outcome, tried, _) = make(1, When::Before, Class::UnknownOutcome).await;
    assert!(!outcome.is_done() && tried == 1, "not made: {outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_to_a_removal_is_resolved_by_looking() {
    for (when, done) in [(When::Before, false), (When::After, true)] {
        let site = Arc::new(Site::default());
        run(&site, &one_room()).await;
        site.heal();
        site.fault(At::Line("room/101 remove", 1), when, How::Fail(Class::UnknownOutcome));
        let report = run(&site, &Specs::default()).await;
        assert!(report.outcomes().all(|(_, outcome)| outcome.is_done() == done), "{when:?}");
        assert_eq!(report.rest.in_true(), done);
        site.heal();
        assert!(run(&site, &Specs::default()).await.rest.in_true());
    }
}

/// In the middle of a replacement: the make follows a removal, and finds its own object there already.
#[tokio::test(start_paused = true)]
async fn a_replacement_survives_lost_replies() {
    for line in ["room/101 remove", "room/101 make"] {
        for class in [Class::UnknownOutcome, Class::Transient] {
            let site = Arc::new(Site::default());
            run(&site, &one_room()).await;
            site.heal();
            site.fault(At::Line(line, 1), When::After, How::Fail(class));
            let mut specs = one_room();
            specs.rooms.insert("101".into(), ("plain".into(), 1));
            let report = run(&site, &specs).await;
            assert!(report.rest.in_true() && report.waves.len() == 1, "{line} {class}");
            assert_eq!(site.state().tried, ["room/101 remove", "room/101 make", "room/101 start"], "{line} {class}");
        }
    }
}
