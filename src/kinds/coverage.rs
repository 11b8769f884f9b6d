//! What lives in the systems of a site and is named by no manifest. Pure.
//!
//! Only systems in which people make things by hand are gone through: guests, DNS records of the zone, files of Traefik's
//! dynamic directory, tunnels of the account. What is in the way of a manifest is named by it: that is a conflict, and is
//! shown where the plan is.
use super::{cloudflare_scope, declared::Declarations};
use crate::{
    model::{DeclarationId, Found, Inventory, Mark, Uid, Vmid},
    providers::{
        cloudflare::{Record, Tunnel},
        proxmox::{self, GuestType},
    },
    resources::{
        dns_record::{Key, comment},
        guest::Guest,
        traefik_file::TraefikFile,
        tunnel,
    },
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A guest that no manifest names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StrayGuest {
    pub vmid: u32,
    pub name: Option<String>,
    pub node: String,
    #[serde(rename = "type")]
    pub kind: GuestType,
    /// Whether others are made from it.
    pub template: bool,
    pub tags: BTreeSet<String>,
    pub pool: Option<String>,
    /// Whose mark it carries; `None`: nobody's.
    pub mark: Option<String>,
}

/// A DNS record that no manifest names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StrayRecord {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub content: String,
    /// What people wrote beside it.
    pub comment: Option<String>,
    /// Whose mark it carries; `None`: nobody's.
    pub mark: Option<String>,
}

/// A file of Traefik's dynamic directory that no manifest names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StrayFile {
    pub name: String,
    /// Names that it routes, as far as they can be read.
    pub hosts: BTreeSet<String>,
    /// Why Traefik refuses it, and every other file with it.
    pub refused: Option<String>,
    /// Whose it is.
    pub holder: String,
}

/// A tunnel that no manifest names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StrayTunnel {
    pub id: String,
    pub name: String,
    /// `inactive`, `healthy`, `degraded`, `down`.
    pub status: String,
    /// Whose mark it carries; `None`: nobody's.
    pub mark: Option<String>,
}

/// What the manifests of a site name.
#[derive(Debug)]
pub struct Named {
    site: String,
    objects: BTreeMap<DeclarationId, Uid>,
    uids: BTreeSet<Uid>,
    vmids: BTreeSet<u32>,
    records: BTreeSet<Key>,
    tunnels: BTreeSet<String>,
}

impl Named {
    /// Of declarations whose lock is complete.
    pub fn of(declarations: &Declarations) -> Self {
        let objects: BTreeMap<_, _> =
            declarations.lock.objects.iter().map(|(id, entry)| (id.clone(), entry.uid.clone())).collect();
        let records = cloudflare_scope::records(declarations).map(|scope| scope.wanted.into_keys().collect());
        let tunnels = cloudflare_scope::tunnels(declarations).map(|scope| scope.adopt.into_keys().collect());
        Self {
            site: declarations.site().map(|site| site.meta.name.to_string()).unwrap_or_default(),
            uids: objects.values().cloned().collect(),
            vmids: declarations.lock.objects.values().filter_map(|entry| entry.vmid).collect(),
            records: records.unwrap_or_default(),
            tunnels: tunnels.unwrap_or_default(),
            objects,
        }
    }

    /// Whether a manifest names the guest of this id.
    pub fn has_guest(&self, vmid: u32) -> bool {
        self.vmids.contains(&vmid)
    }

    /// Whose mark it is, in words; `None`: that of a declared object.
    fn stranger(&self, mark: &Mark) -> Option<String> {
        if mark.site != self.site {
            return Some(format!("site {}", mark.site));
        }
        let named = mark.declared.as_ref().is_some_and(|id| self.objects.contains_key(id));
        if named || self.uids.contains(&mark.uid) {
            return None;
        }
        Some(match &mark.declared {
            Some(id) => format!("{id}, whose manifest is gone"),
            None => "ours, of a manifest that is gone".into(),
        })
    }

