//! One call for each endpoint with parameters: what it needs, and where it succeeds.
use crate::sandbox::proxmox::{
    Kind, Page, Seed, SeedNode, SeedStorage,
    seed::{SeedGuest, SeedToken},
};

type Pairs = &'static [(&'static str, &'static str)];

/// A call that succeeds as it is.
pub struct Sound {
    /// Verb and path, as in the facts.
    pub endpoint: &'static str,
    pub at: &'static str,
    pub given: Pairs,
    /// What has to be done first.
    pub before: &'static [(&'static str, &'static str, Pairs)],
}

const fn call(endpoint: &'static str, at: &'static str, given: Pairs) -> Sound {
    Sound { endpoint, at, given, before: &[] }
}

const TEMPLATE: &str = "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst";
pub const BACKUP: &str = "local:backup/vzdump-lxc-101-2026_11_20-02_00_00.tar.zst";
pub const IMAGE: &str = "https://images.example/noble.iso";
/// A public key that is one.
pub const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3sBYEPAQzWqQjVtGbPiUFVFlmYh0LMJTNHJL9RZTCC ops";

/// Two nodes, a pool, a user; containers 101 (stopped), 102 (running), 103 (with snapshots), 104 (on a shared storage);
/// machines 201 (stopped), 202 (running), 203 (another one), 204 (on a shared
/// storage).
pub fn site(release: crate::sandbox::proxmox::Release) -> Seed {
    let mut seed = Seed { version: release, ..Seed::default() };
    seed.nodes.insert("pve2".into(), SeedNode { address: "10.99.0.3".into(), ..SeedNode::default() });
    let other = |kind: &str, path: Option<&str>| SeedStorage {
        kind: kind.into(),
        path: path.map(str::to_string),
        ..SeedStorage::default()
    };
    seed.storages.insert("other".into(), other("dir", Some("/mnt/other")));
    seed.storages.insert("nfs".into(), other("nfs", Some("/mnt/pve/nfs")));
    seed.storages.insert("rbd".into(), other("rbd", None));
    seed.storages.insert("zfs".into(), other("zfspool", None));
    seed.files.extend([BACKUP, "local:snippets/hook.pl", "local:snippets/user.yaml"].map(|f| (f.to_string(), 4096)));
    seed.web.insert(IMAGE.into(), Page { size: 4096, sums: [("sha256".to_string(), "ab".repeat(32))].into() });
    seed.users.insert("u@pve".into(), vec![]);
    seed.roles.insert("Few".into(), ["VM.Audit".to_string()].into());
    seed.tokens.push(SeedToken { id: "u@pve!tok".into(), secret: "s".into(), privsep: true, roles: vec![] });
    for (vmid, volume) in [
        (101, "local:101/vm-101-disk-0.raw"),
        (102, "local:102/vm-102-disk-0.raw"),
        (103, "zfs:subvol-103-disk-0"),
        (104, "rbd:vm-104-disk-0"),
    ] {
        let config = [
            ("arch", "amd64".to_string()),
            ("hostname", format!("ct{vmid}")),
            ("memory", "512".into()),
            ("net0", format!("name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:01:{:02}", vmid - 100)),
            ("ostype", "debian".into()),
            ("rootfs", format!("{volume},size=1G")),
            ("swap", "512".into()),
            ("unprivileged", "1".into()),
        ];
        let more = (vmid == 101).then(|| ("mp1", "local:101/vm-101-disk-1.raw,mp=/data,size=1G".to_string()));
        seed.guests.push(guest(vmid, Kind::Lxc, vmid == 102, config.into_iter().chain(more).collect()));
    }
    for (vmid, storage) in [(201, "local"), (202, "local"), (203, "local"), (204, "nfs")] {
        let config = [
            ("agent", "1".to_string()),
            ("boot", "order=scsi0".into()),
            ("ide2", format!("{storage}:{vmid}/vm-{vmid}-cloudinit.qcow2,media=cdrom")),
            ("memory", "1024".into()),
            ("name", format!("vm{vmid}")),
            ("net0", format!("virtio=BC:24:11:00:02:{:02},bridge=vmbr0", vmid - 200)),
            ("scsi0", format!("{storage}:{vmid}/vm-{vmid}-disk-0.qcow2,size=1G")),
            ("scsihw", "virtio-scsi-single".into()),
        ];
        seed.guests.push(guest(vmid, Kind::Qemu, vmid == 202, config.into()));
    }
    seed
}

