//! The whole simulated world, as it is saved and restored.
pub use super::accounts::{Access, Entry, Group, Token, User, Whom};
use super::{facts::Release, task::Task};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A config file's keys and values, as text.
pub type Conf = BTreeMap<String, String>;

/// Everything that the simulator remembers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    pub release: Release,
    pub nodes: BTreeMap<String, Node>,
    pub storages: BTreeMap<String, Storage>,
    /// The files that the index of appliances names.
    #[serde(default)]
    pub appliances: BTreeSet<String>,
    /// All that the simulated world outside holds, by address.
    #[serde(default)]
    pub web: BTreeMap<String, Page>,
    pub guests: BTreeMap<u32, Guest>,
    /// Firewall files by number: there may be one without a guest.
    #[serde(default)]
    pub firewalls: BTreeMap<u32, Firewall>,
    #[serde(default)]
    pub node_firewalls: BTreeMap<String, Firewall>,
    #[serde(default)]
    pub cluster_firewall: Firewall,
    pub pools: BTreeMap<String, Pool>,
    pub access: Access,
    /// Guests that the cluster keeps running, by resource: `ct:101`, `vm:102`.
    #[serde(default)]
    pub ha: BTreeMap<String, Conf>,
    /// `jobs.cfg`, in the order of the file.
    #[serde(default)]
    pub backup_jobs: Vec<BackupJob>,
    /// `datacenter.cfg`.
    pub options: Conf,
    pub tasks: Vec<Task>,
    /// What pvestatd reported last of each guest.
    pub reported: BTreeMap<u32, Reported>,
    /// When pvestatd told of a guest's number for the first time, in Unix milliseconds. It stays when the guest is gone.
    #[serde(default)]
    pub first_reported: BTreeMap<u32, u64>,
    /// When pvestatd reports next, in Unix milliseconds.
    pub next_report: u64,
    /// The next process id.
    pub next_pid: u32,
    /// Guests whose lock file something else on the node holds, and until when (Unix milliseconds).
    #[serde(default)]
    pub held: BTreeMap<u32, u64>,
    /// When the nodes were started, in Unix milliseconds.
    pub booted: u64,
    /// Counts MAC addresses, uuids and the like, so that a restored world goes on where it was.
    pub drawn: u64,
}

impl State {
    /// The node that answers: the first that is up.
    pub fn local(&self) -> String {
        let up = self.nodes.iter().find(|(_, n)| !n.offline).or_else(|| self.nodes.iter().next());
        up.map(|(name, _)| name.clone()).unwrap_or_default()
    }

    /// Takes a node down, or brings it up again. Its guests stop with it; those with `onboot` start with it.
    ///
    /// # Errors
    /// There is no such node.
    pub fn set_online(&mut self, name: &str, online: bool, now: u64) -> Result<(), String> {
        let node = self.nodes.get_mut(name).ok_or_else(|| format!("there is no node {name}"))?;
        node.offline = !online;
        for guest in self.guests.values_mut().filter(|g| g.node == name) {
            guest.running = None;
            if online && guest.flag("onboot") && !guest.is_template() {
                guest.running = Some(Running { since: now, pid: self.next_pid, ..Running::default() });
                self.next_pid += 1;
            }
        }
        // What its daemons worked on has ended with them.
        for task in self.tasks.iter_mut().filter(|t| t.node == name && !t.is_over() && !online) {
            task.work = None;
            task.holds = None;
            task.ends = now;
            task.exit = Some("unexpected status".into());
        }
        Ok(())
    }
}

