//! The two sides of a guest, and what can be done to it.
use super::{
    container::Container,
    machine::{Card, Machine, Seen},
};
use crate::{
    model::{ObjectId, Reference, Window},
    providers::proxmox::{Address, At, CloneOf, Config, GuestType, network::Interface},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display},
    net::IpAddr,
};

/// A guest with nothing left to choose. A setting that is `None` was not spoken of: the default of Proxmox holds for a
/// new guest, and what is there stays.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Desired {
    /// Where it is made. A guest that is found on another node of the cluster stays there.
    pub node: String,
    /// What must be there for it to be made: what brings its template or images to the node, the machine that it is copied
    /// from.
    pub made_from: Vec<ObjectId>,
    pub start_on_boot: Option<bool>,
    pub startup: Option<Startup>,
    pub protection: Option<bool>,
    /// Beside our own, and beside those that others gave it.
    pub tags: BTreeSet<String>,
    /// The pool that it is to be a member of.
    pub pool: Option<String>,
    /// What the notes say above our stamp.
    pub notes: Option<String>,
    pub running: bool,
    pub restarts: Restarts,
    /// Units of ours are to be inside.
    pub units: bool,
    /// What only one type of guest has.
    pub body: Body,
}

/// What only one type of guest has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    Container(Container),
    Machine(Machine),
}

impl Desired {
    /// The type of guest that this is.
    pub fn kind(&self) -> GuestType {
        match self.body {
            Body::Container(_) => GuestType::Lxc,
            Body::Machine(_) => GuestType::Qemu,
        }
    }
}

/// The place in the order in which a node starts its guests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Startup {
    pub order: Option<u32>,
    /// Seconds to wait after it was started.
    pub up: Option<u64>,
    /// Seconds that its shutdown may take.
    pub down: Option<u64>,
}

/// Whether a running guest may be restarted for a change that needs it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Restarts {
    /// It is said that a restart is due.
    #[default]
    Never,
    WhenNeeded,
    /// Every week in this time, and in no other.
    Within(Window),
}

/// A guest as Proxmox shows it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Live {
    pub kind: GuestType,
    pub node: String,
    pub running: bool,
    pub template: bool,
    pub config: Config,
    /// The pool that it is a member of.
    pub pool: Option<String>,
    /// The volume that it was made from, where our stamp tells.
    pub made_from: Option<String>,
    /// What its interfaces really have: configured ones, and leases where it gets its addresses from elsewhere.
    pub addresses: Vec<Address>,
    /// Of a virtual machine, beside its configuration.
    pub machine: Seen,
}

impl Live {
    /// The first address of one kind on an interface (`eth0`), or on any that is configured, in the order of `netN`.
    pub fn address(&self, interface: Option<&str>, wanted: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
        let mut on = self.addresses.iter().filter(|a| interface.is_none_or(|name| a.interface == name));
        on.find(|a| wanted(&a.ip)).map(|a| a.ip)
    }
    /// As its own calls name it.
    pub fn at(&self, vmid: u32) -> At {
        At { kind: self.kind, node: self.node.clone(), vmid }
    }
    /// The interfaces of a container by the number in `netN`; a virtual machine writes its own differently.
    pub fn interfaces(&self) -> BTreeMap<u8, Interface> {
        if self.kind != GuestType::Lxc {
            return BTreeMap::new();
        }
        let numbered = |(key, value): (&String, &String)| Some((key.strip_prefix("net")?.parse().ok()?, value.clone()));
        self.config.values.iter().filter_map(numbered).map(|(n, value)| (n, Interface::parse(&value))).collect()
    }
    /// The cards of a virtual machine by the number in `netN`.
    pub fn cards(&self) -> BTreeMap<u8, Card> {
        if self.kind != GuestType::Qemu {
            return BTreeMap::new();
        }
        let numbered = |(key, value): (&String, &String)| Some((key.strip_prefix("net")?.parse().ok()?, value.clone()));
        self.config.values.iter().filter_map(numbered).map(|(n, value)| (n, Card::parse(&value))).collect()
    }
    /// What people wrote into the notes, with our stamp.
    pub fn notes(&self) -> &str {
        self.config.get("description").unwrap_or_default()
    }
}