fn guest(vmid: u32, kind: Kind, running: bool, config: std::collections::BTreeMap<&str, String>) -> SeedGuest {
    let config = config.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
    SeedGuest { vmid, kind, node: None, running, config }
}

const SNAPPED: &[(&str, &str, Pairs)] = &[("POST", "/nodes/pve1/lxc/103/snapshot", &[("snapname", "s1")])];
const VM_SNAPPED: &[(&str, &str, Pairs)] = &[("POST", "/nodes/pve1/qemu/201/snapshot", &[("snapname", "s1")])];
const BACKED_UP: &[(&str, &str, Pairs)] =
    &[("POST", "/pools", &[("poolid", "p")]), ("POST", "/nodes/pve1/vzdump", &[("vmid", "101"), ("storage", "local")])];
const MACHINE_BACKED_UP: &[(&str, &str, Pairs)] =
    &[("POST", "/pools", &[("poolid", "p")]), ("POST", "/nodes/pve1/vzdump", &[("vmid", "203"), ("storage", "local")])];
const TO_COPY: &[(&str, &str, Pairs)] = &[
    ("POST", "/pools", &[("poolid", "p")]),
    ("POST", "/nodes/pve1/lxc/104/snapshot", &[("snapname", "s1")]),
    ("POST", "/nodes/pve1/qemu/204/snapshot", &[("snapname", "s1")]),
];
const POOLED: &[(&str, &str, Pairs)] = &[
    ("POST", "/pools", &[("poolid", "p")]),
    ("POST", "/pools", &[("poolid", "q")]),
    ("POST", "/pools", &[("poolid", "empty")]),
    ("PUT", "/pools", &[("poolid", "p"), ("vms", "101")]),
    ("PUT", "/pools", &[("poolid", "q"), ("vms", "102"), ("storage", "other")]),
];
const GROUPED: &[(&str, &str, Pairs)] = &[("POST", "/access/groups", &[("groupid", "g")])];

