//! The settings of a container.
use crate::{model::Size, providers::proxmox::network::Interface};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// What only a container has. `None`: not spoken of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Container {
    /// The volume that it is made from: `local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst`. `None` only of one that is
    /// there: Proxmox does not keep it.
    pub template: Option<String>,
    pub hostname: String,
    /// Cannot be changed in place.
    pub unprivileged: Option<bool>,
    /// The distribution as Proxmox names it. Cannot be changed without making it anew.
    pub os_type: Option<String>,
    pub cores: Option<u32>,
    /// In cores, as a decimal number.
    pub cpu_limit: Option<String>,
    pub cpu_units: Option<u32>,
    pub memory: Size,
    pub swap: Option<Size>,
    pub rootfs: Disk,
    pub mount_points: Vec<MountPoint>,
    /// By the number in `netN`.
    pub networks: BTreeMap<u8, Interface>,
    pub nameservers: Option<Vec<IpAddr>>,
    pub search_domain: Option<String>,
    /// `nesting`, `keyctl` …; `None`: not spoken of.
    pub features: Option<BTreeSet<String>>,
    /// Devices of the node, in the order of `devN`.
    pub devices: Vec<Device>,
    pub timezone: Option<String>,
    /// Whether it has a `/dev/console`.
    pub console: Option<bool>,
    /// What the console shows: `tty`, `console` or `shell`.
    pub console_mode: Option<String>,
    pub terminals: Option<u32>,
    /// The snippet that the node runs when it starts and stops.
    pub hook_script: Option<String>,
    pub entrypoint: Option<String>,
    /// `NAME=VALUE`, by name.
    pub environment: Option<BTreeMap<String, String>>,
    /// The file of root's public keys. Used when it is made, and never compared: Proxmox does not keep them.
    pub ssh_keys: Option<String>,
    /// Content exists in it that exists nowhere else: it is never made anew.
    pub keeps: bool,
}

impl Container {
    /// Whether an address is known only while it runs.
    pub fn leases(&self) -> bool {
        let leased = |a: &Option<String>| a.as_deref().is_some_and(|a| matches!(a, "dhcp" | "auto"));
        self.networks.values().any(|i| leased(&i.ip) || leased(&i.ip6))
    }
}

/// The root of the file tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disk {
    /// Where it is allocated; a disk that lies elsewhere stays there.
    pub storage: String,
    pub size: Size,
}

/// Something that is mounted inside. It is known by its path there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MountPoint {
    pub path: String,
    pub from: Origin,
    pub backup: Option<bool>,
    pub read_only: Option<bool>,
    /// It is to be taken away; a volume is kept, unused.
    pub detached: bool,
}

/// What a mount point holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A volume of its own. Where it is allocated is said when it is made; one that lies elsewhere stays there.
    Volume(Disk),
    /// A directory of the node.
    Directory(String),
}

/// A device of the node that is handed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    pub path: String,
    /// Octal.
    pub mode: Option<String>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub read_only: Option<bool>,
}
