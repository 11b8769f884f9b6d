//! What a person writes to describe a virtual machine.
//!
//! What is optional and left out is not looked after: a new machine gets Proxmox's own default or what it was cloned with, an
//! existing one keeps what it has.
use super::{CardSlot, DiskSlot};
use crate::{
    kinds::{
        container::{Address4, Address6, Dns, Hostname, Placement, RestartPolicy, Startup, State, Tag},
        declared::{Declarations, Declared, Spec},
    },
    model::{Auto, Deletion, FileReference, Identifier, Mac, Name, Rate, Reference, Size, Vmid},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
};

/// A QEMU guest. Its name is shared with no other guest of any kind.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "VirtualMachine")]
pub struct VirtualMachine {
    /// Proxmox's number of the guest, or `auto`, which the lock file remembers.
    #[serde(default)]
    pub vmid: Auto<Vmid>,
    /// How Proxmox and, by cloud-init, the guest call it; its name unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Hostname>,
    /// The node on which it is made; the Site's default unless given. A guest that was moved since is found where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Identifier>,
    /// Instead of `node`: it is chosen among several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// The machine that it is made a copy of. Without it, it is made from its disks. One that `trueup/adopt` takes over needs
    /// neither: Proxmox does not remember what it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clone: Option<CloneSource>,
    /// Cores of each socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 128))]
    pub cores: Option<u32>,
    /// Sockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4))]
    pub sockets: Option<u32>,
    /// What the processor is, and how much of it the machine may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
    /// Memory, whole MiB, at least 16MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// The least memory that ballooning leaves it, whole MiB; `0MiB` takes the balloon device away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balloon: Option<Size>,
    /// Disks. One that a clone brings along is named to be grown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<Disk>,
    /// Network cards. Where any is listed, those that are not are removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Card>,
    /// What cloud-init does inside when the guest starts. Addresses stand with the cards, name servers in `dns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_init: Option<CloudInit>,
    /// Name resolution, by cloud-init; the node's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// The guest agent: where its addresses are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// What it boots from, in this order: `[scsi0, net0]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Vec<Identifier>>,
    /// The emulated machine: `q35`, `i440fx`, `pc-q35-9.2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Identifier>,
    /// The firmware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bios: Option<Bios>,
    /// Where UEFI keeps its variables. Made where there is none, never changed afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efi_disk: Option<EfiDisk>,
    /// A trusted platform module. Made where there is none, never changed afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm: Option<Tpm>,
    /// The controller of SCSI disks: `virtio-scsi-single`, `virtio-scsi-pci` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scsi_controller: Option<Identifier>,
    /// What runs inside, as Proxmox knows it: `l26` for Linux, `win11` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_type: Option<Identifier>,
    /// The display: `std`, `qxl`, `virtio`, `none`, or `serial0`, which many cloud images want.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<Identifier>,
    /// Whether it has a serial console (`serial0`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_console: Option<bool>,
    /// Whether it starts when the node does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_on_boot: Option<bool>,
    /// When it starts and stops among the guests of its node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<Startup>,
    /// Whether Proxmox refuses to destroy it or its disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection: Option<bool>,
    /// Tags, beside our own. Tags that others gave it stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// The pool that it is a member of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Identifier>,
    /// Whether it runs.
    #[serde(default)]
    pub state: State,
    /// Whether it may be restarted for a change that needs it.
    #[serde(default)]
    pub restart_policy: RestartPolicy,
}

impl VirtualMachine {
    /// What the guest calls itself, given the name of its declaration.
    pub fn hostname(&self, name: &Name) -> Hostname {
        self.hostname.clone().unwrap_or_else(|| name.into())
    }

    /// Whether it says what the machine is made from; without, its disks are made blank.
    pub fn has_source(&self) -> bool {
        self.clone.is_some() || self.disks.iter().any(|disk| disk.image.is_some())
    }

    /// Whether it has, or is to have, a drive for cloud-init: whatever is said of its insides needs one.
    pub fn has_cloud_init(&self) -> bool {
        let addressed = |card: &Card| card.address.is_some() || card.address6.is_some();
        self.cloud_init.is_some() || self.dns.is_some() || self.networks.iter().any(addressed)
    }
}

/// The machine that is copied.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloneSource {
    /// Its vmid; for a linked clone, that of a template.
    pub from: Vmid,
    /// Whether the disks are copied. A linked clone is made at once, and needs its template as long as it lives.
    #[serde(default = "yes")]
    pub full: bool,
    /// Where the disks of a full clone go; where the source has them unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Identifier>,
    /// The snapshot that is copied; the present state unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Identifier>,
    /// The node on which the source lies, where that is another one: both must see its storage. Needed with `placement`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Identifier>,
}

/// What the processor is, and how much of it the machine may use.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cpu {
    /// The processor that the guest sees: `x86-64-v2-AES`, `host` …
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub model: Option<Identifier>,
    /// At most as many cores' worth of time; 0 for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 128))]
    pub limit: Option<f64>,
    /// Its weight among guests that compete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub units: Option<u32>,
}

