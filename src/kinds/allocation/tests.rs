use super::*;
use crate::{
    kinds::load,
    ledger::Block,
    manifest::{Severity, SourceFile},
    model::{Mac, Slug},
};

fn declared(text: &str) -> Declarations {
    let site = "apiVersion: trueup/v1alpha1
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
  publicAddresses: [203.0.113.1]
  publicInterface: vmbr0
  guestNetworks: [10.0.1.0/24]
  ports: { range: 20000-20029 }
  traefik: { dynamicDirectory: /etc/traefik/dynamic, api: 'http://127.0.0.1:8080' }
---
";
    let (declarations, found) = load(vec![SourceFile::new("site.yaml", format!("{site}{text}"))]);
    let errors: Vec<_> = found.iter().filter(|d| d.severity == Severity::Error).map(|d| &d.message).collect();
    assert!(errors.is_empty(), "{errors:?}");
    declarations
}

fn guest(name: &str, n: u8) -> String {
    format!(
        "apiVersion: trueup/v1alpha1
kind: Container
metadata: {{ name: {name} }}
spec:
  vmid: auto
  template: local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst
  rootfs: {{ size: 8GiB }}
  networks: [{{ name: eth0, address: 10.0.1.{n}/24, gateway: 10.0.1.1 }}]
---
apiVersion: trueup/v1alpha1
kind: PortAllocation
metadata: {{ name: {name} }}
spec: {{ guest: {name} }}
---
apiVersion: trueup/v1alpha1
kind: DnsSlug
metadata: {{ name: {name} }}
spec: {{ guest: {name} }}
---
"
    )
}

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + hour * 3_600).unwrap()
}

/// Uids that differ by run.
fn run(declarations: &Declarations, lock: &Lock, carried: &Carried, hour: i64, seed: u8) -> Allocated {
    let mut n = 0u8;
    allocate(declarations, lock, carried, at(hour), &mut || {
        n += 1;
        Uid::from_bits([seed, n, 0, 0, 0, 0, 0, 0, 0, 0])
    })
}

fn id(kind: &'static str, name: &str) -> DeclarationId {
    DeclarationId::new(kind, name)
}

fn base(lock: &Lock, name: &str) -> Option<u16> {
    lock.objects.get(&id("PortAllocation", name))?.block.as_ref().map(|block| block.base)
}

#[test]
fn everything_auto_is_chosen_once_and_kept() {
    let two = declared(&(guest("a", 5) + &guest("b", 6)));
    let first = run(&two, &Lock::default(), &Carried::default(), 0, 1);
    assert!(first.problems.is_empty());
    let of = |lock: &Lock, name| {
        let entry = lock.objects[&id("Container", name)].clone();
        (entry.vmid, entry.macs["eth0"], base(lock, name), lock.objects[&id("DnsSlug", name)].slug.clone())
    };
    let (a, b) = (of(&first.lock, "a"), of(&first.lock, "b"));
    assert_eq!((a.0, b.0, a.2, b.2), (Some(100), Some(101), Some(20_000), Some(20_010)));
    assert!(a.1 != b.1 && a.3 != b.3);
    assert_eq!(a.3.as_ref().map(|slug| slug.as_str().len()), Some(6));
    // what follows from a random uid is said to be unsettled
    assert!(first.unsettled.contains(&a.1.to_string()) && first.unsettled.contains(a.3.unwrap().as_str()));
    // twice: the same, whatever the uids would have been
    let second = run(&two, &first.lock, &Carried::default(), 1, 2);
    assert_eq!((second.lock, second.made), (first.lock, Vec::<String>::new()));
}

#[test]
fn exhaustion_names_the_figures_at_the_manifest() {
    let four = declared(&["a", "b", "c", "d"].iter().zip(5..).map(|(name, n)| guest(name, n)).collect::<String>());
    let got = run(&four, &Lock::default(), &Carried::default(), 0, 1);
    assert_eq!(got.problems.len(), 1);
    assert_eq!(
        got.problems[0].message,
        "gateway edge has no free block: range 20000-20029, blocks of 10, 3 of 3 in use"
    );
    assert!(got.problems[0].spot.is_some());
    // the others have theirs
    assert_eq!([base(&got.lock, "a"), base(&got.lock, "d")], [Some(20_000), None]);
}