/// One change, with everything that it writes but the mark, which travels with the step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// One call with the whole configuration and the mark, so that a lost reply is found again.
    Create {
        kind: GuestType,
        node: String,
        parameters: BTreeMap<String, String>,
        /// The file of root's public keys (of a machine: of cloud-init's user), read when they are sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ssh_keys: Option<String>,
        /// The password of cloud-init's user, read when it is sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<Reference>,
    },
    /// A copy of another machine: one call that sets no options but carries the mark. What differs is seen when the copy is
    /// there.
    Clone {
        node: String,
        of: CloneOf,
    },
    /// Writes the mark, and nothing else: the stamp, and these tags.
    Adopt {
        tags: Vec<String>,
    },
    /// Grows a volume to so many bytes.
    Grow {
        disk: String,
        bytes: u64,
    },
    Set {
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        set: BTreeMap<String, String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        delete: Vec<String>,
        /// As in a create.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ssh_keys: Option<String>,
        /// As in a create.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<Reference>,
        /// What the notes say from now on, above our stamp.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notes: Option<String>,
        /// Write the mark anew.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        mark: bool,
    },
    /// Write the drive that carries values to cloud-init anew.
    RewriteDrive,
    /// What Proxmox grants to `root@pam` alone: through the host, with `pct set`.
    SetAsRoot {
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        set: BTreeMap<String, String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        delete: Vec<String>,
    },
    /// Makes it a member of a pool.
    Join {
        pool: String,
    },
    Start,
    Stop,
    /// Stop and start, which applies what is pending.
    Restart,
    /// Stop it, prove once more that it is ours, and destroy it with its disks.
    Destroy,
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { kind: GuestType::Lxc, node, parameters, .. } => {
                let of = |key: &str| parameters.get(key).map_or("", String::as_str);
                write!(f, "{} on {node} from {}", of("hostname"), of("ostemplate"))
            }
            Self::Create { kind: GuestType::Qemu, node, parameters, .. } => {
                write!(f, "{} on {node}", parameters.get("name").map_or("", String::as_str))
            }
            Self::Clone { node, of } => {
                let how = if of.full { "a copy" } else { "a linked clone" };
                write!(f, "{} on {}, {how} of {}", of.name, of.target.as_ref().unwrap_or(node), of.source)
            }
            Self::Adopt { .. } => f.write_str("mark as ours"),
            Self::Grow { disk, bytes } => {
                write!(f, "grow {disk} to {}", crate::providers::proxmox::values::size(*bytes))
            }
            Self::Set { set, delete, ssh_keys, password, notes, mark } => {
                let more = [
                    ssh_keys.as_ref().map(|_| "sshkeys"),
                    password.as_ref().map(|_| "cipassword"),
                    notes.as_ref().map(|_| "notes"),
                    mark.then_some("mark"),
                ];
                write!(f, "set {}", keys(set, delete, more.into_iter().flatten()))
            }
            Self::RewriteDrive => f.write_str("write the cloud-init drive anew"),
            Self::SetAsRoot { set, delete } => write!(f, "set {} as root", keys(set, delete, [])),
            Self::Join { pool } => write!(f, "put into the pool {pool}"),
            Self::Start => f.write_str("start"),
            Self::Stop => f.write_str("shut down"),
            Self::Restart => f.write_str("restart"),
            Self::Destroy => f.write_str("destroy with its disks"),
        }
    }
}

fn keys<'a>(set: &'a BTreeMap<String, String>, delete: &[String], more: impl IntoIterator<Item = &'a str>) -> String {
    let all = set.keys().map(String::as_str).chain(more).map(str::to_owned);
    all.chain(delete.iter().map(|key| format!("-{key}"))).collect::<Vec<_>>().join(", ")
}
