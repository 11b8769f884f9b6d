//! Which backups a retention keeps: `/nodes/{node}/storage/{storage}/prunebackups`, and what an archive holds
//! (libpve-storage-perl 9).
use super::storage;
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    config_file,
    refusal::{Refusal, Result},
    state::{Conf, Guest, Kind},
    task::Work,
    world::World,
};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/nodes/{node}/storage/{storage}/prunebackups", dry_run),
    on("DELETE", "/nodes/{node}/storage/{storage}/prunebackups", prune),
    on("GET", "/nodes/{node}/vzdump/extractconfig", extract),
];

/// How many backups of each span of time are kept.
#[derive(Default)]
pub struct Keep(Conf);

/// What names a span, for each option.
const SPANS: [(&str, &str); 6] = [
    ("keep-last", "%s"),
    ("keep-hourly", "%H/%d/%m/%Y"),
    ("keep-daily", "%d/%m/%Y"),
    ("keep-weekly", "%V/%G"),
    ("keep-monthly", "%m/%Y"),
    ("keep-yearly", "%Y"),
];

impl Keep {
    /// Of a property string.
    pub fn parse(text: &str) -> Self {
        let parts = text.split(',').filter_map(|p| p.split_once('='));
        Self(parts.map(|(k, v)| (k.to_string(), v.to_string())).collect())
    }

