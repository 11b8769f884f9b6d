//! `PUT` and `POST /nodes/{node}/qemu/{vmid}/config`: changing a machine, at once or as a task.
use super::{
    lxc_hotplug::{forget_delete, tags},
    qemu_alloc::{self, Place},
    qemu_apply,
    qemu_create::{clamped, hidden, keys_valid},
    qemu_drive::{
        boot_order, file, is_cdrom, is_drive, is_numbered, network, parse, print_boot, set_aside, tidy, volume,
    },
    qemu_permission::{Change, drive_parameters},
    storage,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on, unlocked},
    config_file,
    refusal::{Refusal, Result},
    schema::{Errors, split_list},
    state::{Conf, Guest, Kind},
    task::Work,
    vm_work::{Configure, VmWork},
    world::World,
};
use serde_json::Value;

pub const ENDPOINTS: &[Endpoint] = &[
    on("PUT", "/nodes/{node}/qemu/{vmid}/config", |c| change(c, false)),
    on("POST", "/nodes/{node}/qemu/{vmid}/config", |c| change(c, true)),
    on("PUT", "/nodes/{node}/qemu/{vmid}/unlink", unlink),
];

/// Parameters of the call that are no options.
const NOT_OPTIONS: &[&str] = &["node", "vmid", "digest", "delete", "revert", "force", "skiplock", "background_delay"];

/// Demands that a config is still the one that a digest was taken of.
///
/// # Errors
/// 500 when it changed.
pub fn unmodified(given: Option<&str>, guest: &Guest) -> Result<()> {
    match given {
        Some(given) if !given.is_empty() && given != config_file::digest(guest) => {
            Err(Refusal::die("checksum mismatch (file change by other user?)"))
        }
        _ => Ok(()),
    }
}

/// Whether the lock of a config may be ignored.
///
/// # Errors
/// 400 for all but root.
pub fn skips_lock(call: &Call<'_>) -> Result<bool> {
    match call.flag("skiplock") && !call.who.is_root() {
        true => Err(Refusal::parameter("skiplock", "Only root may use this option.")),
        false => Ok(call.flag("skiplock")),
    }
}

fn change(call: &mut Call<'_>, as_task: bool) -> Result<Answer> {
    let digest = call.take("digest");
    let delay = call.take("background_delay");
    let said = said(call.vmid(), call.given.told());
    let skip = skips_lock(call)?;
    let list = |key: &str| split_list(call.arg(key).unwrap_or_default());
    let (delete, revert) = (list("delete"), list("revert"));
    let mut set: Conf = call.given.but(NOT_OPTIONS);
    keys_valid(&set)?;
    if let Some(units) = set.get("cpuunits") {
        let units = clamped(units);
        set.insert("cpuunits".into(), units);
    }
    if set.is_empty() && delete.is_empty() && revert.is_empty() {
        return Err(Refusal::die("no options specified"));
    }
    // An empty list of keys changes nothing.
    set.retain(|k, v| k != "sshkeys" || !v.is_empty());
    if let Some(value) = set.remove("cdrom") {
        set.insert("ide2".into(), format!("{value},media=cdrom"));
    }
    let delete = known(call.world, &set, &delete, &revert)?;
    let change = Configure { set, delete, revert, force: call.flag("force"), said };
    apply(call, change, digest.as_deref(), skip, as_task.then_some(delay.is_some()))
}

/// Detaching disks is deleting their options.
fn unlink(call: &mut Call<'_>) -> Result<Answer> {
    let delete: Vec<String> = split_list(call.arg("idlist").unwrap_or_default());
    let delete = known(call.world, &Conf::new(), &delete, &[])?;
    let change = Configure { delete, force: call.flag("force"), ..Configure::default() };
    apply(call, change, None, false, None)
}