#[test]
fn what_is_removed_rests_and_comes_back_to_its_owner() {
    let (both, one) = (declared(&(guest("a", 5) + &guest("b", 6))), declared(&guest("b", 6)));
    let lock = run(&both, &Lock::default(), &Carried::default(), 0, 1).lock;
    let without = run(&one, &lock, &Carried::default(), 1, 2).lock;
    assert_eq!((base(&without, "a"), without.freed.len()), (None, 1));
    let other = declared(&(guest("b", 6) + &guest("c", 7)));
    assert_eq!(base(&run(&other, &without, &Carried::default(), 2, 3).lock, "c"), Some(20_020));
    assert_eq!(base(&run(&other, &without, &Carried::default(), 26, 3).lock, "c"), Some(20_000));
    let back = run(&both, &without, &Carried::default(), 2, 4).lock;
    assert_eq!((base(&back, "a"), back.freed.len()), (Some(20_000), 0));
}

#[test]
fn two_branches_that_each_add_a_guest_never_share_a_block() {
    let lock = run(&declared(&guest("m", 5)), &Lock::default(), &Carried::default(), 0, 1).lock;
    let left = run(&declared(&(guest("m", 5) + &guest("a", 6))), &lock, &Carried::default(), 1, 2).lock;
    let right = run(&declared(&(guest("m", 5) + &guest("z", 7))), &lock, &Carried::default(), 1, 3).lock;
    assert_eq!((base(&left, "a"), base(&right, "z")), (Some(20_010), Some(20_010)));
    let mut merged = left.clone();
    merged.objects.extend(right.objects.clone());
    let kinds: Vec<_> = merged.clashes().into_iter().map(|clash| clash.what).collect();
    assert_eq!(
        kinds,
        ["vmid 101", "port block 20010-20019 of gateway edge, which overlaps 20010-20019 of gateway edge"]
    );
    let all = declared(&(guest("a", 6) + &guest("m", 5) + &guest("z", 7)));
    // offline: the first by name keeps
    let got = run(&all, &merged, &Carried::default(), 2, 4).lock;
    assert_eq!([base(&got, "a"), base(&got, "m"), base(&got, "z")], [Some(20_010), Some(20_000), Some(20_020)]);
    assert!(got.clashes().is_empty());
    // whoever has it in the live world keeps it
    let uid = merged.objects[&id("PortAllocation", "z")].uid.clone();
    let block = Block { gateway: "edge".into(), base: 20_010, size: 10 };
    let carried = Carried { blocks: vec![(block, uid)], ..Carried::default() };
    let got = run(&all, &merged, &carried, 2, 4).lock;
    assert_eq!([base(&got, "a"), base(&got, "z")], [Some(20_020), Some(20_010)]);
}

