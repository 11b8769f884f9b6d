//! Laws over random small worlds, through the public pass, over the same HTTPS and the same host transport that reach a
//! real site. What a failing seed was is printed with it; `TRUEUP_SEED=N` runs that one alone, `make soak SEEDS=N` many.
mod bed;
mod random;
mod world;

use bed::Bed;
use random::Random;
use std::{
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicU64, Ordering},
};
use trueup::{
    engine::{Outcome, Report},
    model::Verb,
    sandbox::faults::{Fault, What, When},
};

/// Seeds in CI over real connections, unless TRUEUP_SEEDS says otherwise. The engine's own laws run over 1,200 worlds in
/// memory each (`src/engine/tests`); these here find what lies between the engine and the wire.
const SEEDS: u64 = 240;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs the body for every seed, many at a time. Panics with all seeds that failed.
fn for_every_seed(law: &str, share: u64, body: impl AsyncFn(&mut Random) + Sync) {
    let seeds: Vec<u64> = match number("TRUEUP_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("TRUEUP_SEEDS").unwrap_or(SEEDS).div_ceil(share)).collect(),
    };
    let next = AtomicU64::new(0);
    let failed = std::sync::Mutex::new(vec![]);
    // More than there are cores: a disturbed pass spends most of its time in the pauses before it tries again.
    let threads = 8 * std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let one = AssertUnwindSafe(|| runtime.block_on(body(&mut Random::new(*seed))));
                    if std::panic::catch_unwind(one).is_err() {
                        failed.lock().unwrap().push(*seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "{law}: seeds {failed:?} of {} failed; one alone: TRUEUP_SEED={}",
        seeds.len(),
        failed[0]
    );
    println!("{law}: {} seeds", seeds.len());
}

fn in_true(report: &Report) -> bool {
    report.refusal.is_none() && report.rest.in_true()
}

fn shown(report: &Report) -> String {
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
    let notes = |notes: &[trueup::model::Note]| -> Vec<String> {
        notes.iter().map(|note| format!("{} {}", note.object, note.text)).collect()
    };
    let later: Vec<String> = rest.later.iter().map(|l| format!("{} on {}", l.object, l.on)).collect();
    let (conflicts, unseen) = (notes(&rest.conflicts), notes(&rest.unseen));
    let refusal = &report.refusal;
    format!(
        "refusal {refusal:?}\nfailures {failures:#?}\nsteps {steps:#?}\nlater {later:?}\nconflicts {conflicts:#?}\nunseen {unseen:#?}"
    )
}

/// Same input, same plan; one clean pass converges; a converged world gets no write; what was previewed is what was
/// applied; foreign objects are as they were. From nothing to one world, from it to another, and to nothing published.
#[test]
fn a_clean_pass_does_what_it_showed_and_converges() {
    let (applied, previewed) = (AtomicU64::new(0), AtomicU64::new(0));
    for_every_seed("clean passes", 2, async |random| {
        let mut bed = Bed::new(random).await;
        let foreign = bed.foreign().await;
        for turn in 0..3 {
            let world = world::manifests(random);
            let estate = bed.estate(&world);
            let observed = estate.observe().await;
            let (one, two) = (estate.plan(&observed).plan, estate.plan(&observed).plan);
            assert_eq!(
                serde_json::to_string(&one).unwrap(),
                serde_json::to_string(&two).unwrap(),
                "the same input gave two plans"
            );
            let report = bed.pass(&world).await;
            assert!(in_true(&report), "turn {turn}: one clean pass did not converge\n{}", shown(&report));
            let promised = bed::promised(&report.first);
            for (id, outcome) in report.outcomes() {
                assert!(outcome.is_done(), "{id}: {outcome:?}");
                applied.fetch_add(1, Ordering::Relaxed);
                let was = promised.contains_key(&id.object);
                assert!(was, "turn {turn}: {id} was done and not previewed");
                previewed.fetch_add(u64::from(was), Ordering::Relaxed);
            }
            let done: std::collections::BTreeSet<_> = report.outcomes().map(|(id, _)| id.object.clone()).collect();
            assert!(promised.keys().all(|object| done.contains(object)), "turn {turn}: previewed and not done");
            let before = bed.writes();
            let again = bed.pass(&world).await;
            assert!(in_true(&again) && again.waves.is_empty(), "turn {turn}: twice\n{}", shown(&again));
            assert_eq!(bed.writes(), before, "turn {turn}: a converged world got a write");
        }
        assert_eq!(bed.foreign().await, foreign, "something foreign was touched");
        bed.end().await;
    });
    let (applied, previewed) = (applied.into_inner(), previewed.into_inner());
    assert!(applied > 0);
    println!(
        "applied as previewed: {previewed} of {applied} steps ({:.1} %)",
        100.0 * previewed as f64 / applied as f64
    );
    assert_eq!(applied, previewed);
}

/// Any single fault, before or after its effect, converges within three passes: this one disturbed, then two clean ones.
#[test]
fn any_single_fault_converges_within_three_passes() {
    let disturbed = AtomicU64::new(0);
    for_every_seed("single faults", 1, async |random| {
        let mut bed = Bed::new(random).await;
        let foreign = bed.foreign().await;
        let first = world::manifests(random);
        let report = bed.pass(&first).await;
        assert!(in_true(&report), "before the fault\n{}", shown(&report));
        let second = world::manifests(random);
        let fault = fault(random);
        let text = serde_json::to_string(&fault).unwrap();
        bed.add(fault);
        let hurt = bed.pass(&second).await;
        disturbed.fetch_add(u64::from(!in_true(&hurt)), Ordering::Relaxed);
        bed.heal();
        let mut last = bed.pass(&second).await;
        if !in_true(&last) {
            last = bed.pass(&second).await;
        }
        assert!(in_true(&last), "after {text}\n{}", shown(&last));
        bed.no_duplicates().await;
        let before = bed.writes();
        let again = bed.pass(&second).await;
        assert!(in_true(&again) && bed.writes() == before, "after {text}, in true and yet\n{}", shown(&again));
        assert_eq!(bed.foreign().await, foreign, "after {text}, something foreign was touched");
        bed.end().await;
    });
    println!("single faults: {} passes were disturbed", disturbed.into_inner());
}

/// One write or read that goes wrong: an error, a lost reply, a stale list.
fn fault(random: &mut Random) -> Fault {
    let system = random.pick(&["proxmox", "cloudflare", "host", "proxmox", "cloudflare"]);
    let writes = random.chance(2, 3);
    let when = if random.chance(1, 2) { When::Before } else { When::After };
    let what = match random.below(4) {
        0 => What::Drop,
        1 if !writes => What::Stale,
        _ => What::Status { status: if *system == "host" { 1 } else { 500 }, message: "an injected fault".into() },
    };
    let nth = Some(1 + random.below(if writes { 8 } else { 25 }));
    bed::rule(system, writes, nth, when, what)
}

/// A system that cannot be looked at yields no delete there, nor of what it may use; the rest goes on.
#[test]
fn what_cannot_be_seen_is_never_deleted() {
    for_every_seed("blind systems", 4, async |random| {
        let mut bed = Bed::new(random).await;
        let first = world::manifests(random);
        let report = bed.pass(&first).await;
        assert!(in_true(&report), "{}", shown(&report));
        let blind = *random.pick(&["proxmox", "cloudflare", "host"]);
        let status = if blind == "host" { 1 } else { 500 };
        bed.add(bed::rule(blind, false, None, When::Before, What::Status { status, message: "blind".into() }));
        let second = world::manifests(random);
        let report = bed.pass(&second).await;
        for wave in &report.waves {
            let unseen: Vec<&str> = wave.plan.unseen.iter().map(|note| &*note.object.resource).collect();
            assert!(!unseen.is_empty(), "{blind} was blind and nothing was said");
            for step in wave.plan.steps.iter().filter(|step| wave.outcomes.get(&step.id).is_some_and(Outcome::is_done))
            {
                assert!(!unseen.contains(&&*step.id.object.resource), "{} was written blindly", step.id);
                assert!(
                    step.verb != Verb::Delete || step.id.object.resource != "guest",
                    "{} went while {unseen:?} could not be seen",
                    step.id
                );
            }
        }
        bed.heal();
        let report = bed.pass(&second).await;
        assert!(in_true(&report), "after {blind} was blind\n{}", shown(&report));
        bed.end().await;
    });
}

/// A vmid that somebody took between two passes is a conflict, and nothing of theirs is touched.
#[test]
fn a_reused_vmid_is_left_alone() {
    for_every_seed("reused vmids", 10, async |random| {
        let mut bed = Bed::new(random).await;
        let world = world::with_at_least_one_guest(random);
        let report = bed.pass(&world).await;
        assert!(in_true(&report), "{}", shown(&report));
        let vmid = bed.some_guest(random);
        bed.replace_by_foreign(vmid).await;
        let theirs = bed.config(vmid).await;
        let report = bed.pass(&world).await;
        assert!(!report.rest.conflicts.is_empty(), "{}", shown(&report));
        assert_eq!(bed.config(vmid).await, theirs, "somebody's guest {vmid} was touched");
        bed.end().await;
    });
}
