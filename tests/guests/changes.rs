//! What a change of a manifest does to a guest, and what it does not.
use super::bed::{Bed, RELEASES, container, said};
use serde_json::json;
use std::collections::BTreeSet;
use trueup::{
    engine::Options,
    model::{DeclarationId, Effect},
    plan::Consent,
    sandbox::faults::{Fault, What},
};

const NET: &str = ", networks: [{ name: eth0, address: 10.0.1.7/24, gateway: 10.0.1.1, firewall: true }]";

/// G5
#[tokio::test]
async fn spelling_is_no_difference_and_the_card_keeps_its_address() {
    for release in RELEASES {
        let mut bed = Bed::new(release).await;
        let web = container(
            "web",
            100,
            &format!("{NET}, memory: 2GiB, cpuLimit: 1.5, tags: [B, a], notes: 'as declared', startup: {{ order: 3 }}"),
        );
        let report = bed.pass(&web).await;
        assert!(report.rest.in_true(), "{}", said(&report));
        let mac = |bed: &Bed| {
            let net0 = bed.option(100, "net0");
            net0.split(',').find_map(|p| p.strip_prefix("hwaddr=").map(str::to_owned)).unwrap()
        };
        let before = mac(&bed);
        let notes = bed.option(100, "description");
        let net0: Vec<String> = bed.option(100, "net0").split(',').rev().map(str::to_ascii_lowercase).collect();
        let nesting =
            [("features", "keyctl=0,nesting=1"), ("cpulimit", "1.50"), ("startup", "order=3"), ("tags", "TRUEUP,b a")];
        bed.by_hand(100, &nesting);
        bed.by_hand(100, &[("net0", &net0.join(",")), ("description", &format!("{notes}\n\n")), ("memory", "2048")]);
        bed.by_hand(
            100,
            &[("protection", "0"), ("swap", "512"), ("rootfs", &bed.option(100, "rootfs").replace("8G", "8192M"))],
        );
        let writes = bed.writes();
        let report = bed.pass(&web).await;
        assert_eq!(bed.writes(), writes, "nothing is written for spelling: {}", said(&report));
        assert!(report.rest.in_true());
        let other = web.replace("10.0.1.7/24", "10.0.1.8/24");
        bed.pass(&other).await;
        assert!(bed.option(100, "net0").contains("10.0.1.8/24"));
        assert_eq!(mac(&bed).to_ascii_uppercase(), before.to_ascii_uppercase(), "a change keeps it");
    }
}

/// G6
#[tokio::test]
async fn disks_grow_never_shrink_and_are_never_allocated_twice() {
    for release in RELEASES {
        let mut bed = Bed::new(release).await;
        let with = |size: &str, more: &str| {
            container("web", 100, &format!(", mountPoints: [{{ path: /srv, size: {size}{more} }}]"))
        };
        bed.pass(&with("1GiB", "")).await;
        let volume = |bed: &Bed| bed.option(100, "mp0").split(',').next().unwrap().to_owned();
        let first = volume(&bed);
        let larger = with("2GiB", ", readOnly: true").replace("size: 8GiB", "size: 16GiB");
        bed.pass(&larger.replace("spec: {", "spec: { restartPolicy: whenNeeded,")).await;
        assert!(bed.option(100, "rootfs").contains("size=16G"));
        assert!(bed.option(100, "mp0").contains("size=2G"));
        assert_eq!(volume(&bed), first);
        let report = bed.pass(&with("1GiB", ", readOnly: true")).await;
        let said = said(&report);
        assert!(said.contains("impossible: rootfs.size: rootfs has 16GiB, more than 8GiB: disks only grow"), "{said}");
        assert!(said.contains("impossible: mountPoints./srv.size: /srv has 2GiB, more than 1GiB"), "{said}");
        assert!(!bed.guest(100).conf.keys().any(|key| key.starts_with("unused")), "no second volume was made");
        bed.pass(&with("2GiB", ", detached: true").replace("spec: {", "spec: { restartPolicy: whenNeeded,")).await;
        let guest = bed.guest(100);
        assert!(!guest.conf.contains_key("mp0"), "taken away: {:?}", guest.conf);
        assert_eq!(guest.conf["unused0"], first, "and kept");
    }
}

