//! What holds in every world. More than a thousand random ones, each from its seed.
use super::{
    declared::{Specs, estate, run},
    site::Place,
    worlds::{Chance, Seed, WORLDS, dangling, foreign_untouched, grown, specs},
};
use crate::{model::ObjectId, plan::lint};
use std::collections::BTreeSet;

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
