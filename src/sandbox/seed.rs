//! What a fresh sandbox holds before anybody has changed anything.
use super::{cloudflare, net::Layout, proxmox};
use crate::model::Checksum;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The site that is simulated. The default is the one of the examples: node pve1, zone decent-cloud.org, 203.0.113.1.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seed {
    pub proxmox: proxmox::Seed,
    pub cloudflare: cloudflare::Seed,
    pub gateway: Layout,
    /// Where the node's Traefik looks for its dynamic configuration.
    pub dynamic_directory: String,
}

/// The account of the example manifests.
pub const ACCOUNT: &str = "0f2c6d1e9b7a4385a1c4f7e2d8b6093c";
/// The zone of the example manifests.
pub const ZONE: &str = "7d5e3c1b9a8f4602b3d4e5f6a7b8c9d0";
const NODE: &str = "pve1";

impl Default for Seed {
    fn default() -> Self {
        let empty = Self {
            proxmox: proxmox::Seed { nodes: [].into(), storages: [].into(), ..proxmox::Seed::default() },
            cloudflare: cloudflare::Seed::default(),
            gateway: Layout::default(),
            dynamic_directory: "/etc/traefik/dynamic".to_owned(),
        };
        let mut it = empty.with_node(NODE).with_storage("local").with_storage("local-zfs");
        it = it.with_bridge(NODE, "vmbr0", None).with_bridge(NODE, "vmbr1", "10.0.1.1/24".parse().ok());
        it.with_template("local", "debian-13-standard_13.1-2_amd64.tar.zst")
            .with_template("local", "debian-12-standard_12.12-1_amd64.tar.zst")
            .with_appliance("debian-13-standard_13.1-2_amd64.tar.zst")
            .with_appliance("debian-12-standard_12.12-1_amd64.tar.zst")
            .with_zone(ACCOUNT, ZONE, "decent-cloud.org")
    }
}

impl Seed {
    /// With a node of this name.
    pub fn with_node(mut self, name: &str) -> Self {
        let node =
            proxmox::SeedNode { address: "10.0.1.1".to_owned(), memory: 131_072, cpus: 32, ..Default::default() };
        self.proxmox.nodes.entry(name.to_owned()).or_insert(node);
        self
    }

    /// With a bridge on a node.
    pub fn with_bridge(mut self, node: &str, name: &str, address: Option<IpNet>) -> Self {
        self = self.with_node(node);
        if let Some(node) = self.proxmox.nodes.get_mut(node) {
            let bridge = proxmox::Bridge { cidr: address.map(|a| a.to_string()), ..proxmox::Bridge::default() };
            node.bridges.entry(name.to_owned()).or_insert(bridge);
        }
        self
    }

    /// With a storage: `local` is a directory that takes everything, others are pools for guests' disks.
    pub fn with_storage(mut self, name: &str) -> Self {
        let local = name == "local";
        let content: &[&str] = match local {
            true => &["backup", "images", "import", "iso", "rootdir", "snippets", "vztmpl"],
            false => &["images", "rootdir"],
        };
        let storage = proxmox::SeedStorage {
            kind: if local { "dir" } else { "zfspool" }.to_owned(),
            content: content.iter().map(|&c| c.to_owned()).collect(),
            path: local.then(|| "/var/lib/vz".to_owned()),
            size: 16_384,
            ..Default::default()
        };
        self.proxmox.storages.entry(name.to_owned()).or_insert(storage);
        self
    }

    /// With a container template that lies on a storage.
    pub fn with_template(mut self, storage: &str, file: &str) -> Self {
        self.proxmox.files.entry(format!("{storage}:vztmpl/{file}")).or_insert(124_000_000);
        self
    }

    /// With the image of a disk that lies on a storage: `local:import/noble.qcow2`.
    pub fn with_image(mut self, volume: &str) -> Self {
        if let Some((storage, name)) = volume.split_once(':').filter(|(_, name)| name.starts_with("import/")) {
            self = self.with_storage(storage);
            self.proxmox.files.entry(format!("{storage}:{name}")).or_insert(2 << 30);
        }
        self
    }

