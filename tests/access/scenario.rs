//! What is declared so that each privilege is needed. Disks and templates lie apart, because whoever may make disks on a
//! storage may read its templates too.

/// A site that works with all roles, and with none of the tested privileges missing.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// What the Site says of Proxmox beside the defaults.
    pub site: &'static str,
    /// What is made with all roles first; nothing where it is empty.
    pub before: &'static str,
    /// What is then declared.
    pub then: &'static str,
    /// A pool that somebody has made.
    pub pool: Option<&'static str>,
}

const fn declared(then: &'static str) -> Scenario {
    Scenario { site: "", before: "", then, pool: None }
}

/// Containers, made and changed in every way that needs a privilege of its own.
pub const CONTAINERS: Scenario = declared(
    r#"---
apiVersion: trueup/v1alpha1
kind: Template
metadata: { name: debian-13 }
spec: { storage: local, container: { file: debian-13-standard_13.1-2_amd64.tar.zst } }
---
apiVersion: trueup/v1alpha1
kind: Template
metadata: { name: minimal }
spec:
  storage: local
  container:
    url: https://images.test/minimal_1.0_amd64.tar.zst
    checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
---
apiVersion: trueup/v1alpha1
kind: Container
metadata: { name: web }
spec:
  vmid: 101
  template: debian-13
  cores: 2
  memory: 512MiB
  rootfs: { size: 8GiB }
  features: [nesting]
  startOnBoot: true
  networks: [{ name: eth0, address: 10.0.1.5/24, gateway: 10.0.1.1 }]
---
apiVersion: trueup/v1alpha1
kind: Container
metadata: { name: small }
spec:
  vmid: 102
  template: minimal
  memory: 256MiB
  rootfs: { size: 4GiB }
  networks: [{ name: eth0, address: 10.0.1.6/24, gateway: 10.0.1.1 }]
"#,
);

/// A container that is put into a pool when it is there.
pub const POOL: Scenario = Scenario {
    site: "",
    pool: Some("team"),
    before: r#"---
apiVersion: trueup/v1alpha1
kind: Container
metadata: { name: web }
spec:
  vmid: 101
  template: "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"
  memory: 512MiB
  rootfs: { size: 8GiB }
"#,
    then: r#"---
apiVersion: trueup/v1alpha1
kind: Container
metadata: { name: web }
spec:
  vmid: 101
  template: "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"
  memory: 512MiB
  rootfs: { size: 8GiB }
  pool: team
"#,
};

/// A container that leaves its node open.
pub const PLACEMENT: Scenario = Scenario {
    site: "nodes: [{ name: pve1 }, { name: pve2 }]",
    ..declared(
        r#"---
apiVersion: trueup/v1alpha1
kind: Container
metadata: { name: web }
spec:
  vmid: 101
  placement: {}
  template: "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"
  memory: 512MiB
  rootfs: { size: 8GiB }
"#,
    )
};

pub const PRIVILEGED: Scenario = declared(
    r#"---
apiVersion: trueup/v1alpha1
kind: Container
metadata: { name: web }
spec:
  vmid: 101
  unprivileged: false
  template: "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"
  memory: 512MiB
  rootfs: { size: 8GiB }
"#,
);

/// A virtual machine of an image that the node downloads, with hardware of its own.
pub const MACHINE: Scenario = declared(
    r#"---
apiVersion: trueup/v1alpha1
kind: Template
metadata: { name: noble }
spec:
  storage: local
  image:
    url: https://images.test/noble.qcow2
    checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
---
apiVersion: trueup/v1alpha1
kind: VirtualMachine
metadata: { name: build }
spec:
  vmid: 201
  cores: 2
  memory: 1GiB
  machine: q35
  scsiController: virtio-scsi-single
  display: serial0
  serialConsole: true
  disks: [{ slot: scsi0, image: noble, size: 16GiB }]
  networks: [{ slot: net0, vlan: 7 }]
"#,
);

/// A copy.
pub const COPY: Scenario = declared(
    r#"---
apiVersion: trueup/v1alpha1
kind: VirtualMachine
metadata: { name: build }
spec:
  vmid: 201
  clone: { from: 9000, storage: disks }
  agent: { enabled: false }
  networks: [{ slot: net0 }]
"#,
);

/// A copy whose address only its agent knows.
pub const AGENT: Scenario = declared(
    r#"---
apiVersion: trueup/v1alpha1
kind: VirtualMachine
metadata: { name: build }
spec:
  vmid: 201
  clone: { from: 9000, storage: disks }
  agent: { enabled: true }
  networks: [{ slot: net0, address: dhcp }]
"#,
);

/// A machine that is given a drive for cloud-init.
pub const CLOUD_INIT: Scenario = Scenario {
    site: "",
    pool: None,
    before: r#"---
apiVersion: trueup/v1alpha1
kind: VirtualMachine
metadata: { name: build }
spec:
  vmid: 201
  memory: 1GiB
  disks: [{ slot: scsi0, size: 8GiB }]
  state: stopped
"#,
    then: r#"---
apiVersion: trueup/v1alpha1
kind: VirtualMachine
metadata: { name: build }
spec:
  vmid: 201
  memory: 1GiB
  disks: [{ slot: scsi0, size: 8GiB }]
  cloudInit: { user: ops }
  state: stopped
"#,
};

pub const START_ORDER: Scenario = declared(
    r#"---
apiVersion: trueup/v1alpha1
kind: VirtualMachine
metadata: { name: build }
spec:
  vmid: 201
  memory: 1GiB
  disks: [{ slot: scsi0, size: 8GiB }]
  startup: { order: 3 }
"#,
);
