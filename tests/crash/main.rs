//! The real program, killed with SIGKILL before and after every external write of a full create and a full delete of
//! `examples/public-edge`, and around every write to its own files. Afterwards one pass converges, the next changes
//! nothing, and no store of the sandbox holds a duplicate or an orphan.
mod bed;

use bed::{ANY, Bed, LEFT, WHOLE};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use trueup::sandbox::{faults::When, proxmox::Release};

/// Every write of one phase to a system, or to [`ANY`], held in turn before and after its effect while the program is killed.
fn killed_at_every_write(phase: &str, saved: &Bed, system: &str, manifests: &'static str, check: fn(&Bed)) {
    let writes = {
        let mut whole = saved.copy();
        let before = whole.serve().writes_to(system);
        whole.converge(manifests);
        check(&whole);
        whole.writes_to(system) - before
    };
    assert!(writes > 0);
    let next = AtomicU64::new(0);
    let kills = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    if turn >= 2 * writes {
                        return;
                    }
                    let (nth, when) = (1 + turn / 2, if turn.is_multiple_of(2) { When::Before } else { When::After });
                    let mut bed = saved.copy();
                    bed.serve();
                    let Some(held) = bed.kill_at(manifests, system, nth, when) else { continue };
                    kills.fetch_add(1, Ordering::Relaxed);
                    bed.converge(manifests);
                    check(&bed);
                    bed.in_true(manifests, &held);
                }
            });
        }
    });
    let kills = kills.into_inner();
    let to = if system == ANY { "external writes".to_owned() } else { format!("writes to {system}") };
    println!("{phase}: killed {kills} times, before and after each of {writes} {to}");
    assert!(kills >= 2 * writes - 2, "{phase}: only {kills} of {} kills happened", 2 * writes);
}

fn killed_in_create_and_delete(release: Release, system: &str) {
    let version = release.spelled().1;
    let empty = Bed::new(release);
    killed_at_every_write(&format!("create: {version}"), &empty, system, WHOLE, Bed::assert_whole);
    let mut full = empty.copy();
    full.serve();
    full.converge(WHOLE);
    full.stop();
    killed_at_every_write(&format!("delete: {version}"), &full, system, LEFT, Bed::assert_left);
}

#[test]
fn killed_before_and_after_every_external_write() {
    killed_in_create_and_delete(Release::V9_2_11, ANY);
}

/// The other systems are the same beside an older Proxmox VE.
#[test]
fn killed_before_and_after_every_write_to_an_older_proxmox() {
    killed_in_create_and_delete(Release::V8_4_21, "proxmox");
}

/// The lock file and the database: killed on entering every call that changes a file of the program's own.
#[test]
fn killed_around_every_write_to_its_own_files() {
    if !Bed::can_trace() {
        println!("NOT RUN HERE: crashes around the program's own files (strace may not trace on this machine)");
        return;
    }
    let empty = Bed::new(Release::V9_2_11);
    let (next, ended, kills) = (AtomicU32::new(1), AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    assert!(nth < 400, "the program never ends");
                    let mut bed = empty.copy();
                    bed.serve();
                    if bed.kill_at_own_write(WHOLE, nth) {
                        kills.fetch_add(1, Ordering::Relaxed);
                    } else {
                        ended.store(true, Ordering::Relaxed);
                    }
                    bed.converge(WHOLE);
                    bed.assert_whole();
                    bed.in_true(WHOLE, &format!("own write {nth}"));
                }
            });
        }
    });
    let kills = kills.into_inner();
    println!("own files: killed {kills} times");
    assert!(kills > 3, "the lock file and the database are written in more than {kills} calls");
}