/// G6
#[tokio::test]
async fn a_guest_is_made_anew_only_with_consent_and_never_while_it_keeps_something() {
    for release in RELEASES {
        let mut bed = Bed::new(release).await;
        bed.pass(&container("web", 100, NET)).await;
        let made = bed.option(100, "net0");
        let other = container("web", 100, &format!("{NET}, memory: 1GiB"))
            .replace("debian-13-standard_13.1-2", "debian-12-standard_12.12-1");
        let keeps = other.replace("spec: {", "spec: { keep: [/srv],");
        let report = bed.pass(&keeps).await;
        assert!(said(&report).contains("refused while `keep` lists paths"), "{}", said(&report));
        assert_eq!(bed.option(100, "memory"), "1024", "what can be changed in place is");
        let report = bed.pass(&other).await;
        let told = said(&report);
        assert!(told.contains("kept back guest/100#0: template cannot be changed in place"), "{told}");
        assert!(!told.contains("- destroy"), "{told}");
        let field = &report.rest.steps[0].fields[0];
        assert_eq!((field.name.as_str(), field.effect), ("template", Some(Effect::Replace)));
        let named = BTreeSet::from([DeclarationId::new("Container", "web")]);
        let consent = Consent { digest: None, named };
        let report = bed.pass_with(&other, Options { consent, ..Options::default() }).await;
        assert!(report.rest.in_true(), "{}", said(&report));
        assert!(bed.option(100, "description").contains("from=local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst"));
        assert_eq!(bed.option(100, "net0"), made, "the card kept its address");
        assert!(bed.guest(100).running.is_some());
    }
}

/// G7
#[tokio::test]
async fn a_change_that_waits_for_a_restart_says_so_and_restarts_only_when_it_may() {
    for release in RELEASES {
        let mut bed = Bed::new(release).await;
        let with = |policy: &str| container("web", 100, &format!(", dns: {{ search: acme.test }}{policy}"));
        bed.pass(&container("web", 100, "")).await;
        let report = bed.pass(&with("")).await;
        let told = said(&report);
        assert!(told.contains("set searchdomain") && told.contains("needs a restart for searchdomain"), "{told}");
        assert_eq!(report.first.steps[0].fields[0].effect, Some(Effect::AtRestart));
        assert!(!told.contains("! restart"), "{told}");
        // Friday 13:30 UTC is Saturday 02:30 in Auckland.
        let window = with(", restartPolicy: { window: 'Sat 02:00-04:00' }");
        let at = |moment: &str| Options { now: Some(moment.parse().unwrap()), ..Options::default() };
        let report = bed.pass_with(&window, at("2026-11-28T02:30:00Z")).await;
        let told = said(&report);
        assert!(told.contains("kept back guest/100#0: it waits for Sat 02:00-04:00 Pacific/Auckland"), "{told}");
        assert_eq!(bed.option(100, "searchdomain"), "", "still pending");
        let report = bed.pass_with(&window, at("2026-11-27T13:30:00Z")).await;
        assert!(report.rest.in_true(), "{}", said(&report));
        assert_eq!(bed.option(100, "searchdomain"), "acme.test");
        let report = bed.pass(&with(", restartPolicy: whenNeeded").replace("acme.test", "other.test")).await;
        assert!(said(&report).contains("! restart"), "{}", said(&report));
        assert_eq!(bed.option(100, "searchdomain"), "other.test");
    }
}

/// G8
#[tokio::test]
async fn a_change_that_was_half_applied_is_noticed_and_made_good() {
    for release in RELEASES {
        let mut bed = Bed::new(release).await;
        bed.pass(&container("web", 100, NET)).await;
        // The bridge goes after it was asked for: the card goes, and the wrong one stays pending.
        let there = json!({ "data": [{ "iface": "vmbr9", "type": "bridge" }] }).to_string();
        let was = What::Body { status: 200, content_type: "application/json".into(), body: there };
        bed.add(Fault::new(was).on("proxmox", "GET /api2/json/nodes/pve1/network*"));
        let wrong =
            container("web", 100, &format!("{NET}, memory: 1GiB")).replace("name: eth0,", "name: eth1, bridge: vmbr9,");
        let report = bed.pass(&wrong).await;
        bed.heal();
        let told = said(&report);
        assert!(told.contains("failed: ") && told.contains("vmbr9"), "{told}");
        let told = said(&report);
        assert!(told.contains("needs a restart for net0"), "what is left is said: {told}");
        let report = bed.pass(&container("web", 100, &format!("{NET}, memory: 1GiB"))).await;
        assert!(report.rest.in_true(), "{}", said(&report));
        let guest = bed.guest(100);
        assert!(guest.conf["net0"].contains("bridge=vmbr1") && guest.conf["memory"] == "1024", "{:?}", guest.conf);
        assert!(guest.pending.is_empty(), "nothing wrong is left for the next start: {:?}", guest.pending);
    }
}