/// One node.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Node {
    pub address: String,
    pub bridges: BTreeMap<String, Bridge>,
    /// `/etc/network/interfaces`; without one it is what the bridges need.
    #[serde(default)]
    pub interfaces: Option<String>,
    /// When that was applied, in Unix milliseconds; without a time it has been so since the node was started.
    #[serde(default)]
    pub applied: Option<u64>,
    /// `/etc/network/interfaces.new`: what is changed and not applied.
    #[serde(default)]
    pub staged: Option<Staged>,
    /// Its config file.
    #[serde(default)]
    pub config: Conf,
    /// `resolv.conf`: `search`, `dns1` to `dns3`; without one it is what an installation writes.
    #[serde(default)]
    pub dns: Option<Conf>,
    /// `/etc/hosts`; without one it is what an installation writes.
    #[serde(default)]
    pub hosts: Option<String>,
    /// `Etc/UTC` where none is set.
    #[serde(default)]
    pub timezone: Option<String>,
    pub cpus: u32,
    /// Bytes.
    pub memory: u64,
    /// What this installation is without.
    #[serde(default)]
    pub lacks: BTreeSet<Lack>,
    /// Services that somebody stopped.
    #[serde(default)]
    pub stopped: BTreeSet<String>,
    /// Whether it is down: other nodes see it as offline, and calls for it are not answered.
    #[serde(default)]
    pub offline: bool,
}

/// A file that waits to take the place of another.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Staged {
    pub text: String,
    /// When it was written, in Unix milliseconds.
    pub at: u64,
}

/// What an installation may be without. A usual one lacks nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lack {
    /// Virtualisation by the processor.
    Kvm,
    /// QEMU with Proxmox's own changes: machines start, disks are copied, cloud-init's image is made.
    PatchedQemu,
    /// The firmware for UEFI.
    Ovmf,
    /// `ifupdown2`, which applies changes of the network.
    Ifupdown2,
    /// The templates of which notifications are made.
    NotificationTemplates,
}

/// A bridge of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bridge {
    #[serde(default)]
    pub cidr: Option<String>,
    #[serde(default)]
    pub gateway: Option<String>,
    #[serde(default = "mtu")]
    pub mtu: u32,
}

fn mtu() -> u32 {
    1500
}

impl Default for Bridge {
    fn default() -> Self {
        Self { cidr: None, gateway: None, mtu: mtu() }
    }
}

/// A storage, the same on all nodes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Storage {
    /// `dir`, `lvmthin`, `zfspool` …
    pub kind: String,
    pub content: BTreeSet<String>,
    pub path: Option<String>,
    /// Bytes.
    pub total: u64,
    /// By volume id, `local:101/vm-101-disk-0.raw`.
    pub volumes: BTreeMap<String, Volume>,
    /// Further keys of its section, as they were given.
    #[serde(default)]
    pub more: Conf,
}

impl Storage {
    /// Whether all nodes see the same content.
    pub fn is_shared(&self) -> bool {
        let by_kind = matches!(self.kind.as_str(), "nfs" | "cifs" | "pbs" | "rbd" | "cephfs" | "iscsi" | "glusterfs");
        by_kind || self.more.get("shared").is_some_and(|s| s == "1")
    }

    /// Whether a node has this storage.
    pub fn is_on(&self, node: &str) -> bool {
        self.more.get("nodes").is_none_or(|list| list.split(',').any(|n| n == node))
    }
}

impl Volume {
    /// Whether a node sees this volume.
    pub fn is_on(&self, node: &str) -> bool {
        self.nodes.is_empty() || self.nodes.contains(node)
    }
}

/// A volume of a storage.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Volume {
    /// `vztmpl`, `rootdir`, `images`, `iso`, `snippets` …
    pub content: String,
    /// `raw`, `subvol`, `qcow2`, `tzst` …
    pub format: String,
    /// Bytes.
    pub size: u64,
    pub vmid: Option<u32>,
    /// Unix seconds.
    pub created: u64,
    #[serde(default)]
    pub notes: Option<String>,
    #[serde(default)]
    pub protected: bool,
    /// The nodes on which it lies, of a storage that is not shared; empty: all of them.
    #[serde(default)]
    pub nodes: BTreeSet<String>,
    /// Whether its file system has blocks of one KiB instead of four.
    #[serde(default)]
    pub small_blocks: bool,
    /// Checksums of a file, by algorithm, as far as they are known.
    #[serde(default)]
    pub sums: Conf,
    /// Bytes of the files in its file system, where they are known.
    #[serde(default)]
    pub holds: Option<u64>,
    /// What is in it, when it is a backup.
    #[serde(default)]
    pub archive: Option<Box<Archive>>,
}

