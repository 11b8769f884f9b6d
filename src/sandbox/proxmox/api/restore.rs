//! Containers out of backups.
use super::{
    lxc_create, lxc_hotplug,
    lxc_permission::{self, Change},
    lxc_volume, storage,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, unlocked},
    property,
    refusal::{Refusal, Result},
    state::{Archive, Conf, Guest, Kind},
    task::{Restore, Work},
    world::{World, is_disk, size_in},
};
use serde_json::json;

/// `POST /nodes/{node}/lxc` with `restore`: the container as it was in the backup, with what the call gives in its place
/// (pve-container 6).
///
/// # Errors
/// What a create refuses, and a container that runs or is not to be overwritten.
pub fn lxc(call: &mut Call<'_>) -> Result<Answer> {
    let (node, vmid) = (call.node(), call.vmid());
    let unprivileged = call.take("unprivileged").map(|v| v == "1");
    let force = call.flag("force");
    let ha = lxc_create::may_manage(call)?;
    let before = call.world.guest(Kind::Lxc, &node, vmid).ok().cloned();
    match before.as_ref().filter(|_| force) {
        None => lxc_create::unused(call.world, vmid)?,
        Some(guest) if guest.running.is_some() => return Err(Refusal::die("can't overwrite running container")),
        Some(guest) if guest.flag("protection") => {
            return Err(Refusal::die(format!("unable to restore CT {vmid} - protection mode enabled")));
        }
        Some(_) => {}
    }
    lxc_create::keys_valid(call)?;
    let pool = call.arg("pool").map(str::to_string);
    lxc_create::pool_exists(call.world, pool.as_deref())?;
    let keeps_firewall = permit(call, vmid, pool.as_deref(), before.as_ref(), unprivileged)?;
    let archive = call.arg("ostemplate").unwrap_or_default().to_string();
    let default = call.arg("storage").unwrap_or("local").to_string();
    let (start, unique) = (call.flag("start"), call.flag("unique"));
    let mut args = lxc_create::config_of(&call.given);
    let change = Change {
        who: &call.who,
        vmid,
        pool: pool.as_deref(),
        old: None,
        new: &args,
        delete: &[],
        unprivileged: unprivileged == Some(true),
    };
    lxc_permission::check(call.world, &change)?;
    storage::may_use(call.world, &call.who, Some(vmid), &archive, "backup")?;
    let disks: Conf = args.iter().filter(|(k, _)| is_disk(Kind::Lxc, k)).map(|(k, v)| (k.clone(), v.clone())).collect();
    args.retain(|k, _| !is_disk(Kind::Lxc, k));
    if !disks.is_empty() && !disks.contains_key("rootfs") {
        return Err(Refusal::die("mount points configured, but 'rootfs' not set - aborting"));
    }
    for (key, value) in &disks {
        lxc_create::usable(call, key, value)?;
    }
    if disks.is_empty() {
        lxc_create::usable(call, "rootfs", &format!("{default}:4"))?;
    }
    let mut made = Guest::new(Kind::Lxc, &node);
    lxc_hotplug::update(
        call.world,
        vmid,
        &mut made,
        &lxc_hotplug::Update { set: args, ..Default::default() },
        &mut None,
    )?;
    if unprivileged == Some(true) {
        made.conf.insert("unprivileged".into(), "1".into());
    }
    let failed = |why: Refusal| Refusal::die(format!("unable to restore CT {vmid} - {}", why.text()));
    before.as_ref().map_or(Ok(()), unlocked).map_err(failed)?;
    // Whoever may make privileged containers is asked again when the backup is read.
    let privileges = call.world.state.may(&call.who, "/", &["Sys.Modify"], false);
    let guest = call.world.state.guests.entry(vmid).or_insert_with(|| Guest::new(Kind::Lxc, &node));
    guest.conf.insert("lock".into(), "create".into());
    call.world.touched = true;
    let (conf, who) = (made.conf, call.who.clone());
    let fresh = before.is_none();
    let work = Restore {
        vmid,
        conf,
        disks,
        archive,
        storage: default,
        pool,
        start,
        ha,
        unique,
        fresh,
        keeps_firewall,
        privileges,
        unprivileged,
    };
    let work = Work::Restore(Box::new(work));
    Ok(json!(call.world.fork(&node, "vzrestore", &vmid.to_string(), &who, work, Some(vmid))).into())
}

