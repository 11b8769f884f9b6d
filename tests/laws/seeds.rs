//! Which seeds are tried, and how many at a time.
use super::random::Random;
use std::{
    panic::AssertUnwindSafe,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Seeds in CI, unless TRUEUP_SEEDS says otherwise: about a second of one core each, and 1,000 take nine minutes of two. The same
/// laws hold over more worlds than that in memory: `src/engine/tests/`.
const SEEDS: u64 = 500;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs the body for every seed, many at a time, and gives back how many there were. Panics with all seeds that failed.
pub fn for_every_seed(body: impl AsyncFn(&mut Random) + Sync) -> usize {
    let seeds: Vec<u64> = match number("TRUEUP_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("TRUEUP_SEEDS").unwrap_or(SEEDS)).collect(),
    };
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(vec![]));
    // More than there are cores: a disturbed pass spends most of its time in the pauses before it tries again.
    let threads = 16 * std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let one = AssertUnwindSafe(|| runtime.block_on(body(&mut Random::new(*seed))));
                    if std::panic::catch_unwind(one).is_err() {
                        failed.lock().unwrap().push(*seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "seeds {failed:?} of {} failed; one alone: TRUEUP_SEED={}", seeds.len(), failed[0]);
    seeds.len()
}
