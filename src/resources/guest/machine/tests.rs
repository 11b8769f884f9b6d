//! Plans of machines, as tables: what is desired, what is there, what is done.
use super::*;
use crate::{
    model::{DeclarationId, Deletion, Disruption, Mark, Resource, Sides, Size, Vmid},
    providers::proxmox::{CloneOf, Config, GuestType, notes::Stamp},
    resources::guest::{Body, Change, Desired, Guest, Live, Restarts},
};
use std::collections::BTreeMap;

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn disk(size: Option<u64>) -> Disk {
    Disk {
        storage: "local".into(),
        size: size.map(Size::gib),
        image: None,
        format: None,
        settings: texts(&[("discard", "on")]),
    }
}

fn machine() -> Machine {
    let card = Card { model: "virtio".into(), bridge: "vmbr1".into(), vlan: Some(20), ..Card::default() };
    Machine {
        name: Some("build".into()),
        options: texts(&[
            ("agent", "1"),
            ("ciuser", "ops"),
            ("cores", "4"),
            ("ipconfig0", "ip=10.0.1.9/24,gw=10.0.1.1,ip6=fd00:1::9/64"),
            ("memory", "8192"),
            ("scsihw", "virtio-scsi-single"),
            ("sockets", "1"),
        ]),
        disks: [("scsi0".to_owned(), disk(Some(32)))].into(),
        cards: Some([(0, card)].into()),
        drive: Some(Drive { slot: "ide2".into(), storage: "local".into() }),
        ssh_keys: Some("keys/ops.pub".into()),
        ..Machine::default()
    }
}

fn desired(machine: Machine) -> Desired {
    Desired {
        node: "pve1".into(),
        made_from: vec![],
        start_on_boot: Some(true),
        startup: None,
        protection: None,
        tags: ["ci".to_owned()].into(),
        pool: None,
        notes: None,
        running: true,
        restarts: Restarts::WhenNeeded,
        units: false,
        body: Body::Machine(machine),
    }
}

fn mark() -> Mark {
    Mark {
        site: "dc-lk".into(),
        uid: "abcdefghijklmnop".parse().unwrap(),
        serves: None,
        deletion: Deletion::Retain,
        declared: Some(DeclarationId::new("VirtualMachine", "build")),
    }
}

/// What `machine` makes, spelled as Proxmox and other people spell it, with these settings changed (`""`: not set).
fn live(changed: &[(&str, &str)]) -> Live {
    let stamp = Stamp { mark: mark(), vmid: 101, from: None };
    let mut values = texts(&[
        ("agent", "enabled=1,fstrim_cloned_disks=1"),
        ("boot", "order=scsi0;ide2;net0"),
        ("ciuser", "ops"),
        ("cores", "4"),
        ("description", &format!("by hand\n{stamp}")),
        ("ide2", "local:101/vm-101-cloudinit.qcow2,media=cdrom,size=4M"),
        ("ipconfig0", "gw=10.0.1.1,ip=10.0.1.9/24,ip6=FD00:1:0::9/64"),
        ("memory", "current=8192"),
        ("name", "build"),
        ("net0", "virtio=bc:24:11:0e:b2:13,bridge=vmbr1,queues=2,tag=20"),
        ("onboot", "1"),
        ("scsi0", "local:101/vm-101-disk-0.raw,discard=on,iothread=1,size=32G"),
        ("scsihw", "virtio-scsi-single"),
        ("smbios1", "uuid=a64767e1-3ff2-4f8a-b131-064e33238cce"),
        ("sshkeys", "ssh-ed25519%20AAAA%20ops"),
        ("tags", "CI;trueup"),
    ]);
    for (key, value) in changed {
        match value.is_empty() {
            true => values.remove(*key),
            false => values.insert((*key).into(), (*value).into()),
        };
    }
    let config = Config { digest: "d1".into(), values, ..Config::default() };
    Live { kind: GuestType::Qemu, node: "pve1".into(), running: true, config, ..Live::default() }
}

