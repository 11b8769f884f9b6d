//! From manifests to forwards and routes.
use crate::{
    kinds::{self, Declarations, dns_slug, gateway, port_allocation},
    ledger::{Block, Entry, Lock},
    manifest::{Severity, SourceFile},
    model::{Found, Mark, Observation, Observed, Ours, Revision, Vmid, Wanted},
    providers::{proxmox::Address, traefik},
    resources::{
        World,
        forwards::{Base, Desired, Forwards, Live},
        gateway_table::GatewayTable,
        guest::{self, Guest},
        traefik_file::{self, FileName, TraefikFile},
    },
};
use std::collections::BTreeMap;

const SITE: &str = "apiVersion: trueup/v1alpha1
kind: Site
metadata: { name: dc-lk }
spec:
  domain: decent-cloud.org
  proxmox: { endpoints: ['https://10.0.1.1:8006'], token: { env: T }, defaults: { node: pve1, storage: local, bridge: vmbr1 } }
  cloudflare: { account: 0f2c6d1e9b7a4385a1c4f7e2d8b6093c, zone: 7d5e3c1b9a8f4602b3d4e5f6a7b8c9d0, token: { env: C } }
  host: local
---
apiVersion: trueup/v1alpha1
kind: Gateway
metadata: { name: edge }
spec:
  publicAddresses: [203.0.113.1, '2001:db8:1::1']
  publicInterface: vmbr0
  guestNetworks: [10.0.1.0/24, 'fd00:1::/64']
  traefik: { dynamicDirectory: /etc/traefik/dynamic, api: 'http://127.0.0.1:8080' }
---
";

/// A site with one guest, its block of this size, and its slug.
fn declared(network: &str, ports: &str, size: u16) -> Declarations {
    let guest = format!(
        "apiVersion: trueup/v1alpha1
kind: Container
metadata: {{ name: web }}
spec:
  vmid: 101
  template: local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst
  rootfs: {{ size: 8GiB }}
  networks: [{network}]
---
apiVersion: trueup/v1alpha1
kind: PortAllocation
metadata: {{ name: web }}
spec: {{ guest: web{ports} }}
---
apiVersion: trueup/v1alpha1
kind: DnsSlug
metadata: {{ name: web }}
spec: {{ guest: web, slug: k7m2p4 }}
"
    );
    let (mut declarations, found) = kinds::load(vec![SourceFile::new("site.yaml", format!("{SITE}{guest}"))]);
    let errors: Vec<_> = found.iter().filter(|d| d.severity == Severity::Error).map(|d| &d.message).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let mut lock = Lock::default();
    for (n, id) in
        ["Site/dc-lk", "Gateway/edge", "Container/web", "PortAllocation/web", "DnsSlug/web"].iter().enumerate()
    {
        let mut entry = Entry::of(crate::model::Uid::from_bits([u8::try_from(n).unwrap(); 10]));
        match *id {
            "Container/web" => entry.vmid = Some(101),
            "PortAllocation/web" => entry.block = Some(Block { gateway: "edge".into(), base: 20000, size }),
            "DnsSlug/web" => entry.slug = Some("k7m2p4".parse().unwrap()),
            _ => {}
        }
        lock.objects.insert(id.parse().unwrap(), entry);
    }
    let found = kinds::allocation::fill(&mut declarations, lock);
    assert!(found.is_empty(), "{found:?}");
    declarations
}

const FIXED: &str = "{ name: eth0, address: 10.0.1.5/24, gateway: 10.0.1.1 }";
const LEASED: &str = "{ name: eth0, address: dhcp }";

fn nothing<R: crate::model::Resource>() -> Observed<R> {
    Observation::Complete(BTreeMap::new())
}

/// The settled guest 101 with these addresses on its eth0.
fn world(addresses: &[&str]) -> World {
    let on = |ip: &&str| Address { interface: "eth0".into(), ip: ip.parse().unwrap() };
    let live = guest::Live { container: true, addresses: addresses.iter().map(on).collect(), ..Default::default() };
    let mark = mark("Container/web", 2);
    let ours = Ours { mark, revision: Revision("r".into()), live };
    let mut world = World::default();
    world.insert::<Guest>(Observation::Complete([(vmid(), Found::Ours(ours))].into()));
    world
}

fn mark(declared: &str, uid: u8) -> Mark {
    Mark {
        site: "dc-lk".into(),
        uid: crate::model::Uid::from_bits([uid; 10]),
        serves: None,
        deletion: crate::model::Deletion::Delete,
        declared: Some(declared.parse().unwrap()),
    }
}

fn vmid() -> Vmid {
    "101".parse().unwrap()
}

