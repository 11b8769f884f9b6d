//! From manifests to the plan of their guests.
mod live;
pub(in crate::kinds) mod world;

use crate::{
    kinds::{RESOURCES, allocation, load},
    ledger::Lock,
    manifest::{Severity, SourceFile},
    model::{Foreign, Found, Observation, Revision, Uid, Vmid},
    providers::proxmox::Config,
    resources::{
        World,
        guest::{Guest, Live},
    },
};
use std::collections::BTreeMap;

const SITE: &str = "apiVersion: trueup/v1alpha1
kind: Site
metadata: { name: nz }
spec:
  domain: bridges.test
  proxmox:
    endpoints: ['https://192.168.61.2:8006']
    token: { env: T }
    defaults: { node: pve1, storage: local-lvm, bridge: vmbr0 }
---
";

fn container(annotations: &str, spec: &str) -> String {
    format!(
        "{SITE}apiVersion: trueup/v1alpha1\nkind: Container\nmetadata: {{ name: myird{annotations} }}\nspec: {spec}\n"
    )
}

fn plan(text: &str, live: BTreeMap<Vmid, Found<Live>>) -> crate::model::Plan<crate::resources::Change> {
    let (mut declarations, found) = load(vec![SourceFile::new("site.yaml", text.to_owned())]);
    let errors: Vec<_> = found.iter().filter(|d| d.severity == Severity::Error).map(|d| &d.message).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let mut n = 0;
    let mut fresh = || {
        n += 1;
        Uid::from_bits([n; 10])
    };
    let now = jiff::Timestamp::UNIX_EPOCH;
    let made = allocation::allocate(&declarations, &Lock::default(), &allocation::Carried::default(), now, &mut fresh);
    assert!(allocation::fill(&mut declarations, made.lock).is_empty());
    let guests = RESOURCES.iter().find(|r| r.name() == "guest").unwrap();
    let (mut world, mut earlier) = (World::default(), World::default());
    world.insert::<Guest>(Observation::Complete(live));
    guests.plan(&declarations, &world, &mut earlier).plan
}

#[test]
fn everything_is_filled_in() {
    let spec = "{ template: 'local:vztmpl/d.tar.zst', memory: 1GiB, rootfs: { size: 8GiB }, tags: [bridge],
  mountPoints: [{ path: /srv, size: 16GiB, backup: true }],
  networks: [{ name: eth0, address: 192.168.61.226/24, gateway: 192.168.61.254, firewall: true, rate: 12MB/s, hwaddr: 'bc:24:11:00:00:01' }],
  dns: { servers: [10.0.1.1], search: acme.test }, startup: { order: 2, up: 30s }, startOnBoot: true }";
    let plan = plan(&container("", spec), BTreeMap::new());
    assert_eq!(plan.conflicts, []);
    insta::assert_json_snapshot!(plan.steps[0].change.data, @r#"
    {
      "create": {
        "kind": "lxc",
        "node": "pve1",
        "parameters": {
          "hostname": "myird",
          "memory": "1024",
          "mp0": "local-lvm:16,backup=1,mp=/srv",
          "nameserver": "10.0.1.1",
          "net0": "name=eth0,bridge=vmbr0,firewall=1,gw=192.168.61.254,hwaddr=BC:24:11:00:00:01,ip=192.168.61.226/24,rate=12,type=veth",
          "onboot": "1",
          "ostemplate": "local:vztmpl/d.tar.zst",
          "rootfs": "local-lvm:8",
          "searchdomain": "acme.test",
          "startup": "order=2,up=30",
          "tags": "bridge;trueup",
          "unprivileged": "1"
        }
      }
    }
    "#);
    insta::assert_snapshot!(plan.steps.iter().map(|s| format!("{} {} {}\n", s.verb.sign(), s.id.object, s.change)).collect::<String>(), @"
    + guest/100 myird on pve1 from local:vztmpl/d.tar.zst
    ~ guest/100 start
    ");
}

/// L1: one of the containers of an existing site, as Proxmox shows it.
#[test]
fn an_existing_container_is_adopted_by_its_mark_alone() {
    let values = [
        ("arch", "amd64"),
        ("cores", "2"),
        ("features", "nesting=1"),
        ("hostname", "MyIRD"),
        ("memory", "1024"),
        (
            "net0",
            "name=eth0,bridge=vmbr0,firewall=1,gw=192.168.61.254,hwaddr=BC:24:11:3C:9A:01,ip=192.168.61.226/24,type=veth",
        ),
        ("onboot", "1"),
        ("ostype", "debian"),
        ("rootfs", "local-lvm:vm-101-disk-0,size=8G"),
        ("swap", "512"),
        ("unprivileged", "1"),
    ];
    let values = values.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let config = Config { digest: "d".into(), values, ..Config::default() };
    let live = Live { node: "pve1".into(), running: true, config, ..Live::default() };
    let held = Found::Foreign(Foreign { holder: "container 101".into(), revision: Revision("r".into()), live });
    let spec = "{ vmid: 101, hostname: MyIRD, template: 'local:vztmpl/d.tar.zst', memory: 1GiB, rootfs: { size: 8GiB },
  networks: [{ name: eth0, address: 192.168.61.226/24, gateway: 192.168.61.254, firewall: true }] }";
    let there = || BTreeMap::from([(Vmid::try_from(101).unwrap(), held.clone())]);
    let adopted = plan(&container(", annotations: { trueup/adopt: '101' }", spec), there());
    let shown: Vec<_> = adopted.steps.iter().map(|s| s.change.text.as_str()).collect();
    assert_eq!(shown, ["mark as ours"]);
    let refused = plan(&container("", spec), there());
    assert_eq!((refused.steps.len(), refused.conflicts.len()), (0, 1));
}