#[test]
fn without_a_lock_the_live_world_is_remembered() {
    let one = declared(&guest("a", 5));
    let uid = |n| Uid::from_bits([9, n, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mac: Mac = "BC:24:11:00:00:01".parse().unwrap();
    let slug: Slug = "k7m2p4".parse().unwrap();
    let mut carried = Carried::default();
    carried.uids.extend([
        (id("Container", "a"), uid(1)),
        (id("PortAllocation", "a"), uid(2)),
        (id("DnsSlug", "a"), uid(3)),
    ]);
    let macs = BTreeMap::from([("eth0".to_string(), mac)]);
    carried.guests.insert(117, CarriedGuest { uid: Some(uid(1)), macs, node: None });
    carried.guests.insert(100, CarriedGuest::default());
    carried.blocks.push((Block { gateway: "edge".into(), base: 20_020, size: 10 }, uid(2)));
    carried.slugs.insert(slug.clone(), uid(3));
    let got = run(&one, &Lock::default(), &carried, 0, 1).lock;
    let entry = &got.objects[&id("Container", "a")];
    assert_eq!((&entry.uid, entry.vmid, entry.macs["eth0"]), (&uid(1), Some(117), mac));
    assert_eq!(base(&got, "a"), Some(20_020));
    assert_eq!(got.objects[&id("DnsSlug", "a")].slug, Some(slug));
}

#[test]
fn what_others_hold_is_not_chosen() {
    let one = declared(&guest("a", 5));
    let mut carried = Carried::default();
    carried.guests.insert(100, CarriedGuest::default());
    carried.blocks.push((Block { gateway: "edge".into(), base: 20_000, size: 10 }, Uid::from_bits([7; 10])));
    let got = run(&one, &Lock::default(), &carried, 0, 1).lock;
    assert_eq!((got.objects[&id("Container", "a")].vmid, base(&got, "a")), (Some(101), Some(20_010)));
}

#[test]
fn a_renamed_object_keeps_everything() {
    let lock = run(&declared(&guest("a", 5)), &Lock::default(), &Carried::default(), 0, 1).lock;
    let renamed = guest("b", 5)
        .replace("metadata: { name: b }", "metadata: { name: b, annotations: { trueup/renamed-from: a } }");
    let got = run(&declared(&renamed), &lock, &Carried::default(), 1, 2).lock;
    for kind in ["Container", "PortAllocation", "DnsSlug"] {
        assert_eq!(got.objects.get(&id(kind, "b")), lock.objects.get(&id(kind, "a")), "{kind}");
    }
    assert!(got.freed.is_empty());
}

#[test]
fn an_adopted_guest_keeps_its_addresses() {
    let adopted = guest("a", 5).replacen(
        "metadata: { name: a }",
        "metadata: { name: a, annotations: { trueup/adopt: '228' } }",
        1,
    );
    let offline = run(&declared(&adopted), &Lock::default(), &Carried::default(), 0, 1).lock;
    let entry = &offline.objects[&id("Container", "a")];
    assert_eq!((entry.vmid, entry.macs.len()), (Some(228), 0));
    let mac: Mac = "BC:24:11:00:00:01".parse().unwrap();
    let macs = BTreeMap::from([("eth0".to_string(), mac)]);
    let carried =
        Carried { guests: BTreeMap::from([(228, CarriedGuest { uid: None, macs, node: None })]), ..Carried::default() };
    let got = run(&declared(&adopted), &offline, &carried, 1, 1).lock;
    assert_eq!(got.objects[&id("Container", "a")].macs["eth0"], mac);
}

#[test]
fn an_id_is_not_given_away_while_its_guest_may_still_be_there() {
    let lock = run(&declared(&guest("a", 5)), &Lock::default(), &Carried::default(), 0, 1).lock;
    // a leaves and b comes in one commit: a is still there
    let swapped = run(&declared(&guest("b", 6)), &lock, &Carried::default(), 1, 2).lock;
    assert_eq!(swapped.objects[&id("Container", "b")].vmid, Some(101));
    // in two commits, offline: the clash is seen when somebody looks
    let none = declared(
        "apiVersion: trueup/v1alpha1\nkind: Template\nmetadata: { name: t }\nspec: { storage: local, container: { file: x.tar.zst } }\n",
    );
    let gone = run(&none, &lock, &Carried::default(), 1, 2).lock;
    let offline = run(&declared(&guest("b", 6)), &gone, &Carried::default(), 2, 3).lock;
    assert_eq!(offline.objects[&id("Container", "b")].vmid, Some(100));
    let live = CarriedGuest { uid: Some(lock.objects[&id("Container", "a")].uid.clone()), ..CarriedGuest::default() };
    let carried = Carried { guests: BTreeMap::from([(100, live)]), ..Carried::default() };
    let online = run(&declared(&guest("b", 6)), &offline, &carried, 3, 4).lock;
    assert_eq!(online.objects[&id("Container", "b")].vmid, Some(101));
}

/// A site of three nodes and guests of 1GiB that fit on some of them.
fn placed(placements: &[(&str, &str)]) -> Declarations {
    let site = "apiVersion: trueup/v1alpha1
kind: Site
metadata: { name: dc-lk }
spec:
  domain: decent-cloud.org
  proxmox:
    endpoints: ['https://10.0.1.1:8006']
    token: { env: T }
    nodes: [{ name: pve1 }, { name: pve2, labels: { disk: nvme } }, { name: pve3, labels: { disk: nvme } }]
    defaults: { storage: local, bridge: vmbr1 }
";
    let guests: String = placements
        .iter()
        .map(|(name, placement)| {
            format!(
                "---\napiVersion: trueup/v1alpha1\nkind: Container\nmetadata: {{ name: {name} }}\nspec: {{ memory: 1GiB, \
                 template: 'local:vztmpl/d.tar.zst', rootfs: {{ size: 8GiB }}, placement: {placement} }}\n"
            )
        })
        .collect();
    let (declarations, found) = load(vec![SourceFile::new("site.yaml", format!("{site}{guests}"))]);
    assert!(found.is_empty(), "{found:?}");
    declarations
}

fn cluster(free: &[(&str, bool, u64)]) -> Carried {
    let node =
        |(name, up, gib): &(&str, bool, u64)| ((*name).to_owned(), CarriedNode { up: *up, free: Some(gib << 30) });
    Carried { nodes: free.iter().map(node).collect(), ..Carried::default() }
}

fn nodes(lock: &Lock) -> Vec<(&str, Option<&str>)> {
    let guests = lock.objects.iter().filter(|(id, _)| id.kind == "Container");
    guests.map(|(id, entry)| (id.name.as_str(), entry.node.as_deref())).collect()
}

#[test]
fn the_node_with_the_most_free_memory_of_those_that_fit_is_chosen_once() {
    let three = placed(&[("a", "{ labels: { disk: nvme } }"), ("b", "{ labels: { disk: nvme } }"), ("c", "{}")]);
    let world = cluster(&[("pve1", true, 3), ("pve2", true, 8), ("pve3", true, 8)]);
    let got = run(&three, &Lock::default(), &world, 0, 1);
    assert!(got.unplaced.is_empty());
    // What is given away counts at once, and the first by name goes first.
    assert_eq!(nodes(&got.lock), [("a", Some("pve2")), ("b", Some("pve3")), ("c", Some("pve2"))]);
    assert!(got.unsettled.contains("a on pve2") && !got.unsettled.contains("pve2"));
    // Whatever the memory is later.
    let later = cluster(&[("pve1", true, 64), ("pve2", true, 0), ("pve3", false, 0)]);
    let again = run(&three, &got.lock, &later, 1, 2);
    assert_eq!((&again.lock, again.made.len(), again.unplaced.len()), (&got.lock, 0, 0));
    assert_eq!(Lock::parse(&got.lock.to_text()), Ok(got.lock.clone()));
    // One that no longer fits, of a guest that is not there, is chosen anew.
    let moved = placed(&[("a", "{ nodes: [pve1] }")]);
    assert_eq!(nodes(&run(&moved, &got.lock, &later, 1, 2).lock), [("a", Some("pve1"))]);
}

#[test]
fn without_a_look_nothing_is_placed_but_where_there_is_no_choice() {
    let two = placed(&[("a", "{ labels: { disk: nvme } }"), ("b", "{ nodes: [pve3] }")]);
    let got = run(&two, &Lock::default(), &Carried::default(), 0, 1);
    assert!(got.problems.is_empty());
    assert_eq!(nodes(&got.lock), [("a", None), ("b", Some("pve3"))]);
    let said: Vec<_> = got.unplaced.iter().map(|said| (&*said.message, said.spot.is_some())).collect();
    assert_eq!(said, [("which of pve2, pve3 gets it is chosen by free memory, and they were not looked at", true)]);
    let down = cluster(&[("pve1", true, 64), ("pve2", false, 8), ("pve3", false, 8)]);
    let said = run(&two, &got.lock, &down, 0, 1).unplaced;
    assert_eq!((said.len(), &*said[0].message), (1, "none of pve2, pve3 is up"));
}

/// With the container `a`, and machines of 3GiB whose manifests go on with this.
fn placed_machines(names: &[&str], spec: &str) -> (Declarations, Vec<String>) {
    let a = placed(&[("a", "{ labels: { disk: nvme } }")]);
    let mut files: Vec<String> = vec![a.site().unwrap().origin.0.as_ref().unwrap().file().text().to_owned()];
    files.extend(names.iter().map(|name| {
        format!(
            "apiVersion: trueup/v1alpha1\nkind: VirtualMachine\nmetadata: {{ name: {name} }}\nspec: {{ memory: 3GiB, {spec} }}\n"
        )
    }));
    let numbered = files.iter().enumerate().map(|(i, text)| SourceFile::new(format!("{i}.yaml"), text.clone()));
    let (declarations, found) = load(numbered.collect());
    (declarations, found.iter().map(|mistake| mistake.message.clone()).collect())
}

#[test]
fn machines_are_placed_as_containers_are_and_what_one_takes_counts_for_the_other() {
    let nvme = "disks: [{ slot: scsi0, size: 8GiB }], placement: { labels: { disk: nvme } }";
    let (both, found) = placed_machines(&["vm", "vm2"], nvme);
    assert_eq!(found, Vec::<String>::new());
    let world = cluster(&[("pve1", true, 64), ("pve2", true, 8), ("pve3", true, 6)]);
    let got = run(&both, &Lock::default(), &world, 0, 1);
    let node = |name: &str| got.lock.objects[&id("VirtualMachine", name)].node.as_deref();
    // `a` took one of eight, so pve2 still has the most; then it has four.
    assert_eq!((nodes(&got.lock), node("vm"), node("vm2")), (vec![("a", Some("pve2"))], Some("pve2"), Some("pve3")));
    assert!(got.unsettled.contains("vm on pve2"), "{:?}", got.unsettled);
    let later = cluster(&[("pve1", true, 64), ("pve2", true, 0), ("pve3", true, 9)]);
    assert_eq!(run(&both, &got.lock, &later, 1, 2).lock, got.lock, "once chosen, it stays");
    assert_eq!(run(&both, &Lock::default(), &Carried::default(), 0, 1).unplaced.len(), 3);

    for (spec, wrong) in [
        (
            "disks: [{ slot: scsi0, size: 8GiB }], placement: { labels: { disk: hdd } }",
            "no node of the Site has all these labels",
        ),
        (
            "disks: [{ slot: scsi0, size: 8GiB }], placement: {}, node: pve1",
            "`node` and `placement` exclude each other",
        ),
        (
            "clone: { from: 9000 }, placement: {}",
            "the copy may be made on several nodes, and on which 9000 lies is not said",
        ),
    ] {
        assert_eq!(placed_machines(&["vm"], spec).1, [wrong]);
    }
    assert_eq!(placed_machines(&["vm"], "clone: { from: 9000, node: pve1 }, placement: {}").1, Vec::<String>::new());
}

#[test]
fn a_choice_by_memory_that_is_not_shown_is_none() {
    let two = placed(&[("a", "{ labels: { disk: nvme } }"), ("b", "{ nodes: [pve3] }")]);
    let mut world = cluster(&[("pve1", true, 3), ("pve2", true, 8), ("pve3", true, 8)]);
    world.nodes.get_mut("pve3").unwrap().free = None;
    let got = run(&two, &Lock::default(), &world, 0, 1);
    assert_eq!(nodes(&got.lock), [("a", None), ("b", Some("pve3"))]);
    let said = &got.unplaced[0];
    let text = "which of pve2, pve3 gets it is chosen by free memory, and that of pve3 is not shown";
    assert_eq!((got.unplaced.len(), &*said.message), (1, text));
    assert!(said.hint.as_ref().is_some_and(|hint| hint.contains("Sys.Audit on /nodes/pve3")), "{:?}", said.hint);
}

#[test]
fn a_guest_that_is_there_stays_where_it_is() {
    let one = placed(&[("a", "{ labels: { disk: nvme } }")]);
    let world = cluster(&[("pve1", true, 3), ("pve2", true, 8), ("pve3", true, 8)]);
    let lock = run(&one, &Lock::default(), &world, 0, 1).lock;
    let uid = lock.objects[&id("Container", "a")].uid.clone();
    let mut moved = world;
    moved.uids.insert(id("Container", "a"), uid.clone());
    moved.guests.insert(100, CarriedGuest { uid: Some(uid), node: Some("pve1".into()), ..CarriedGuest::default() });
    // The lock says where it was made; that somebody has moved it changes nothing.
    assert_eq!(run(&one, &lock, &moved, 1, 2).lock, lock);
    // Where the lock is lost, it is where it is, though it does not fit there.
    assert_eq!(nodes(&run(&one, &Lock::default(), &moved, 1, 2).lock), [("a", Some("pve1"))]);
}
