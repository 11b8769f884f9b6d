//! What holds in every world. More than a thousand random ones, each from its seed.
use super::{
    declared::{Specs, estate, foreign, run},
    site::{At, How, Place, Site, State, When},
};
use crate::{
    model::{Class, ObjectId},
    plan::lint,
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

const WORLDS: u64 = 1_200;

/// A generator of Marsaglia (xorshift); the seed is spread first so that neighbours differ.
struct Chance(u64);

impl Chance {
    fn of(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// Says which seed it was when a test breaks.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the world of seed {}", self.0);
        }
    }
}

fn specs(chance: &mut Chance) -> Specs {
    let mut specs = Specs::default();
    for key in ["101", "102", "103", "104"] {
        if chance.below(3) > 0 {
            let content = chance.one(&["plain", "fancy"]);
            specs.rooms.insert(key.into(), (content.into(), chance.below(2) as u32));
        }
    }
    let rooms: Vec<String> = specs.rooms.keys().cloned().collect();
    for key in ["a", "b", "c"] {
        if !rooms.is_empty() && chance.below(3) > 0 {
            specs.pipes.insert(key.into(), rooms[chance.below(rooms.len())].clone());
        }
        if !rooms.is_empty() && chance.below(2) > 0 {
            specs.lines.insert(key.into(), rooms[chance.below(rooms.len())].clone());
        }
    }
    let lines: Vec<String> = specs.lines.keys().cloned().collect();
    for key in ["www", "api", "git"] {
        if !lines.is_empty() && chance.below(3) > 0 {
            specs.signs.insert(key.into(), lines[chance.below(lines.len())].clone());
        }
    }
    specs
}

/// Nothing that is published leads to something that is gone, or to what used to be there.
fn dangling(state: &State) -> Vec<String> {
    let mut out = vec![];
    for ((resource, key), stored) in &state.objects {
        for link in &stored.live.links {
            let target = state.objects.iter().find(|((name, key), _)| *name == link.resource && *key == link.key);
            match target {
                None => out.push(format!("{resource}/{key} leads to {link}, which is gone")),
                Some((_, target)) if matches!(*resource, "pipe" | "sign") => {
                    if target.live.output.as_ref() != Some(&stored.live.content) {
                        out.push(format!("{resource}/{key} leads to what {link} was"));
                    }
                }
                Some(_) => {}
            }
        }
    }
    out
}

/// A world that has converged once, with things in it that are not ours.
async fn grown(chance: &mut Chance) -> (Arc<Site>, Vec<(&'static str, &'static str)>) {
    let site = Arc::new(Site::default());
    let theirs = [("room", "999"), ("pipe", "theirs"), ("line", "theirs"), ("sign", "theirs")];
    for (resource, key) in theirs {
        foreign(&site, resource, key);
    }
    let report = run(&site, &specs(chance)).await;
    assert!(report.rest.in_true(), "{:?}", report.rest);
    site.heal();
    (site, theirs.to_vec())
}