/// Who may allocate guests, or back up the one that is overwritten; the latter does not touch its firewall.
fn permit(
    call: &Call<'_>,
    vmid: u32,
    pool: Option<&str>,
    before: Option<&Guest>,
    unprivileged: Option<bool>,
) -> Result<bool> {
    let (state, who) = (&call.world.state, &call.who);
    let own = format!("/vms/{vmid}");
    let in_pool = pool.is_some_and(|p| state.may(who, &format!("/pool/{p}"), &["VM.Allocate"], false));
    if in_pool || state.may(who, &own, &["VM.Allocate"], false) {
        return Ok(false);
    }
    let Some(guest) = before.filter(|_| state.may(who, &own, &["VM.Backup"], false)) else {
        return Err(Refusal::denied(""));
    };
    if guest.flag("unprivileged") && unprivileged == Some(false) {
        state.demand(who, "/", &["Sys.Modify"])?;
    }
    Ok(true)
}

/// Does the work of the task.
///
/// # Errors
/// The text that the task ends with. A container that was there is as before while nothing of it was touched.
pub fn perform(world: &mut World, restore: &Restore, log: &mut Vec<String>) -> Result<()> {
    let vmid = restore.vmid;
    if let Err(why) = build(world, restore, log) {
        if restore.fresh {
            world.forget_guest(vmid);
        } else if let Some(guest) = world.state.guests.get_mut(&vmid) {
            guest.conf.remove("lock");
        }
        return Err(Refusal::die(format!("unable to restore CT {vmid} - {}", why.text())));
    }
    if let Some(pool) = restore.pool.as_ref().and_then(|p| world.state.pools.get_mut(p)) {
        pool.vms.insert(vmid);
    }
    if restore.start {
        // Whether it starts is not this task's success or failure, nor in its log.
        world.fork_start(vmid);
    }
    if restore.ha {
        super::ha::add(world, vmid, restore.start, log);
    }
    Ok(())
}

fn build(world: &mut World, restore: &Restore, log: &mut Vec<String>) -> Result<()> {
    let Restore { vmid, archive: volid, .. } = restore;
    let old = world.any(Kind::Lxc, *vmid)?.clone();
    log.push(format!("recovering backed-up configuration from '{volid}'"));
    let archive = opened(world, volid)?;
    let mut conf = restore.conf.clone();
    if let Some(said) = archive.conf.get("unprivileged").filter(|_| restore.unprivileged.is_none()) {
        conf.insert("unprivileged".into(), said.clone());
    }
    let privileged = |c: &Conf| c.get("unprivileged").is_none_or(|u| u != "1");
    if privileged(&conf) && (restore.fresh || !privileged(&old.conf)) && !restore.privileges {
        return Err(Refusal::denied("/, Sys.Modify"));
    }
    let disks = match restore.disks.is_empty() {
        true => recovered(world, &archive, &restore.storage)?,
        false => restore.disks.clone(),
    };
    let root = disks.iter().filter(|(k, _)| *k == "rootfs");
    for (key, value) in root.chain(disks.iter().filter(|(k, _)| *k != "rootfs")) {
        let value = lxc_volume::allocate(world, *vmid, key, value, log)?;
        conf.insert(key.clone(), value);
    }
    // What it had before goes when there is room for what it gets.
    for (_, value) in old.conf.iter().filter(|(key, _)| is_disk(Kind::Lxc, key)) {
        let gone = value.split(',').next().unwrap_or_default();
        if lxc_volume::kind(gone) == "volume" && storage::volume(world, gone).is_ok_and(|v| v.vmid == Some(*vmid)) {
            storage::remove(world, gone)?;
        }
    }
    log.push(format!("restoring '{volid}' now.."));
    log.push(format!("extracting archive '{}'", storage::path(world, volid)));
    let holds = archive.holds;
    let space = conf.get("rootfs").and_then(|r| size_in(r)).filter(|s| *s > 0);
    if space.is_some_and(|s| s < holds) {
        return Err(Refusal::die(lxc_create::unpack_failed(*vmid, volid)));
    }
    log.push(format!("Total bytes read: {holds} ({:.1}MiB, 200MiB/s)", holds as f64 / f64::from(1 << 20)));
    lxc_create::fill(world, &conf, holds);
    log.push("merging backed-up and given configuration..".into());
    merge(world, restore, &archive, &mut conf);
    let template = archive.conf.get("template").is_some_and(|t| t == "1");
    if template {
        log.push("Convert restored container to template...".into());
        conf.insert("template".into(), "1".into());
    }
    let guest = world.any(Kind::Lxc, *vmid)?;
    *guest = Guest { conf, ..Guest::new(Kind::Lxc, &old.node) };
    if let Some(firewall) = archive.firewall.filter(|_| !restore.keeps_firewall) {
        world.state.firewalls.insert(*vmid, firewall);
    }
    world.write(*vmid);
    Ok(())
}