/// A job that backs guests up.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BackupJob {
    pub id: String,
    pub conf: Conf,
}

/// What is in a backup of a guest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Archive {
    pub kind: Kind,
    /// The config as it was, without a lock.
    pub conf: Conf,
    #[serde(default)]
    pub firewall: Option<Firewall>,
    /// Bytes of its files.
    pub holds: u64,
    /// The disks of a machine that are in it.
    #[serde(default)]
    pub drives: BTreeMap<String, Drive>,
}

/// A disk in a backup of a machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drive {
    /// Where it was.
    pub storage: String,
    pub format: String,
    /// Bytes.
    pub size: u64,
}

/// What lies at an address of the world outside.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Bytes.
    pub size: u64,
    /// Checksums by algorithm.
    #[serde(default)]
    pub sums: Conf,
}

/// What a guest is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Lxc,
    Qemu,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Lxc => "lxc",
            Self::Qemu => "qemu",
        }
    }

    /// As error texts call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Lxc => "CT",
            Self::Qemu => "VM",
        }
    }

    /// The folder of its config files.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Lxc => "lxc",
            Self::Qemu => "qemu-server",
        }
    }
}

/// One guest: its config file and what runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Guest {
    pub kind: Kind,
    pub node: String,
    pub conf: Conf,
    #[serde(default)]
    pub pending: Conf,
    #[serde(default)]
    pub snapshots: BTreeMap<String, Conf>,
    /// Set while it runs.
    #[serde(default)]
    pub running: Option<Running>,
    /// Addresses that DHCP gave, by the interface's name in the guest.
    #[serde(default)]
    pub leases: BTreeMap<String, Vec<IpNet>>,
    /// Keys that stand in the file without even a blank since they were last written; they are read back as one.
    #[serde(default)]
    pub blank: BTreeSet<String>,
    /// Interfaces (`net0`) that are gone from the running guest although its config names them.
    #[serde(default)]
    pub unplugged: BTreeSet<String>,
}

/// A firewall file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Firewall {
    pub options: Conf,
    pub rules: Vec<Conf>,
    #[serde(default)]
    pub sets: BTreeMap<String, FirewallSet>,
    /// By their names in lower case.
    #[serde(default)]
    pub aliases: BTreeMap<String, Conf>,
    /// Groups of rules; the cluster's only.
    #[serde(default)]
    pub groups: BTreeMap<String, FirewallGroup>,
}

/// A set of addresses.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FirewallSet {
    pub comment: Option<String>,
    pub entries: Vec<Conf>,
}

/// Rules under a name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FirewallGroup {
    pub comment: Option<String>,
    pub rules: Vec<Conf>,
}

/// A guest that runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Running {
    /// Unix milliseconds.
    pub since: u64,
    pub pid: u32,
    /// Whether its processors stand still.
    #[serde(default)]
    pub paused: bool,
    /// Whether the agent that its config speaks of does not answer.
    #[serde(default)]
    pub without_agent: bool,
}

/// What pvestatd said last: `cluster/resources` answers from this.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Reported {
    pub name: String,
    pub running: bool,
    /// A number; of a container without cores the text of its limit.
    pub cpus: Value,
    pub memory: u64,
    pub disk: u64,
    pub uptime: u64,
    pub template: bool,
}

/// A pool.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Pool {
    pub comment: Option<String>,
    pub vms: BTreeSet<u32>,
    pub storages: BTreeSet<String>,
}

impl Guest {
    pub fn new(kind: Kind, node: &str) -> Self {
        Self {
            kind,
            node: node.to_string(),
            conf: Conf::new(),
            pending: Conf::new(),
            snapshots: BTreeMap::new(),
            running: None,
            leases: BTreeMap::new(),
            blank: BTreeSet::new(),
            unplugged: BTreeSet::new(),
        }
    }

    /// Whether the key is set to 1.
    pub fn flag(&self, key: &str) -> bool {
        self.conf.get(key).is_some_and(|v| v == "1")
    }

    pub fn is_template(&self) -> bool {
        self.flag("template")
    }
}