/// Checks the names in `delete` and `revert`, and resolves those that are another's.
fn known(world: &World, set: &Conf, delete: &[String], revert: &[String]) -> Result<Vec<String>> {
    let unknown = |key: &String| world.option(Kind::Qemu, key).is_none() || NOT_OPTIONS.contains(&key.as_str());
    let conflict = |parameter: &str, which: &str, key: &str| {
        let why = format!("you can't use '-{key}' and -{which} {key}' at the same time");
        Err(Refusal::parameter(parameter, why))
    };
    for key in revert {
        if unknown(key) {
            return Err(Refusal::parameter("revert", format!("unknown option '{key}'")));
        }
        if set.contains_key(key) {
            return conflict("delete", "revert", key);
        }
    }
    let mut resolved = Vec::new();
    for key in delete {
        let key = if key == "cdrom" { "ide2".to_string() } else { key.clone() };
        if set.contains_key(&key) {
            return conflict("delete", "delete", &key);
        }
        if revert.contains(&key) {
            let why = format!("you can't use '-delete {key}' and -revert {key}' at the same time");
            return Err(Refusal::parameter("revert", why));
        }
        if unknown(&key) {
            return Err(Refusal::parameter("delete", format!("unknown option '{key}'")));
        }
        resolved.push(key);
    }
    Ok(resolved)
}

/// Checks a change as far as that is done before the guest's lock is taken, then makes it or starts the task that does.
/// `task` says whether it is one, and whether its caller waits for it.
fn apply(
    call: &mut Call<'_>,
    mut change: Configure,
    digest: Option<&str>,
    skip: bool,
    task: Option<bool>,
) -> Result<Answer> {
    let (node, vmid) = (call.node(), call.vmid());
    let old = call.world.guest(Kind::Qemu, &node, vmid).ok().map(|g| g.conf.clone());
    drive_parameters(call.world, &change.set)?;
    let permission = Change { who: &call.who, vmid, pool: None };
    permission.options(call.world, change.delete.iter().map(String::as_str))?;
    permission.options(call.world, change.set.keys().map(String::as_str))?;
    permission.storages(call.world, &change.set)?;
    permission.values(call.world, old.as_ref(), &change.set)?;
    let guest = call.world.guest(Kind::Qemu, &node, vmid)?;
    unmodified(digest, guest)?;
    if !skip {
        unlocked(guest)?;
    }
    let drives = change.set.iter().filter(|(k, _)| is_drive(k)).map(|(k, v)| (k, Some(v)));
    for (key, value) in drives.chain(change.delete.iter().filter(|k| is_drive(k)).map(|k| (k, None))) {
        for value in [guest.conf.get(key), value].into_iter().flatten() {
            permission.drive(call.world, key, value)?;
        }
    }
    for key in change.delete.iter().filter(|k| is_numbered(k, "net")) {
        if let Some(value) = guest.conf.get(key) {
            permission.bridge(call.world, key, value)?;
        }
    }
    ballooning(guest, &change.set)?;
    for key in change.set.keys().filter(|k| is_numbered(k, "net")).cloned().collect::<Vec<_>>() {
        let value = network(call.world, &key, &change.set[&key]);
        change.set.insert(key, value);
    }
    if let Some(waits) = task {
        let answer = call.fork("qmconfig", Work::Vm { vmid, what: Box::new(VmWork::Configure(change)) }, true);
        return Ok(if waits { Value::Null.into() } else { answer });
    }
    call.world.lock(vmid)?;
    perform(call.world, vmid, change, &mut Vec::new())?;
    Ok(Value::Null.into())
}

/// What a balloon leaves must be no more than there is.
fn ballooning(guest: &Guest, set: &Conf) -> Result<()> {
    if !set.contains_key("memory") && !set.contains_key("balloon") {
        return Ok(());
    }
    let now = |key: &str| set.get(key).or_else(|| guest.pending.get(key)).or_else(|| guest.conf.get(key));
    let number = |v: &String| v.trim_start_matches("current=").parse::<u64>().ok();
    let memory = now("memory").and_then(number).unwrap_or(512);
    match now("balloon").and_then(number).is_some_and(|b| b > memory) {
        true => Err(Refusal::die("balloon value too large (must be smaller than assigned memory)")),
        false => Ok(()),
    }
}

