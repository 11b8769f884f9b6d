//! Plans of guests, as tables: what is desired, what is there, what is done.
use super::{
    container::{Disk, MountPoint, Origin},
    *,
};
use crate::{
    model::{
        DeclarationId, Deletion, Disruption, Expect, Foreign, Found, Mark, Mode, Observation, Ours, Ready, Revision,
        Size, Wanted, Wants,
    },
    plan::compare,
    providers::proxmox::{Config, network::Interface, notes::Stamp},
};
use std::collections::BTreeMap;

fn mark() -> Mark {
    Mark {
        site: "dc-lk".into(),
        uid: "abcdefghijklmnop".parse().unwrap(),
        serves: None,
        deletion: Deletion::Retain,
        declared: Some(DeclarationId::new("Container", "web")),
    }
}

fn web() -> Desired {
    let eth0 = Interface {
        name: "eth0".into(),
        bridge: "vmbr1".into(),
        ip: Some("10.0.1.5/24".into()),
        gateway: Some("10.0.1.1".parse().unwrap()),
        firewall: Some(true),
        ..Interface::default()
    };
    Desired {
        node: "pve1".into(),
        made_from: vec![],
        start_on_boot: Some(true),
        startup: None,
        protection: None,
        tags: BTreeSet::from(["Web".into()]),
        pool: None,
        notes: None,
        running: true,
        restarts: Restarts::WhenNeeded,
        units: false,
        body: Body::Container(container::Container {
            template: Some("local:vztmpl/debian-13.tar.zst".into()),
            hostname: "web".into(),
            unprivileged: Some(true),
            os_type: None,
            cores: Some(2),
            cpu_limit: None,
            cpu_units: None,
            memory: Size::gib(2),
            swap: None,
            rootfs: Disk { storage: "local-zfs".into(), size: Size::gib(8) },
            mount_points: vec![],
            networks: BTreeMap::from([(0, eth0)]),
            nameservers: None,
            search_domain: None,
            features: Some(BTreeSet::from(["nesting".into()])),
            devices: vec![],
            timezone: None,
            console: None,
            console_mode: None,
            terminals: None,
            hook_script: None,
            entrypoint: None,
            environment: None,
            ssh_keys: None,
            keeps: false,
        }),
    }
}

impl Desired {
    /// With the container changed.
    fn but(mut self, change: impl FnOnce(&mut container::Container)) -> Self {
        match &mut self.body {
            Body::Container(container) => change(container),
            Body::Machine(_) => panic!("no container"),
        }
        self
    }
}

