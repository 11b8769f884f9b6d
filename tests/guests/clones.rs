//! Copies of machines: linked to their template, and made on another node than it.
use super::bed::{Bed, RELEASES, foreign, said};
use trueup::sandbox::{
    proxmox::{Kind, SeedNode, SeedStorage},
    seed::Seed,
};

const TEMPLATE: &[(&str, &str)] = &[
    ("name", "noble"),
    ("memory", "1024"),
    ("template", "1"),
    ("scsihw", "virtio-scsi-single"),
    ("scsi0", "local-zfs:base-9000-disk-0,size=8G"),
    ("boot", "order=scsi0"),
];

/// A machine that is a copy of 9000.
fn copy(clone: &str, more: &str) -> String {
    format!(
        "apiVersion: trueup/v1alpha1\nkind: VirtualMachine\nmetadata: {{ name: build, annotations: {{ trueup/deletion: delete }} }}\nspec: \
         {{ vmid: 9101, state: stopped, memory: 2GiB, clone: {{ from: 9000, {clone} }}{more} }}\n---\n"
    )
}

/// A second node, and a storage under the first one's name that both see, or that each has for itself.
fn two_nodes(seed: &mut Seed, shared: bool) {
    let second = SeedNode { address: "10.99.0.3".into(), ..seed.proxmox.nodes["pve1"].clone() };
    seed.proxmox.nodes.insert("pve2".into(), second);
    let storage: &mut SeedStorage = seed.proxmox.storages.get_mut("local-zfs").unwrap();
    storage.shared = shared;
    seed.proxmox.guests.push(foreign(9000, Kind::Qemu, false, TEMPLATE));
}

#[tokio::test]
async fn a_linked_clone_leans_on_its_template_and_leaves_it_when_it_goes() {
    for release in RELEASES {
        let mut bed = Bed::with(release, vec![foreign(9000, Kind::Qemu, false, TEMPLATE)]).await;
        let before = bed.guest(9000);
        let report = bed.pass(&copy("full: false", "")).await;
        assert!(report.rest.in_true(), "{}", said(&report));
        let disk = bed.option(9101, "scsi0");
        assert!(disk.contains("base-9000-disk-0/vm-9101-disk-0"), "{disk}");
        assert_eq!(bed.option(9101, "memory"), "2048");
        let writes = bed.writes();
        assert!(bed.pass(&copy("full: false", "")).await.rest.in_true());
        assert_eq!(bed.writes(), writes, "in true, nothing is written");
        bed.pass("").await;
        assert_eq!((bed.vmids(), bed.guest(9000).conf), (vec![9000], before.conf));
    }
}

/// Proxmox says what it will not do before anything is made.
#[tokio::test]
async fn a_machine_on_a_storage_of_one_node_is_not_copied_to_another() {
    for release in RELEASES {
        let mut bed = Bed::shaped(release, |seed| two_nodes(seed, false)).await;
        let report = bed.pass(&copy("full: true, node: pve1", ", node: pve2")).await;
        let told = said(&report);
        assert!(told.contains("can't clone VM to node 'pve2' (VM uses local storage)"), "{told}");
        assert_eq!(bed.vmids(), [9000], "nothing is left of it");
        let report = bed.pass(&copy("full: true, node: pve1", ", node: pve1")).await;
        assert!(report.rest.in_true(), "{}", said(&report));
        assert_eq!(bed.guest(9101).node, "pve1");
    }
}

#[tokio::test]
async fn a_machine_on_a_shared_storage_is_copied_to_another_node() {
    for release in RELEASES {
        for full in [true, false] {
            let mut bed = Bed::shaped(release, |seed| two_nodes(seed, true)).await;
            let text = copy(&format!("full: {full}, node: pve1"), ", node: pve2");
            let report = bed.pass(&text).await;
            assert!(report.rest.in_true(), "{}", said(&report));
            assert_eq!((bed.guest(9101).node.as_str(), bed.option(9101, "memory").as_str()), ("pve2", "2048"));
            let writes = bed.writes();
            assert!(bed.pass(&text).await.rest.in_true());
            assert_eq!(bed.writes(), writes, "in true, nothing is written");
        }
    }
}
