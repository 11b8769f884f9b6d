//! Building, removing, waves, batches, limits.
use super::{
    declared::{Specs, full, plain, run},
    site::Site,
    things::{Line, Sign},
};
use crate::resources::{Driver, System};
use std::sync::Arc;

fn at(log: &[String], line: &str) -> usize {
    log.iter().position(|other| other == line).unwrap_or_else(|| panic!("{line} is not in {log:#?}"))
}

#[tokio::test(start_paused = true)]
async fn builds_in_order_and_removes_in_reverse() {
    let site = Arc::new(Site::default());
    let report = run(&site, &full(3)).await;
    assert!(report.rest.in_true(), "{:?}", report.rest);
    let log = site.state().log.clone();
    for n in ["101", "102", "103"] {
        assert!(at(&log, &format!("room/{n} make")) < at(&log, &format!("room/{n} start")));
        assert!(at(&log, &format!("room/{n} start")) < at(&log, &format!("pipe/{n} make")));
        assert!(at(&log, &format!("room/{n} start")) < at(&log, &format!("line/{n} make")));
        assert!(at(&log, &format!("line/{n} make")) < at(&log, &format!("sign/{n} make")));
    }
    assert_eq!(log.len(), 15);
    assert_eq!(report.waves.len(), 2, "rooms and lines; then what waits for an address and an id");
    assert_eq!(report.first.later.len(), 6);
    site.heal();
    let report = run(&site, &Specs::default()).await;
    assert!(report.rest.in_true() && site.state().objects.is_empty());
    assert_eq!(report.waves.len(), 1);
    let log = site.state().log.clone();
    for n in ["101", "102", "103"] {
        assert!(at(&log, &format!("sign/{n} remove")) < at(&log, &format!("line/{n} remove")));
        assert!(at(&log, &format!("line/{n} remove")) < at(&log, &format!("room/{n} remove")));
        assert!(at(&log, &format!("pipe/{n} remove")) < at(&log, &format!("room/{n} remove")));
    }
}

#[tokio::test(start_paused = true)]
async fn in_true_is_one_observation_and_no_write() {
    let site = Arc::new(Site::default());
    run(&site, &full(2)).await;
    site.heal();
    let report = plain(&site, &full(2)).await;
    assert!(report.first.in_true() && report.rest.in_true() && report.waves.is_empty());
    let state = site.state();
    assert!(state.tried.is_empty());
    assert_eq!(state.looks.values().copied().collect::<Vec<_>>(), [1, 1, 1, 1]);
    assert_eq!(report.rest.unchanged.values().sum::<usize>(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_replaced_room_takes_its_users_along() {
    let site = Arc::new(Site::default());
    let mut specs = full(2);
    run(&site, &specs).await;
    if let Some(room) = specs.rooms.get_mut("101") {
        room.1 = 1;
    }
    site.heal();
    let report = run(&site, &specs).await;
    assert!(report.rest.in_true(), "{:?}", report.rest);
    let log = site.state().log.clone();
    assert_eq!(log, ["room/101 remove", "room/101 make", "room/101 start", "pipe/101 set"]);
    let state = site.state();
    let of = |resource: &'static str| &state.objects[&(resource, "101".to_string())].live;
    assert_eq!(Some(&of("pipe").content), of("room").output.as_ref(), "the pipe leads to the new address");
}

#[tokio::test(start_paused = true)]
async fn ready_steps_of_a_resource_go_in_batches() {
    let site = Arc::new(Site::default());
    let mut specs = full(20);
    (specs.lines, specs.signs) = Default::default();
    run(&site, &specs).await;
    let batches: Vec<usize> =
        site.state().calls.iter().filter(|(resource, _)| *resource == "pipe").map(|(_, count)| *count).collect();
    assert_eq!(batches, [8, 8, 4]);
}

#[tokio::test(start_paused = true)]
async fn no_system_is_asked_for_more_than_its_limit() {
    let site = Arc::new(Site::default());
    run(&site, &full(20)).await;
    let peak = site.state().peak.clone();
    assert_eq!((peak["room"], peak["pipe"]), (System::Proxmox.limit(), System::Nftables.limit()));
    assert_eq!((Line::SYSTEM, Sign::SYSTEM), (System::Cloudflare, System::Cloudflare));
    assert!(peak["line"] == System::Cloudflare.limit() && peak["sign"] <= System::Cloudflare.limit());
}

/// A thousand of each: nothing in a pass is quadratic.
#[tokio::test(start_paused = true)]
async fn four_thousand_objects_converge_fast() {
    let site = Arc::new(Site::default());
    let began = std::time::Instant::now();
    let report = run(&site, &full(1_000)).await;
    assert!(report.rest.in_true() && site.state().log.len() == 5_000);
    println!("4,000 objects built in {:?} of real time", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_lane_is_full_is_not_begun_and_holds_nobody_up() {
    let site = Arc::new(Site::default());
    let mut specs = Specs::default();
    for n in 100..120 {
        let content = if n < 110 { "narrow" } else { "wide" };
        specs.rooms.insert(n.to_string(), (content.into(), 0));
    }
    let report = run(&site, &specs).await;
    assert!(report.rest.in_true(), "{:?}", report.rest);
    let log = site.state().log.clone();
    let made = |n: usize| at(&log, &format!("room/{n} make"));
    let narrow_before_the_last_wide = (100..110).filter(|n| made(*n) < made(119)).count();
    assert!(narrow_before_the_last_wide <= 3, "the wide ones went past: {log:#?}");
    // The first look of a narrow one is when its turn has come: they are made in their order, ten milliseconds apart.
    assert!((100..109).all(|n| made(n) < made(n + 1)), "{log:#?}");
}
