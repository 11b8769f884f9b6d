//! Containers against the simulated Proxmox VE, through every layer but the engine.
use super::world::{Site, container, declared};
use crate::sandbox::{
    faults::{Fault, What},
    proxmox::{Kind, Seed, SeedGuest, SeedToken},
};
use std::collections::BTreeSet;

fn conf(pairs: &[(&str, &str)]) -> crate::sandbox::proxmox::Conf {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn foreign(vmid: u32, hostname: &str, memory: &str, last: u8) -> SeedGuest {
    let net = format!(
        "name=eth0,bridge=vmbr0,firewall=1,gw=10.99.0.1,hwaddr=BC:24:11:00:01:{last:02X},ip=10.99.0.{last}/24,type=veth"
    );
    let config = conf(&[
        ("arch", "amd64"),
        ("cores", "2"),
        ("description", "made by hand\n"),
        ("features", "nesting=1"),
        ("hostname", hostname),
        ("memory", memory),
        ("net0", &net),
        ("onboot", "1"),
        ("ostype", "debian"),
        ("rootfs", &format!("local:{vmid}/vm-{vmid}-disk-0.raw,size=8G")),
        ("swap", "512"),
        ("tags", "bridge"),
        ("unprivileged", "1"),
    ]);
    SeedGuest { vmid, kind: Kind::Lxc, node: None, running: true, config }
}

#[tokio::test]
async fn a_container_is_made_marked_started_and_then_left_alone() {
    let site = Site::new(Seed::default()).await;
    let web = declared(&container("web", "", 5, ", memory: 1GiB, tags: [web]"));
    insta::assert_snapshot!(site.converge(&web).await.join("\n"), @"
    + guest/100 web on pve1 from local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst
    ~ guest/100 start
    ");
    insta::assert_snapshot!(site.config(100, "description"), @"<!-- trueup site=nz declared=Container/web uid=aibaeaqcaibaeaqc deletion=retain vmid=100 from=local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst -->");
    assert_eq!(site.config(100, "tags"), "trueup;web");
    assert!(site.pve.guests()[0].running);
    let (_, writes) = site.faults.counts();
    assert_eq!(site.converge(&web).await, Vec::<String>::new());
    assert_eq!(site.faults.counts().1, writes, "in true, nothing is written");

    site.pve.edit(|state| state.guests.get_mut(&100).unwrap().conf.insert("memory".into(), "2048".into()));
    insta::assert_snapshot!(site.converge(&web).await.join("\n"), @"~ guest/100 set memory");
    assert_eq!(site.config(100, "memory"), "1024");
}

/// What another site runs is only listed: what its cloud-init would write anew concerns nobody here.
#[tokio::test]
async fn cloud_init_is_asked_about_for_machines_of_ours_only() {
    let machine = |vmid: u32, site: &str| {
        let mark = format!(
            "<!-- trueup site={site} declared=VirtualMachine/db uid=aibaeaqcaibaeaq{} deletion=retain vmid={vmid} -->",
            if site == "nz" { 'c' } else { 'd' }
        );
        let config = conf(&[
            ("description", &mark),
            ("ide2", &format!("local:{vmid}/vm-{vmid}-cloudinit.qcow2,media=cdrom,size=4M")),
            ("memory", "1024"),
            ("name", "db"),
            ("net0", &format!("virtio=BC:24:11:00:02:{:02X},bridge=vmbr0", vmid - 200)),
            ("tags", "trueup"),
        ]);
        SeedGuest { vmid, kind: Kind::Qemu, node: None, running: true, config }
    };
    let site = Site::new(Seed { guests: vec![machine(201, "nz"), machine(202, "elsewhere")], ..Seed::default() }).await;
    site.plan(&declared("")).await;
    let log = site.directory.path().join("state").join(crate::sandbox::faults::Faults::LOG);
    let log = std::fs::read_to_string(log).unwrap();
    let asked = |vmid: u32, what: &str| log.contains(&format!("/nodes/pve1/qemu/{vmid}/{what}"));
    assert!(asked(201, "pending") && asked(202, "pending"), "{log}");
    assert!(asked(201, "cloudinit"), "{log}");
    assert!(!asked(202, "cloudinit"), "{log}");
}

/// L1
#[tokio::test]
async fn three_containers_of_an_existing_site_are_adopted_by_their_marks_alone() {
    let guests = vec![
        foreign(100, "Xero-Sync", "512", 228),
        foreign(101, "MyIRD", "1024", 226),
        foreign(102, "CompaniesOffice", "4096", 225),
    ];
    let site = Site::new(Seed { guests, ..Seed::default() }).await;
    let all: String = [
        ("xero-sync", 100, "Xero-Sync", "512MiB", 228),
        ("myird", 101, "MyIRD", "1GiB", 226),
        ("co", 102, "CompaniesOffice", "4GiB", 225),
    ]
    .map(|(name, vmid, hostname, memory, last)| {
        let adopt = format!("trueup/adopt: '{vmid}'");
        container(name, &adopt, last, &format!(", vmid: {vmid}, hostname: {hostname}, memory: {memory}"))
    })
    .concat();
    let declarations = declared(&all);
    let before = site.pve.snapshot();
    insta::assert_snapshot!(site.converge(&declarations).await.join("\n"), @"
    = guest/100 mark as ours
    = guest/101 mark as ours
    = guest/102 mark as ours
    ");
    for (vmid, guest) in site.pve.snapshot().guests {
        let (mut is, was) = (guest.conf, &before.guests[&vmid].conf);
        assert!(is["description"].starts_with("made by hand\n<!-- trueup site=nz "), "{is:?}");
        assert_eq!(is.insert("tags".into(), was["tags"].clone()).as_deref(), Some("bridge;trueup"));
        is.insert("description".into(), was["description"].clone());
        assert_eq!(is, *was, "nothing else was written");
    }
}

/// G3, G12
#[tokio::test]
async fn a_foreign_guest_at_a_wanted_id_is_a_conflict_and_stays_as_it_is() {
    let site = Site::new(Seed { guests: vec![foreign(101, "theirs", "512", 9)], ..Seed::default() }).await;
    let before = site.pve.snapshot().guests[&101].conf.clone();
    let wanted = declared(&container("web", "", 5, ", vmid: 101"));
    insta::assert_snapshot!(site.converge(&wanted).await.join("\n"), @"conflict guest/101 is held by container 101 (theirs)");
    assert_eq!(site.pve.snapshot().guests[&101].conf, before);
}

/// G4, C3: the process that sent the create never heard of it.
#[tokio::test]
async fn a_create_whose_reply_was_lost_is_found_by_its_uid() {
    let site = Site::new(Seed::default()).await;
    let drop_reply = Fault::new(What::Drop).on("proxmox", "POST /api2/json/nodes/pve1/lxc").after().nth(1);
    site.faults.add(drop_reply).unwrap();
    let web = declared(&container("web", "", 5, ""));
    insta::assert_snapshot!(site.converge(&web).await.join("\n"), @"
    + guest/100 web on pve1 from local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst
    ~ guest/100 start
    ");
    assert_eq!(site.pve.guests().len(), 1);
}

/// G2
#[tokio::test]
async fn a_token_that_may_not_see_everything_sees_nothing() {
    let tokens = vec![SeedToken {
        id: "some@pve!t".into(),
        secret: "00000000-0000-4000-a000-000000000001".into(),
        privsep: true,
        roles: vec!["Writer".into()],
    }];
    let privileges = ["VM.Allocate", "VM.PowerMgmt", "Datastore.AllocateSpace"].map(str::to_owned);
    let roles = [("Writer".to_owned(), BTreeSet::from(privileges))].into();
    let seed = Seed { tokens, roles, guests: vec![foreign(101, "hidden", "512", 9)], ..Seed::default() };
    let site = Site::with_token(seed, "some@pve!t=00000000-0000-4000-a000-000000000001").await;
    let web = declared(&container("web", "", 5, ", vmid: 101"));
    insta::assert_snapshot!(site.converge(&web).await.join("\n"), @"
    unseen guest/* could not look: could not see all guests: the token does not hold VM.Audit on all of /vms, so a list may leave guests out; give the token and its user a role with VM.Audit on /vms, passed on to everything below
    unseen guest-unit/* could not look: could not see all guests: the token does not hold VM.Audit on all of /vms, so a list may leave guests out; give the token and its user a role with VM.Audit on /vms, passed on to everything below
    ");
    assert_eq!(site.faults.counts().1, 0);
}

/// G1, C2
#[tokio::test]
async fn a_template_that_is_missing_fails_its_own_guest_only() {
    let site = Site::new(Seed::default()).await;
    let broken = container("broken", "", 6, ", vmid: 106").replace("debian-13-standard_13.1-2", "no-such");
    let both = declared(&(container("web", "", 5, ", vmid: 105") + &broken));
    let said = site.wave(&both).await;
    insta::assert_snapshot!(said[..2].join("\n"), @"
    + guest/105 web on pve1 from local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst
    ~ guest/105 start
    ");
    assert!(said[2].contains("unable to create CT 106 - volume 'local:vztmpl/no-such_amd64.tar.zst' does not exist"));
    assert!(said[2].contains("task log: ") && said.len() == 3, "with the end of the log, and no start: {said:?}");
    assert_eq!(site.pve.guests().len(), 1, "a create that fails leaves nothing");
}

/// G13
#[tokio::test]
async fn a_removed_manifest_destroys_only_what_its_mark_allows() {
    let site = Site::new(Seed::default()).await;
    let kept = container("kept", "", 5, ", vmid: 105");
    let goes = container("goes", "trueup/deletion: delete", 6, ", vmid: 106");
    site.converge(&declared(&(kept + &goes))).await;
    insta::assert_snapshot!(site.converge(&declared("")).await.join("\n"), @"
    - guest/106 destroy with its disks
    orphan guest/105 no manifest wants it; kept (policy retain)
    orphan guest/105 no manifest wants it; kept (policy retain)
    ");
    assert_eq!(site.pve.guests().iter().map(|g| g.vmid).collect::<Vec<_>>(), [105]);
}

/// A clone carries tag and stamp of its origin; the origin's policy is not its own.
#[tokio::test]
async fn a_clone_that_a_person_made_is_never_destroyed() {
    let site = Site::new(Seed::default()).await;
    let web = container("web", "trueup/deletion: delete", 5, ", vmid: 105");
    site.converge(&declared(&web)).await;
    site.pve.edit(|state| {
        let copy = state.guests[&105].clone();
        state.guests.insert(305, copy);
    });
    insta::assert_snapshot!(site.converge(&declared(&web)).await.join("\n"), @"conflict guest/305 carries the mark of guest/105: a copy of it");
    site.pve.edit(|state| state.guests.remove(&105));
    insta::assert_snapshot!(site.converge(&declared("")).await.join("\n"), @"orphan guest/305 no manifest wants it; kept (policy retain)");
    assert_eq!(site.pve.guests().iter().map(|g| g.vmid).collect::<Vec<_>>(), [305]);
}

/// G2: a backup holds the guest; the step says so and the next pass does it.
#[tokio::test]
async fn a_locked_guest_is_waited_for_and_then_reported() {
    let site = Site::new(Seed::default()).await;
    site.converge(&declared(&container("web", "", 5, ""))).await;
    site.pve.edit(|state| state.guests.get_mut(&100).unwrap().conf.insert("lock".into(), "backup".into()));
    let bigger = declared(&container("web", "", 5, ", memory: 1GiB"));
    let said = site.wave(&bigger).await.join("\n");
    assert!(said.contains("busy: ") && said.contains("CT is locked (backup)"), "{said}");
    site.pve.edit(|state| state.guests.get_mut(&100).unwrap().conf.remove("lock"));
    insta::assert_snapshot!(site.wave(&bigger).await.join("\n"), @"~ guest/100 set memory");
}

/// G6, G7, G8
#[tokio::test]
async fn disks_grow_and_a_change_that_waits_for_a_restart_is_said() {
    let site = Site::new(Seed::default()).await;
    site.converge(&declared(&container("web", "", 5, ""))).await;
    let next = container("web", "", 5, ", dns: { search: acme.test }").replace("size: 8GiB", "size: 16GiB");
    insta::assert_snapshot!(site.converge(&declared(&next)).await.join("\n"), @"
    ~ guest/100 grow rootfs to 16G
    ~ guest/100 set searchdomain
    remark guest/100 needs a restart for searchdomain
    remark guest/100 needs a restart for searchdomain
    ");
    let allowed = next.replace("acme.test }", "acme.test }, restartPolicy: whenNeeded");
    insta::assert_snapshot!(site.converge(&declared(&allowed)).await.join("\n"), @"! guest/100 restart");
    let small = allowed.replace("size: 16GiB", "size: 4GiB");
    insta::assert_snapshot!(site.converge(&declared(&small)).await.join("\n"), @"impossible guest/100 rootfs has 16GiB, more than 4GiB: disks only grow");
}

/// L8: the uid carries it over; only the mark is written anew.
#[tokio::test]
async fn a_renamed_manifest_keeps_its_guest() {
    let site = Site::new(Seed::default()).await;
    site.converge(&declared(&container("web", "", 5, ""))).await;
    let renamed = declared(&container("www", "", 5, ", hostname: web"));
    assert_eq!(site.converge(&renamed).await, ["~ guest/100 set mark"]);
    assert!(site.config(100, "description").contains(" declared=Container/www "));
    assert_eq!(site.converge(&renamed).await, Vec::<String>::new());
}

/// C3: each write of a create, a change and a removal lost in turn, before and after its effect.
#[tokio::test]
async fn any_lost_write_is_made_good_by_the_next_pass() {
    let make = declared(&container("web", "trueup/deletion: delete", 5, ", memory: 1GiB"));
    let change = container("web", "trueup/deletion: delete", 5, ", memory: 2GiB, tags: [b]");
    let change = declared(&change.replace("size: 8GiB", "size: 16GiB"));
    let gone = declared("");
    for nth in 1..=3 {
        for after in [false, true] {
            let site = Site::new(Seed::default()).await;
            for (wanted, guests) in [(&make, 1), (&change, 1), (&gone, 0)] {
                let lost = Fault::new(What::Drop).on("proxmox", "*").only_writes().nth(nth);
                site.faults.replace(vec![if after { lost.after() } else { lost }]).unwrap();
                site.converge(wanted).await;
                site.converge(wanted).await;
                let when = format!("write {nth}, after its effect: {after}");
                assert_eq!(site.converge(wanted).await, Vec::<String>::new(), "{when}");
                assert_eq!(site.pve.guests().len(), guests, "{when}");
            }
        }
    }
}