fn shown(sides: Sides<'_, Desired, Live>) -> String {
    let mut out = String::new();
    for d in Guest::diff(&Vmid::try_from(101).unwrap(), sides) {
        out += &format!("{} {}", d.verb.sign(), d.change);
        if d.disrupts != Disruption::Nothing {
            out += &format!(" ({})", d.disrupts);
        }
        out += if d.unsettles { " unsettles\n" } else { "\n" };
        for f in d.fields {
            let or_none = |v: Option<String>| v.unwrap_or_else(|| "-".into());
            out += &format!("    {}: {} -> {}\n", f.name, or_none(f.from), or_none(f.to));
        }
    }
    if out.is_empty() { "nothing".into() } else { out }
}

fn both(machine: Machine, live: &Live) -> String {
    let desired = desired(machine);
    shown(Sides::Both { desired: &desired, live, stale_mark: false })
}

/// The parameters of the one change that sets any.
fn written(machine: Machine, live: &Live) -> String {
    let desired = desired(machine);
    let sides = Sides::Both { desired: &desired, live, stale_mark: false };
    let drafts = Guest::diff(&Vmid::try_from(101).unwrap(), sides);
    let set = drafts.iter().filter(|d| matches!(d.change, Change::Set { .. }));
    set.map(|d| serde_json::to_string(&d.change).unwrap() + "\n").collect()
}

#[test]
fn spelling_is_no_difference() {
    assert_eq!(both(machine(), &live(&[])), "nothing");
    let defaults = Machine { options: texts(&[("sockets", "1"), ("bios", "seabios"), ("cpulimit", "0")]), ..machine() };
    assert_eq!(both(defaults, &live(&[])), "nothing", "what Proxmox takes for granted need not be written");
}

