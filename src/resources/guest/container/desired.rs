//! The settings of a container.
use crate::{model::Size, providers::proxmox::network::Interface};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// What only a container has. `None`: not spoken of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Container {
    /// The volume that it is made from: `local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst`.
    pub template: String,
    pub hostname: String,
    /// Cannot be changed in place.
    pub unprivileged: Option<bool>,
    pub cores: Option<u32>,
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
    /// The file of root's public keys. Used when it is made, and never compared: Proxmox does not keep them.
    pub ssh_keys: Option<String>,
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

/// A further volume. It is known by its path inside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MountPoint {
    pub path: String,
    pub storage: String,
    pub size: Size,
    pub backup: Option<bool>,
    /// Used when it is made, like its storage; a difference later is left.
    pub read_only: Option<bool>,
}