/// The live guest that `web` makes, in the spelling of Proxmox, with these settings changed (`""`: not set).
fn live(changed: &[(&str, &str)]) -> Live {
    let stamp = Stamp { mark: mark(), vmid: 101, from: Some("local:vztmpl/debian-13.tar.zst".into()) };
    let mut values: BTreeMap<String, String> = [
        ("arch", "amd64"),
        ("ostype", "debian"),
        ("hostname", "web"),
        ("unprivileged", "1"),
        ("cores", "2"),
        ("memory", "2048"),
        ("swap", "512"),
        ("rootfs", "local-zfs:subvol-101-disk-0,size=8G"),
        ("net0", "name=eth0,bridge=vmbr1,firewall=1,gw=10.0.1.1,hwaddr=BC:24:11:A2:20:76,ip=10.0.1.5/24,type=veth"),
        ("features", "nesting=1"),
        ("onboot", "1"),
        ("tags", "trueup;web"),
        ("description", &format!("by hand\n{stamp}\n")),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into();
    for (key, value) in changed {
        match value.is_empty() {
            true => values.remove(*key),
            false => values.insert((*key).into(), (*value).into()),
        };
    }
    let config = Config { digest: "d1".into(), values, ..Config::default() };
    Live {
        node: "pve1".into(),
        running: true,
        config,
        made_from: Some("local:vztmpl/debian-13.tar.zst".into()),
        ..Live::default()
    }
}

fn shown(sides: Sides<'_, Desired, Live>) -> String {
    let drafts = Guest::diff(&Vmid::try_from(101).unwrap(), sides);
    let mut out = String::new();
    for d in drafts {
        out += &format!("{} {}", d.verb.sign(), d.change);
        if d.disrupts != Disruption::Nothing {
            out += &format!(" ({})", d.disrupts);
        }
        if d.unsettles {
            out += " unsettles";
        }
        out += "\n";
        for f in d.fields {
            let or_none = |v: Option<String>| v.unwrap_or_else(|| "-".into());
            out += &format!("    {}: {} -> {}\n", f.name, or_none(f.from), or_none(f.to));
        }
    }
    if out.is_empty() { "nothing".into() } else { out }
}

fn create_parameters(desired: &Desired) -> BTreeMap<String, String> {
    settings::parameters(desired)
}

fn both(desired: &Desired, live: &Live) -> String {
    shown(Sides::Both { desired, live, stale_mark: false })
}

fn written(desired: &Desired, live: &Live) -> String {
    let sides = Sides::Both { desired, live, stale_mark: false };
    let drafts = Guest::diff(&Vmid::try_from(101).unwrap(), sides);
    drafts.iter().map(|d| serde_json::to_string(&d.change).unwrap() + "\n").collect()
}

#[test]
fn a_new_guest_is_one_call_and_a_start() {
    insta::assert_snapshot!(shown(Sides::OnlyDesired(&web())), @r"
    + web on pve1 from local:vztmpl/debian-13.tar.zst unsettles
        memory: - -> 2GiB
        rootfs.size: - -> 8GiB
        networks.eth0.address: - -> 10.0.1.5/24
    ~ start
    ");
    insta::assert_json_snapshot!(settings::parameters(&web()), @r#"
    {
      "cores": "2",
      "features": "nesting=1",
      "hostname": "web",
      "memory": "2048",
      "net0": "name=eth0,bridge=vmbr1,firewall=1,gw=10.0.1.1,ip=10.0.1.5/24,type=veth",
      "onboot": "1",
      "ostemplate": "local:vztmpl/debian-13.tar.zst",
      "rootfs": "local-zfs:8",
      "tags": "Web;trueup",
      "unprivileged": "1"
    }
    "#);
}

/// G5
#[test]
fn spelling_is_no_difference() {
    for changed in [
        [("net0", "type=veth,ip=10.0.1.5/24,gw=10.0.1.1,bridge=vmbr1,name=eth0,firewall=1,hwaddr=bc:24:11:a2:20:76")],
        [("tags", "Web;TRUEUP;theirs")],
        [("memory", " 2048")],
        [("features", "keyctl=0,nesting=1")],
        [("protection", "0")],
        [("nameserver", " ")],
        [("swap", "0")],
    ] {
        assert_eq!(both(&web(), &live(&changed)), "nothing", "{changed:?}");
    }
    let upper = web().but(|c| c.networks.get_mut(&0).unwrap().mac = Some("bc:24:11:a2:20:76".into()));
    assert_eq!(both(&upper, &live(&[])), "nothing");
}

#[test]
fn a_change_is_shown_field_by_field_and_keeps_the_card() {
    let there = live(&[
        ("memory", "1024"),
        ("onboot", ""),
        ("net0", "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:A2:20:76,ip=10.0.1.9/24,mtu=1400,type=veth"),
    ]);
    insta::assert_snapshot!(both(&web(), &there), @"
    ~ set memory, net0, onboot (an interruption) unsettles
        memory: 1GiB -> 2GiB
        networks.eth0.bridge: vmbr0 -> vmbr1
        networks.eth0.address: 10.0.1.9/24 -> 10.0.1.5/24
        networks.eth0.gateway: - -> 10.0.1.1
        networks.eth0.firewall: false -> true
        startOnBoot: false -> true
    ");
    insta::assert_snapshot!(written(&web(), &there), @r#"{"set":{"set":{"memory":"2048","net0":"name=eth0,bridge=vmbr1,firewall=1,gw=10.0.1.1,hwaddr=BC:24:11:A2:20:76,ip=10.0.1.5/24,mtu=1400,type=veth","onboot":"1"}}}"#);
}

#[test]
fn what_is_not_spoken_of_is_left() {
    let quiet = Desired { start_on_boot: None, tags: BTreeSet::new(), ..web() }.but(|c| {
        (c.cores, c.features, c.unprivileged) = (None, None, None);
    });
    let there = live(&[
        ("cores", "8"),
        ("features", "nesting=1,keyctl=1"),
        ("onboot", ""),
        ("tags", "other;trueup"),
        ("unprivileged", ""),
        ("nameserver", "1.1.1.1"),
    ]);
    assert_eq!(both(&quiet, &there), "nothing");
    assert_eq!(Guest::remark(&quiet, &there), None);
}

/// L1
#[test]
fn adopting_writes_the_mark_and_then_what_differs() {
    let same = live(&[("tags", "web"), ("description", "")]);
    insta::assert_snapshot!(shown(Sides::Adopt { desired: &web(), live: &same }), @"= mark as ours");
    let other = live(&[("tags", ""), ("description", ""), ("memory", "512")]);
    insta::assert_snapshot!(shown(Sides::Adopt { desired: &web(), live: &other }), @"
    = mark as ours
    ~ set memory, tags
        memory: 512MiB -> 2GiB
        tags: trueup -> trueup web
    ");
}

/// G6
#[test]
fn disks_grow_and_never_shrink() {
    let bigger = web().but(|c| c.rootfs = Disk { storage: "local-zfs".into(), size: Size::gib(16) });
    insta::assert_snapshot!(both(&bigger, &live(&[])), @"
    ~ grow rootfs to 16G
        rootfs.size: 8GiB -> 16GiB
    ");
    let smaller = web().but(|c| c.rootfs = Disk { storage: "local-zfs".into(), size: Size::gib(4) });
    assert_eq!(both(&smaller, &live(&[])), "nothing");
    insta::assert_snapshot!(Guest::impossible(&smaller, &live(&[]))[0].text, @"rootfs has 8GiB, more than 4GiB: disks only grow");
    let elsewhere = Desired { node: "pve2".into(), ..web() }
        .but(|c| c.rootfs = Disk { storage: "other".into(), size: Size::gib(8) });
    assert_eq!(both(&elsewhere, &live(&[])), "nothing", "what lies elsewhere stays there");
}

#[test]
fn a_volume_is_allocated_once_and_a_volume_too_many_is_kept() {
    let srv = MountPoint {
        path: "/srv".into(),
        from: Origin::Volume(Disk { storage: "local-zfs".into(), size: Size::mib(1536) }),
        backup: Some(true),
        read_only: None,
        detached: false,
    };
    let with = web().but(|c| c.mount_points = vec![srv]);
    insta::assert_snapshot!(written(&with, &live(&[("mp0", "a:b,mp=/other,size=1G")])), @r#"{"set":{"set":{"mp1":"local-zfs:1.5,backup=1,mp=/srv"}}}"#);
    let there = live(&[("mp3", "local-zfs:subvol-101-disk-1,mp=/srv,backup=1,size=1536M")]);
    assert_eq!(both(&with, &there), "nothing", "whatever its number");
    let small = live(&[("mp3", "local-zfs:subvol-101-disk-1,mp=/srv,backup=1,size=1G")]);
    insta::assert_snapshot!(both(&with, &small), @"
    ~ grow mp3 to 1536M
        mountPoints./srv.size: 1GiB -> 1536MiB
    ");
    insta::assert_snapshot!(Guest::remark(&web(), &there).unwrap(), @"the volume at /srv is not in the manifest: it is kept");
}

/// G6
#[test]
fn what_cannot_be_changed_in_place_needs_consent_to_make_it_anew() {
    let there = live(&[("unprivileged", ""), ("memory", "1024")]);
    insta::assert_snapshot!(both(&web(), &there), @"
    ~ set memory
        memory: 1GiB -> 2GiB
    - destroy with its disks (loss of data)
        unprivileged: false -> true
    + web on pve1 from local:vztmpl/debian-13.tar.zst unsettles
        memory: - -> 2GiB
        rootfs.size: - -> 8GiB
        networks.eth0.address: - -> 10.0.1.5/24
    ~ start
    ");
    let sides = Sides::Both { desired: &web(), live: &there, stale_mark: false };
    let drafts = Guest::diff(&Vmid::try_from(101).unwrap(), sides);
    let consent: Vec<bool> = drafts.iter().map(|draft| draft.needs_consent.is_some()).collect();
    assert_eq!(consent, [false, true, false, false], "what can be changed in place is");
    insta::assert_snapshot!(drafts[1].needs_consent.as_ref().unwrap(), @"unprivileged cannot be changed in place: it is destroyed with its disks and made anew");
    let card = serde_json::to_value(&drafts[2].change).unwrap()["create"]["parameters"]["net0"].to_string();
    assert!(card.contains("hwaddr=BC:24:11:A2:20:76"), "the card keeps its address: {card}");
    let other = web().but(|c| c.template = Some("local:vztmpl/debian-14.tar.zst".into()));
    assert!(
        both(&other, &live(&[])).contains("template: local:vztmpl/debian-13.tar.zst -> local:vztmpl/debian-14.tar.zst")
    );
    let keeps = web().but(|c| c.keeps = true);
    insta::assert_snapshot!(both(&keeps, &live(&[("unprivileged", "")])), @"nothing");
    insta::assert_snapshot!(Guest::remark(&keeps, &live(&[("unprivileged", "")])).unwrap(), @"unprivileged is false, not true: this needs it to be made anew, which is refused while `keep` lists paths whose content exists nowhere else");
}

#[test]
fn what_is_granted_to_root_alone_goes_through_the_host() {
    let rich = web().but(|c| {
        c.features = Some(BTreeSet::from(["nesting".into(), "keyctl".into()]));
        c.mount_points.push(MountPoint {
            path: "/data".into(),
            from: Origin::Directory("/tank/data".into()),
            backup: None,
            read_only: Some(true),
            detached: false,
        });
        c.hook_script = Some("local:snippets/hook.sh".into());
    });
    insta::assert_snapshot!(shown(Sides::OnlyDesired(&rich)), @"
    + web on pve1 from local:vztmpl/debian-13.tar.zst unsettles
        memory: - -> 2GiB
        rootfs.size: - -> 8GiB
        networks.eth0.address: - -> 10.0.1.5/24
    ~ set features, hookscript, mp0 as root
    ~ start
    ");
    insta::assert_snapshot!(written(&rich, &live(&[])), @r#"
    {"set_as_root":{"set":{"features":"keyctl=1,nesting=1","hookscript":"local:snippets/hook.sh","mp0":"/tank/data,mp=/data,ro=1"}}}
    "restart"
    "#);
    let plain = web().but(|c| c.features = Some(BTreeSet::new()));
    insta::assert_snapshot!(written(&plain, &live(&[])), @r#"
    {"set":{"set":{"features":"nesting=0"}}}
    "restart"
    "#);
    let privileged = web().but(|c| (c.unprivileged, c.features) = (Some(false), Some(BTreeSet::new())));
    insta::assert_snapshot!(written(&privileged, &live(&[("unprivileged", ""), ("features", "nesting=1,mount=nfs")])), @r#"
    {"set_as_root":{"set":{"features":"mount=nfs,nesting=0"}}}
    "restart"
    "#);
}

/// G5
#[test]
fn a_default_that_is_written_out_is_no_difference() {
    let explicit = web().but(|c| {
        (c.cpu_limit, c.cpu_units, c.console, c.terminals) = (Some("0".into()), Some(100), Some(true), Some(2));
        (c.console_mode, c.swap) = (Some("tty".into()), Some(Size::mib(512)));
    });
    assert_eq!(both(&explicit, &live(&[("swap", "")])), "nothing");
    assert_eq!(both(&web().but(|c| c.cpu_limit = Some("1.50".into())), &live(&[("cpulimit", "1.5")])), "nothing");
    let noted = Desired { notes: Some("by hand\n".into()), ..web() };
    assert_eq!(both(&noted, &live(&[])), "nothing");
    let noted = Desired { notes: Some("as declared".into()), ..web() };
    insta::assert_snapshot!(both(&noted, &live(&[])), @"
    ~ set notes
        notes: by hand -> as declared
    ");
    let pooled = Desired { pool: Some("lab".into()), ..web() };
    insta::assert_snapshot!(both(&pooled, &live(&[])), @"
    ~ put into the pool lab
        pool: - -> lab
    ");
}

#[test]
fn a_mount_point_changes_its_options_and_never_its_volume() {
    let mount = |read_only, detached| MountPoint {
        path: "/srv".into(),
        from: Origin::Volume(Disk { storage: "other".into(), size: Size::gib(1) }),
        backup: None,
        read_only,
        detached,
    };
    let there = live(&[("mp3", "local-zfs:subvol-101-disk-1,mp=/srv,acl=1,size=1G")]);
    let read_only = web().but(|c| c.mount_points.push(mount(Some(true), false)));
    insta::assert_snapshot!(written(&read_only, &there), @r#"
    {"set":{"set":{"mp3":"local-zfs:subvol-101-disk-1,acl=1,mp=/srv,ro=1,size=1G"}}}
    "restart"
    "#);
    let detached = web().but(|c| c.mount_points.push(mount(None, true)));
    insta::assert_snapshot!(written(&detached, &there), @r#"
    {"set":{"delete":["mp3"]}}
    "restart"
    "#);
    assert_eq!(both(&detached, &live(&[])), "nothing");
    assert!(!create_parameters(&detached).contains_key("mp0"));
}

/// G7
#[test]
fn what_needs_a_restart_is_restarted_only_where_the_manifest_allows_it() {
    let search = web().but(|c| c.search_domain = Some("acme.test".into()));
    insta::assert_snapshot!(both(&search, &live(&[])), @"
    ~ set searchdomain
        dns.search: - -> acme.test
    ! restart (a restart)
        pending: - -> searchdomain
    ");
    let never = Desired { restarts: Restarts::Never, ..search.clone() };
    insta::assert_snapshot!(both(&never, &live(&[])), @"
    ~ set searchdomain
        dns.search: - -> acme.test
    ");
    let mut waiting = live(&[("searchdomain", "acme.test")]);
    waiting.config.pending.insert("searchdomain".into());
    insta::assert_snapshot!(both(&search, &waiting), @"
    ! restart (a restart)
        pending: - -> searchdomain
    ");
    assert_eq!(both(&never, &waiting), "nothing");
    insta::assert_snapshot!(Guest::remark(&never, &waiting).unwrap(), @"needs a restart for searchdomain");
    let off = Live { running: false, ..waiting };
    insta::assert_snapshot!(both(&search, &off), @"~ start");
}

#[test]
fn power_follows_the_manifest() {
    let stopped = Desired { running: false, ..web() };
    insta::assert_snapshot!(both(&stopped, &live(&[])), @"~ shut down (an interruption)");
    let dhcp = web().but(|c| {
        let eth0 = c.networks.get_mut(&0).unwrap();
        (eth0.ip, eth0.gateway) = (Some("dhcp".into()), None);
    });
    let there = live(&[("net0", "name=eth0,bridge=vmbr1,firewall=1,hwaddr=BC:24:11:A2:20:76,ip=dhcp,type=veth")]);
    insta::assert_snapshot!(both(&dhcp, &Live { running: false, ..there }), @"~ start unsettles");
    let template = Live { running: false, template: true, ..live(&[]) };
    assert_eq!(both(&web(), &template), "nothing");
}

fn plan(wanted: Option<Wanted<Desired>>, found: Option<Found<Live>>) -> crate::model::Plan<Change> {
    let key = Vmid::try_from(101).unwrap();
    let mut wants = Wants::<Guest>::default();
    if let Some(wanted) = wanted {
        wants.add(key, wanted);
    }
    let live = found.map(|f| (key, f)).into_iter().collect();
    compare::<Guest, _>(wants, &Observation::Complete(live), Clone::clone).plan
}

fn ready(adopt: bool) -> Wanted<Desired> {
    Wanted::Ready(Ready { mark: mark(), adopt, mode: Mode::Reconcile, desired: web() })
}

/// G3
#[test]
fn a_foreign_guest_is_a_conflict_and_is_adopted_only_when_asked() {
    let foreign = || {
        let holder = "container 101 (theirs)".into();
        Found::Foreign(Foreign { holder, revision: Revision("r".into()), live: live(&[("description", "")]) })
    };
    let refused = plan(Some(ready(false)), Some(foreign()));
    assert!(refused.steps.is_empty());
    insta::assert_snapshot!(refused.conflicts[0].text, @"is held by container 101 (theirs)");
    let adopted = plan(Some(ready(true)), Some(foreign()));
    assert_eq!(adopted.steps.len(), 1);
    assert_eq!(adopted.steps[0].expect, Expect::Foreign(Revision("r".into())));
    assert!(plan(None, Some(foreign())).in_true());
}

/// G13
#[test]
fn an_unwanted_guest_is_kept_unless_its_mark_says_delete() {
    let ours = |deletion| {
        let mark = Mark { deletion, ..mark() };
        Found::Ours(Ours { mark, revision: Revision("r".into()), live: live(&[]) })
    };
    let kept = plan(None, Some(ours(Deletion::Retain)));
    assert!(kept.steps.is_empty() && kept.orphans.len() == 1);
    let goes = plan(None, Some(ours(Deletion::Delete)));
    assert_eq!(goes.steps.len(), 1);
    assert_eq!((&goes.steps[0].change, goes.steps[0].loses.len()), (&Change::Destroy, 1));
    let marked = plan(Some(ready(false)), Some(ours(Deletion::Delete)));
    insta::assert_snapshot!(marked.steps[0].change, @"set mark");
}
