//! Spec from live, desired from spec: what comes out differs from what is there by nothing but the mark.
use super::*;
use crate::{
    kinds::{
        RESOURCES,
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

    let marked = declarations.containers.values().map(|declared| {
        let vmid = declarations.vmid(declared).unwrap();
        let Some(Found::Foreign(foreign)) = guests.get(&vmid) else { panic!("{vmid} is not there") };
        let mut live = foreign.live.clone();
        let mark: Mark = declarations.mark(declared, None).unwrap();
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
    let machine = Live { kind: GuestType::Qemu, ..live(&[("name", "vm")]) };
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
    108 virtual machines cannot be imported yet
    109 it is locked (create): try again when that is over
    110 it has no hostname: give it one (`pct set 110 --hostname …`)
    ");
    assert_eq!(got.manifests.iter().map(|manifest| manifest.vmid.get()).collect::<Vec<_>>(), [101]);
    got.refused.clear();
    marks_and_nothing_else(got, guests);
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
                let config = path.contains("/lxc/") && path.ends_with("/config") && line["method"] == "GET";
                let Some(fields) = line["response"]["body"]["data"].as_object().filter(|_| config) else { continue };
                let text = |(key, value): (&String, &Value)| Some((key.clone(), values::text(value)?));
                let mut values: BTreeMap<String, String> = fields.iter().filter_map(text).collect();
                values.remove("digest");
                let config = Config { values, ..Config::default() };
                let live = Live { node: "pve1".into(), config, ..Live::default() };
                seen.entry(format!("{:?}", live.config.values)).or_insert(live);
            }
        }
    }
    assert!(seen.len() > 150, "only {} configurations were found", seen.len());
    let mut why: BTreeMap<String, usize> = BTreeMap::new();
    for (_, live) in seen {
        let guests = foreign([(101, live)]);
        let got = imported(&guests);
        match got.refused.first() {
            Some(refused) => *why.entry(refused.why.clone()).or_default() += 1,
            None => {
                *why.entry("imported".into()).or_default() += 1;
                marks_and_nothing_else(got, guests);
            }
        }
    }
    let said: Vec<String> = why.iter().map(|(why, n)| format!("{n} {why}")).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    198 imported
    10 it has no hostname: give it one (`pct set 101 --hostname …`)
    2 it is locked (create): try again when that is over
    1 its hostname cannot be written: the hostname `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` has a part that is empty, too long, or begins or ends with `-`
    1 its manifest would be refused: `/` is the root disk; its size stands in rootfs
    26 its manifest would be refused: `example.org` is a placeholder; put the real value in its place
    1 its manifest would be refused: `web-1.example.org` is a placeholder; put the real value in its place
    1 its manifest would be refused: the interface eth0 is given twice: to network device 1 and to network device 2
    1 its manifest would be refused: the interface eth1 is given twice: to network device 1 and to network device 2
    1 its manifest would be refused: the interface has more than 15 characters; Linux allows no more; eth0 is usual
    3 its root disk has no size in its configuration: see `pct rescan --vmid 101`
    1 the bridge of net0 cannot be written: the name is empty
    ");
}
