//! One bad item does not stop the rest, and says what went wrong.
use super::{
    declared::{Specs, estate, full, plain, run},
    site::{At, How, Site, When},
};
use crate::{
    engine::{Options, Outcome, Report, pass},
    model::{Class, Failure},
    resources::System,
};
use std::{collections::BTreeMap, sync::Arc};

fn outcomes(report: &Report) -> BTreeMap<String, Outcome> {
    report.outcomes().map(|(id, outcome)| (id.to_string(), outcome.clone())).collect()
}

fn failed<'a>(outcomes: &'a BTreeMap<String, Outcome>, id: &str) -> &'a Failure {
    match outcomes.get(id) {
        Some(Outcome::Failed { failure, .. }) => failure,
        other => panic!("{id}: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_step_blocks_what_needs_it_and_nothing_else() {
    let site = Arc::new(Site::default());
    site.fault(At::Line("room/101 make", 99), When::Before, How::Fail(Class::Denied));
    let report = run(&site, &full(3)).await;
    let all = outcomes(&report);
    assert_eq!(failed(&all, "room/101#0").class, Class::Denied);
    for id in ["room/101#1", "line/101#0"] {
        assert!(matches!(&all[id], Outcome::Blocked { by } if by.to_string() == "room/101#0"), "{id}: {:?}", all[id]);
    }
    for n in ["102", "103"] {
        for id in [format!("room/{n}#1"), format!("pipe/{n}#0"), format!("line/{n}#0"), format!("sign/{n}#0")] {
            assert!(all[&id].is_done(), "{id}");
        }
    }
    let tries = site.state().tried.iter().filter(|line| *line == "room/101 make").count();
    assert_eq!(tries, 1, "an object that failed is left alone for the rest of the pass");
    assert!(!report.rest.in_true());
    site.heal();
    assert!(run(&site, &full(3)).await.rest.in_true());
}

#[tokio::test(start_paused = true)]
async fn one_of_a_batch_fails_alone() {
    let site = Arc::new(Site::default());
    site.fault(At::Line("pipe/103 make", 99), When::Before, How::Fail(Class::Invalid));
    let all = outcomes(&run(&site, &full(5)).await);
    assert_eq!(failed(&all, "pipe/103#0").class, Class::Invalid);
    assert_eq!(all.values().filter(|outcome| !outcome.is_done()).count(), 1);
    assert_eq!(site.keys("pipe"), ["101", "102", "104", "105"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_belongs_to_its_step() {
    let site = Arc::new(Site::default());
    site.fault(At::Line("room/102 make", 1), When::Before, How::Panic);
    let all = outcomes(&run(&site, &full(3)).await);
    let failure = failed(&all, "room/102#0");
    assert!(failure.class == Class::UnknownOutcome && failure.reason.contains("defect in trueup"), "{failure}");
    assert!(all["room/101#1"].is_done() && all["room/103#1"].is_done());
    site.heal();
    assert!(run(&site, &full(3)).await.rest.in_true());
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_looking_makes_that_resource_unseen() {
    let site = Arc::new(Site::default());
    run(&site, &full(2)).await;
    site.heal();
    site.state().broken.insert("line");
    let report = plain(&site, &Specs::default()).await;
    assert_eq!(report.first.unseen.len(), 1);
    assert!(report.first.unseen[0].text.contains("defect in trueup"));
    assert_eq!((site.keys("line").len(), site.keys("room").len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_system_that_a_person_left_out_is_neither_looked_at_nor_written() {
    let site = Arc::new(Site::default());
    let without = BTreeMap::from([(System::Nftables, "left out".to_string())]);
    let mut estate = estate(&site, &full(1));
    if let Some(estate) = Arc::get_mut(&mut estate) {
        estate.without = without;
    }
    let report = pass(&estate, &Options::default(), &|_| ()).await;
    assert_eq!(report.rest.unseen.len(), 1);
    assert!(report.rest.unseen[0].text.contains("left out"));
    let state = site.state();
    assert!(!state.looks.contains_key("pipe") && !state.log.iter().any(|line| line.starts_with("pipe")));
    assert_eq!(state.objects.len(), 3, "room, line and sign stand");
}

/// It spells what it is told in its own way, so it differs for ever.
#[tokio::test(start_paused = true)]
async fn a_difference_that_stays_is_tried_once_and_told() {
    let site = Arc::new(Site::default());
    let mut specs = full(2);
    run(&site, &specs).await;
    if let Some(room) = specs.rooms.get_mut("101") {
        room.0 = "moody".into();
    }
    site.heal();
    let report = run(&site, &specs).await;
    assert_eq!(site.state().tried, ["room/101 set"], "twice would be as much in vain as once");
    assert!(!report.rest.in_true());
    let left = &report.rest.steps[0];
    assert_eq!(left.blocked.as_deref(), Some("it was done in this pass, and the difference is still there"));
}
