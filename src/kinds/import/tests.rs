//! Spec from live, desired from spec: what comes out differs from what is there by nothing but the mark.
use super::*;
use crate::{
    kinds::{
        AnyGuest, RESOURCES,
        allocation::{Carried, allocate, fill},
    },
    ledger::Lock,
    model::{Foreign, Mark, Observation, Ours, Plan, Revision, Uid},
    providers::proxmox::{Config, notes, tags, values},
    resources::{Change, World},
};
use serde_json::Value;

const SITE: &str = "apiVersion: trueup/v1alpha1
kind: Site
metadata: { name: nz }
spec:
  domain: bridges.test
  proxmox: { endpoints: ['https://127.0.0.1:8006'], token: { env: T }, defaults: { node: pve1, storage: local, bridge: vmbr0 } }
";

fn site() -> (Declarations, Vec<SourceFile>) {
    let (declarations, found) = load(vec![SourceFile::new("site.yaml", SITE)]);
    assert!(found.is_empty(), "{found:?}");
    (declarations, vec![SourceFile::new("site.yaml", SITE)])
}

fn live(pairs: &[(&str, &str)]) -> Live {
    let values = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Live { node: "pve1".into(), config: Config { values, ..Config::default() }, ..Live::default() }
}

fn foreign(all: impl IntoIterator<Item = (u32, Live)>) -> Inventory<Guest> {
    let found = |live| Found::Foreign(Foreign { holder: "a person".into(), revision: Revision("1".into()), live });
    all.into_iter().map(|(vmid, live)| (Vmid::try_from(vmid).unwrap(), found(live))).collect()
}

fn imported(guests: &Inventory<Guest>) -> Imported {
    let (declarations, files) = site();
    import(&declarations, &files, guests, &|name| format!("guests/{name}.yaml"))
}

fn plan(declarations: &Declarations, guests: Inventory<Guest>) -> Plan<Change> {
    let (mut world, mut earlier) = (World::default(), World::default());
    world.insert::<Guest>(Observation::Complete(guests));
    let guests = RESOURCES.iter().find(|r| r.name() == "guest").unwrap();
    guests.plan(declarations, &world, &mut earlier).plan
}

