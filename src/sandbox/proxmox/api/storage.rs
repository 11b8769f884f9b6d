//! `/storage` and `/nodes/{node}/storage`, and what the other families need to know of volumes.
use crate::sandbox::proxmox::{
    access::Who,
    call::{Answer, Call, Endpoint, on},
    config_file,
    refusal::{Refusal, Result},
    schema::split_list,
    section,
    state::{State, Storage, Volume},
    task::Work,
    world::World,
};
use serde_json::{Map, Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/storage", configured),
    on("GET", "/storage/{storage}", one_configured),
    on("GET", "/nodes/{node}/storage", list),
    on("GET", "/nodes/{node}/storage/{storage}", index),
    on("GET", "/nodes/{node}/storage/{storage}/status", status),
    on("GET", "/nodes/{node}/storage/{storage}/content", content),
    on("DELETE", "/nodes/{node}/storage/{storage}/content/{volume}", delete),
];

/// A storage by name.
///
/// # Errors
/// 500.
pub fn of<'a>(world: &'a World, name: &str) -> Result<&'a Storage> {
    world.state.storages.get(name).ok_or_else(|| Refusal::die(format!("storage '{name}' does not exist")))
}

/// A volume id taken apart.
pub struct Name {
    pub storage: String,
    /// `images`, `rootdir`, `vztmpl`, `iso` …
    pub kind: &'static str,
    pub owner: Option<u32>,
}

/// Takes a volume id apart, as the plugin of its storage does.
///
/// # Errors
/// 500: no such storage, or no name of this plugin.
pub fn name_of(world: &World, volid: &str) -> Result<Name> {
    let (storage, name) = volid.split_once(':').unwrap_or((volid, ""));
    let plugin = of(world, storage)?.kind.clone();
    let found = |kind, owner| Ok(Name { storage: storage.into(), kind, owner });
    if plugin != "dir" && plugin != "nfs" && plugin != "cifs" && plugin != "btrfs" {
        let mut parts = name.splitn(3, '-');
        let owner = matches!(parts.next(), Some("vm" | "base" | "subvol" | "basevol")).then(|| parts.next()).flatten();
        return match owner.and_then(|o| o.parse().ok()) {
            Some(owner) => found("images", Some(owner)),
            None => Err(Refusal::die(format!("unable to parse {plugin} volume name '{name}'"))),
        };
    }
    let bad = || Refusal::die(format!("unable to parse directory volume name '{name}'"));
    // A linked clone is named after its base: `101/base-101-disk-0.qcow2/102/vm-102-disk-0.qcow2`.
    let parts: Vec<&str> = name.split('/').collect();
    let name = match parts[..] {
        [_, base, own, file] if base.starts_with("base-") => format!("{own}/{file}"),
        _ => name.to_string(),
    };
    let (folder, file) = name.split_once('/').ok_or_else(bad)?;
    let plain = !file.is_empty() && !file.contains('/') && !file.starts_with('.');
    let ends = |with: &[&str]| plain && with.iter().any(|e| file.ends_with(e));
    if let Ok(owner) = folder.parse::<u32>() {
        let stem = file.rsplit_once('/').map_or(file, |(_, f)| f);
        let image = ["vm-", "base-", "subvol-", "basevol-"].iter().any(|p| stem.starts_with(p));
        return match image && [".raw", ".qcow2", ".vmdk", ".subvol"].iter().any(|e| stem.ends_with(e)) {
            true => found("images", Some(owner)),
            false => Err(Refusal::die(format!("unable to parse volume filename '{file}'"))),
        };
    }
    match folder {
        "iso" if ends(&[".iso", ".img", ".ISO", ".IMG"]) => found("iso", None),
        "vztmpl" if ends(&[".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2", ".tar"]) => found("vztmpl", None),
        "backup" if plain => found("backup", backed_up(file)),
        "snippets" if plain => found("snippets", None),
        "import" if plain => found("import", None),
        _ => Err(bad()),
    }
}

