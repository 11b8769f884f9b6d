//! From manifests to the plan of machines and of what leads to them.
use crate::{
    kinds::{RESOURCES, allocation, load},
    ledger::Lock,
    manifest::{Severity, SourceFile},
    model::{Found, Inventory, Observation, Ours, Plan, Revision, Uid, Vmid},
    plan::join,
    providers::proxmox::{Address, Config, GuestType},
    resources::{
        Change, World,
        forwards::Forwards,
        gateway_table::GatewayTable,
        guest::{Guest, Live},
        template_volume::TemplateVolume,
    },
};

const SITE: &str = "apiVersion: trueup/v1alpha1
kind: Site
metadata: { name: nz }
spec:
  domain: bridges.test
  proxmox:
    endpoints: ['https://192.168.61.2:8006']
    token: { env: T }
    defaults: { node: pve1, storage: local-lvm, bridge: vmbr0 }
  host: local
---
apiVersion: trueup/v1alpha1
kind: Gateway
metadata: { name: edge }
spec:
  publicAddresses: [203.0.113.1, '2001:db8::1']
  publicInterface: vmbr0
  guestNetworks: [10.0.1.0/24, 'fd00:1::/64']
---
apiVersion: trueup/v1alpha1
kind: Template
metadata: { name: noble }
spec:
  storage: local
  image: { upload: images/noble.qcow2 }
---
apiVersion: trueup/v1alpha1
kind: PortAllocation
metadata: { name: build }
spec: { guest: build }
---
apiVersion: trueup/v1alpha1
kind: VirtualMachine
metadata: { name: build }
spec: ";

/// The plan with this machine (and the lock's id 100) alive, or not there.
fn plan(spec: &str, live: Option<Live>) -> Plan<Change> {
    let (mut declarations, found) = load(vec![SourceFile::new("site.yaml", format!("{SITE}{spec}\n"))]);
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
    let mark = declarations.mark(declarations.virtual_machines.values().next().unwrap(), None).unwrap();
    let mut guests = Inventory::<Guest>::new();
    if let Some(live) = live {
        let ours = Ours { mark, revision: Revision::of(&live), live };
        guests.insert(Vmid::try_from(100).unwrap(), Found::Ours(ours));
    }
    let (mut world, mut earlier) = (World::default(), World::default());
    world.insert::<Guest>(Observation::Complete(guests));
    world.insert::<TemplateVolume>(Observation::Complete(Inventory::<TemplateVolume>::new()));
    world.insert::<GatewayTable>(Observation::Complete(Inventory::<GatewayTable>::new()));
    world.insert::<Forwards>(Observation::Complete(Inventory::<Forwards>::new()));
    let names = ["guest", "template-volume", "gateway-table", "forwards"];
    let of_interest = RESOURCES.iter().filter(|resource| names.contains(&resource.name()));
    join(of_interest.map(|resource| resource.plan(&declarations, &world, &mut earlier)).collect())
}

fn shown(plan: &Plan<Change>) -> String {
    let line = |step: &crate::model::Step<Change>| {
        let needs: Vec<String> = step.needs.iter().map(ToString::to_string).collect();
        format!("{} {}: {} [{}]\n", step.verb.sign(), step.id, step.change, needs.join(" "))
    };
    let steps = plan.steps.iter().filter(|step| step.id.object.resource != "gateway-table");
    let mut out: String = steps.map(line).collect();
    out.extend(plan.later.iter().map(|later| format!("later {} on {}: {}\n", later.object, later.on, later.sketch)));
    out
}

#[test]
fn a_machine_from_an_image_waits_for_it_and_its_ports_wait_for_the_machine() {
    let spec = "{ memory: 2GiB, disks: [{ slot: scsi0, size: 16GiB, image: noble }],
  networks: [{ slot: net0, address: 10.0.1.7/24, gateway: 10.0.1.1 }], serialConsole: true }";
    let plan = plan(spec, None);
    insta::assert_snapshot!(shown(&plan), @r"
    + template-volume/local:import/noble.qcow2#0: upload images/noble.qcow2 to pve1 []
    + guest/100#0: build on pve1 [template-volume/local:import/noble.qcow2#0]
    later forwards/20000 on guest/100: 20000-20009 to the address that build gets
    ");
    let create = plan.steps.iter().find(|step| step.id.object.resource == "guest").unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&create.change.data["create"]["parameters"]).unwrap(), @r#"
    {
      "ide2": "local-lvm:cloudinit",
      "ipconfig0": "ip=10.0.1.7/24,gw=10.0.1.1",
      "memory": "2048",
      "name": "build",
      "net0": "virtio=BC:24:11:36:60:C5,bridge=vmbr0",
      "scsi0": "local-lvm:0,import-from=local:import/noble.qcow2",
      "serial0": "socket",
      "tags": "trueup"
    }
    "#);
}

fn running(addresses: &[(&str, &str)]) -> Live {
    let values = [
        ("name", "build"),
        ("agent", "1"),
        ("ide2", "local-lvm:vm-100-cloudinit,media=cdrom"),
        ("ipconfig0", "ip=dhcp,ip6=auto"),
        ("net0", "virtio=BC:24:11:00:00:01,bridge=vmbr0"),
        ("tags", "trueup"),
    ];
    let values = values.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let address = |(interface, ip): &(&str, &str)| Address { interface: (*interface).into(), ip: ip.parse().unwrap() };
    Live {
        kind: GuestType::Qemu,
        node: "pve1".into(),
        running: true,
        config: Config { values, ..Config::default() },
        addresses: addresses.iter().map(address).collect(),
        ..Live::default()
    }
}

/// G11: the addresses of the card, or of the interface that the manifest names, and of no other.
#[test]
fn ports_follow_the_addresses_that_the_agent_tells() {
    let spec = |agent: &str| {
        format!(
            "{{ agent: {agent}, networks: [{{ slot: net0, address: dhcp, address6: auto }}], clone: {{ from: 9000 }} }}"
        )
    };
    let told = running(&[
        ("net0", "10.0.1.23"),
        ("net0", "fd00:1::23"),
        ("eth0", "10.0.1.23"),
        ("docker0", "10.0.1.99"),
        ("wg0", "10.0.1.50"),
    ]);
    let targets = |plan: &Plan<Change>| -> Vec<String> {
        let text = plan.steps.iter().map(|step| step.change.data.to_string()).collect::<String>();
        let all = ["10.0.1.23", "10.0.1.99", "10.0.1.50", "fd00:1::23"];
        all.iter().filter(|ip| text.contains(**ip)).map(|ip| (*ip).to_owned()).collect()
    };
    assert_eq!(targets(&plan(&spec("{}"), Some(told.clone()))), ["10.0.1.23", "fd00:1::23"]);
    assert_eq!(targets(&plan(&spec("{ interface: wg0 }"), Some(told))), ["10.0.1.50"]);
    let silent = plan(&spec("{}"), Some(running(&[])));
    assert!(targets(&silent).is_empty());
}