    /// With a template of machines: a disk of two GiB, a card, a drive for cloud-init and an agent.
    pub fn with_machine_template(mut self, node: &str, vmid: u32, bridge: &str) -> Self {
        self = self.with_storage("local").with_bridge(node, bridge, None);
        if self.proxmox.guests.iter().any(|guest| guest.vmid == vmid) {
            return self;
        }
        let config = [
            ("name", "template".to_owned()),
            ("agent", "enabled=1".to_owned()),
            ("boot", "order=scsi0".to_owned()),
            ("cores", "1".to_owned()),
            ("ide2", format!("local:{vmid}/vm-{vmid}-cloudinit.qcow2,media=cdrom")),
            ("memory", "1024".to_owned()),
            ("net0", format!("virtio=BC:24:11:FE:00:{:02X},bridge={bridge}", vmid % 256)),
            ("ostype", "l26".to_owned()),
            ("scsi0", format!("local:{vmid}/base-{vmid}-disk-0.qcow2,size=2G")),
            ("scsihw", "virtio-scsi-single".to_owned()),
            ("template", "1".to_owned()),
        ];
        let config = config.map(|(key, value)| (key.to_owned(), value)).into();
        let kind = proxmox::Kind::Qemu;
        self.proxmox.guests.push(proxmox::SeedGuest {
            vmid,
            kind,
            node: Some(node.to_owned()),
            running: false,
            config,
        });
        self
    }

    /// With an entry in the index of appliances, from which a node downloads it.
    pub fn with_appliance(mut self, file: &str) -> Self {
        self.proxmox.appliances.insert(file.to_owned());
        self
    }

    /// With a file at an address outside, which has this checksum.
    pub fn with_download(mut self, url: &str, checksum: &Checksum) -> Self {
        let sums = [(checksum.algorithm().to_owned(), checksum.digits().to_owned())].into();
        self.proxmox.web.insert(url.to_owned(), proxmox::Page { size: 64 << 20, sums });
        self
    }

    /// With a zone of an account, both with these ids, and a token that may do there what Trueup needs.
    pub fn with_zone(mut self, account: &str, zone: &str, name: &str) -> Self {
        use cloudflare::{Account, AccountPermission, Plan, Status, Token, Zone, ZonePermission};
        let seed = &mut self.cloudflare;
        if !seed.accounts.iter().any(|known| known.id == account) {
            seed.accounts.push(Account { id: account.to_owned(), name: "Trueup sandbox".to_owned() });
        }
        if !seed.zones.iter().any(|known| known.id == zone) {
            let (id, name, account) = (zone.to_owned(), name.to_owned(), account.to_owned());
            seed.zones.push(Zone { id, name, account, plan: Plan::Pro });
        }
        if seed.tokens.is_empty() {
            let secret = "sandbox-cloudflare-token-0000000000000000".to_owned();
            let (zones, accounts) = ([].into(), [].into());
            seed.tokens.push(Token { secret, account: None, status: Status::Active, zones, accounts });
        }
        if let Some(token) = seed.tokens.first_mut() {
            token.zones.insert(zone.to_owned(), vec![ZonePermission::ZoneRead, ZonePermission::DnsWrite]);
            token.accounts.insert(account.to_owned(), vec![AccountPermission::TunnelWrite]);
        }
        self
    }

    /// With these public addresses, on this interface, instead of the default ones.
    pub fn with_public(mut self, interface: &str, addresses: &[IpAddr]) -> Self {
        interface.clone_into(&mut self.gateway.public_interface);
        self.gateway.public =
            addresses.iter().filter_map(|a| IpNet::new(*a, if a.is_ipv6() { 64 } else { 24 }).ok()).collect();
        self
    }

    /// With these networks of guests instead of the default ones; `gateway` is the node's address in each.
    pub fn with_guest_networks(mut self, gateways: &[IpNet]) -> Self {
        self.gateway.guests = gateways.iter().map(|&gateway| super::net::GuestNetwork { gateway }).collect();
        self
    }

    /// The token of the product's Proxmox client: `user@realm!id=secret`.
    pub fn proxmox_token(&self) -> Option<String> {
        self.proxmox.token().map(|token| format!("{}={}", token.id, token.secret))
    }

    /// A token that may do everything at Proxmox: for drift, which is what others do.
    pub fn administrator_token(&self) -> Option<String> {
        self.proxmox.tokens.first().map(|token| format!("{}={}", token.id, token.secret))
    }

    /// The token of the product's Cloudflare client.
    pub fn cloudflare_token(&self) -> Option<String> {
        self.cloudflare.tokens.first().map(|token| token.secret.clone())
    }
}
