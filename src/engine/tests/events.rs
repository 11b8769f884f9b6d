//! What is told while a pass runs, and what a dry run leaves alone.
use super::{
    declared::{estate, full, run},
    site::Site,
};
use crate::engine::{Event, Options, dry_run, pass};
use std::sync::{Arc, Mutex};

fn word(event: &Event<'_>) -> String {
    match event {
        Event::Observing { wave } => format!("observing {wave}"),
        Event::Observed { wave, .. } => format!("observed {wave}"),
        Event::Applying { wave, steps, .. } => format!("applying {wave}: {steps}"),
        Event::Started { step } => format!("started {}", step.id),
        Event::Ended { step, outcome } => format!("ended {} {}", step.id, outcome.is_done()),
    }
}

#[tokio::test(start_paused = true)]
async fn every_turn_and_every_step_is_told() {
    let site = Arc::new(Site::default());
    let told = Mutex::new(vec![]);
    let tell = |event: Event<'_>| told.lock().expect("no panic").push(word(&event));
    pass(&estate(&site, &full(1)), &Options::default(), &tell).await;
    insta::assert_snapshot!(told.into_inner().expect("no panic").join("\n"), @r"
    observing 0
    observed 0
    applying 0: 3
    started room/101#0
    ended room/101#0 true
    started room/101#1
    ended room/101#1 true
    started line/101#0
    ended line/101#0 true
    observing 1
    observed 1
    applying 1: 2
    started pipe/101#0
    started sign/101#0
    ended pipe/101#0 true
    ended sign/101#0 true
    observing 2
    observed 2
    ");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_writes_nothing_and_a_refused_pass_neither() {
    let site = Arc::new(Site::default());
    let report = dry_run(&estate(&site, &full(2)), &Options::default(), &|_| ()).await;
    assert!(!report.first.steps.is_empty() && report.first == report.rest && report.waves.is_empty());
    assert!(site.state().tried.is_empty() && site.state().objects.is_empty());
    run(&site, &full(5)).await;
    site.heal();
    let before = site.state().objects.clone();
    let report = pass(&estate(&site, &full(1)), &Options::default(), &|_| ()).await;
    let refusal = report.refusal.expect("four of five are too many");
    assert!(refusal.digest.is_some() && refusal.losses.len() == 16, "{refusal:?}");
    assert!(site.state().tried.is_empty() && site.state().objects == before);
}
