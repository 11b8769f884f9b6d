//! Changes of a container's config: through the pending section, then applied at once or kept for the next start
//! (`update_pct_config`, `vmconfig_hotplug_pending`, `vmconfig_apply_pending`).
use super::lxc_read::pending_deletes;
use crate::sandbox::proxmox::{
    property::{self, Properties},
    refusal::{Refusal, Result},
    schema::{Args, Errors, split_list},
    state::{Conf, Guest, Kind},
    world::World,
};
use std::collections::BTreeSet;

/// Options that take effect in a running container by being written.
const FAST: &[&str] =
    &["description", "onboot", "startup", "protection", "hostname", "hookscript", "cores", "tags", "lock"];

/// A wanted change.
#[derive(Default)]
pub struct Update {
    pub set: Args,
    pub delete: Vec<String>,
    pub revert: Vec<String>,
}

/// Changes a guest's config, which the caller writes when there are no errors. What a refused change of a network card wrote
/// halfway is put into `written`.
///
/// # Errors
/// 500 for what cannot be changed at all.
pub fn update(
    world: &mut World,
    vmid: u32,
    guest: &mut Guest,
    update: &Update,
    written: &mut Option<Guest>,
) -> Result<Errors> {
    for key in &update.revert {
        guest.pending.remove(key);
        forget_delete(guest, key);
    }
    // What waits since an earlier change waits on, whatever becomes of this one.
    let mut now: BTreeSet<String> = update.set.keys().cloned().collect();
    for key in &update.delete {
        if !guest.conf.contains_key(key) && !guest.pending.contains_key(key) {
            continue;
        }
        now.insert(key.clone());
        match key.as_str() {
            "memory" | "rootfs" | "ostype" => {
                return Err(Refusal::die(format!("unable to delete required option '{key}'")));
            }
            "unprivileged" => return Err(Refusal::die(format!("unable to delete read-only option: '{key}'"))),
            _ if is_numbered(key, "unused") || is_numbered(key, "mp") => {
                protected(guest, &format!("can't remove CT {vmid} drive '{key}'"))?;
            }
            _ => {}
        }
        remember_delete(guest, key);
    }
    for (key, value) in &update.set {
        let value = prepare(world, vmid, guest, key, value)?;
        guest.pending.insert(key.clone(), value);
        forget_delete(guest, key);
    }
    clean(guest);
    match guest.running.is_some() {
        true => Ok(hotplug(world, vmid, guest, &now, written)),
        false => Ok(apply_chosen(world, vmid, guest, &|key| now.contains(key))),
    }
}

fn prepare(world: &World, vmid: u32, guest: &Guest, key: &str, value: &str) -> Result<String> {
    Ok(match key {
        "unprivileged" => return Err(Refusal::die(format!("unable to modify read-only option: '{key}'"))),
        "nameserver" | "searchdomain" => split_list(value).join(" "),
        "tags" => tags(world, value),
        // cgroup v2 knows no more.
        "cpuunits" => value.parse::<u64>().map_or(value.into(), |n| n.min(10_000).to_string()),
        _ if key == "rootfs" || is_numbered(key, "mp") => {
            protected(guest, &format!("can't update CT {vmid} drive '{key}'"))?;
            let parts = parse(world, key, value);
            let volid = parts.get("volume").map_or("", String::as_str);
            if super::lxc_volume::kind(volid) == "volume" {
                let storage = volid.split_once(':').map_or("", |(s, _)| s);
                super::lxc_volume::for_containers(world, storage)?;
            }
            value.into()
        }
        _ if is_numbered(key, "net") => {
            let net = parse(world, key, value);
            if let Some(mtu) = net.get("mtu").and_then(|m| m.parse::<u32>().ok()) {
                let name = net.get("bridge").map_or("", String::as_str);
                let bridge = world.state.nodes.get(&guest.node).and_then(|n| n.bridges.get(name));
                let limit = bridge.ok_or_else(|| Refusal::die(format!("bridge '{name}' does not exist")))?.mtu;
                if limit < mtu {
                    let why = format!("{key}: MTU size '{mtu}' is bigger than bridge MTU '{limit}'");
                    return Err(Refusal::die(why));
                }
            }
            let is = |name: &str, value: &str| net.get(name).is_some_and(|v| v == value);
            if is("host-managed", "1") && is("ip6", "auto") && !is("link_down", "1") {
                let why = "SLAAC is not supported for host-managed network configuration.";
                return Err(Refusal::die(format!("{key}: {why}")));
            }
            value.into()
        }
        _ => value.into(),
    })
}

/// Tags as they are stored: lower case, sorted, each once, unless the datacenter says otherwise.
pub fn tags(world: &World, value: &str) -> String {
    let style = world.state.options.get("tag-style").map_or("", String::as_str);
    let keep_case = style.split(',').any(|p| p == "case-sensitive=1");
    let keep_order = style.split(',').any(|p| p == "ordering=config");
    let mut found: Vec<String> = Vec::new();
    for tag in split_list(value) {
        let tag = if keep_case { tag } else { tag.to_lowercase() };
        if !found.contains(&tag) {
            found.push(tag);
        }
    }
    if !keep_order {
        found.sort();
    }
    found.join(";")
}