/// The guest of a backup, as its name says it.
fn backed_up(file: &str) -> Option<u32> {
    let mut parts = file.split('-');
    let named = parts.next() == Some("vzdump") && matches!(parts.next(), Some("lxc" | "qemu" | "openvz"));
    parts.next().filter(|_| named)?.parse().ok()
}

/// Demands that somebody may use a volume as what it is to be used for (`check_volume_access`).
///
/// # Errors
/// 403, or 500 when it is no volume of that type.
pub fn may_use(world: &World, who: &Who, vmid: Option<u32>, volid: &str, wanted: &str) -> Result<()> {
    let is_volume =
        volid.split_once(':').is_some_and(|(s, n)| crate::sandbox::proxmox::formats::is_storage_id(s) && !n.is_empty());
    if !is_volume {
        return match who.is_root() {
            true => Ok(()),
            false => Err(Refusal::die(
                "Only root can pass arbitrary filesystem paths. at /usr/share/perl5/PVE/Storage.pm line 651.",
            )),
        };
    }
    let name = name_of(world, volid)?;
    if name.kind != wanted && !(wanted == "rootdir" && name.kind == "images") {
        return Err(Refusal::die(format!("unable to use volume {volid} - content type needs to be '{wanted}'")));
    }
    let place = format!("/storage/{}", name.storage);
    let may = |path: &str, privileges: &[&str]| world.state.may(who, path, privileges, false);
    if may(&place, &["Datastore.Allocate"]) {
        return Ok(());
    }
    match (name.kind, name.owner) {
        ("iso" | "vztmpl" | "import", _) => {
            world.state.demand_any(who, &place, &["Datastore.AllocateSpace", "Datastore.Audit"])
        }
        (_, Some(owner)) if Some(owner) == vmid => Ok(()),
        ("backup", Some(owner)) => {
            world.state.demand(who, &place, &["Datastore.AllocateSpace"])?;
            world.state.demand(who, &format!("/vms/{owner}"), &["VM.Backup"])
        }
        ("images" | "rootdir", Some(owner)) => {
            world.state.demand(who, &place, &["Datastore.Audit"])?;
            world.state.demand(who, &format!("/vms/{owner}"), &["VM.Config.Disk"])
        }
        _ => Err(Refusal::die(format!("missing privileges to access {volid}"))),
    }
}

/// A volume by id.
///
/// # Errors
/// 500 when it or its storage is not there.
pub fn volume<'a>(world: &'a World, volid: &str) -> Result<&'a Volume> {
    let name = name_of(world, volid)?;
    let found = of(world, &name.storage)?.volumes.get(volid);
    found.ok_or_else(|| Refusal::die(format!("volume '{volid}' does not exist")))
}

/// The first free volume id for a new disk.
///
/// # Errors
/// 500 when there is no such storage.
pub fn free_name(world: &World, storage: &str, vmid: u32, format: &str) -> Result<String> {
    world.demand_lock_of(storage)?;
    let (plugin, volumes) = (&of(world, storage)?.kind, &of(world, storage)?.volumes);
    let in_folder = matches!(plugin.as_str(), "dir" | "nfs" | "cifs" | "btrfs");
    let taken = |number: u32| {
        ["vm", "subvol", "base", "basevol"].iter().any(|stem| {
            let stem = if in_folder { format!("{storage}:{vmid}/{stem}") } else { format!("{storage}:{stem}") };
            let full = format!("{stem}-{vmid}-disk-{number}");
            let own = full.rsplit(['/', ':']).next().unwrap_or_default();
            volumes.iter().any(|(v, volume)| {
                // A linked clone is named after its base first.
                let linked = volume.vmid == Some(vmid) && v.rsplit('/').next().is_some_and(|f| f.starts_with(own));
                let rest =
                    v.strip_prefix(&full).or_else(|| linked.then(|| &v.rsplit('/').next().unwrap_or(v)[own.len()..]));
                rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
            })
        })
    };
    let number = (0..1000).find(|n| !taken(*n)).unwrap_or(0);
    let stem = if format == "subvol" { "subvol" } else { "vm" };
    Ok(match in_folder {
        true => format!("{storage}:{vmid}/{stem}-{vmid}-disk-{number}.{format}"),
        false => format!("{storage}:{stem}-{vmid}-disk-{number}"),
    })
}

