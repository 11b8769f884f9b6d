//! What a machine is told by cloud-init: `/nodes/{node}/qemu/{vmid}/cloudinit` (qemu-server `Cloudinit.pm`).
use super::{
    lxc_read::{merged, shown},
    qemu_drive::{is_cloud_init, is_drive, is_numbered, lacks, parse},
    storage,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on, unlocked},
    config_file,
    refusal::{Refusal, Result},
    state::{Conf, Kind, Lack},
    world::World,
};
use serde_json::{Map, Value, json};
use std::{fmt::Write, net::Ipv4Addr};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/nodes/{node}/qemu/{vmid}/cloudinit", pending),
    on("PUT", "/nodes/{node}/qemu/{vmid}/cloudinit", regenerate),
    on("GET", "/nodes/{node}/qemu/{vmid}/cloudinit/dump", dump),
];

/// What the answer lists, where it is set.
const LISTED: &[&str] = &["cicustom", "cipassword", "citype", "ciuser", "nameserver", "searchdomain", "sshkeys"];

fn pending(call: &mut Call<'_>) -> Result<Answer> {
    let guest = call.guest(Kind::Qemu)?;
    let wanted = merged(guest);
    let rows = LISTED.iter().filter(|k| guest.conf.contains_key(**k) || wanted.contains_key(**k)).map(|key| {
        let mut row = Map::new();
        row.insert("key".into(), json!(key));
        if let Some(value) = guest.conf.get(*key) {
            row.insert("value".into(), shown(call.world, Kind::Qemu, key, value));
        }
        if let Some(value) = guest.pending.get(*key) {
            row.insert("pending".into(), shown(call.world, Kind::Qemu, key, value));
        }
        Value::Object(row)
    });
    Ok(Value::Array(rows.collect()).into())
}

fn regenerate(call: &mut Call<'_>) -> Result<Answer> {
    let vmid = call.vmid();
    let guest = call.guest(Kind::Qemu)?;
    unlocked(guest)?;
    let drive = guest.conf.iter().find(|(k, v)| is_drive(k) && is_cloud_init(&parse(call.world, k, v)));
    if let Some(volid) = drive.map(|(_, v)| super::qemu_drive::volume(v)) {
        let size = storage::volume(call.world, volid)?.size;
        if lacks(call.world, &guest.node, Lack::PatchedQemu) {
            let path = storage::path(call.world, volid);
            return Err(Refusal::die(format!(
                "command 'set -o pipefail && genisoimage -quiet -iso-level 3 -J -R -V cidata /run/pve/cloudinit/{vmid}/ \
                 | qemu-img dd -n -f raw -O qcow2 'isize=0' 'osize={size}' 'of={path}'' failed: exit code 1"
            )));
        }
    }
    Ok(Value::Null.into())
}

fn dump(call: &mut Call<'_>) -> Result<Answer> {
    let vmid = call.vmid();
    let guest = call.guest(Kind::Qemu)?;
    let conf = merged(guest);
    let text = match call.arg("type") {
        Some("user") => user(&conf, vmid),
        Some("network") => network(call.world, &conf),
        _ => {
            let sum = config_file::sum(&format!("{}{}", user(&conf, vmid), network(call.world, &conf)));
            format!("instance-id: {sum}\n")
        }
    };
    Ok(json!(text).into())
}

fn words(conf: &Conf, key: &str) -> Vec<String> {
    conf.get(key).map(|v| v.split_whitespace().map(str::to_string).collect()).unwrap_or_default()
}

fn user(conf: &Conf, vmid: u32) -> String {
    let name = conf.get("name").cloned().unwrap_or_else(|| format!("VM{vmid}"));
    let host = name.split('.').next().unwrap_or_default().to_string();
    let domain = words(conf, "searchdomain").into_iter().next();
    let full = match domain {
        Some(domain) if !name.contains('.') => format!("{name}.{domain}"),
        _ => name,
    };
    let mut out = format!("#cloud-config\nhostname: {host}\nmanage_etc_hosts: true\nfqdn: {full}\n");
    let user = conf.get("ciuser").map(String::as_str);
    if let Some(user) = user {
        let _ = writeln!(out, "user: {user}");
        if user == "root" {
            out.push_str("disable_root: False\n");
        }
    }
    if conf.contains_key("cipassword") {
        out.push_str("password: **********\n");
    }
    if let Some(keys) = conf.get("sshkeys") {
        out.push_str("ssh_authorized_keys:\n");
        let keys = percent_encoding::percent_decode_str(keys).decode_utf8_lossy();
        for key in keys.lines().filter(|l| !l.trim().is_empty()) {
            let _ = writeln!(out, "  - {key}");
        }
    }
    out.push_str("chpasswd:\n  expire: False\n");
    if user != Some("root") {
        out.push_str("users:\n  - default\n");
    }
    if conf.get("ciupgrade").is_none_or(|u| u == "1") {
        out.push_str("package_upgrade: true\n");
    }
    out
}

fn netmask(prefix: &str) -> Ipv4Addr {
    let bits: u32 = prefix.parse().unwrap_or(32);
    Ipv4Addr::from(u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0))
}

fn network(world: &World, conf: &Conf) -> String {
    let mut out = "version: 1\nconfig:\n".to_string();
    for (key, value) in conf.iter().filter(|(k, _)| is_numbered(k, "net")) {
        let number = key.trim_start_matches("net");
        let Some(settings) = conf.get(&format!("ipconfig{number}")) else { continue };
        let mac = parse(world, key, value).remove("macaddr").unwrap_or_default().to_lowercase();
        let _ =
            write!(out, "    - type: physical\n      name: eth{number}\n      mac_address: '{mac}'\n      subnets:\n");
        let of = |key: &str| settings.split(',').find_map(|p| p.strip_prefix(key)?.strip_prefix('='));
        let gateway = |out: &mut String, key: &str| {
            if let Some(gateway) = of(key) {
                let _ = writeln!(out, "        gateway: '{gateway}'");
            }
        };
        match of("ip").map(|ip| (ip, ip.split_once('/'))) {
            Some((_, Some((address, prefix)))) => {
                let mask = netmask(prefix);
                let _ = write!(out, "      - type: static\n        address: '{address}'\n        netmask: '{mask}'\n");
                gateway(&mut out, "gw");
            }
            Some(_) => out.push_str("      - type: dhcp4\n"),
            None => {}
        }
        match of("ip6") {
            Some("dhcp") => out.push_str("      - type: dhcp6\n"),
            Some("auto") => out.push_str("      - type: ipv6_slaac\n"),
            Some(address) => {
                let _ = write!(out, "      - type: static6\n        address: '{address}'\n");
                gateway(&mut out, "gw6");
            }
            None => {}
        }
    }
    let lists = [("address", words(conf, "nameserver")), ("search", words(conf, "searchdomain"))];
    if lists.iter().any(|(_, list)| !list.is_empty()) {
        out.push_str("    - type: nameserver\n");
        for (title, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
            let _ = writeln!(out, "      {title}:");
            for word in list {
                let _ = writeln!(out, "      - '{word}'");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::netmask;

    #[test]
    fn a_prefix_is_told_as_a_mask() {
        for (prefix, mask) in
            [("24", "255.255.255.0"), ("32", "255.255.255.255"), ("20", "255.255.240.0"), ("0", "0.0.0.0")]
        {
            assert_eq!(netmask(prefix).to_string(), mask);
        }
    }
}
