//! `/nodes/{node}/apt/versions`: the packages that make a Proxmox VE (pve-manager 9.2).
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    refusal::Result,
};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[on("GET", "/nodes/{node}/apt/versions", versions)];

/// Packages of an installation with their versions in the 9 and the 8 series. Where one is empty, that series has none.
const PACKAGES: &[(&str, &str, &str)] = &[
    ("proxmox-ve", "9.2.0", "8.4.0"),
    ("pve-manager", "", ""),
    ("corosync", "3.1.9-pve2", "3.1.9-pve1"),
    ("ifupdown2", "3.3.0-1+pmx10", "3.2.0-1+pmx11"),
    ("libpve-access-control", "9.0.5", "8.2.2"),
    ("libpve-common-perl", "9.1.1", "8.3.1"),
    ("libpve-guest-common-perl", "6.0.2", "5.2.2"),
    ("libpve-http-server-perl", "6.0.5", "5.2.2"),
    ("libpve-storage-perl", "9.1.0", "8.3.6"),
    ("lxc-pve", "6.0.5-3", "6.0.0-1"),
    ("lxcfs", "6.0.4-pve1", "6.0.0-pve2"),
    ("pve-cluster", "9.0.7", "8.1.0"),
    ("pve-container", "6.1.0", "5.2.6"),
    ("pve-firewall", "6.0.4", "5.1.1"),
    ("pve-ha-manager", "5.0.8", "4.0.7"),
    ("pve-qemu-kvm", "10.0.13", "9.2.0-5"),
    ("qemu-server", "9.1.1", "8.3.12"),
];

fn versions(call: &mut Call<'_>) -> Result<Answer> {
    let release = call.world.release();
    let (version, _, build) = release.spelled();
    let row = |(name, nine, eight): &(&str, &str, &str)| {
        let installed = match *name {
            "pve-manager" => version,
            _ if release.is_9() => nine,
            _ => eight,
        };
        let mut row = json!({
            "Package": name, "Title": name, "Description": name, "Origin": "Proxmox", "Section": "admin",
            "Priority": "optional", "Arch": "amd64", "Version": installed, "OldVersion": installed,
            "CurrentState": "Installed",
        });
        match *name {
            "pve-manager" => row["ManagerVersion"] = json!(format!("{version}/{build}")),
            "proxmox-ve" => row["RunningKernel"] = json!(super::node::KERNEL),
            _ => {}
        }
        row
    };
    Ok(Value::Array(PACKAGES.iter().map(row).collect()).into())
}