/// What `qmconfig` logs of its parameters.
fn said(vmid: u32, args: &Conf) -> String {
    let shown = args.iter().filter(|(k, _)| !matches!(k.as_str(), "node" | "vmid"));
    let parts: Vec<String> =
        shown.map(|(k, v)| format!("-{k} {}", if k == "cipassword" { "<hidden>" } else { v.as_str() })).collect();
    format!("update VM {vmid}: {}", parts.join(" "))
}

/// Changes the config of a machine: at once, or pending where it runs and the option must wait.
///
/// # Errors
/// 500, or the text that the task ends with. What was written on the way stays.
pub fn perform(world: &mut World, vmid: u32, change: Configure, log: &mut Vec<String>) -> Result<()> {
    if !change.said.is_empty() {
        log.push(change.said.clone());
    }
    let mut guest = world.any(Kind::Qemu, vmid)?.clone();
    unlocked(&guest)?;
    let outcome = write_pending(world, vmid, &mut guest, change, log).and_then(|()| {
        let errors = match guest.running.is_some() {
            true => qemu_apply::hotplug(world, &mut guest),
            false => {
                qemu_apply::cold(world, &mut guest);
                Errors::new()
            }
        };
        if errors.is_empty() { Ok(()) } else { Err(Refusal::parameters(errors)) }
    });
    tidy(&mut guest);
    world.state.guests.insert(vmid, guest);
    world.write(vmid);
    outcome
}

fn write_pending(
    world: &mut World,
    vmid: u32,
    guest: &mut Guest,
    change: Configure,
    log: &mut Vec<String>,
) -> Result<()> {
    let Configure { mut set, mut delete, revert, force, .. } = change;
    for key in revert {
        match guest.conf.get(&key) {
            Some(value) => drop(set.insert(key, value.clone())),
            None if guest.pending.contains_key(&key) => delete.push(key),
            None => {}
        }
    }
    let mut boot = boot_order(guest.conf.get("boot"));
    for key in &delete {
        let Some(value) = guest.conf.get(key).or_else(|| guest.pending.get(key)).cloned() else { continue };
        let was_pending = guest.pending.remove(key);
        if boot.contains(key) {
            boot.retain(|d| d != key);
            guest.pending.insert("boot".into(), print_boot(&boot));
        }
        if is_numbered(key, "unused") {
            protected(guest, &format!("can't remove unused disk '{}'", volume(&value)))?;
            deallocate(world, guest, key, volume(&value))?;
            guest.conf.remove(key);
        } else if key == "tags" {
            guest.conf.remove(key);
        } else {
            if is_drive(key) {
                protected(guest, &format!("can't remove drive '{key}'"))?;
                if let Some(pending) = was_pending {
                    set_aside(world, guest, key, &pending);
                }
            }
            mark_delete(guest, key, force);
        }
    }
    // A revert writes the present value over the pending one; the order of Perl's hashes is nobody's.
    for (key, value) in set.clone() {
        if guest.pending.get(&key) == Some(&value) {
            continue;
        }
        if is_drive(&key) {
            drive(world, vmid, guest, &key, &value, &mut boot, log)?;
        } else if key == "cipassword" {
            guest.conf.insert(key.clone(), hidden(&value));
        } else {
            let value = match key.as_str() {
                "tags" => tags(world, &value),
                "vmgenid" if value == "1" => world.uuid(),
                "boot" => order(guest, &set, &delete, &value)?,
                "machine" => machine(value)?,
                _ => value,
            };
            guest.pending.insert(key.clone(), value);
        }
        forget_delete(guest, &key);
    }
    let same: Vec<String> =
        guest.pending.iter().filter(|(k, v)| guest.conf.get(*k) == Some(*v)).map(|(k, _)| k.clone()).collect();
    for key in same {
        guest.pending.remove(&key);
    }
    Ok(())
}