pub fn is_numbered(key: &str, stem: &str) -> bool {
    key.strip_prefix(stem).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn protected(guest: &Guest, what: &str) -> Result<()> {
    match guest.flag("protection") {
        true => Err(Refusal::die(format!("{what} - protection mode enabled"))),
        false => Ok(()),
    }
}

pub fn parse(world: &World, key: &str, value: &str) -> Properties {
    let format = world.properties(Kind::Lxc, key);
    format.and_then(|f| property::take_apart(f, value).ok()).unwrap_or_default()
}

fn set_deletes(guest: &mut Guest, deletes: &[(String, bool)]) {
    let mut keys: Vec<String> = deletes.iter().map(|(k, f)| if *f { format!("!{k}") } else { k.clone() }).collect();
    keys.sort();
    match keys.is_empty() {
        true => guest.pending.remove("delete"),
        false => guest.pending.insert("delete".into(), keys.join(",")),
    };
}

/// Puts a deletion into the pending section.
pub fn remember_delete(guest: &mut Guest, key: &str) {
    let mut deletes = pending_deletes(guest);
    if !deletes.iter().any(|(k, _)| k == key) {
        deletes.push((key.into(), false));
    }
    set_deletes(guest, &deletes);
}

/// Takes a deletion out of the pending section.
pub fn forget_delete(guest: &mut Guest, key: &str) {
    let deletes: Vec<_> = pending_deletes(guest).into_iter().filter(|(k, _)| k != key).collect();
    set_deletes(guest, &deletes);
}

/// Drops pending values that are the current ones, and pending deletions of what is not set.
fn clean(guest: &mut Guest) {
    let conf = &guest.conf;
    guest.pending.retain(|k, v| k == "delete" || conf.get(k) != Some(v));
    let kept: Vec<_> = pending_deletes(guest).into_iter().filter(|(k, _)| guest.conf.contains_key(k)).collect();
    set_deletes(guest, &kept);
}

/// Applies everything that is pending to a guest that does not run.
pub fn apply(world: &mut World, vmid: u32, guest: &mut Guest) -> Errors {
    apply_chosen(world, vmid, guest, &|_| true)
}

fn apply_chosen(world: &mut World, vmid: u32, guest: &mut Guest, chosen: &dyn Fn(&str) -> bool) -> Errors {
    let mut errors = Errors::new();
    let mut failed = |key: &str, why: Refusal| {
        errors.insert(key.into(), format!("unable to apply pending change {key} : {}\n", why.text()));
    };
    for (key, _) in pending_deletes(guest).into_iter().filter(|(key, _)| chosen(key)) {
        match discard(world, guest, &key, true) {
            Ok(()) => {
                guest.conf.remove(&key);
                forget_delete(guest, &key);
            }
            Err(why) => failed(&key, why),
        }
    }
    clean(guest);
    let keys: Vec<String> = guest.pending.keys().filter(|k| *k != "delete" && chosen(k)).cloned().collect();
    for key in keys {
        let value = guest.pending[&key].clone();
        match finish(world, vmid, &key, &value) {
            Ok(value) => put(world, guest, &key, value),
            Err(why) => failed(&key, why),
        }
    }
    errors
}

/// Makes a pending value the current one. The volume of a mount point that is replaced becomes unused; one that is attached
/// is unused no more.
fn put(world: &World, guest: &mut Guest, key: &str, value: String) {
    guest.pending.remove(key);
    let old = guest.conf.insert(key.into(), value);
    if !is_numbered(key, "mp") {
        return;
    }
    let volume = |v: &str| parse(world, key, v).remove("volume").unwrap_or_default();
    let new = volume(&guest.conf[key].clone());
    guest.conf.retain(|k, v| !(is_numbered(k, "unused") && *v == new));
    let old = old.map(|o| volume(&o)).filter(|o| super::lxc_volume::kind(o) == "volume");
    if let Some(old) = old.filter(|o| !in_use(guest, "", o)) {
        add_unused(guest, old);
    }
}

/// Keeps a volume that is no mount point any more.
pub fn add_unused(guest: &mut Guest, volid: String) {
    let free = (0..256).map(|i| format!("unused{i}")).find(|k| !guest.conf.contains_key(k));
    guest.conf.insert(free.unwrap_or_else(|| "unused0".into()), volid);
}

/// What deleting a key does beside deleting it.
fn discard(world: &mut World, guest: &mut Guest, key: &str, stopped: bool) -> Result<()> {
    let Some(value) = guest.conf.get(key).cloned() else { return Ok(()) };
    if is_numbered(key, "mp") && stopped {
        let parts = parse(world, key, &value);
        let volid = parts.get("volume").cloned().unwrap_or_default();
        if super::lxc_volume::kind(&volid) == "volume" && !in_use(guest, key, &volid) {
            add_unused(guest, volid);
        }
    } else if is_numbered(key, "unused") && !in_use(guest, key, &value) {
        super::storage::remove(world, &value)?;
    }
    Ok(())
}

fn in_use(guest: &Guest, by: &str, volid: &str) -> bool {
    let named = |conf: &Conf, skip: &str| conf.iter().any(|(k, v)| k != skip && v.split(',').next() == Some(volid));
    named(&guest.conf, by) || named(&guest.pending, by) || guest.snapshots.values().any(|s| named(s, ""))
}

/// What a pending value becomes when it is applied: a network gets its MAC address, a mount point its volume.
fn finish(world: &mut World, vmid: u32, key: &str, value: &str) -> Result<String> {
    if is_numbered(key, "net") {
        return Ok(network(world, key, value));
    }
    if is_numbered(key, "mp") {
        let volid = parse(world, key, value).remove("volume").unwrap_or_default();
        // That the size of a volume cannot be found is a warning in the node's log.
        let asks = super::lxc_volume::new_disk(&volid).is_some() || super::lxc_volume::kind(&volid) != "volume";
        if !asks && super::storage::volume(world, &volid).is_err() {
            return Ok(super::lxc_volume::print(world, key, &parse(world, key, value)));
        }
        return super::lxc_volume::allocate(world, vmid, key, value, &mut Vec::new());
    }
    Ok(value.to_string())
}

/// A network as it is stored: with its type and a MAC address.
pub fn network(world: &mut World, key: &str, value: &str) -> String {
    let mut net = parse(world, key, value);
    net.insert("type".into(), "veth".into());
    if !net.contains_key("hwaddr") {
        let mac = world.mac();
        net.insert("hwaddr".into(), mac);
    }
    world.properties(Kind::Lxc, key).map_or_else(|| value.to_string(), |f| property::print(f, &net))
}

fn hotplug(
    world: &mut World,
    vmid: u32,
    guest: &mut Guest,
    now: &BTreeSet<String>,
    written: &mut Option<Guest>,
) -> Errors {
    let mut errors = Errors::new();
    for key in FAST.iter().filter(|key| now.contains(**key)) {
        if let Some(value) = guest.pending.remove(*key) {
            guest.conf.insert(key.to_string(), value);
        }
    }
    for (key, _) in pending_deletes(guest).into_iter().filter(|(key, _)| now.contains(key)) {
        let at_once = FAST.contains(&key.as_str())
            || matches!(key.as_str(), "swap" | "cpulimit" | "cpuunits")
            || is_numbered(&key, "unused")
            // Only those of one digit: the others wait.
            || is_numbered(&key, "net") && key.len() == "net0".len();
        if !at_once {
            continue;
        }
        match discard(world, guest, &key, false) {
            Ok(()) => {
                guest.conf.remove(&key);
                guest.unplugged.remove(&key);
                forget_delete(guest, &key);
            }
            Err(why) => {
                errors.insert(key.clone(), format!("unable to hotplug {key}: {}\n", why.text()));
            }
        }
    }
    let keys: Vec<String> = guest.pending.keys().filter(|k| now.contains(*k)).cloned().collect();
    for key in keys {
        let value = guest.pending[&key].clone();
        let outcome = match key.as_str() {
            "cpulimit" | "cpuunits" | "memory" | "swap" => Ok(value),
            _ if is_numbered(&key, "net") => plug(world, guest, &key, &value, written),
            _ if is_numbered(&key, "mp") && !guest.conf.contains_key(&key) => {
                super::lxc_volume::allocate(world, vmid, &key, &value, &mut Vec::new()).map_err(|e| e.text())
            }
            _ => continue,
        };
        match outcome {
            Ok(value) => put(world, guest, &key, value),
            Err(why) => {
                errors.insert(key.clone(), format!("unable to hotplug {key}: {why}\n"));
            }
        }
    }
    errors
}

/// Changes a network card of a running container. A new card (another MAC address or name) replaces the old one, which is
/// taken away and written first: when the new bridge is not there, the old card is gone all the same.
fn plug(
    world: &mut World,
    guest: &mut Guest,
    key: &str,
    value: &str,
    written: &mut Option<Guest>,
) -> Result<String, String> {
    let wanted = network(world, key, value);
    let new = parse(world, key, &wanted);
    let old = guest.conf.get(key).map(|v| parse(world, key, v));
    let bridge = new.get("bridge").cloned().unwrap_or_default();
    let known = |w: &World, guest: &Guest| {
        bridge.is_empty() || w.state.nodes.get(&guest.node).is_some_and(|n| n.bridges.contains_key(&bridge))
    };
    let same = |name: &str| {
        old.as_ref().is_some_and(|o| match name {
            "hwaddr" => o.get(name).map(|m| m.to_lowercase()) == new.get(name).map(|m| m.to_lowercase()),
            _ => o.get(name) == new.get(name),
        })
    };
    if same("hwaddr") && same("name") && !guest.unplugged.contains(key) {
        return match known(world, guest) {
            true => Ok(wanted),
            false => Err(format!("interface {bridge} does not exist\n")),
        };
    }
    if old.is_some() {
        guest.conf.remove(key);
    }
    guest.unplugged.remove(key);
    *written = Some(guest.clone());
    match known(world, guest) {
        true => Ok(wanted),
        false => Err(format!("bridge '{bridge}' does not exist")),
    }
}