fn foreign_untouched(site: &Site, theirs: &[(&'static str, &'static str)]) {
    for (resource, key) in theirs {
        let state = site.state();
        let stored = state.objects.get(&(*resource, key.to_string())).expect("foreign objects stay");
        assert!(stored.revision == 1 && stored.mark.is_none(), "{resource}/{key} was written to");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_input_gives_the_same_plan_and_one_clean_pass_converges() {
    let mut waves = 0;
    for seed in 0..WORLDS {
        let _seed = Seed(seed);
        let mut chance = Chance::of(seed);
        let (site, theirs) = grown(&mut chance).await;
        let wanted = specs(&mut chance);
        let estate = estate(&site, &wanted);
        let (one, other) = (estate.plan(&estate.observe().await).plan, estate.plan(&estate.observe().await).plan);
        let bytes = |plan| serde_json::to_string(plan).expect("plain data");
        assert_eq!(bytes(&one), bytes(&other));
        assert_eq!(serde_json::from_str::<crate::model::Plan<_>>(&bytes(&one)).expect("reads"), one);
        assert_eq!(lint(&one), Vec::<String>::new());
        let report = run(&site, &wanted).await;
        waves = waves.max(report.waves.len());
        assert!(report.rest.in_true(), "{wanted:?}\n{:?}", report.rest);
        assert!(report.waves.iter().all(|wave| wave.withheld.is_empty()), "unforeseen");
        assert!(report.outcomes().all(|(_, outcome)| outcome.is_done()));
        assert_eq!(dangling(&site.state()), Vec::<String>::new());
        foreign_untouched(&site, &theirs);
        site.heal();
        let again = run(&site, &wanted).await;
        assert!(again.waves.is_empty() && again.first.steps.is_empty() && site.state().tried.is_empty());
    }
    println!("{WORLDS} worlds, at most {waves} waves");
}

#[tokio::test(start_paused = true)]
async fn any_single_fault_converges_within_three_passes() {
    static STRUCK: AtomicUsize = AtomicUsize::new(0);
    let ways = [
        How::Die,
        How::Panic,
        How::Fail(Class::UnknownOutcome),
        How::Fail(Class::Transient),
        How::Fail(Class::Busy),
        How::Fail(Class::Denied),
        How::Fail(Class::Conflict),
        How::Fail(Class::NotFound),
    ];
    // Panics are on purpose here; their traces would bury what matters.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.to_string().contains("on purpose") {
            hook(panic);
        }
    }));
    let mut most = 0;
    for seed in 0..WORLDS {
        let _seed = Seed(seed);
        let mut chance = Chance::of(seed);
        let (site, theirs) = grown(&mut chance).await;
        let wanted = if chance.below(5) == 0 { Specs::default() } else { specs(&mut chance) };
        let (nth, when, how) = (1 + chance.below(10), chance.one(&[When::Before, When::After]), chance.one(&ways));
        site.fault(At::Nth(nth), when, how);
        run(&site, &wanted).await;
        STRUCK.fetch_add(usize::from(site.state().tried.len() >= nth), Ordering::Relaxed);
        foreign_untouched(&site, &theirs);
        let mut passes = 1;
        loop {
            site.heal();
            let report = run(&site, &wanted).await;
            passes += 1;
            if report.rest.in_true() {
                break;
            }
            assert!(passes < 3, "{how:?} {when:?} at write {nth}\n{:?}", report.rest);
        }
        most = most.max(passes);
        assert_eq!(dangling(&site.state()), Vec::<String>::new(), "{how:?} {when:?} at write {nth}");
        foreign_untouched(&site, &theirs);
        let ours = site.state().objects.values().filter(|stored| stored.mark.is_some()).count();
        let count = wanted.rooms.len() + wanted.pipes.len() + wanted.lines.len() + wanted.signs.len();
        assert_eq!(ours, count, "no duplicates, no orphans");
    }
    let struck = STRUCK.load(Ordering::Relaxed);
    assert!(struck as u64 > WORLDS / 2, "only {struck} faults struck: the law is hollow");
    println!("{WORLDS} worlds, {struck} faults, at most {most} passes");
}

/// Whatever cannot be seen is not written, nothing that it may use goes, and the rest goes on.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_seen_costs_nothing_its_life() {
    let mut kept = 0;
    for seed in 0..WORLDS {
        let _seed = Seed(seed);
        let mut chance = Chance::of(seed);
        let (site, theirs) = grown(&mut chance).await;
        let wanted = if chance.below(3) == 0 { Specs::default() } else { specs(&mut chance) };
        let blind = chance.one(&["room", "pipe", "line", "sign"]);
        let before = site.state().objects.clone();
        site.state().blind.insert(blind);
        let report = run(&site, &wanted).await;
        assert!(!report.rest.in_true() && report.rest.unseen.len() == 1);
        let tried = site.state().tried.clone();
        assert!(!tried.iter().any(|line| line.starts_with(blind)), "{tried:?}");
        let left: BTreeSet<Place> = site.state().objects.keys().cloned().collect();
        let used: BTreeSet<&ObjectId> =
            before.iter().filter(|((name, _), _)| *name == blind).flat_map(|(_, stored)| &stored.live.links).collect();
        for link in used {
            kept += 1;
            let there = left.iter().any(|(name, key)| *name == link.resource && *key == link.key);
            assert!(there, "{link} is gone, and {blind} may use it");
        }
        foreign_untouched(&site, &theirs);
        site.heal();
        let report = run(&site, &wanted).await;
        assert!(report.rest.in_true(), "{:?}", report.rest);
        assert_eq!(dangling(&site.state()), Vec::<String>::new());
    }
    assert!(kept > 500, "only {kept} objects were in danger: the law is hollow");
}