/// G8: what would be half applied is not sent.
#[tokio::test]
async fn a_card_is_not_moved_to_a_bridge_that_is_not_there() {
    for release in RELEASES {
        let mut bed = Bed::new(release).await;
        bed.pass(&container("web", 100, NET)).await;
        let (before, writes) = (bed.guest(100), bed.writes());
        let wrong = container("web", 100, NET).replace("name: eth0,", "name: eth0, bridge: vmbr9,");
        for restarts in ["", ", restartPolicy: whenNeeded"] {
            let report = bed.pass(&wrong.replace(", features:", &format!("{restarts}, features:"))).await;
            let told = said(&report);
            assert!(told.contains("there is no bridge vmbr9 on node pve1 (there is vmbr0, vmbr1)"), "{told}");
        }
        let after = bed.guest(100);
        assert_eq!((after.conf, after.pending, bed.writes()), (before.conf, before.pending, writes));
    }
}

/// G8: the reply of a write is lost, before or after its effect.
#[tokio::test]
async fn a_lost_reply_is_resolved_by_looking() {
    for release in RELEASES {
        for after in [false, true] {
            let mut bed = Bed::new(release).await;
            bed.pass(&container("web", 100, "")).await;
            let lost = Fault::new(What::Drop).on("proxmox", "PUT *").nth(1);
            bed.add(if after { lost.after() } else { lost });
            let more = container("web", 100, ", memory: 1GiB, tags: [x]").replace("size: 8GiB", "size: 16GiB");
            bed.pass(&more).await;
            bed.heal();
            let report = bed.pass(&more).await;
            assert!(report.rest.in_true(), "{}", said(&report));
            assert_eq!(bed.option(100, "memory"), "1024");
        }
    }
}

/// What Proxmox grants to root's own session goes through the host.
#[tokio::test]
async fn what_root_alone_may_goes_through_the_host() {
    for release in RELEASES {
        let mut bed = Bed::new(release).await;
        let rich = container(
            "web",
            100,
            ", mountPoints: [{ path: /data, source: /tank/data, readOnly: true }], devices: [{ path: /dev/ttyUSB0, mode: '0660' }]",
        )
        .replace("features: [nesting]", "features: [nesting, keyctl, fuse]");
        let report = bed.pass(&rich).await;
        assert!(report.rest.in_true(), "{}", said(&report));
        assert_eq!(bed.option(100, "mp0"), "/tank/data,mp=/data,ro=1");
        assert!(bed.option(100, "features").contains("fuse=1"));
        let writes = bed.writes();
        assert!(bed.pass(&rich).await.rest.in_true());
        assert_eq!(bed.writes(), writes);
        let less = rich.replace(", fuse]", "], restartPolicy: whenNeeded");
        let report = bed.pass(&less).await;
        assert!(report.rest.in_true(), "{}", said(&report));
        assert!(!bed.option(100, "features").contains("fuse=1"));
    }
}

/// Options beyond the usual ones are set, changed and left in peace.
#[tokio::test]
async fn every_option_is_looked_after() {
    let all = ", cpuLimit: 1.5, cpuUnits: 200, swap: 256MiB, timezone: Asia/Colombo, osType: debian, protection: true, \
               console: { enabled: true, mode: shell, terminals: 3 }, notes: 'hello', startOnBoot: true, \
               networks: [{ name: eth0, address: 10.0.1.9/24, address6: auto, vlan: 5, rate: 12MB/s, linkDown: true, trunks: [7, 6] }, \
               { name: eth1, address: manual, mtu: 1400 }]";
    for release in RELEASES {
        let mut bed = Bed::new(release).await;
        let more =
            if release == RELEASES[0] { ", entrypoint: /sbin/other, environment: { B: '2', A: '1' }" } else { "" };
        let web = container("web", 100, &format!("{all}{more}"));
        let report = bed.pass(&web).await;
        assert!(report.rest.in_true(), "{}", said(&report));
        for (key, value) in
            [("cpulimit", "1.5"), ("cpuunits", "200"), ("cmode", "shell"), ("tty", "3"), ("timezone", "Asia/Colombo")]
        {
            assert_eq!(bed.option(100, key), value, "{key}");
        }
        let net0 = bed.option(100, "net0");
        assert!(net0.contains("link_down=1") && net0.contains("trunks=6;7") && net0.contains("tag=5"), "{net0}");
        assert!(bed.option(100, "description").starts_with("hello\n<!-- trueup "));
        let changed = web.replace("cpuUnits: 200", "cpuUnits: 300").replace("terminals: 3", "terminals: 4");
        let changed = changed.replace("spec: {", "spec: { restartPolicy: whenNeeded,").replace("'hello'", "'good day'");
        let report = bed.pass(&changed).await;
        assert!(report.rest.in_true(), "{}", said(&report));
        assert_eq!((bed.option(100, "cpuunits").as_str(), bed.option(100, "tty").as_str()), ("300", "4"));
        let writes = bed.writes();
        assert!(bed.pass(&changed).await.rest.in_true());
        assert_eq!(bed.writes(), writes, "in true, nothing is written");
    }
}