    /// Of all guests those that no manifest names. `marked`: those that carry a mark, looked at.
    pub fn guests(&self, listed: &[proxmox::Guest], marked: &Inventory<Guest>) -> Vec<StrayGuest> {
        let whose = |vmid: u32| {
            let found = Vmid::try_from(vmid).ok().and_then(|vmid| marked.get(&vmid))?;
            let mark = match found {
                Found::Ours(ours) => &ours.mark,
                // Its tag is all that it has of a mark, or another site's is in its notes.
                Found::Foreign(foreign) => return stamp_of(foreign.live.notes()).map(|site| format!("site {site}")),
                Found::Duplicates(_) => return None,
            };
            // Another guest has its id: a copy that a person made.
            let copy = || mark.declared.as_ref().map_or("a copy of one of ours".into(), |id| format!("a copy of {id}"));
            Some(self.stranger(mark).unwrap_or_else(copy))
        };
        let strays = listed.iter().filter(|guest| !self.has_guest(guest.vmid));
        let stray = |guest: &proxmox::Guest| StrayGuest {
            vmid: guest.vmid,
            name: guest.name.clone(),
            node: guest.node.clone(),
            kind: guest.kind,
            template: guest.template,
            tags: guest.tags.clone(),
            pool: guest.pool.clone(),
            mark: whose(guest.vmid),
        };
        strays.map(stray).collect()
    }

    /// Of all records of the zone those that no manifest names.
    pub fn records(&self, records: &[Record]) -> Vec<StrayRecord> {
        let stray = |record: &Record| {
            let key = Key { name: record.name.clone(), kind: record.kind.clone() };
            let mark = record.comment.as_deref().and_then(comment::read).map(|(mark, _)| mark);
            let whose = match &mark {
                Some(mark) => Some(self.stranger(mark)?),
                None if self.records.contains(&key) => return None,
                None => None,
            };
            Some(StrayRecord {
                name: key.name,
                kind: key.kind,
                content: record.content.clone(),
                comment: record.comment.clone().filter(|_| mark.is_none()),
                mark: whose,
            })
        };
        let mut strays: Vec<StrayRecord> = records.iter().filter_map(stray).collect();
        strays.sort_by(|a, b| (&a.name, &a.kind, &a.content).cmp(&(&b.name, &b.kind, &b.content)));
        strays
    }

    /// Of all files of the directory those that no manifest names.
    pub fn files(&self, files: &Inventory<TraefikFile>) -> Vec<StrayFile> {
        let stray = |(name, found): (&_, &Found<crate::resources::traefik_file::Live>)| {
            let (live, holder) = match found {
                Found::Ours(ours) => (Some(&ours.live), self.stranger(&ours.mark)?),
                Found::Foreign(foreign) => (Some(&foreign.live), foreign.holder.clone()),
                Found::Duplicates(names) => (None, names.join(", ")),
            };
            let own = live.iter().flat_map(|live| live.hosts.iter().map(ToString::to_string));
            let claimed = live.iter().flat_map(|live| live.claims.iter().map(|claim| claim.host.clone()));
            Some(StrayFile {
                name: ToString::to_string(name),
                hosts: own.chain(claimed).collect(),
                refused: live.and_then(|live| live.refused.clone()),
                holder,
            })
        };
        files.iter().filter_map(stray).collect()
    }

    /// Of all tunnels of the account those that no manifest names.
    pub fn tunnels(&self, tunnels: &[Tunnel]) -> Vec<StrayTunnel> {
        let stray = |found: &Tunnel| {
            if self.tunnels.contains(&found.id) {
                return None;
            }
            let mark = match tunnel::name::read(&found.name) {
                Some(mark) => Some(self.stranger(&mark)?),
                None => None,
            };
            let Tunnel { id, name, status, .. } = found.clone();
            Some(StrayTunnel { id, name, status, mark })
        };
        let mut strays: Vec<StrayTunnel> = tunnels.iter().filter_map(stray).collect();
        strays.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        strays
    }
}

/// The site of the stamp in these notes.
fn stamp_of(notes: &str) -> Option<String> {
    proxmox::notes::stamp(notes).map(|stamp| stamp.mark.site)
}