#[test]
fn one_call_makes_it_and_another_starts_it() {
    let desired = desired(machine());
    insta::assert_snapshot!(shown(Sides::OnlyDesired(&desired)), @r"
    + build on pve1 unsettles
        cores: - -> 4
        memory: - -> 8192
        disks.scsi0.size: - -> 32GiB
        networks.net0: - -> ip=10.0.1.9/24,gw=10.0.1.1,ip6=fd00:1::9/64
    ~ start
    ");
    let drafts = Guest::diff(&Vmid::try_from(101).unwrap(), Sides::OnlyDesired(&desired));
    insta::assert_snapshot!(serde_json::to_string_pretty(&drafts[0].change).unwrap(), @r#"
    {
      "create": {
        "kind": "qemu",
        "node": "pve1",
        "parameters": {
          "agent": "1",
          "ciuser": "ops",
          "cores": "4",
          "ide2": "local:cloudinit",
          "ipconfig0": "ip=10.0.1.9/24,gw=10.0.1.1,ip6=fd00:1::9/64",
          "memory": "8192",
          "name": "build",
          "net0": "virtio,bridge=vmbr1,tag=20",
          "onboot": "1",
          "scsi0": "local:32,discard=on",
          "scsihw": "virtio-scsi-single",
          "sockets": "1",
          "tags": "ci;trueup"
        },
        "ssh_keys": "keys/ops.pub"
      }
    }
    "#);
}

/// It grows before it starts, because cloud-init looks at the disk's size then.
#[test]
fn an_imported_disk_grows_before_the_first_start() {
    let image = Disk { image: Some("local:import/noble.qcow2".into()), ..disk(Some(32)) };
    let machine = Machine { disks: [("scsi0".to_owned(), image)].into(), ..machine() };
    insta::assert_snapshot!(shown(Sides::OnlyDesired(&desired(machine.clone()))), @r"
    + build on pve1 unsettles
        cores: - -> 4
        memory: - -> 8192
        disks.scsi0.size: - -> 32GiB
        disks.scsi0.image: - -> local:import/noble.qcow2
        networks.net0: - -> ip=10.0.1.9/24,gw=10.0.1.1,ip6=fd00:1::9/64
    ");
    let mut made = live(&[("scsi0", "local:101/vm-101-disk-0.raw,discard=on,size=3G")]);
    made.running = false;
    insta::assert_snapshot!(both(machine, &made), @r"
    ~ grow scsi0 to 32G
        disks.scsi0.size: 3GiB -> 32GiB
    ~ start
    ");
}

/// A clone carries no options; what it brings along is seen when it is there, and mended before it starts.
#[test]
fn a_copy_is_made_then_settled_then_started() {
    let of = CloneOf {
        source: 9000,
        full: true,
        storage: None,
        snapshot: None,
        target: None,
        name: "build".into(),
        pool: None,
    };
    let machine = Machine { origin: Some(Origin { node: "pve1".into(), of }), ..machine() };
    insta::assert_snapshot!(shown(Sides::OnlyDesired(&desired(machine.clone()))), @r"
    + build on pve1, a copy of 9000 unsettles
        cores: - -> 4
        memory: - -> 8192
        disks.scsi0.size: - -> 32GiB
        networks.net0: - -> ip=10.0.1.9/24,gw=10.0.1.1,ip6=fd00:1::9/64
    ");
    let mut copy = live(&[
        ("memory", "1024"),
        ("cores", "1"),
        ("ciuser", ""),
        ("ipconfig0", ""),
        ("net1", "virtio=BC:24:11:00:00:09,bridge=vmbr0"),
        ("scsi0", "local:101/vm-101-disk-0.raw,size=2G"),
        ("tags", "tpl"),
        ("onboot", ""),
    ]);
    copy.running = false;
    copy.machine.other_keys = true;
    insta::assert_snapshot!(both(machine, &copy), @r"
    ~ grow scsi0 to 32G
        disks.scsi0.size: 2GiB -> 32GiB
    ~ set ciuser, cores, ipconfig0, memory, onboot, scsi0, tags, sshkeys, -net1 unsettles
        cloudInit.user: - -> ops
        cores: 1 -> 4
        networks.address.ipconfig0: - -> ip=10.0.1.9/24,gw=10.0.1.1,ip6=fd00:1::9/64
        memory: 1024 -> 8192
        networks.net1: there -> -
        disks.scsi0.discard: - -> on
        cloudInit.sshKeys: others -> those of keys/ops.pub
        startOnBoot: false -> true
        tags: tpl -> ci tpl trueup
    ~ start
    ");
}

#[test]
fn a_card_keeps_its_address_and_what_nobody_speaks_of() {
    let moved = Machine {
        cards: Some([(0, Card { model: "virtio".into(), bridge: "vmbr2".into(), ..Card::default() })].into()),
        ..machine()
    };
    insta::assert_snapshot!(both(moved.clone(), &live(&[])), @r"
    ~ set net0 (an interruption) unsettles
        networks.net0.bridge: vmbr1 -> vmbr2
    ");
    insta::assert_snapshot!(written(moved, &live(&[])), @r#"{"set":{"set":{"net0":"virtio=BC:24:11:0E:B2:13,bridge=vmbr2,queues=2,tag=20"}}}"#);
}

#[test]
fn disks_are_added_grown_and_taken_out_and_never_allocated_twice() {
    let disks = [
        ("scsi0".to_owned(), Disk { settings: texts(&[("ssd", "1")]), ..disk(Some(64)) }),
        ("virtio1".to_owned(), disk(Some(8))),
    ];
    let machine = Machine { disks: disks.into(), detached: ["scsi1".to_owned()].into(), ..machine() };
    let live = live(&[("scsi1", "local:101/vm-101-disk-1.raw,size=8G")]);
    insta::assert_snapshot!(both(machine.clone(), &live), @r"
    ~ grow scsi0 to 64G
        disks.scsi0.size: 32GiB -> 64GiB
    ~ set scsi0, virtio1, -scsi1
        disks.scsi0.ssd: - -> 1
        disks.virtio1: - -> 8GiB
        disks.scsi1: local:101/vm-101-disk-1.raw,size=8G -> -
    ! restart (a restart)
        pending: - -> scsi0
    ");
    insta::assert_snapshot!(written(machine, &live), @r#"{"set":{"set":{"scsi0":"local:101/vm-101-disk-0.raw,discard=on,iothread=1,size=32G,ssd=1","virtio1":"local:8,discard=on"},"delete":["scsi1"]}}"#);
}

/// Values for cloud-init are taken at once and seen inside at the next start.
#[test]
fn a_value_for_cloud_init_restarts_where_that_is_allowed_and_else_renews_the_drive() {
    let machine = Machine { options: texts(&[("ciuser", "admin")]), ..machine() };
    insta::assert_snapshot!(both(machine.clone(), &live(&[])), @r"
    ~ set ciuser
        cloudInit.user: ops -> admin
    ! restart (a restart)
        pending: - -> ciuser
    ");
    let mut never = desired(machine);
    never.restarts = Restarts::Never;
    let live = live(&[]);
    insta::assert_snapshot!(shown(Sides::Both { desired: &never, live: &live, stale_mark: false }), @r"
    ~ set ciuser
        cloudInit.user: ops -> admin
    ~ write the cloud-init drive anew
        cloudInit: - -> as it is in the configuration
    ");
    insta::assert_snapshot!(Guest::remark(&never, &live).unwrap(), @"needs a restart for ciuser");
}

/// A pass that broke off between the write and the restart left a drive with the old values.
#[test]
fn a_stale_drive_is_noticed() {
    let mut stale = live(&[]);
    stale.machine.stale_drive = true;
    insta::assert_snapshot!(both(machine(), &stale), @r"
    ! restart (a restart)
        pending: - -> cloud-init
    ");
}

#[test]
fn what_stays_pending_restarts_it() {
    let machine = Machine { options: texts(&[("cores", "8"), ("cpulimit", "2")]), ..machine() };
    insta::assert_snapshot!(both(machine, &live(&[])), @r"
    ~ set cores, cpulimit
        cores: 4 -> 8
        cpu.limit: - -> 2
    ! restart (a restart)
        pending: - -> cores
    ");
}

#[test]
fn differences_that_no_step_mends_are_told() {
    let small = Machine { disks: [("scsi0".to_owned(), disk(Some(8)))].into(), leased: true, ..machine() };
    let mut live =
        live(&[("unused0", "local:101/vm-101-disk-1.raw"), ("virtio3", "local:101/vm-101-disk-2.raw,size=1G")]);
    live.machine.silent = Some("QEMU guest agent is not running".into());
    let impossible = Guest::impossible(&desired(small.clone()), &live);
    insta::assert_snapshot!(format!("{}: {}", impossible[0].field, impossible[0].text), @"disks.scsi0.size: scsi0 has 32GiB, more than 8GiB: disks only grow");
    insta::assert_snapshot!(Guest::remark(&desired(small), &live).unwrap().replace("; ", "\n"), @r"
    the disk at virtio3 is not in the manifest: it is kept
    the disk local:101/vm-101-disk-1.raw was taken out (unused0): it is kept
    its agent tells no addresses: QEMU guest agent is not running
    ");
}

/// One that is there, or waits for the next start, is never allocated again.
#[test]
fn firmware_is_made_where_there_is_none() {
    let firmware =
        texts(&[("efidisk0", "fast:1,efitype=4m,pre-enrolled-keys=0"), ("tpmstate0", "fast:1,version=v2.0")]);
    let machine = Machine { firmware, ..machine() };
    let has = ("efidisk0", "local:101/vm-101-disk-1.raw,efitype=4m,size=528K");
    insta::assert_snapshot!(both(machine.clone(), &live(&[has])), @r"
    ~ set tpmstate0
        tpm: - -> on fast
    ! restart (a restart)
        pending: - -> tpmstate0
    ");
    assert_eq!(
        both(machine, &live(&[has, ("tpmstate0", "local:101/vm-101-disk-2.raw,size=4M,version=v2.0")])),
        "nothing"
    );
}

#[test]
fn adopting_writes_the_mark_alone() {
    let desired = desired(machine());
    let live = live(&[("tags", "ci"), ("description", "by hand")]);
    insta::assert_snapshot!(shown(Sides::Adopt { desired: &desired, live: &live }), @"= mark as ours");
}