/// Where a volume of a directory is on the node.
pub fn path(world: &World, volid: &str) -> String {
    let (storage, name) = volid.split_once(':').unwrap_or(("", volid));
    // A linked clone lies in the folder of its own guest.
    let parts: Vec<&str> = name.split('/').collect();
    let own = if let [_, _, own, file] = parts[..] { format!("{own}/{file}") } else { name.to_string() };
    let name = own.as_str();
    let root = world.state.storages.get(storage).and_then(|s| s.path.clone()).unwrap_or_else(|| "/dev/pve".into());
    match name.split_once('/') {
        Some(("vztmpl", file)) => format!("{root}/template/cache/{file}"),
        Some(("iso", file)) => format!("{root}/template/iso/{file}"),
        Some(("backup", file)) => format!("{root}/dump/{file}"),
        Some(("snippets", file)) => format!("{root}/snippets/{file}"),
        Some((folder, file)) if folder.parse::<u32>().is_ok() => format!("{root}/images/{folder}/{file}"),
        _ => format!("{root}/{name}"),
    }
}

/// Removes a volume; one that is not there is no mistake.
///
/// # Errors
/// 500 when the id cannot be read.
pub fn remove(world: &mut World, volid: &str) -> Result<()> {
    let name = name_of(world, volid)?;
    if let Some(storage) = world.state.storages.get_mut(&name.storage) {
        storage.volumes.remove(volid);
    }
    world.touched = true;
    Ok(())
}

/// Whether all nodes see the same content of a volume's storage.
pub fn is_shared(world: &World, volid: &str) -> bool {
    let name = volid.split(':').next().unwrap_or_default();
    world.state.storages.get(name).is_some_and(Storage::is_shared)
}

/// Gives a volume another size, in bytes.
pub fn set_size(world: &mut World, volid: &str, size: u64) {
    let name = volid.split(':').next().unwrap_or_default();
    if let Some(volume) = world.state.storages.get_mut(name).and_then(|s| s.volumes.get_mut(volid)) {
        volume.size = size;
    }
}

/// Puts a local volume on another node.
pub fn move_to(world: &mut World, volid: &str, node: &str) {
    let name = volid.split(':').next().unwrap_or_default();
    if let Some(volume) = world.state.storages.get_mut(name).and_then(|s| s.volumes.get_mut(volid)) {
        volume.nodes = [node.to_string()].into();
    }
}

fn visible(call: &Call<'_>, name: &str) -> bool {
    let any = ["Datastore.Audit", "Datastore.AllocateSpace"];
    call.world.state.may(&call.who, &format!("/storage/{name}"), &any, true)
}

fn shown(call: &Call<'_>, name: &str, storage: &Storage) -> Value {
    let content: Vec<&str> = storage.content.iter().map(String::as_str).collect();
    let mut row = Map::new();
    row.insert("storage".into(), json!(name));
    row.insert("type".into(), json!(storage.kind));
    row.insert("content".into(), json!(if content.is_empty() { "none".into() } else { content.join(",") }));
    if let Some(path) = &storage.path {
        row.insert("path".into(), json!(path));
    }
    let typed =
        |(key, value): (&String, &String)| (key.clone(), section::read(&call.world.facts, "/storage", key, value));
    row.extend(storage.more.iter().map(typed));
    row.insert("digest".into(), json!(digest(call.world)));
    Value::Object(row)
}