fn protected(guest: &Guest, what: &str) -> Result<()> {
    match guest.flag("protection") {
        true => Err(Refusal::die(format!("{what} - protection mode enabled"))),
        false => Ok(()),
    }
}

/// Removes the volume of an unused disk, unless something else still needs it.
///
/// # Errors
/// 500.
pub fn deallocate(world: &mut World, guest: &Guest, key: &str, volid: &str) -> Result<()> {
    let elsewhere = guest.conf.iter().filter(|(k, _)| *k != key).chain(guest.snapshots.values().flatten());
    if elsewhere.into_iter().any(|(_, v)| volume(v) == volid) {
        return Err(Refusal::die(format!("unable to remove '{volid}' - volume is still in use (snapshot?)")));
    }
    storage::remove(world, volid)
}

fn mark_delete(guest: &mut Guest, key: &str, force: bool) {
    forget_delete(guest, key);
    let mark = format!("{}{key}", if force { "!" } else { "" });
    let list = guest.pending.entry("delete".into()).or_default();
    *list = if list.trim().is_empty() { mark } else { format!("{list},{mark}") };
}

fn drive(
    world: &mut World,
    vmid: u32,
    guest: &mut Guest,
    key: &str,
    value: &str,
    boot: &mut Vec<String>,
    log: &mut Vec<String>,
) -> Result<()> {
    if let Some(pending) = guest.pending.get(key).cloned() {
        set_aside(world, guest, key, &pending);
    }
    let mut others = super::lxc_read::merged(guest);
    others.remove(key);
    let node = guest.node.clone();
    let made = qemu_alloc::make(world, Place { vmid, node: &node, conf: &others }, key, value, log)?;
    guest.pending.insert(key.into(), made.clone());
    let parts = parse(world, key, &made);
    let bootable = is_cdrom(&parts) && !super::qemu_drive::is_cloud_init(&parts) && !file(&parts).is_empty();
    if bootable && !boot.is_empty() && !boot.iter().any(|d| d == key) {
        boot.push(key.into());
        guest.pending.insert("boot".into(), print_boot(boot));
    }
    Ok(())
}

/// A type of machine that has what its parts need.
fn machine(value: String) -> Result<String> {
    let part = |key: &str| value.split(',').find_map(|p| p.strip_prefix(key)?.strip_prefix('='));
    let viommu = part("viommu");
    let kind = part("type").or_else(|| value.split(',').find(|p| !p.contains('='))).unwrap_or_default();
    let why = match (viommu, part("aw-bits")) {
        (Some("intel"), _) if !kind.contains("q35") => "to use Intel vIOMMU please set the machine type to q35",
        (Some("intel"), Some(bits)) if !matches!(bits, "39" | "48") => {
            "Intel vIOMMU supports only 39 or 48 bits as address width"
        }
        (None, Some(_)) => "cannot set aw-bits if no vIOMMU is configured",
        _ => return Ok(value),
    };
    Err(Refusal::die(why))
}

/// An order of boot devices whose devices are all there.
fn order(guest: &mut Guest, set: &Conf, delete: &[String], value: &str) -> Result<String> {
    let wanted = boot_order(Some(&value.to_string()));
    for device in &wanted {
        let there = [&guest.conf, &guest.pending, set].iter().any(|c| c.contains_key(device));
        if !there || delete.contains(device) {
            return Err(Refusal::die(format!("invalid bootorder: device '{device}' does not exist'")));
        }
    }
    if wanted.is_empty() {
        return Ok(value.to_string());
    }
    if guest.conf.contains_key("bootdisk") {
        mark_delete(guest, "bootdisk", false);
    }
    Ok(print_boot(&wanted))
}
