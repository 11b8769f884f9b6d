//! Distributions, as Proxmox names them.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The distribution inside, by which Proxmox writes its network and host name (pve-container 6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OsType {
    Debian,
    Devuan,
    Ubuntu,
    Centos,
    Fedora,
    Opensuse,
    Archlinux,
    Alpine,
    Gentoo,
    Nixos,
    /// Proxmox writes nothing inside.
    Unmanaged,
}

impl fmt::Display for OsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debian => "debian",
            Self::Devuan => "devuan",
            Self::Ubuntu => "ubuntu",
            Self::Centos => "centos",
            Self::Fedora => "fedora",
            Self::Opensuse => "opensuse",
            Self::Archlinux => "archlinux",
            Self::Alpine => "alpine",
            Self::Gentoo => "gentoo",
            Self::Nixos => "nixos",
            Self::Unmanaged => "unmanaged",
        })
    }
}