/// The digest of `storage.cfg`.
pub fn digest(world: &World) -> String {
    let text: String = world
        .state
        .storages
        .iter()
        .map(|(name, s)| {
            let content: Vec<&str> = s.content.iter().map(String::as_str).collect();
            let more: String = s.more.iter().map(|(k, v)| format!("\t{k} {v}\n")).collect();
            let path = s.path.as_ref().map(|p| format!("\tpath {p}\n")).unwrap_or_default();
            format!("{}: {name}\n{path}\tcontent {}\n{more}\n", s.kind, content.join(","))
        })
        .collect();
    config_file::sum(&text)
}

fn configured(call: &mut Call<'_>) -> Result<Answer> {
    let kind = call.arg("type");
    let rows = call.world.state.storages.iter().filter(|(n, s)| visible(call, n) && kind.is_none_or(|k| s.kind == k));
    Ok(Value::Array(rows.map(|(n, s)| shown(call, n, s)).collect()).into())
}

fn one_configured(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.arg("storage").unwrap_or_default().to_string();
    Ok(shown(call, &name, of(call.world, &name)?).into())
}

fn figures(state: &State, storage: &Storage) -> Map<String, Value> {
    let used = super::cluster::used(state, storage);
    let content: Vec<&str> = storage.content.iter().map(String::as_str).collect();
    let on = u8::from(storage.more.get("disable").is_none_or(|d| d != "1"));
    let (total, used) = if on == 1 { (storage.total, used) } else { (0, 0) };
    let row = json!({
        "type": storage.kind, "content": content.join(","), "active": on, "enabled": on,
        "shared": u8::from(storage.is_shared()),
        "total": total, "used": used, "avail": total.saturating_sub(used),
    });
    row.as_object().cloned().unwrap_or_default()
}

fn list(call: &mut Call<'_>) -> Result<Answer> {
    let wanted = split_list(call.arg("content").unwrap_or_default());
    let only = call.arg("storage").map(str::to_string);
    let node = call.node();
    let rows = call.world.state.storages.iter().filter(|(name, storage)| {
        visible(call, name)
            && storage.is_on(&node)
            && only.as_ref().is_none_or(|o| o == *name)
            && wanted.iter().all(|w| storage.content.contains(w))
    });
    let rows = rows.map(|(name, storage)| {
        let mut row = figures(&call.world.state, storage);
        row.insert("storage".into(), json!(name));
        let formats = disk_formats(&storage.kind);
        if let (true, Some(default)) = (call.flag("format"), formats.first()) {
            let mut sorted = formats.to_vec();
            sorted.sort_unstable();
            let each: Map<String, Value> = formats.iter().map(|f| ((*f).to_string(), json!(1))).collect();
            row.insert("format".into(), json!([each, default]));
            if call.world.release().is_9() {
                row.insert("formats".into(), json!({"supported": sorted, "default": default}));
            }
        }
        let used = super::cluster::used(&call.world.state, storage) as f64;
        if row.get("active") == Some(&json!(1)) {
            row.insert(
                "used_fraction".into(),
                json!(if storage.total > 0 { used / storage.total as f64 } else { 0.0 }),
            );
        }
        Value::Object(row)
    });
    Ok(Value::Array(rows.collect()).into())
}

/// Formats of disks by the kind of storage, as the plugins of pve-storage 9 name them; the first is the default.
fn disk_formats(kind: &str) -> &'static [&'static str] {
    match kind {
        "dir" => &["raw", "qcow2", "subvol", "vmdk"],
        "nfs" | "cifs" => &["raw", "qcow2", "vmdk"],
        "btrfs" | "zfspool" => &["raw", "subvol"],
        "lvm" => &["raw", "qcow2"],
        "lvmthin" | "rbd" | "iscsi" | "zfs" => &["raw"],
        _ => &[],
    }
}

