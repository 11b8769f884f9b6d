//! Laws over random small worlds, through the public pass, over the same HTTPS and the same host transport that reach a
//! real site. What a failing seed was is printed with it; `TRUEUP_SEED=N` runs that one alone, `make soak SEEDS=N` many.
//!
//! The engine's own laws run over 1,200 worlds in memory (`src/engine/tests`); these here find what lies between the
//! engine and the wire.
mod bed;
mod laws;
mod misfortune;
mod random;
mod seeds;
mod takeover;
mod world;

use bed::Bed;
use laws::Totals;

/// Every seed is three worlds, one after the other on one site, and every law holds on the way. A fault may strike the pass
/// that makes the site or the one that changes it; the other of the two is held against its preview.
#[test]
fn the_laws_hold_in_every_world() {
    let totals = Totals::default();
    let seeds = seeds::for_every_seed(async |random| {
        let mut bed = Bed::new(random).await;
        let foreign = bed.foreign().await;

        let (first, second) = (world::manifests(random), world::manifests(random));
        if random.chance(1, 3) {
            laws::any_single_fault_converges_within_three_passes(&mut bed, &first, random, &totals).await;
            laws::a_dry_run_shows_what_one_clean_pass_does(&mut bed, &second, &totals).await;
        } else {
            laws::a_dry_run_shows_what_one_clean_pass_does(&mut bed, &first, &totals).await;
            laws::any_single_fault_converges_within_three_passes(&mut bed, &second, random, &totals).await;
        }
        laws::a_converged_world_gets_no_write(&mut bed, &second).await;
        laws::what_cannot_be_seen_is_never_deleted(&mut bed, &world::manifests(random), random).await;

        assert_eq!(bed.foreign().await, foreign, "something foreign was touched");
        bed.end().await;
    });
    totals.print(seeds);
}