/// The forwards that are wanted, a line each, or what is in the way.
fn wanted(declarations: &Declarations, observed: &Observed<Forwards>, earlier: &World) -> String {
    let wants = port_allocation::forwards::forwards(declarations, observed, earlier);
    let notes = wants.conflicts.into_iter().map(|note| format!("{}: {}", note.object, note.text));
    let objects = wants.wanted.into_iter().map(|(base, wanted)| match wanted {
        Wanted::Waiting(waiting) => format!("{base} waits for {}: {}", waiting.on, waiting.sketch),
        Wanted::Ready(ready) => {
            let line = |f: &crate::resources::forwards::Forward| match &f.allow {
                None => format!("{} -> {}", f.public, f.to),
                Some(allow) => format!("{} -> {} for {allow:?}", f.public, f.to),
            };
            ready.desired.forwards.iter().map(line).collect::<Vec<_>>().join("\n")
        }
    });
    notes.chain(objects).collect::<Vec<_>>().join("\n")
}

fn plain(declarations: &Declarations) -> String {
    wanted(declarations, &nothing::<Forwards>(), &World::default())
}

#[test]
fn the_default_layout() {
    insta::assert_snapshot!(plain(&declared(FIXED, "", 10)), @r"
    203.0.113.1 20000/tcp -> 10.0.1.5:22
    203.0.113.1 20001/tcp -> 10.0.1.5:10001
    203.0.113.1 20002/tcp -> 10.0.1.5:10002
    203.0.113.1 20003/tcp -> 10.0.1.5:10003
    203.0.113.1 20004/tcp -> 10.0.1.5:10004
    203.0.113.1 20005/udp -> 10.0.1.5:10005
    203.0.113.1 20006/udp -> 10.0.1.5:10006
    203.0.113.1 20007/udp -> 10.0.1.5:10007
    203.0.113.1 20008/udp -> 10.0.1.5:10008
    203.0.113.1 20009/udp -> 10.0.1.5:10009
    ");
}

#[test]
fn a_block_has_exactly_as_many_forwards_as_ports() {
    for size in [1, 5, 10, 20] {
        let text = plain(&declared(FIXED, "", size));
        let ports: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("203.0.113.1 ")?.split('/').next()).collect();
        let expected: Vec<String> = (20000..20000 + size).map(|p| p.to_string()).collect();
        assert_eq!(ports.len(), usize::from(size), "{text}");
        assert!(expected.iter().all(|p| ports.contains(&p.as_str())), "{text}");
    }
    assert!(plain(&declared(FIXED, "", 20)).contains("20019/udp -> 10.0.1.5:10019"));
}

#[test]
fn both_families_where_the_guest_has_both() {
    let both = "{ name: eth0, address: 10.0.1.5/24, gateway: 10.0.1.1, address6: 'fd00:1::5/64' }";
    let text = plain(&declared(both, "", 1));
    assert_eq!(text, "203.0.113.1 20000/tcp -> 10.0.1.5:22\n2001:db8:1::1 20000/tcp -> [fd00:1::5]:22");
}

#[test]
fn listed_forwards_and_sources() {
    let ports =
        ", allow: [198.51.100.0/25, 198.51.100.128/25, '2001:db8:5::/48'], forwards: [{ port: 0, to: 2222/tcp },
      { port: 3, to: 53/udp, allow: [192.0.2.7] }]";
    insta::assert_snapshot!(plain(&declared(FIXED, ports, 10)), @r"
    203.0.113.1 20000/tcp -> 10.0.1.5:2222 for {198.51.100.0/24}
    203.0.113.1 20003/udp -> 10.0.1.5:53 for {192.0.2.7/32}
    ");
}

/// The live forwards of a guest that had this address.
fn live(address: &str) -> Observed<Forwards> {
    let Wanted::Ready(ready) =
        port_allocation::forwards::forwards(&declared(LEASED, "", 1), &nothing::<Forwards>(), &world(&[address]))
            .wanted
            .remove(&Base(20000))
            .unwrap()
    else {
        panic!()
    };
    let Desired { guest, size, forwards } = ready.desired;
    let live = Live { guest: Some(guest), size, forwards, ..Live::default() };
    Observation::Complete(
        [(Base(20000), Found::Ours(Ours { mark: ready.mark, revision: Revision("r".into()), live }))].into(),
    )
}

#[test]
fn a_lease_is_waited_for_and_followed() {
    let leased = declared(LEASED, "", 1);
    let says = |observed: &Observed<Forwards>, earlier: &World| wanted(&leased, observed, earlier);
    let waits = "20000 waits for guest/101: 20000-20000 to the address that web gets";
    assert_eq!(says(&nothing::<Forwards>(), &World::default()), waits, "no guest yet");
    assert_eq!(says(&nothing::<Forwards>(), &world(&[])), waits, "a guest without a lease");
    assert_eq!(
        says(&nothing::<Forwards>(), &world(&["192.168.9.9", "fe80::1"])),
        waits,
        "no address in the networks of guests"
    );
    assert_eq!(
        says(&nothing::<Forwards>(), &world(&["192.168.9.9", "10.0.1.77"])),
        "203.0.113.1 20000/tcp -> 10.0.1.77:22"
    );
    // a new lease is followed in the same pass; a guest that is stopped keeps what it has; one that is about to change waits
    assert_eq!(says(&live("10.0.1.77"), &world(&["10.0.1.78"])), "203.0.113.1 20000/tcp -> 10.0.1.78:22");
    assert_eq!(says(&live("10.0.1.77"), &world(&[])), "203.0.113.1 20000/tcp -> 10.0.1.77:22");
    assert_eq!(says(&live("10.0.1.77"), &World::default()), waits);
}