fn index(call: &mut Call<'_>) -> Result<Answer> {
    let below = call.world.facts.below("/nodes/{node}/storage/{storage}");
    Ok(Value::Array(below.iter().map(|n| json!({"subdir": n})).collect()).into())
}

fn status(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.arg("storage").unwrap_or_default().to_string();
    if !call.world.state.storages.contains_key(&name) {
        return Err(Refusal::parameter("storage", "No such storage."));
    }
    Ok(Value::Object(figures(&call.world.state, on_node(call, &name)?)).into())
}

/// A storage that is there on the node of the call.
fn on_node<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Storage> {
    let (found, node) = (of(call.world, name)?, call.node());
    match found.is_on(&node) {
        true => Ok(found),
        false => Err(Refusal::die(format!("storage '{name}' is not available on node '{node}'"))),
    }
}

fn content(call: &mut Call<'_>) -> Result<Answer> {
    let name = call.arg("storage").unwrap_or_default().to_string();
    let (content, vmid) = (call.arg("content"), call.arg("vmid").and_then(|v| v.parse::<u32>().ok()));
    let storage = on_node(call, &name)?;
    let node = call.node();
    let rows = storage.volumes.iter().filter(|(volid, volume)| {
        volume.is_on(&node)
            && content.is_none_or(|c| volume.content == c)
            && vmid.is_none_or(|v| volume.vmid == Some(v))
            && may_list(call, volid, volume)
    });
    let rows = rows.map(|(volid, volume)| {
        let mut row = Map::new();
        row.insert("volid".into(), json!(volid));
        row.insert("content".into(), json!(volume.content));
        row.insert("format".into(), json!(volume.format));
        row.insert("size".into(), json!(volume.size));
        row.insert("ctime".into(), json!(volume.created));
        let backup = volume.content == "backup";
        if let Some(vmid) = volume.vmid {
            row.insert("vmid".into(), json!(vmid));
        }
        if volume.vmid.is_some() && !backup {
            row.insert("used".into(), json!(volume.size / 16));
            row.insert("parent".into(), Value::Null);
        }
        if let Some(archive) = &volume.archive {
            row.insert("subtype".into(), json!(archive.kind.word()));
        }
        // A list shows the first line.
        if let Some(notes) = volume.notes.as_ref().and_then(|n| n.lines().next()) {
            row.insert("notes".into(), json!(notes));
        }
        if volume.protected {
            row.insert("protected".into(), json!(1));
        }
        Value::Object(row)
    });
    Ok(Value::Array(rows.collect()).into())
}

/// A volume of a guest is shown to who may see the guest or allocate on the storage.
fn may_list(call: &Call<'_>, volid: &str, volume: &Volume) -> bool {
    may_use(
        call.world,
        &call.who,
        volume.vmid,
        volid,
        match name_of(call.world, volid) {
            Ok(name) => name.kind,
            Err(_) => return false,
        },
    )
    .is_ok()
}

fn delete(call: &mut Call<'_>) -> Result<Answer> {
    let storage = call.arg("storage").unwrap_or_default().to_string();
    let volid = super::storage_content::volid(call);
    let name = name_of(call.world, &volid)?;
    match name.kind {
        "images" | "rootdir" => may_use(call.world, &call.who, None, &volid, name.kind)?,
        "backup" if name.owner.is_some() => may_use(call.world, &call.who, None, &volid, name.kind)?,
        _ => call.world.state.demand_any(
            &call.who,
            &format!("/storage/{storage}"),
            &["Datastore.Allocate", "Datastore.AllocateTemplate"],
        )?,
    }
    let (node, who) = (call.node(), call.who.clone());
    // A volume of a guest is about the guest, another about the storage.
    let id = name.owner.map_or_else(|| storage.clone(), |o| format!("{o}@{storage}"));
    Ok(json!(call.world.fork(&node, "imgdel", &id, &who, Work::RemoveVolume { volid }, None)).into())
}