/// What succeeds with nothing more than it needs.
pub const SOUND: &[Sound] = &[
    Sound {
        before: GROUPED,
        ..call("PUT /access/acl", "/access/acl", &[("path", "/vms"), ("roles", "PVEAuditor"), ("users", "u@pve")])
    },
    call("POST /access/groups", "/access/groups", &[("groupid", "h")]),
    Sound { before: GROUPED, ..call("PUT /access/groups/{groupid}", "/access/groups/g", &[]) },
    call("PUT /access/password", "/access/password", &[("userid", "u@pve"), ("password", "a new password")]),
    call("POST /access/roles", "/access/roles", &[("roleid", "Other")]),
    call("PUT /access/roles/{roleid}", "/access/roles/Few", &[]),
    call(
        "POST /access/ticket",
        "/access/ticket",
        &[("username", "root@pam"), ("password", "a password of the sandbox")],
    ),
    Sound { before: GROUPED, ..call("POST /access/users", "/access/users", &[("userid", "n@pve")]) },
    Sound { before: GROUPED, ..call("PUT /access/users/{userid}", "/access/users/u@pve", &[]) },
    call("POST /access/users/{userid}/token/{tokenid}", "/access/users/u@pve/token/new", &[]),
    call("PUT /access/users/{userid}/token/{tokenid}", "/access/users/u@pve/token/tok", &[]),
    call("POST /pools", "/pools", &[("poolid", "n")]),
    Sound { before: POOLED, ..call("PUT /pools", "/pools", &[("poolid", "p")]) },
    Sound { before: POOLED, ..call("DELETE /pools", "/pools", &[("poolid", "empty")]) },
    Sound { before: POOLED, ..call("PUT /pools/{poolid}", "/pools/p", &[]) },
    Sound {
        before: BACKED_UP,
        ..call(
            "POST /nodes/{node}/lxc",
            "/nodes/pve1/lxc",
            &[("vmid", "109"), ("ostemplate", TEMPLATE), ("rootfs", "local:1")],
        )
    },
    call("DELETE /nodes/{node}/lxc/{vmid}", "/nodes/pve1/lxc/101", &[]),
    Sound {
        before: TO_COPY,
        ..call("POST /nodes/{node}/lxc/{vmid}/clone", "/nodes/pve1/lxc/104/clone", &[("newid", "109")])
    },
    call("PUT /nodes/{node}/lxc/{vmid}/config", "/nodes/pve1/lxc/101/config", &[]),
    call("POST /nodes/{node}/lxc/{vmid}/migrate", "/nodes/pve1/lxc/101/migrate", &[("target", "pve2")]),
    call(
        "POST /nodes/{node}/lxc/{vmid}/move_volume",
        "/nodes/pve1/lxc/101/move_volume",
        &[("volume", "mp1"), ("storage", "other")],
    ),
    call("PUT /nodes/{node}/lxc/{vmid}/resize", "/nodes/pve1/lxc/101/resize", &[("disk", "rootfs"), ("size", "+1G")]),
    call("POST /nodes/{node}/lxc/{vmid}/snapshot", "/nodes/pve1/lxc/103/snapshot", &[("snapname", "s1")]),
    Sound {
        before: SNAPPED,
        ..call("DELETE /nodes/{node}/lxc/{vmid}/snapshot/{snapname}", "/nodes/pve1/lxc/103/snapshot/s1", &[])
    },
    Sound {
        before: SNAPPED,
        ..call("PUT /nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config", "/nodes/pve1/lxc/103/snapshot/s1/config", &[])
    },
    Sound {
        before: SNAPPED,
        ..call(
            "POST /nodes/{node}/lxc/{vmid}/snapshot/{snapname}/rollback",
            "/nodes/pve1/lxc/103/snapshot/s1/rollback",
            &[],
        )
    },
    call("POST /nodes/{node}/lxc/{vmid}/status/reboot", "/nodes/pve1/lxc/102/status/reboot", &[]),
    call("POST /nodes/{node}/lxc/{vmid}/status/shutdown", "/nodes/pve1/lxc/102/status/shutdown", &[]),
    call("POST /nodes/{node}/lxc/{vmid}/status/start", "/nodes/pve1/lxc/101/status/start", &[]),
    call("POST /nodes/{node}/lxc/{vmid}/status/stop", "/nodes/pve1/lxc/102/status/stop", &[]),
    Sound { before: MACHINE_BACKED_UP, ..call("POST /nodes/{node}/qemu", "/nodes/pve1/qemu", &[("vmid", "209")]) },
    call("DELETE /nodes/{node}/qemu/{vmid}", "/nodes/pve1/qemu/201", &[]),
    call("POST /nodes/{node}/qemu/{vmid}/agent", "/nodes/pve1/qemu/202/agent", &[("command", "ping")]),
    Sound {
        before: TO_COPY,
        ..call("POST /nodes/{node}/qemu/{vmid}/clone", "/nodes/pve1/qemu/204/clone", &[("newid", "209")])
    },
    call("POST /nodes/{node}/qemu/{vmid}/config", "/nodes/pve1/qemu/201/config", &[]),
    call("PUT /nodes/{node}/qemu/{vmid}/config", "/nodes/pve1/qemu/201/config", &[]),
    call("POST /nodes/{node}/qemu/{vmid}/migrate", "/nodes/pve1/qemu/201/migrate", &[("target", "pve2")]),
    call(
        "POST /nodes/{node}/qemu/{vmid}/move_disk",
        "/nodes/pve1/qemu/201/move_disk",
        &[("disk", "scsi0"), ("storage", "other")],
    ),
    call("PUT /nodes/{node}/qemu/{vmid}/resize", "/nodes/pve1/qemu/201/resize", &[("disk", "scsi0"), ("size", "+1G")]),
    call("PUT /nodes/{node}/qemu/{vmid}/sendkey", "/nodes/pve1/qemu/202/sendkey", &[("key", "ret")]),
    call("POST /nodes/{node}/qemu/{vmid}/snapshot", "/nodes/pve1/qemu/202/snapshot", &[("snapname", "s1")]),
    Sound {
        before: VM_SNAPPED,
        ..call("DELETE /nodes/{node}/qemu/{vmid}/snapshot/{snapname}", "/nodes/pve1/qemu/201/snapshot/s1", &[])
    },
    Sound {
        before: VM_SNAPPED,
        ..call(
            "PUT /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config",
            "/nodes/pve1/qemu/201/snapshot/s1/config",
            &[],
        )
    },
    Sound {
        before: VM_SNAPPED,
        ..call(
            "POST /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/rollback",
            "/nodes/pve1/qemu/201/snapshot/s1/rollback",
            &[],
        )
    },
    call("POST /nodes/{node}/qemu/{vmid}/status/reboot", "/nodes/pve1/qemu/202/status/reboot", &[]),
    call("POST /nodes/{node}/qemu/{vmid}/status/reset", "/nodes/pve1/qemu/202/status/reset", &[]),
    call("POST /nodes/{node}/qemu/{vmid}/status/resume", "/nodes/pve1/qemu/202/status/resume", &[]),
    call("POST /nodes/{node}/qemu/{vmid}/status/shutdown", "/nodes/pve1/qemu/202/status/shutdown", &[]),
    call("POST /nodes/{node}/qemu/{vmid}/status/start", "/nodes/pve1/qemu/201/status/start", &[]),
    call("POST /nodes/{node}/qemu/{vmid}/status/stop", "/nodes/pve1/qemu/202/status/stop", &[]),
    call("POST /nodes/{node}/qemu/{vmid}/status/suspend", "/nodes/pve1/qemu/202/status/suspend", &[]),
    call("POST /nodes/{node}/qemu/{vmid}/template", "/nodes/pve1/qemu/201/template", &[]),
    call("PUT /nodes/{node}/qemu/{vmid}/unlink", "/nodes/pve1/qemu/201/unlink", &[("idlist", "scsi0")]),
    call(
        "POST /nodes/{node}/storage/{storage}/content",
        "/nodes/pve1/storage/local/content",
        &[("filename", "vm-101-disk-7.raw"), ("size", "1G"), ("vmid", "101")],
    ),
    call(
        "DELETE /nodes/{node}/storage/{storage}/content/{volume}",
        "/nodes/pve1/storage/local/content/local:vztmpl%2Fdebian-13-standard_13.1-2_amd64.tar.zst",
        &[],
    ),
    call(
        "PUT /nodes/{node}/storage/{storage}/content/{volume}",
        "/nodes/pve1/storage/local/content/local:backup%2Fvzdump-lxc-101-2026_11_20-02_00_00.tar.zst",
        &[],
    ),
    call(
        "POST /nodes/{node}/storage/{storage}/download-url",
        "/nodes/pve1/storage/local/download-url",
        &[("content", "iso"), ("filename", "noble.iso"), ("url", IMAGE)],
    ),
    call("DELETE /nodes/{node}/storage/{storage}/prunebackups", "/nodes/pve1/storage/local/prunebackups", &[]),
];
