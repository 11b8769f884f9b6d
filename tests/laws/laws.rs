//! What holds in every world.
use super::{
    bed::{Bed, rule},
    misfortune::{self, Misfortune},
    random::Random,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU64, Ordering},
};
use trueup::{
    engine::{Outcome, Report},
    model::{Note, ObjectId, Plan, Verb},
    resources::Change,
    sandbox::faults::{What, When},
};

/// What all seeds together came to.
#[derive(Default)]
pub struct Totals {
    clean: AtomicU64,
    applied: AtomicU64,
    previewed: AtomicU64,
    misfortunes: [AtomicU64; Misfortune::NAMES.len()],
    disturbed: AtomicU64,
}

impl Totals {
    pub fn print(self, seeds: usize) {
        let (applied, previewed) = (self.applied.into_inner(), self.previewed.into_inner());
        let (clean, disturbed) = (self.clean.into_inner(), self.disturbed.into_inner());
        println!("laws: {seeds} seeds, each under every law");
        println!("clean passes: {clean}, of {seeds} seeds");
        println!(
            "applied as previewed: {previewed} of {applied} steps ({:.1} %)",
            100.0 * previewed as f64 / applied as f64
        );
        let kinds = Misfortune::NAMES.iter().zip(self.misfortunes);
        let kinds: Vec<String> = kinds.map(|(name, count)| format!("{name} {}", count.into_inner())).collect();
        println!("single faults: {}; {disturbed} passes were disturbed", kinds.join(", "));
        assert!(applied > 0 && applied == previewed);
    }
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

fn in_true(report: &Report) -> bool {
    report.refusal.is_none() && report.rest.in_true()
}

/// Same input, same plan: a dry run and the pass after it look for themselves and plan the same, byte for byte. And one clean
/// pass converges: it does what was shown, all of it and nothing else.
pub async fn a_dry_run_shows_what_one_clean_pass_does(bed: &mut Bed, world: &str, totals: &Totals) {
    let estate = bed.estate(world);
    let preview = bed.preview(&estate).await;
    let estate = bed.estate(world);
    let report = bed.pass_with(&estate, preview.consent).await;
    let bytes = |plan: &Plan<Change>| serde_json::to_string(plan).unwrap();
    assert_eq!(bytes(&preview.plan), bytes(&report.first), "the same input gave two plans");
    does_what_was_shown(&report, &preview.plan, totals);
}

fn does_what_was_shown(report: &Report, plan: &Plan<Change>, totals: &Totals) {
    let promised = promised(plan);
    assert!(in_true(report), "one clean pass did not converge\n{}", shown(report));
    let mut done = BTreeSet::new();
    for wave in &report.waves {
        for step in &wave.plan.steps {
            let Some(outcome) = wave.outcomes.get(&step.id) else { continue };
            assert!(outcome.is_done(), "{}: {outcome:?}", step.id);
            let was = promised.get(&step.id.object).is_some_and(|verbs| verbs.contains(&step.verb));
            assert!(was, "{} {} was done and not previewed: {:?}", step.verb, step.id, promised.get(&step.id.object));
            add(&totals.applied, 1);
            add(&totals.previewed, u64::from(was));
            done.insert(&step.id.object);
        }
    }
    let missed: Vec<_> = promised.keys().filter(|object| !done.contains(object)).collect();
    assert!(missed.is_empty(), "previewed and not done: {missed:?}");
    add(&totals.clean, 1);
}

/// What a plan promised: objects, with the verbs that were shown or sketched.
fn promised(plan: &Plan<Change>) -> BTreeMap<ObjectId, BTreeSet<Verb>> {
    let mut out: BTreeMap<ObjectId, BTreeSet<Verb>> = BTreeMap::new();
    let now = plan.steps.iter().map(|step| (&step.id.object, step.verb));
    let later = plan.later.iter().map(|later| (&later.object, later.verb));
    for (object, verb) in now.chain(later) {
        out.entry(object.clone()).or_default().insert(verb);
    }
    out
}

/// Nothing that is in true is written to.
pub async fn a_converged_world_gets_no_write(bed: &mut Bed, world: &str) {
    let before = bed.writes();
    let again = bed.pass(world).await;
    assert!(in_true(&again) && again.waves.is_empty(), "in true, and yet\n{}", shown(&again));
    assert_eq!(bed.writes(), before, "a converged world got a write");
}

/// Any single fault, before or after its effect, a stale list, a lost reply, a reused vmid: this pass, and at most two
/// more without a fault, converge; nothing is there twice.
pub async fn any_single_fault_converges_within_three_passes(
    bed: &mut Bed,
    world: &str,
    random: &mut Random,
    totals: &Totals,
) {
    let misfortune = misfortune::draw(bed, random);
    add(&totals.misfortunes[misfortune.kind()], 1);
    let mut last = misfortune.strike(bed, world).await;
    add(&totals.disturbed, u64::from(!in_true(&last)));
    for _ in 0..2 {
        if !in_true(&last) {
            last = bed.pass(world).await;
        }
    }
    assert!(in_true(&last), "after {misfortune:?}\n{}", shown(&last));
    bed.no_duplicates().await;
}

/// A system that cannot be looked at yields no delete there, nor of what it may use; the rest goes on.
pub async fn what_cannot_be_seen_is_never_deleted(bed: &mut Bed, world: &str, random: &mut Random) {
    let blind = *random.pick(&["proxmox", "cloudflare", "host"]);
    let status = if blind == "host" { 1 } else { 500 };
    bed.add(rule(blind, false, None, When::Before, What::Status { status, message: "blind".into() }));
    let report = bed.pass(world).await;
    let all = report.waves.iter().map(|wave| &wave.plan).chain([&report.first]);
    assert!(all.clone().all(|plan| !plan.unseen.is_empty()), "{blind} was blind and nothing was said");
    for wave in &report.waves {
        let unseen: Vec<&str> = wave.plan.unseen.iter().map(|note| &*note.object.resource).collect();
        let done = |step: &&trueup::model::Step<Change>| wave.outcomes.get(&step.id).is_some_and(Outcome::is_done);
        for step in wave.plan.steps.iter().filter(done) {
            let resource = &*step.id.object.resource;
            assert!(!unseen.contains(&resource), "{} was written blindly", step.id);
            assert!(
                step.verb != Verb::Delete || resource != "guest",
                "{} went while {unseen:?} could not be seen",
                step.id
            );
        }
    }
    bed.heal();
}

/// What is left after a pass, and why.
pub fn shown(report: &Report) -> String {
    let failures: Vec<String> = report
        .outcomes()
        .filter(|(_, outcome)| !outcome.is_done())
        .map(|(id, outcome)| match outcome {
            Outcome::Failed { failure, .. } => format!("{id}: {failure}"),
            Outcome::Blocked { by } => format!("{id}: blocked by {by}"),
            Outcome::Done { .. } => String::new(),
        })
        .collect();
    let rest = &report.rest;
    let steps: Vec<String> =
        rest.steps.iter().map(|s| format!("{} {} {} {:?} {:?}", s.verb, s.id, s.change, s.fields, s.blocked)).collect();
    let notes =
        |notes: &[Note]| -> Vec<String> { notes.iter().map(|note| format!("{} {}", note.object, note.text)).collect() };
    let later: Vec<String> = rest.later.iter().map(|l| format!("{} on {}", l.object, l.on)).collect();
    let (conflicts, unseen) = (notes(&rest.conflicts), notes(&rest.unseen));
    let refusal = &report.refusal;
    format!(
        "refusal {refusal:?}\nfailures {failures:#?}\nsteps {steps:#?}\nlater {later:?}\nconflicts {conflicts:#?}\nunseen {unseen:#?}"
    )
}
