//! All guests of the cluster in one call, and where a single one was seen last.
use super::{At, Proxmox, encode, strange, tags, values};
use crate::model::{Answer, Class};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The node and kind of each guest as they were seen last: where to ask for it first, never a proof of anything.
#[derive(Default)]
pub(super) struct Homes(Mutex<BTreeMap<u32, Guest>>);

impl Homes {
    fn all(&self) -> MutexGuard<'_, BTreeMap<u32, Guest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a guest is a container or a virtual machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuestType {
    #[default]
    Lxc,
    Qemu,
}

impl GuestType {
    /// In paths of the API.
    pub fn segment(self) -> &'static str {
        match self {
            Self::Lxc => "lxc",
            Self::Qemu => "qemu",
        }
    }
}

impl Display for GuestType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lxc => "container",
            Self::Qemu => "virtual machine",
        })
    }
}

/// Whether a guest runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Power {
    Running,
    Stopped,
    /// Nobody has asked, or its node does not know.
    Unknown,
}

/// One line of the listing. Existence, lock and tags are fresh; the name comes from statistics that are gathered every 10 s. So
/// does what the listing says of the power, which may be 20 s old and is not used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Guest {
    pub vmid: u32,
    pub node: String,
    pub kind: GuestType,
    pub name: Option<String>,
    /// As its node said when it was asked: [`Proxmox::ask_power`].
    pub power: Power,
    pub template: bool,
    pub tags: BTreeSet<String>,
    pub lock: Option<String>,
    /// The pool that it is a member of.
    pub pool: Option<String>,
}

impl Guest {
    /// As its own calls name it.
    pub fn at(&self) -> At {
        At { kind: self.kind, node: self.node.clone(), vmid: self.vmid }
    }
}

impl Proxmox {
    /// The guests that the token may see, by id. Prove with [`super::Permissions::proves`] that these are all.
    pub async fn guests(&self) -> Answer<Vec<Guest>> {
        let attempted = "list the guests";
        let data = self.wire.get(attempted, "/cluster/resources", &[("type", "vm")]).await?;
        let lines = data.as_array().ok_or_else(|| strange(attempted, "not a list"))?;
        let mut guests = vec![];
        for line in lines {
            guests.extend(guest(line).map_err(|what| strange(attempted, &what))?);
        }
        guests.sort_by_key(|g: &Guest| g.vmid);
        *self.homes.all() = guests.iter().map(|g| (g.vmid, g.clone())).collect();
        Ok(guests)
    }

    /// Asks the nodes of these guests which of them run: one call for each type on each node, however many guests there are.
    ///
    /// # Errors
    /// All that a read may bring, of any of the nodes.
    pub async fn ask_power(&self, guests: &mut [Guest]) -> Answer<()> {
        let places: BTreeSet<(String, GuestType)> = guests.iter().map(|g| (g.node.clone(), g.kind)).collect();
        for (node, kind) in places {
            let attempted = format!("ask which guests of node {node} run");
            let path = format!("/nodes/{}/{}", encode::segment(&node), kind.segment());
            let data = self.wire.get(&attempted, &path, &[]).await?;
            let lines = data.as_array().ok_or_else(|| strange(&attempted, "not a list"))?;
            let says: BTreeMap<u64, Power> = lines
                .iter()
                .filter_map(|line| Some((values::number(line.get("vmid")?)?, power(line.get("status")?.as_str()))))
                .collect();
            for guest in guests.iter_mut().filter(|g| g.node == node && g.kind == kind) {
                guest.power = says.get(&guest.vmid.into()).copied().unwrap_or(Power::Unknown);
            }
        }
        Ok(())
    }

    /// A guest as it was listed, or made through this client, last. Whether it is still there, only its node can say.
    pub fn last_seen(&self, vmid: u32) -> Option<Guest> {
        self.homes.all().get(&vmid).cloned()
    }

    /// Remembers where a guest is being made.
    pub(super) fn expect(&self, guest: &At) {
        let At { kind, node, vmid } = guest.clone();
        let (name, power, tags) = (None, Power::Unknown, BTreeSet::new());
        let (lock, pool) = (None, None);
        self.homes.all().insert(vmid, Guest { vmid, node, kind, name, power, template: false, tags, lock, pool });
    }

    /// Whether no guest of the cluster has this id, whoever may see it: the list of all configuration files decides, not
    /// the privileges of the token (`nextid` of pve-manager 9.2.11, PVE/API2/Cluster.pm).
    pub async fn is_free_id(&self, vmid: u32) -> Answer<bool> {
        let attempted = format!("ask whether the guest id {vmid} is free");
        match self.wire.get(&attempted, "/cluster/nextid", &[("vmid", &vmid.to_string())]).await {
            Ok(id) if values::number(&id) == Some(u64::from(vmid)) => Ok(true),
            Ok(_) => Err(strange(&attempted, "another id than the one that was asked for")),
            Err(taken) if taken.class == Class::Conflict => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// The lowest id that no guest of the cluster has, whoever may see it. It is not reserved.
    pub async fn next_free_id(&self) -> Answer<u32> {
        let attempted = "ask for a free guest id";
        let data = self.wire.get(attempted, "/cluster/nextid", &[]).await?;
        let id = values::number(&data).and_then(|n| u32::try_from(n).ok());
        id.ok_or_else(|| strange(attempted, "not a number"))
    }
}

/// `None` for types that later versions add. A guest that cannot be read is an error, not a gap in the list.
fn guest(line: &Value) -> Result<Option<Guest>, String> {
    let field = |name: &str| line.get(name).and_then(values::text);
    let kind = match field("type").as_deref() {
        Some("lxc") => GuestType::Lxc,
        Some("qemu") => GuestType::Qemu,
        _ => return Ok(None),
    };
    let vmid = line.get("vmid").and_then(values::number).and_then(|n| u32::try_from(n).ok());
    Ok(Some(Guest {
        vmid: vmid.ok_or("a guest without `vmid`")?,
        node: field("node").ok_or("a guest without `node`")?,
        kind,
        name: field("name"),
        power: Power::Unknown,
        template: line.get("template").and_then(values::number) == Some(1),
        tags: tags::parse(&field("tags").unwrap_or_default()),
        lock: field("lock").filter(|l| !l.is_empty()),
        pool: field("pool").filter(|p| !p.is_empty()),
    }))
}

pub(super) fn power(status: Option<&str>) -> Power {
    match status {
        Some("running") => Power::Running,
        Some("stopped") => Power::Stopped,
        _ => Power::Unknown,
    }
}