/// A disk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Disk {
    /// Where it is plugged in.
    pub slot: DiskSlot,
    /// Its size, whole GiB. It can grow, never shrink. An image keeps its own size unless given. What `trueup/adopt` takes over
    /// may have any size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// The storage on which it is made; the Site's default unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Identifier>,
    /// What it starts as: the name of a Template with an `image`, or a volume such as `local:import/noble.qcow2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<super::ImageSource>,
    /// Its format, where the storage leaves a choice; used when it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// How writes are cached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    /// Whether freed blocks are given back to the storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discard: Option<bool>,
    /// Whether the guest sees a solid-state disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssd: Option<bool>,
    /// Whether it has a thread of its own (SCSI with `virtio-scsi-single`, and virtio).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_thread: Option<bool>,
    /// Whether backups of the guest include it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<bool>,
    /// Whether it is taken out. Its content is kept, as one of the machine's unused disks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub detached: bool,
}

/// The format of a disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Format {
    Raw,
    Qcow2,
    Vmdk,
}

impl Format {
    /// As Proxmox spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
        }
    }
}

/// How writes to a disk are cached.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    None,
    Writethrough,
    Writeback,
    Directsync,
    Unsafe,
}

impl Cache {
    /// As Proxmox spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Writethrough => "writethrough",
            Self::Writeback => "writeback",
            Self::Directsync => "directsync",
            Self::Unsafe => "unsafe",
        }
    }
}

/// A network card.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Card {
    /// Where it is plugged in.
    pub slot: CardSlot,
    /// What the guest sees.
    #[serde(default)]
    pub model: Model,
    /// The bridge it is plugged into; the Site's default unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<Identifier>,
    /// The IPv4 address with its prefix, or `dhcp`; by cloud-init.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address4>,
    /// The IPv4 gateway, inside the address's network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Ipv4Addr>,
    /// The IPv6 address with its prefix, `auto` or `dhcp`; by cloud-init.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address6: Option<Address6>,
    /// The IPv6 gateway, inside the address's network or link-local.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway6: Option<Ipv6Addr>,
    /// Whether Proxmox's firewall filters it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall: Option<bool>,
    /// The hardware address, or `auto`, which the lock file remembers.
    #[serde(default)]
    pub hwaddr: Auto<Mac>,
    /// A limit of what it sends and receives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// The largest packet, of virtio cards only; 1 takes the bridge's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65520))]
    pub mtu: Option<u32>,
    /// The VLAN on the bridge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4094))]
    pub vlan: Option<u16>,
}

/// What card the guest sees.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    #[default]
    Virtio,
    E1000,
    E1000e,
    Rtl8139,
    Vmxnet3,
}

impl Model {
    /// As Proxmox spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Virtio => "virtio",
            Self::E1000 => "e1000",
            Self::E1000e => "e1000e",
            Self::Rtl8139 => "rtl8139",
            Self::Vmxnet3 => "vmxnet3",
        }
    }
}

/// What cloud-init does inside when the guest starts.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloudInit {
    /// Where its drive is plugged in; `ide2` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<DiskSlot>,
    /// The storage on which its drive is made; the Site's default unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Identifier>,
    /// The user that is made; the image's own unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Identifier>,
    /// The user's password. Proxmox does not tell what it is: it is written where there is none yet, and not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Reference>,
    /// Public SSH keys of the user, one a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_keys: Option<FileReference>,
    /// Whether packages are upgraded at the first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<bool>,
    /// How the values are handed over; by the type of system unless given.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub format: Option<CloudInitType>,
    /// Snippets in place of what Proxmox would generate: volumes such as `local:snippets/user.yaml`, which must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snippets: Option<Snippets>,
}

/// How values are handed over to cloud-init.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CloudInitType {
    Nocloud,
    Configdrive2,
    Opennebula,
}

impl CloudInitType {
    /// As Proxmox spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nocloud => "nocloud",
            Self::Configdrive2 => "configdrive2",
            Self::Opennebula => "opennebula",
        }
    }
}

/// Snippets in place of what Proxmox would generate.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snippets {
    /// Users, packages, commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<String>,
    /// What the vendor adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
}

impl Snippets {
    /// Whether a text is a volume of a snippet, such as `local:snippets/user.yaml`.
    pub fn is_volume(text: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | ':' | '/');
        let parts = text.split_once(":snippets/");
        parts.is_some_and(|(storage, file)| !storage.is_empty() && !file.is_empty()) && text.chars().all(plain)
    }
}

/// The guest agent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Agent {
    /// Whether Proxmox speaks to it. It has to be installed inside.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The interface inside whose addresses are the guest's: `eth0`. Unless given, the first of its cards that has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<Identifier>,
}

/// The firmware.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bios {
    Seabios,
    /// UEFI.
    Ovmf,
}

impl Bios {
    /// As Proxmox spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Seabios => "seabios",
            Self::Ovmf => "ovmf",
        }
    }
}

/// Where UEFI keeps its variables.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EfiDisk {
    /// The storage on which it is made; the Site's default unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Identifier>,
    /// Whether keys for secure boot are there from the start.
    #[serde(default)]
    pub secure_boot: bool,
}

/// A trusted platform module.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tpm {
    /// The storage on which its state is kept; the Site's default unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Identifier>,
}

fn yes() -> bool {
    true
}

impl Spec for VirtualMachine {
    const KIND: &'static str = "VirtualMachine";
    const DELETION: Deletion = Deletion::Retain;
    const EXAMPLE: &'static str = include_str!("example.yaml");
    fn of(declarations: &Declarations) -> &BTreeMap<Name, Declared<Self>> {
        &declarations.virtual_machines
    }
    fn of_mut(declarations: &mut Declarations) -> &mut BTreeMap<Name, Declared<Self>> {
        &mut declarations.virtual_machines
    }
}