    fn number(&self, key: &str) -> usize {
        self.0.get(key).and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    /// Whether nothing is ever removed.
    pub fn everything(&self) -> bool {
        SPANS.iter().all(|(key, _)| self.number(key) == 0)
    }

    /// As logs spell it.
    pub fn spelled(&self) -> String {
        self.0.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(", ")
    }
}

/// A backup and what becomes of it.
pub struct Marked {
    pub volid: String,
    pub vmid: Option<u32>,
    pub kind: Kind,
    created: u64,
    /// `keep`, `remove`, `protected`, `renamed`.
    pub mark: &'static str,
}

/// Whether a name is one that vzdump gives: others are never removed.
fn is_standard(volid: &str) -> bool {
    let file = volid.rsplit('/').next().unwrap_or_default();
    let parts: Vec<&str> = file.splitn(4, '-').collect();
    matches!(parts[..], ["vzdump", "lxc" | "qemu", vmid, stamp] if vmid.parse::<u32>().is_ok()
        && stamp.bytes().take(19).filter(u8::is_ascii_digit).count() == 14)
}

/// Marks the backups of a storage, or of one guest on it.
pub fn marked(world: &World, storage: &str, keep: &Keep, of: Option<(u32, Kind)>) -> Vec<Marked> {
    let Some(storage) = world.state.storages.get(storage) else { return Vec::new() };
    let mut rows: Vec<Marked> = Vec::new();
    for (volid, volume) in storage.volumes.iter().filter(|(_, v)| v.content == "backup") {
        let kind = volume.archive.as_ref().map_or(Kind::Lxc, |a| a.kind);
        if of.is_some_and(|(vmid, wanted)| volume.vmid != Some(vmid) || wanted != kind) {
            continue;
        }
        let mark = match (volume.protected, is_standard(volid)) {
            (_, false) => "renamed",
            (true, true) => "protected",
            (false, true) => "",
        };
        rows.push(Marked { volid: volid.clone(), vmid: volume.vmid, kind, created: volume.created, mark });
    }
    let groups: BTreeSet<(Option<u32>, &str)> = rows.iter().map(|r| (r.vmid, r.kind.word())).collect();
    for (vmid, kind) in groups {
        let mut group: Vec<&mut Marked> =
            rows.iter_mut().filter(|r| r.mark.is_empty() && r.vmid == vmid && r.kind.word() == kind).collect();
        group.sort_by_key(|r| std::cmp::Reverse(r.created));
        retain(&mut group, keep);
    }
    rows
}

/// Marks the backups of one guest, the newest first.
fn retain(group: &mut [&mut Marked], keep: &Keep) {
    if keep.everything() {
        group.iter_mut().for_each(|r| r.mark = "keep");
        return;
    }
    for (key, span) in SPANS {
        let name = |row: &Marked| {
            let at = i64::try_from(row.created).ok().and_then(|at| Timestamp::from_second(at).ok());
            let at: Zoned = at.unwrap_or_default().to_zoned(TimeZone::UTC);
            at.strftime(span).to_string()
        };
        let before: BTreeSet<String> = group.iter().filter(|r| r.mark == "keep").map(|r| name(r)).collect();
        let mut newly = BTreeSet::new();
        for row in group.iter_mut().filter(|r| r.mark.is_empty()) {
            let span = name(row);
            if before.contains(&span) {
                continue;
            }
            if newly.contains(&span) {
                row.mark = "remove";
                continue;
            }
            if newly.len() >= keep.number(key) {
                break;
            }
            newly.insert(span);
            row.mark = "keep";
        }
    }
    group.iter_mut().filter(|r| r.mark.is_empty()).for_each(|r| r.mark = "remove");
}

/// What a call asks about.
fn asked(call: &Call<'_>) -> Result<(String, Vec<Marked>)> {
    let name = call.arg("storage").unwrap_or_default().to_string();
    let said = storage::of(call.world, &name)?.more.get("prune-backups").cloned();
    let keep = Keep::parse(&call.arg("prune-backups").map(str::to_string).or(said).unwrap_or_default());
    let (vmid, kind) = (call.arg("vmid").and_then(|v| v.parse::<u32>().ok()), call.arg("type"));
    let fits = |row: &Marked| vmid.is_none_or(|v| row.vmid == Some(v)) && kind.is_none_or(|k| row.kind.word() == k);
    Ok((name.clone(), marked(call.world, &name, &keep, None).into_iter().filter(fits).collect()))
}

fn dry_run(call: &mut Call<'_>) -> Result<Answer> {
    let (_, rows) = asked(call)?;
    let rows = rows.into_iter().map(|row| {
        json!({"volid": row.volid, "vmid": row.vmid, "type": row.kind.word(), "ctime": row.created, "mark": row.mark})
    });
    Ok(Value::Array(rows.collect()).into())
}

fn prune(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.arg("storage").unwrap_or_default().to_string();
    let vmid = call.arg("vmid").map(str::to_string);
    let (state, who) = (&call.world.state, &call.who);
    let place = format!("/storage/{name}");
    match &vmid {
        Some(vmid) if !state.may(who, &place, &["Datastore.Allocate"], false) => {
            state.demand(who, &place, &["Datastore.AllocateSpace"])?;
            state.demand(who, &format!("/vms/{vmid}"), &["VM.Backup"])?;
        }
        _ => state.demand(who, &place, &["Datastore.Allocate"])?,
    }
    let (_, rows) = asked(call)?;
    let volids = rows.into_iter().filter(|r| r.mark == "remove").map(|r| r.volid).collect();
    let (node, who) = (call.node(), call.who.clone());
    let id = vmid.map_or_else(|| name.clone(), |v| format!("{v}@{name}"));
    Ok(json!(call.world.fork(&node, "prunebackups", &id, &who, Work::RemoveBackups { volids }, None)).into())
}

/// The config that an archive holds, as its text.
fn extract(call: &mut Call<'_>) -> Result<Answer> {
    let volid = call.arg("volume").unwrap_or_default().to_string();
    storage::may_use(call.world, &call.who, None, &volid, "backup")?;
    if let Some(owner) = storage::name_of(call.world, &volid)?.owner {
        call.world.state.demand(&call.who, &format!("/vms/{owner}"), &["VM.Backup"])?;
    }
    let found = storage::volume(call.world, &volid)?;
    let archive = found.archive.as_ref().ok_or_else(|| {
        Refusal::die(format!("unable to extract configuration from '{}'", storage::path(call.world, &volid)))
    })?;
    let mut guest = Guest::new(archive.kind, "");
    guest.conf = archive.conf.clone();
    Ok(json!(config_file::text(&guest) + &super::backup_vm::map(archive)).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(days: &[u64], keep: &str) -> Vec<&'static str> {
        let row = |day: &u64| Marked {
            volid: String::new(),
            vmid: Some(101),
            kind: Kind::Lxc,
            created: 1_767_225_600 + day * 86_400,
            mark: "",
        };
        let mut rows: Vec<Marked> = days.iter().map(row).collect();
        retain(&mut rows.iter_mut().collect::<Vec<_>>(), &Keep::parse(keep));
        rows.iter().map(|r| r.mark).collect()
    }

    #[test]
    fn spans_keep_the_newest_of_each() {
        assert_eq!(marks(&[9, 8, 7], "keep-last=2"), ["keep", "keep", "remove"]);
        assert_eq!(marks(&[40, 35, 3], "keep-monthly=2"), ["keep", "remove", "keep"]);
        assert_eq!(marks(&[3, 2, 1], "keep-last=1,keep-daily=1"), ["keep", "keep", "remove"]);
        assert_eq!(marks(&[3, 2], "keep-all=1"), ["keep", "keep"]);
    }

    #[test]
    fn only_names_of_vzdump_are_standard() {
        assert!(is_standard("local:backup/vzdump-lxc-101-2026_11_21-14_38_31.tar.zst"));
        assert!(!is_standard("local:backup/vzdump-lxc-101-kept.tar.zst"));
    }
}