/// Plans the first pass over what was imported, does what it says, and plans the second.
fn marks_and_nothing_else(mut imported: Imported, guests: Inventory<Guest>) {
    let mut world = World::default();
    world.insert::<Guest>(Observation::Complete(guests.clone()));
    let mut n = 0u64;
    let mut fresh = || {
        n += 1;
        let mut bits = [0; 10];
        bits[2..].copy_from_slice(&n.to_be_bytes());
        Uid::from_bits(bits)
    };
    let (carried, now) = (Carried::of(&world, None), jiff::Timestamp::UNIX_EPOCH);
    let done = allocate(&imported.declarations, &Lock::default(), &carried, now, &mut fresh);
    assert!(done.problems.is_empty(), "{:?}", done.problems);
    assert!(fill(&mut imported.declarations, done.lock).is_empty());
    let declarations = &imported.declarations;

    let first = plan(declarations, guests.clone());
    assert_eq!(first.conflicts, []);
    let marks: BTreeSet<&str> = first.steps.iter().map(|step| step.id.object.key.as_str()).collect();
    for step in &first.steps {
        let guest = || imported.manifests.iter().find(|m| m.vmid.to_string() == step.id.object.key);
        assert_eq!(step.change.to_string(), "mark as ours", "{:#?}\n{}", step.fields, guest().map_or("", |m| &m.text));
    }
    assert_eq!((marks.len(), first.steps.len()), (imported.manifests.len(), imported.manifests.len()));

    let marked = declarations.guests().map(|guest| {
        let vmid = guest.vmid(declarations).unwrap();
        let Some(Found::Foreign(foreign)) = guests.get(&vmid) else { panic!("{vmid} is not there") };
        let mut live = foreign.live.clone();
        let mark: Mark = match guest {
            AnyGuest::Container(declared) => declarations.mark(declared, None).unwrap(),
            AnyGuest::Machine(declared) => declarations.mark(declared, None).unwrap(),
        };
        let stamp = notes::Stamp { mark: mark.clone(), vmid: vmid.get(), from: None };
        live.config.values.insert("description".into(), notes::stamped(live.notes(), &stamp));
        let mut all = tags::parse(live.config.get("tags").unwrap_or_default());
        all.insert(notes::TAG.into());
        live.config.values.insert("tags".into(), tags::print(&all));
        (vmid, Found::Ours(Ours { mark, revision: Revision("2".into()), live }))
    });
    let second = plan(declarations, marked.collect());
    assert!(second.steps.is_empty(), "{:#?}", second.steps.iter().map(|s| s.change.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_guest_becomes_a_manifest_as_people_write_it() {
    let odd = live(&[
        ("arch", "amd64"),
        ("cores", "2"),
        ("cpulimit", ".5"),
        ("description", "made by hand\n"),
        ("features", "nesting=1"),
        ("hostname", "CompaniesOffice"),
        ("memory", "4096"),
        ("mp0", "local-zfs:subvol-102-disk-1,mp=data/,backup=1,size=102M,mountoptions=noexec"),
        ("mp1", "/srv/media,mp=/media"),
        ("nameserver", "10.0.1.1,1.1.1.1"),
        (
            "net0",
            "name=eth0,bridge=vmbr0,firewall=1,gw=192.168.61.254,hwaddr=BC:24:11:00:00:01,ip=192.168.61.225/24,type=veth",
        ),
        (
            "net2",
            "name=eth1,bridge=vmbr1,hwaddr=BC:24:11:00:00:02,ip6=FD00:1::5/64,rate=12.50,tag=7,trunks=8;9,type=veth",
        ),
        ("onboot", "1"),
        ("ostype", "debian"),
        ("rootfs", "local:102/vm-102-disk-0.raw,size=1536M"),
        ("startup", "up=30,order=02"),
        ("swap", "0"),
        ("tags", "Office;bridge"),
        ("unprivileged", "1"),
    ]);
    let guests = foreign([(102, odd)]);
    let got = imported(&guests);
    assert_eq!(got.refused, []);
    assert_eq!(
        (&*got.manifests[0].path, got.manifests[0].name.as_str()),
        ("guests/companiesoffice.yaml", "companiesoffice")
    );
    insta::assert_snapshot!(got.manifests[0].text, @r#"
    # Container 102 on pve1, as it was when it was imported.
    # Left as it is, because this manifest does not say it: mp0 mountoptions; mp1 at /media.
    # What it was made from is not known. To be able to make it anew, add `template:`; until then keep the annotation.
    apiVersion: trueup/v1alpha1
    kind: Container
    metadata:
      name: companiesoffice
      annotations: { trueup/adopt: "102" }
    spec:
      vmid: 102
      hostname: CompaniesOffice
      unprivileged: true
      cores: 2
      cpuLimit: 0.5
      memory: 4GiB
      swap: 0MiB
      rootfs: { size: 1536MiB }
      mountPoints:
        - { path: /data, size: 102MiB, storage: local-zfs, backup: true }
      networks:
        - { name: eth0, address: 192.168.61.225/24, gateway: 192.168.61.254, firewall: true }
        - name: eth1
          index: 2
          bridge: vmbr1
          address6: "fd00:1::5/64"
          trunks: [8, 9]
          rate: 12.5MB/s
          vlan: 7
      dns: { servers: [10.0.1.1, 1.1.1.1] }
      features: [nesting]
      startOnBoot: true
      startup: { order: 2, up: 30s }
      tags: [bridge, office]
      state: stopped
    "#);
    marks_and_nothing_else(got, guests);
}

#[test]
fn what_a_manifest_could_only_say_wrongly_is_refused_and_the_rest_goes_on() {
    let plain = |more: &[(&str, &str)]| {
        let base = [("hostname", "web"), ("rootfs", "local:1/d.raw,size=8G"), ("unprivileged", "1")];
        live(&[&base, more].concat())
    };
    let net = |rest: &str| format!("name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:0{}", rest.len() % 10);
    let long = format!("{},type=veth", net("a").replace("eth0", "averyveryverylongname0"));
    let twin = "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:07,ip=10.0.0.9/24,type=veth";
    let template = Live { template: true, ..plain(&[]) };
    let machine = Live { kind: GuestType::Qemu, ..live(&[("name", "vm_1")]) };
    let guests = foreign([
        (101, plain(&[("net0", twin)])),
        (102, plain(&[("hostname", "WEB")])),
        (103, plain(&[("hostname", "other"), ("net0", twin)])),
        (104, plain(&[("hostname", "a"), ("rootfs", "local:1/subvol-104-disk-0.subvol,size=0T")])),
        (105, plain(&[("hostname", "b"), ("rootfs", "/dev/sdb1,size=8G")])),
        (106, plain(&[("hostname", "c"), ("net0", &long)])),
        (107, template),
        (108, machine),
        (109, plain(&[("hostname", "d"), ("lock", "create")])),
        (110, plain(&[("hostname", "")])),
    ]);
    let mut got = imported(&guests);
    let said: Vec<String> = got.refused.iter().map(|guest| format!("{} {}", guest.vmid, guest.why)).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    102 its manifest would be refused: the hostname `web` is given twice: to Container/web-102 and to Container/web
    103 its manifest would be refused: the address 10.0.0.9 is given twice: to Container/other and to Container/web
    104 its root disk has no size in its configuration: see `pct rescan --vmid 104`
    105 its root disk is not a volume of a storage
    106 its manifest would be refused: the interface has more than 15 characters; Linux allows no more; eth0 is usual
    107 it is a template, from which guests are made
    108 its name cannot be written: the hostname `vm_1` has `_`; only letters, digits and `-` are possible
    109 it is locked (create): try again when that is over
    110 it has no hostname: give it one (`pct set 110 --hostname …`)
    ");
    assert_eq!(got.manifests.iter().map(|manifest| manifest.vmid.get()).collect::<Vec<_>>(), [101]);
    got.refused.clear();
    marks_and_nothing_else(got, guests);
}

fn machine(pairs: &[(&str, &str)]) -> Live {
    Live { kind: GuestType::Qemu, running: true, ..live(pairs) }
}

#[test]
fn a_machine_becomes_a_manifest_as_people_write_it() {
    let guests = foreign([(
        131,
        machine(&[
            ("agent", "enabled=1,fstrim_cloned_disks=1"),
            ("args", "-cpu host,+vmx"),
            ("balloon", "1024"),
            ("bios", "ovmf"),
            ("boot", "order=scsi0;ide3;net0"),
            ("cicustom", "vendor=local:snippets/vendor.yaml"),
            ("cipassword", "**********"),
            ("ciuser", "ops"),
            ("cores", "4"),
            ("cpu", "cputype=host,flags=+aes"),
            ("cpulimit", "1.50"),
            ("description", "made by hand\n"),
            ("efidisk0", "local:131/vm-131-disk-1.qcow2,efitype=4m,pre-enrolled-keys=1,size=528K"),
            ("ide2", "local:131/vm-131-cloudinit.qcow2,media=cdrom,size=4M"),
            ("ide3", "none,media=cdrom"),
            ("ipconfig0", "gw=10.0.1.1,ip=10.0.1.5/24,ip6=FD00:1::5/64"),
            ("machine", "type=q35,viommu=intel"),
            ("memory", "current=4096"),
            ("meta", "creation-qemu=10.1.2,ctime=1753000000"),
            ("name", "Build-1"),
            ("nameserver", "10.0.1.1 1.1.1.1"),
            ("net0", "virtio=bc:24:11:00:00:31,bridge=vmbr0,firewall=1,queues=4,rate=12.50,tag=7"),
            ("net3", "model=e1000,macaddr=BC:24:11:00:00:32,bridge=vmbr1"),
            ("numa", "0"),
            ("onboot", "1"),
            ("ostype", "l26"),
            ("scsi0", "local:131/vm-131-disk-0.qcow2,cache=writeback,discard=on,iothread=1,size=32G,ssd=1"),
            ("scsi1", "/dev/disk/by-id/ata-x,size=1T"),
            ("scsihw", "virtio-scsi-single"),
            ("serial0", "socket"),
            ("smbios1", "uuid=1f0f7a5e-4f1c-4dbb-8a0e-2f5c8b1f0001"),
            ("sshkeys", "ssh-ed25519%20AAAA%20ops"),
            ("tpmstate0", "local:131/vm-131-disk-2.raw,size=4M,version=v2.0"),
            ("vga", "type=qxl,memory=32"),
            ("virtio3", "file=big:vm-131-disk-3,backup=0,iops=100,size=1537M"),
            ("vmgenid", "8c0b4ab5-0000-4000-8000-000000000001"),
        ]),
    )]);
    let got = imported(&guests);
    assert_eq!(got.refused, []);
    insta::assert_snapshot!(got.manifests[0].text, @r#"
    # Virtual machine 131 on pve1, as it was when it was imported.
    # Left as it is, because this manifest does not say it: cpu flags; ide3, a CD drive; the disk at scsi1; virtio3 iops;
    # net0 queues; agent fstrim_cloned_disks; machine viommu; vga memory; args; cipassword; numa; sshkeys.
    # What it was made from is not known. To be able to make it anew, add `clone:`, or the `image:` of a disk; until then
    # keep the annotation.
    apiVersion: trueup/v1alpha1
    kind: VirtualMachine
    metadata:
      name: build-1
      annotations: { trueup/adopt: "131" }
    spec:
      vmid: 131
      hostname: Build-1
      cores: 4
      cpu: { type: host, limit: 1.5 }
      memory: 4GiB
      balloon: 1GiB
      disks:
        - { slot: scsi0, size: 32GiB, cache: writeback, discard: true, ssd: true, ioThread: true }
        - { slot: virtio3, size: 1537MiB, storage: big, backup: false }
      networks:
        - slot: net0
          rate: 12.5MB/s
          address: 10.0.1.5/24
          gateway: 10.0.1.1
          address6: "fd00:1::5/64"
          firewall: true
          vlan: 7
        - { slot: net3, model: e1000, bridge: vmbr1 }
      cloudInit:
        user: ops
        snippets: { vendor: "local:snippets/vendor.yaml" }
      dns: { servers: [10.0.1.1, 1.1.1.1] }
      agent: { enabled: true }
      boot: [scsi0, ide3, net0]
      machine: q35
      bios: ovmf
      efiDisk: { secureBoot: true }
      tpm: {}
      scsiController: virtio-scsi-single
      osType: l26
      display: qxl
      serialConsole: true
      startOnBoot: true
    "#);
    marks_and_nothing_else(got, guests);
}

/// Each is left as it is, and the rest is said.
#[test]
fn what_a_machine_has_that_no_manifest_can_say_is_left() {
    let guests: Vec<(&str, &[(&str, &str)])> = vec![
        // Without a drive, nothing of cloud-init.
        (
            "ciuser",
            &[
                ("ciuser", "ops"),
                ("ipconfig0", "ip=10.0.1.5/24"),
                ("nameserver", "1.1.1.1"),
                ("net0", "virtio=BC:24:11:00:00:31,bridge=vmbr0"),
            ],
        ),
        // One card that cannot be said: none is.
        (
            "net0 net1 (a manifest has no words for net1)",
            &[("net0", "virtio=BC:24:11:00:00:31,bridge=vmbr0"), ("net1", "ne2k_pci=BC:24:11:00:00:32,bridge=vmbr0")],
        ),
        ("net0 (a manifest has no words for net0)", &[("net0", "virtio=BC:24:11:00:00:31")]),
        ("boot cdn", &[("boot", "cdn")]),
        ("bootdisk", &[("boot", "order=scsi0"), ("bootdisk", "scsi0")]),
        ("machine pc-i440fx-9.2+pve1", &[("machine", "pc-i440fx-9.2+pve1")]),
        ("vga memory=32", &[("vga", "memory=32")]),
        ("serial0 /dev/ttyS0", &[("serial0", "/dev/ttyS0")]),
        ("serial1", &[("serial1", "socket")]),
        ("cores 200", &[("cores", "200")]),
        ("balloon 2GiB", &[("balloon", "2048"), ("memory", "1024")]),
        ("shares", &[("shares", "0")]),
        ("efidisk0", &[("bios", "ovmf"), ("efidisk0", "local:1/vm-1-disk-1.raw,size=128K")]),
        ("efidisk0", &[("efidisk0", "local:1/vm-1-disk-1.raw,efitype=4m,size=528K")]),
        ("tpmstate0", &[("tpmstate0", "local:1/vm-1-disk-1.raw,size=4M")]),
        ("scsi0 size", &[("scsi0", "local:1/vm-1-disk-0.raw,size=2147483649")]),
        ("scsi0 aio ro", &[("scsi0", "local:1/vm-1-disk-0.raw,aio=native,ro=1")]),
        ("scsi0 cache", &[("scsi0", "local:1/vm-1-disk-0.raw,cache=odd,size=1G")]),
        ("ide2, a CD drive", &[("ide2", "local:iso/debian.iso,media=cdrom,size=600M")]),
        ("unused0", &[("unused0", "local:1/vm-1-disk-9.raw")]),
        ("smbios1 serial", &[("smbios1", "uuid=x,serial=abc")]),
        ("hostpci0; usb0", &[("hostpci0", "0000:01:00.0"), ("usb0", "host=1234:5678")]),
        (
            "ipconfig0",
            &[
                ("ide2", "local:vm-1-cloudinit,media=cdrom"),
                ("ipconfig0", "gw=10.0.1.1,ip=dhcp"),
                ("net0", "virtio=BC:24:11:00:00:31,bridge=vmbr0"),
            ],
        ),
        ("cicustom", &[("ide2", "local:vm-1-cloudinit,media=cdrom"), ("cicustom", "user=local:iso/x.yaml")]),
        ("ciuser a b", &[("ide2", "local:vm-1-cloudinit,media=cdrom"), ("ciuser", "a b")]),
    ];
    for (left, pairs) in guests {
        let guests = foreign([(101, machine(pairs))]);
        let got = imported(&guests);
        assert_eq!(got.refused, [], "{pairs:?}");
        let text: String =
            got.manifests[0].text.lines().filter(|line| line.starts_with('#')).map(|line| &line[1..]).collect();
        assert!(text.contains(left), "{left}: {}", got.manifests[0].text);
        marks_and_nothing_else(got, guests);
    }
}

/// A pass would hand the guest what its configuration says and nobody has given it so far.
#[test]
fn a_drive_with_other_values_is_left_with_all_that_it_carries() {
    let mut stale = machine(&[
        ("ciuser", "ops"),
        ("ide2", "local:vm-101-cloudinit,media=cdrom"),
        ("ipconfig0", "ip=dhcp"),
        ("name", "web"),
        ("net0", "virtio=BC:24:11:00:00:31,bridge=vmbr0"),
    ]);
    stale.machine.stale_drive = true;
    let guests = foreign([(101, stale)]);
    let got = imported(&guests);
    let text = &got.manifests[0].text;
    assert!(text.contains("whose drive holds other values") && !text.contains("cloudInit"), "{text}");
    marks_and_nothing_else(got, guests);
}

/// A machine need not have a name, and one that is adopted without gets none.
#[test]
fn a_machine_without_a_name_stays_without() {
    let guests = foreign([(101, machine(&[("memory", "512")]))]);
    let got = imported(&guests);
    assert_eq!(got.manifests[0].name.as_str(), "guest-101");
    marks_and_nothing_else(got, guests);
}

/// Blank disks are no substitute for what was on them.
#[test]
fn a_machine_that_was_adopted_and_is_gone_is_not_made_with_blank_disks() {
    let mut got = imported(&foreign([(101, machine(&[("name", "db"), ("scsi0", "local:1/vm-1-disk-0.raw,size=8G")]))]));
    let (world, now) = (World::default(), jiff::Timestamp::UNIX_EPOCH);
    let uid = &mut || Uid::from_bits([7; 10]);
    let done = allocate(&got.declarations, &Lock::default(), &Carried::of(&world, None), now, uid);
    assert!(fill(&mut got.declarations, done.lock).is_empty());
    let plan = plan(&got.declarations, Inventory::<Guest>::new());
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    let said = &plan.conflicts[0].text;
    assert!(said.contains("neither a `clone` nor the `image` of a disk"), "{said}");
}

fn unpacked(file: &std::path::Path) -> String {
    use std::io::Read;
    let mut bytes = std::fs::read(file).unwrap();
    if file.extension().is_some_and(|end| end == "gz") {
        let packed = std::mem::take(&mut bytes);
        flate2::read::GzDecoder::new(&*packed).read_to_end(&mut bytes).unwrap();
    }
    String::from_utf8(bytes).unwrap()
}

/// Every configuration that a real Proxmox VE 9.2.11 answered with.
#[test]
fn every_recorded_configuration_is_said_or_refused_for_a_reason() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/proxmox-9.2");
    let mut seen: BTreeMap<String, Live> = BTreeMap::new();
    for area in std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for file in std::fs::read_dir(area).unwrap().map(|entry| entry.unwrap().path()) {
            for line in unpacked(&file).lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                let path = line["path"].as_str().unwrap_or_default();
                let kind = if path.contains("/qemu/") { GuestType::Qemu } else { GuestType::Lxc };
                let is_guest = kind == GuestType::Qemu || path.contains("/lxc/");
                let config = is_guest && path.ends_with("/config") && line["method"] == "GET";
                let Some(fields) = line["response"]["body"]["data"].as_object().filter(|_| config) else { continue };
                let text = |(key, value): (&String, &Value)| Some((key.clone(), values::text(value)?));
                let mut values: BTreeMap<String, String> = fields.iter().filter_map(text).collect();
                values.remove("digest");
                let config = Config { values, ..Config::default() };
                let live = Live { kind, node: "pve1".into(), config, ..Live::default() };
                seen.entry(format!("{kind} {:?}", live.config.values)).or_insert(live);
            }
        }
    }
    assert!(seen.len() > 150, "only {} configurations were found", seen.len());
    let mut why: BTreeMap<String, usize> = BTreeMap::new();
    for (_, live) in seen {
        let kind = live.kind;
        let guests = foreign([(101, live)]);
        let got = imported(&guests);
        match got.refused.first() {
            Some(refused) => *why.entry(format!("{kind}: {}", refused.why)).or_default() += 1,
            None => {
                *why.entry(format!("{kind}: imported")).or_default() += 1;
                marks_and_nothing_else(got, guests);
            }
        }
    }
    let said: Vec<String> = why.iter().map(|(why, n)| format!("{n} {why}")).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    198 container: imported
    10 container: it has no hostname: give it one (`pct set 101 --hostname …`)
    2 container: it is locked (create): try again when that is over
    1 container: its hostname cannot be written: the hostname `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` has a part that is empty, too long, or begins or ends with `-`
    1 container: its manifest would be refused: `/` is the root disk; its size stands in rootfs
    26 container: its manifest would be refused: `example.org` is a placeholder; put the real value in its place
    1 container: its manifest would be refused: `web-1.example.org` is a placeholder; put the real value in its place
    1 container: its manifest would be refused: the interface eth0 is given twice: to network device 1 and to network device 2
    1 container: its manifest would be refused: the interface eth1 is given twice: to network device 1 and to network device 2
    1 container: its manifest would be refused: the interface has more than 15 characters; Linux allows no more; eth0 is usual
    3 container: its root disk has no size in its configuration: see `pct rescan --vmid 101`
    1 container: the bridge of net0 cannot be written: the name is empty
    47 virtual machine: imported
    1 virtual machine: it is locked (clone): try again when that is over
    1 virtual machine: it is locked (create): try again when that is over
    1 virtual machine: its manifest would be refused: `k8s-1.example.org` is a placeholder; put the real value in its place
    ");
}
