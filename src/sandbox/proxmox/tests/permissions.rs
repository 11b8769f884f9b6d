//! What a limited token is asked for about things that belong to nobody's guest: devices, bridges, pools. On both releases.
use super::client::Client;
use crate::sandbox::proxmox::{
    Kind, Release, Seed, Timing,
    seed::{SeedGuest, SeedToken},
};
use serde_json::{Value, json};

const BOTH: [Release; 2] = [Release::V9_2_11, Release::V8_4_21];
/// What making and changing guests needs, without devices, bridges and pools.
const PLAIN: &[&str] = &[
    "Datastore.AllocateSpace",
    "Datastore.Audit",
    "VM.Allocate",
    "VM.Audit",
    "VM.Clone",
    "VM.Config.HWType",
    "VM.Config.Network",
    "VM.Config.Options",
];

/// A container 101, and a machine 201 with mapped devices, before a token that has these privileges on everything.
fn site(release: Release, privileges: &[&str]) -> Client {
    let mut seed = Seed { version: release, ..Seed::default() };
    seed.roles.insert("Some".into(), privileges.iter().map(|p| (*p).to_string()).collect());
    seed.tokens =
        vec![SeedToken { id: "ci@pve!tok".into(), secret: "s".into(), privsep: true, roles: vec!["Some".into()] }];
    let config = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect();
    let container = config(&[
        ("arch", "amd64"),
        ("net0", "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01"),
        ("ostype", "debian"),
        ("rootfs", "local:101/vm-101-disk-0.raw,size=1G"),
        ("unprivileged", "1"),
    ]);
    let machine = config(&[
        ("hostpci0", "mapping=gpu"),
        ("name", "vm"),
        ("net0", "virtio=BC:24:11:00:00:02,bridge=vmbr0"),
        ("scsi0", "local:201/vm-201-disk-0.qcow2,size=1G"),
        ("usb0", "mapping=stick"),
    ]);
    seed.guests.push(SeedGuest { vmid: 101, kind: Kind::Lxc, node: None, running: false, config: container });
    seed.guests.push(SeedGuest { vmid: 201, kind: Kind::Qemu, node: None, running: false, config: machine });
    Client::with(seed, Timing::Fast)
}

/// The status and the message of a call, and what it says of single parameters.
async fn told(client: &Client, verb: &str, path: &str, pairs: &[(&str, &str)]) -> (u16, String, Value) {
    let (status, body) = client.call(verb, path, pairs).await;
    let message = body["message"].as_str().unwrap_or_default().trim_end().to_string();
    (status, message, body["errors"].clone())
}

fn denied(path: &str, privilege: &str) -> (u16, String, Value) {
    (403, format!("Permission check failed ({path}, {privilege})"), Value::Null)
}

#[tokio::test]
async fn a_copy_takes_devices_and_bridges_only_where_they_may_be_used() {
    for release in BOTH {
        let with = |more: &[&str]| site(release, &[PLAIN, more].concat());
        let (machine, container) = ("/nodes/pve1/qemu/201/clone", "/nodes/pve1/lxc/101/clone");
        let new = [("newid", "301")];
        let client = with(&[]);
        assert_eq!(told(&client, "POST", machine, &new).await, denied("/mapping/pci/gpu", "Mapping.Use"));
        let bridge = denied("/sdn/zones/localnetwork/vmbr0", "SDN.Use");
        assert_eq!(told(&client, "POST", container, &new).await, bridge);
        assert_eq!(told(&with(&["Mapping.Use"]), "POST", machine, &new).await, bridge);
        let client = with(&["Mapping.Use", "SDN.Use"]);
        assert_eq!(client.task("POST", machine, &new).await, "OK");
        assert_eq!(client.task("POST", container, &[("newid", "302")]).await, "OK");
    }
}