#[test]
fn a_guest_without_ipv4_is_reached_by_ipv6_alone() {
    let only6 = declared("{ name: eth0, address6: 'fd00:1::5/64' }", "", 1);
    assert_eq!(plain(&only6), "2001:db8:1::1 20000/tcp -> [fd00:1::5]:22");
}

#[test]
fn what_cannot_be_is_said() {
    let mut moved = declared(FIXED, "", 1);
    let gateway = moved.gateways.values_mut().next().unwrap();
    gateway.spec.guest_networks = vec!["10.9.0.0/24".parse().unwrap()];
    assert_eq!(plain(&moved), "forwards/20000: web has no address in 10.9.0.0/24");
    let mut own = declared(FIXED, "", 1);
    own.gateways.values_mut().next().unwrap().spec.public_addresses = vec!["10.0.1.5".parse().unwrap()];
    let text =
        "forwards/20000: 10.0.1.5 20000/tcp cannot lead to 10.0.1.5:22: that is an address of the gateway itself";
    assert_eq!(plain(&own), text);
    let beyond = declared(FIXED, ", forwards: [{ port: 9, to: 22/tcp }]", 10);
    let mut small = beyond.clone();
    small.lock.objects.values_mut().filter_map(|entry| entry.block.as_mut()).for_each(|block| block.size = 5);
    assert_eq!(plain(&small), "forwards/20000: port 9 is beyond the block of 5 ports");
}

#[test]
fn the_table_of_a_gateway() {
    let wants = gateway::table::table(&declared(FIXED, "", 10), &nothing::<GatewayTable>(), &World::default());
    assert!(wants.conflicts.is_empty());
    let Some((_, Wanted::Ready(ready))) = wants.wanted.into_iter().next() else { panic!() };
    assert_eq!(ready.desired.host_tcp, [22, 80, 443, 8006].into());
    assert_eq!(ready.desired.guest_networks.len(), 2);
    assert_eq!(ready.mark.deletion, crate::model::Deletion::Retain);
}

fn routes(declarations: &Declarations, observed: &Observed<TraefikFile>, earlier: &World) -> String {
    let wants = dns_slug::route::route(declarations, observed, earlier);
    let notes = wants.conflicts.into_iter().map(|note| format!("{}: {} ({:?})", note.object, note.text, note.hint));
    let objects = wants.wanted.into_values().map(|wanted| match wanted {
        Wanted::Waiting(waiting) => format!("waits for {}: {}", waiting.on, waiting.sketch),
        Wanted::Ready(ready) => format!("{:?} -> {}", ready.desired.hosts, ready.desired.target),
    });
    notes.chain(objects).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_slug_leads_to_its_guest() {
    let fixed = declared(FIXED, "", 10);
    let there = "{HostName(\"k7m2p4.dc-lk.decent-cloud.org\")} -> 10.0.1.5:443";
    assert_eq!(routes(&fixed, &nothing::<TraefikFile>(), &World::default()), there);
    let leased = declared(LEASED, "", 10);
    let waits = "waits for guest/101: k7m2p4.dc-lk.decent-cloud.org to the address that web gets";
    assert_eq!(routes(&leased, &nothing::<TraefikFile>(), &World::default()), waits);
    assert!(routes(&leased, &nothing::<TraefikFile>(), &world(&["10.0.1.77"])).ends_with("-> 10.0.1.77:443"));
    // files of others: one that asks for the name, one that Traefik refuses
    let foreign =
        |live| Found::Foreign(crate::model::Foreign { holder: "x".into(), revision: Revision("r".into()), live });
    let claim = |host: &str| traefik::Claim { host: host.into(), router: "theirs".into(), ends_tls: true };
    let claims = |host: &str| traefik_file::Live { claims: [claim(host)].into(), ..Default::default() };
    let taken = [(FileName("their.yml".into()), foreign(claims("k7m2p4.dc-lk.decent-cloud.org")))];
    let other = [(FileName("their.yml".into()), foreign(claims("shop.acme.test")))];
    insta::assert_snapshot!(routes(&fixed, &Observation::Complete(taken.into()), &World::default()), @r#"traefik-file/trueup-aqcaibaeaqcaibae.yml: k7m2p4.dc-lk.decent-cloud.org is routed by theirs in their.yml of the dynamic directory (Some("it ends TLS and goes before every passthrough: remove it there, or choose another slug"))"#);
    assert_eq!(routes(&fixed, &Observation::Complete(other.into()), &World::default()), there);
    let bad = traefik_file::Live { refused: Some("Traefik refuses it".into()), ..Default::default() };
    let bad = [(FileName("bad.yml".into()), foreign(bad))];
    insta::assert_snapshot!(routes(&fixed, &Observation::Complete(bad.into()), &World::default()), @r#"
    traefik-file/bad.yml: Traefik refuses it (Some("correct or remove it; it is not ours to change"))
    {HostName("k7m2p4.dc-lk.decent-cloud.org")} -> 10.0.1.5:443
    "#);
}