/// What is in a backup.
fn opened(world: &World, volid: &str) -> Result<Archive> {
    let found = storage::volume(world, volid)?;
    let archive = found.archive.as_ref().filter(|a| a.kind == Kind::Lxc);
    archive
        .map(|a| (**a).clone())
        .ok_or_else(|| Refusal::die(format!("could not find vzdump config in '{}'", storage::path(world, volid))))
}

/// The disks as the backup knows them, to be made anew on one storage.
fn recovered(world: &World, archive: &Archive, on: &str) -> Result<Conf> {
    let mut disks = Conf::new();
    for (key, value) in archive.conf.iter().filter(|(k, _)| *k == "rootfs" || lxc_hotplug::is_numbered(k, "mp")) {
        let mut parts = lxc_hotplug::parse(world, key, value);
        let kind = lxc_volume::kind(parts.get("volume").map(String::as_str).unwrap_or_default());
        if kind != "volume" {
            return Err(Refusal::die(match key.as_str() {
                "rootfs" => {
                    format!("restoring rootfs to {kind} mount is only possible by specifying -rootfs manually!")
                }
                _ => format!("restoring '{key}' to {kind} mount is only possible for root"),
            }));
        }
        let size = size_in(value);
        let size =
            size.ok_or_else(|| Refusal::die(format!("unable to detect disk size - please specify {key} (size)")))?;
        parts.remove("size");
        // In GiB, as new disks are asked for.
        parts.insert("volume".into(), format!("{on}:{}", size as f64 / f64::from(1 << 30)));
        let printed = world.properties(Kind::Lxc, key).map(|format| property::print(format, &parts));
        disks.insert(key.clone(), printed.unwrap_or_else(|| value.clone()));
    }
    match disks.contains_key("rootfs") {
        true => Ok(disks),
        false => Err(Refusal::die("rootfs configuration could not be recovered, please check and specify manually!")),
    }
}

/// Puts in from the backup what the call did not give. A unique container gets new hardware addresses.
fn merge(world: &mut World, restore: &Restore, archive: &Archive, conf: &mut Conf) {
    for (key, value) in &archive.conf {
        if is_disk(Kind::Lxc, key) || matches!(&**key, "unprivileged" | "template" | "parent" | "lock") {
            continue;
        }
        if conf.contains_key(key) {
            continue;
        }
        let mut value = value.clone();
        if restore.unique && lxc_hotplug::is_numbered(key, "net") {
            let mut parts = lxc_hotplug::parse(world, key, &value);
            parts.insert("hwaddr".into(), world.mac());
            value = world.properties(Kind::Lxc, key).map_or(value, |format| property::print(format, &parts));
        }
        conf.insert(key.clone(), value);
    }
    for (key, default) in
        [("hostname", format!("CT{}", restore.vmid)), ("memory", "512".into()), ("swap", "512".into())]
    {
        conf.entry(key.into()).or_insert(default);
    }
}