#[tokio::test]
async fn a_container_is_copied_only_to_a_storage_that_may_be_filled() {
    for release in BOTH {
        let few: Vec<&str> = PLAIN.iter().copied().chain(["SDN.Use"]).filter(|p| !p.starts_with("Datastore")).collect();
        let client = site(release, &few);
        let asked = told(&client, "POST", "/nodes/pve1/lxc/101/clone", &[("newid", "301")]).await;
        assert_eq!(asked, denied("/storage/local", "Datastore.AllocateSpace"));
    }
}

#[tokio::test]
async fn devices_of_the_host_are_set_by_their_mapping_and_its_privilege() {
    for release in BOTH {
        let put = "/nodes/pve1/qemu/201/config";
        let client = site(release, PLAIN);
        let asked = told(&client, "PUT", put, &[("hostpci1", "mapping=card")]).await;
        assert_eq!(asked, denied("/mapping/pci/card", "Mapping.Use"));
        let asked = told(&client, "PUT", put, &[("usb1", "mapping=key")]).await;
        assert_eq!(asked, denied("/mapping/usb/key", "Mapping.Use"));
        let asked = told(&client, "PUT", put, &[("net1", "virtio,bridge=vmbr0")]).await;
        assert_eq!(asked, denied("/sdn/zones/localnetwork/vmbr0", "SDN.Use"));
        let client = site(release, &[PLAIN, &["Mapping.Use"]].concat());
        assert_eq!(told(&client, "PUT", put, &[("hostpci1", "mapping=card"), ("usb1", "mapping=key")]).await.0, 200);
        let asked = told(&client, "PUT", put, &[("hostpci2", "0000:01:00.0")]).await;
        assert_eq!((asked.0, &*asked.1), (500, "only root can set 'hostpci2' config for non-mapped devices"));
        // Until qemu-server 9.2.6 a mapped device could bring its own firmware.
        let asked = told(&client, "PUT", put, &[("hostpci2", "mapping=card,romfile=vbios.bin")]).await;
        match release.is_9() {
            true => {
                assert_eq!((asked.0, &asked.2["hostpci2"]), (400, &json!("only root@pam can set 'romfile' option")))
            }
            false => assert_eq!(asked.0, 200, "{asked:?}"),
        }
    }
}

#[tokio::test]
async fn a_guest_of_either_kind_joins_and_leaves_a_pool_by_whoever_may_change_both() {
    for release in BOTH {
        let client = site(release, &["Pool.Allocate", "Pool.Audit", "VM.Audit"]);
        assert_eq!(client.call("POST", "/pools", &[("poolid", "p")]).await.0, 200);
        for vmid in ["101", "201"] {
            let asked = told(&client, "PUT", "/pools", &[("poolid", "p"), ("vms", vmid)]).await;
            assert_eq!(asked.0, 403, "{asked:?}");
            assert!(asked.1.contains(&format!("/vms/{vmid}")), "{asked:?}");
        }
        let client = site(release, &[PLAIN, &["Pool.Allocate", "Pool.Audit"]].concat());
        for pool in ["p", "q"] {
            assert_eq!(client.call("POST", "/pools", &[("poolid", pool)]).await.0, 200);
        }
        let both = |pool: &'static str| [("poolid", pool), ("vms", "101,201")];
        assert_eq!(told(&client, "PUT", "/pools", &both("p")).await.0, 200);
        let asked = told(&client, "PUT", "/pools", &both("q")).await;
        assert_eq!(asked.0, 500, "{asked:?}");
        assert!(asked.1.contains("VM 101 belongs already to pool 'p' and 'allow-move' is not set"), "{asked:?}");
        let [pool, vms] = both("q");
        assert_eq!(told(&client, "PUT", "/pools", &[pool, vms, ("allow-move", "1")]).await.0, 200);
        let members = client.get("/pools/q").await["members"].as_array().map(Vec::len);
        assert_eq!(members, Some(2));
        assert_eq!(told(&client, "PUT", "/pools", &[pool, vms, ("delete", "1")]).await.0, 200);
        let client = site(release, PLAIN);
        let asked = told(&client, "POST", "/pools", &[("poolid", "p")]).await;
        assert_eq!(asked, denied("/pool/p", "Pool.Allocate"));
    }
}
