//! `POST /nodes/{node}/vzdump`: guests into archives, and what its task logs (pve-manager 9.2.11, pve-container 6).
//! Where storages and dump folders have no snapshots, a container that runs is copied, frozen for a moment.
use super::{
    backup_jobs::{self, disks_of, guests_of},
    backup_vm, lxc_power,
    prune::{self, Keep},
    qemu_power, storage,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on, unlocked},
    refusal::{Refusal, Result},
    schema::split_list,
    state::{Archive, Conf, Guest, Kind, Lack, Volume},
    task::{Backup, Work},
    world::World,
};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;

pub const ENDPOINTS: &[Endpoint] = &[on("POST", "/nodes/{node}/vzdump", dump)];

fn dump(call: &mut Call<'_>) -> Result<Answer> {
    if call.flag("stdout") {
        return Err(Refusal::parameter("stdout", "option is only allowed on the command line interface."));
    }
    let node = call.node();
    backup_jobs::permit(call, &|key| call.arg(key).is_some())?;
    let mut job: Conf = call.given.but(&[]);
    let storage = backup_jobs::storage_of(&job).map(str::to_string);
    let (state, who) = (&call.world.state, &call.who);
    if let (Some(name), true, false) = (&storage, job.contains_key("prune-backups"), who.is_root()) {
        state.demand(who, &format!("/storage/{name}"), &["Datastore.Allocate"])?;
    }
    backup_jobs::verify(&mut job, true)?;
    let command = command_line(&job);
    let on_node = |vmid: &u32| state.guests.get(vmid).is_none_or(|g| g.node == node);
    let everybody = Conf::from_iter(job.clone().into_iter().filter(|(k, _)| k != "node"));
    let (guests, elsewhere): (Vec<u32>, Vec<u32>) = guests_of(call.world, &everybody).into_iter().partition(on_node);
    if call.flag("stop") {
        state.demand(who, &format!("/nodes/{node}"), &["Sys.Modify"])?;
    }
    let all = call.flag("all");
    if guests.is_empty() && (call.flag("stop") || !all) {
        return Ok(json!("OK").into());
    }
    let Some(storage) = storage else { return Err(Refusal::not_simulated("backups into a folder")) };
    if !who.is_root() {
        state.demand(who, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
    }
    let may = |v: &u32| !state.guests.contains_key(v) || state.may(who, &format!("/vms/{v}"), &["VM.Backup"], false);
    let denied = guests.iter().find(|v| !may(v)).filter(|_| !all).copied();
    let id = if let [one] = guests[..] { one.to_string() } else { String::new() };
    let guests: Vec<u32> = guests.into_iter().filter(may).collect();
    let mut log = vec![format!("INFO: starting new backup job: {command}")];
    if !elsewhere.is_empty() {
        let list: Vec<String> = elsewhere.iter().map(ToString::to_string).collect();
        log.push(format!("INFO: skip external VMs: {}", list.join(", ")));
    }
    let (who, at) = (call.who.clone(), call.world.now);
    let work = match (usable(call.world, &storage), denied) {
        (Err(why), _) => Work::Fails { why: why.text(), log: Vec::new() },
        (_, Some(vmid)) => Work::Fails { why: format!("403 Permission check failed (/vms/{vmid}, VM.Backup)"), log },
        (Ok(()), None) => {
            // The first one is locked before the task is seen; the others when it is their turn.
            let locked = guests.first().copied().filter(|v| call.world.state.guests.get(v).is_some_and(is_free));
            if let Some(guest) = locked.and_then(|v| call.world.state.guests.get_mut(&v)) {
                guest.conf.insert("lock".into(), "backup".into());
            }
            Work::Backup(Box::new(Backup { node: node.clone(), guests, storage, options: job, locked, at, log }))
        }
    };
    Ok(json!(call.world.fork(&node, "vzdump", &id, &who, work, None)).into())
}

fn is_free(guest: &Guest) -> bool {
    unlocked(guest).is_ok()
}

/// Demands a storage that takes backups.
fn usable(world: &World, name: &str) -> Result<()> {
    let wrap = |why: Refusal| Refusal::die(format!("could not get storage information for '{name}': {}", why.text()));
    let found = storage::of(world, name).map_err(wrap)?;
    super::lxc_create::enabled(world, name).map_err(wrap)?;
    match (found.content.contains("backup"), &found.path) {
        (false, _) => {
            let why = format!("can't use storage '{name}' for backups - wrong content type");
            Err(wrap(Refusal::die(why)))
        }
        (true, None) => Err(Refusal::not_simulated("backups on a storage without files")),
        (true, Some(_)) => Ok(()),
    }
}

/// As the shell would be told.
fn command_line(job: &Conf) -> String {
    let guests = job.get("vmid").map(|v| split_list(v)).unwrap_or_default();
    let mut line = ["vzdump".to_string()].into_iter().chain(guests).collect::<Vec<_>>().join(" ");
    for (key, value) in job.iter().filter(|(key, _)| *key != "vmid") {
        line.push_str(&format!(" --{key} {}", quoted(value)));
    }
    line
}

fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_!%+,-./:@^".contains(c);
    match !value.is_empty() && value.chars().all(plain) {
        true => value.to_string(),
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}

/// A moment as the node spells it. Takes Unix milliseconds.
fn spelled(world: &World, node: &str, at: u64, how: &str) -> String {
    let zone = world.state.nodes.get(node).and_then(|n| n.timezone.clone());
    let zone = zone.and_then(|z| TimeZone::get(&z).ok()).unwrap_or(TimeZone::UTC);
    let moment = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or_default();
    moment.to_zoned(zone).strftime(how).to_string()
}

const PLAIN: &str = "%Y-%m-%d %H:%M:%S";

/// Does the work of the task.
///
/// # Errors
/// `job errors` when a guest could not be backed up; its log says which.
pub fn perform(world: &mut World, backup: &Backup, log: &mut Vec<String>) -> Result<()> {
    log.extend(backup.log.iter().cloned());
    let mut failed = false;
    for vmid in &backup.guests {
        if backup.locked == Some(*vmid) {
            unlock(world, *vmid);
        }
        let began = log.len();
        if let Err(why) = one(world, backup, *vmid, log) {
            failed = true;
            let at = spelled(world, &backup.node, backup.at, PLAIN);
            if log.len() == began {
                log.push(format!("INFO: Starting Backup of VM {vmid}"));
            }
            log.push(format!("ERROR: Backup of VM {vmid} failed - {}", why.text()));
            log.push(format!("INFO: Failed at {at}"));
        }
    }
    let end = if failed { "with errors" } else { "successfully" };
    log.push(format!("INFO: Backup job finished {end}"));
    notify(world, &backup.node, log);
    if failed { Err(Refusal::die("job errors")) } else { Ok(()) }
}

/// Takes the lock of a backup away.
pub fn unlock(world: &mut World, vmid: u32) {
    if let Some(guest) = world.state.guests.get_mut(&vmid).filter(|g| g.conf.get("lock").is_some_and(|l| l == "backup"))
    {
        guest.conf.remove("lock");
    }
}

/// Root is told how it went, by mail.
fn notify(world: &World, node: &str, log: &mut Vec<String>) {
    let root = "root@pam";
    let mail = world.state.access.users.get(root).and_then(|u| u.more.get("email")).filter(|m| !m.is_empty());
    if mail.is_none() {
        log.push(format!(
            "WARN: '{root}' does not have a configured email address in the user configuration - not sending an email to \
             this user"
        ));
    }
    let lacks = world.state.nodes.get(node).is_some_and(|n| n.lacks.contains(&Lack::NotificationTemplates));
    match (lacks, mail) {
        (true, _) => log.push(
            "ERROR: could not notify via target `mail-to-root`: failed to render notification template, all template \
             candidates are erroneous or missing"
                .into(),
        ),
        (false, Some(_)) => log.push("INFO: notified via target `mail-to-root`".into()),
        (false, None) => {}
    }
}

/// How an archive is packed: the end of its name, and how many times smaller it becomes.
pub fn packing(format: &str, compress: &str) -> (String, f64) {
    let (end, ratio) = match compress {
        "1" | "lzo" => (".lzo", 1.6),
        "gzip" => (".gz", 1.92),
        "zstd" => (".zst", 1.89),
        _ => ("", 1.0),
    };
    (format!("{format}{end}"), ratio)
}

fn one(world: &mut World, backup: &Backup, vmid: u32, log: &mut Vec<String>) -> Result<()> {
    let Backup { node, storage: name, options, at, .. } = backup;
    let option = |key: &str| options.get(key).map(String::as_str).filter(|v| !v.is_empty());
    let guest = world.state.guests.get(&vmid).cloned();
    let guest = guest.ok_or_else(|| Refusal::die(format!("unable to find VM '{vmid}'")))?;
    let running = guest.running.is_some();
    let now = spelled(world, node, *at, PLAIN);
    let mut say = |line: String| log.push(format!("INFO: {line}"));
    say(format!("Starting Backup of VM {vmid} ({})", guest.kind.word()));
    say(format!("Backup started at {now}"));
    say(format!("status = {}", if running { "running" } else { "stopped" }));
    unlocked(&guest)?;
    let disks = disks_of(world, &guest);
    let is_machine = guest.kind == Kind::Qemu;
    let prepare = |say: &mut dyn FnMut(String)| {
        if is_machine {
            return backup_vm::prepared(world, &guest, &disks).into_iter().for_each(say);
        }
        say(format!("CT Name: {}", guest.conf.get("hostname").cloned().unwrap_or_else(|| format!("CT{vmid}"))));
        for disk in &disks {
            let kind = super::lxc_volume::kind(&disk.volume);
            match disk.included {
                true => say(format!("including mount point {} ('{}') in backup", disk.key, disk.path)),
                false => say(format!(
                    "excluding {kind} mount point {} ('{}') from backup ({})",
                    disk.key,
                    disk.path,
                    if kind == "volume" { disk.reason } else { "not a volume" }
                )),
            }
        }
    };
    let snapshots = disks.iter().filter(|d| d.included).all(|d| {
        let named = d.volume.split(':').next().and_then(|s| world.state.storages.get(s));
        named.is_some_and(|s| matches!(&*s.kind, "zfspool" | "lvmthin" | "rbd" | "btrfs"))
    });
    let mut mode = if running { option("mode").unwrap_or("snapshot") } else { "stop" };
    if mode == "snapshot" {
        prepare(&mut say);
        if !snapshots && !is_machine {
            say("mode failure - some volumes do not support snapshots".into());
            say("trying 'suspend' mode instead".into());
            mode = "suspend";
        }
    }
    say(format!("backup mode: {mode}"));
    if let Some(limit) = option("bwlimit").filter(|l| *l != "0") {
        say(format!("bandwidth limit: {limit} KiB/s"));
    }
    say(format!("ionice priority: {}", option("ionice").unwrap_or("7")));
    if mode != "snapshot" {
        prepare(&mut say);
    }
    let path = storage::of(world, name)?.path.clone().unwrap_or_default();
    let base = format!("vzdump-{}-{vmid}-{}", guest.kind.word(), spelled(world, node, *at, "%Y_%m_%d-%H_%M_%S"));
    let holds: u64 = disks.iter().filter(|d| d.included).map(|d| held(world, &d.volume)).sum();
    match mode {
        "stop" if running => {
            say("stopping virtual guest".into());
            if is_machine {
                qemu_power::perform_stop(world, vmid)?;
            } else {
                lxc_power::perform_stop(world, vmid)?;
            }
        }
        "suspend" if is_machine => say("suspending guest".into()),
        "suspend" => {
            let pid = guest.running.as_ref().map_or(0, |r| r.pid);
            let copy = format!("/proc/{pid}/root/ to {path}/dump/{base}.tmp");
            say(format!("starting first sync {copy}"));
            say(format!("first sync finished - transferred {} bytes in 0s", short(holds)));
            say("suspending guest".into());
            say(format!("starting final sync {copy}"));
            say("final sync finished - transferred 0 bytes in 0s".into());
            say("resuming guest".into());
            say("guest is online again after <1 seconds".into());
        }
        "snapshot" if !is_machine => {
            say("create storage snapshot 'vzdump'".into());
        }
        _ => {}
    }
    if is_machine {
        backup_vm::left_out(&guest).into_iter().for_each(&mut say);
    }
    let (end, ratio) = packing(if is_machine { "vma" } else { "tar" }, option("compress").unwrap_or("0"));
    let size = (holds as f64 / ratio) as u64;
    say(format!("creating vzdump archive '{path}/dump/{base}.{end}'"));
    if is_machine {
        let file = format!("{path}/dump/{base}");
        let to = backup_vm::Writing { vmid, mode, was_running: running, base: &file, options };
        let written = backup_vm::write(world, &to, &disks, log);
        if mode == "stop" && running {
            // It was started for the backup, and goes on.
            drop(qemu_power::perform_start(world, vmid, &mut Vec::new()));
        }
        written?;
    }
    let mut say = |line: String| log.push(format!("INFO: {line}"));
    if !is_machine {
        say(format!("Total bytes written: {holds} ({:.1}MiB, 500MiB/s)", holds as f64 / f64::from(1 << 20)));
    }
    say(format!("archive file size: {}", whole(size)));
    let drives = if is_machine { backup_vm::drives(world, &disks) } else { Default::default() };
    let mut conf = guest.conf.clone();
    conf.retain(|key, _| !matches!(&**key, "lock" | "parent" | "snaptime") && !key.starts_with("unused"));
    let firewall = world.state.firewalls.get(&vmid).cloned();
    let mut notes = None;
    if let Some(template) = option("notes-template") {
        say("adding notes to backup".into());
        notes = Some(from_template(template, vmid, &guest, node));
    }
    let protected = option("protected") == Some("1");
    let archive = Some(Box::new(Archive { kind: guest.kind, conf, firewall, holds, drives }));
    let volume = Volume {
        content: "backup".into(),
        format: end.clone(),
        size,
        vmid: Some(vmid),
        created: at / 1000,
        notes,
        protected,
        archive,
        ..Volume::default()
    };
    let volid = format!("{name}:backup/{base}.{end}");
    let place =
        world.state.storages.get_mut(name).ok_or_else(|| Refusal::die(format!("storage '{name}' does not exist")))?;
    let own = if place.is_shared() { None } else { Some(node.clone()) };
    place.volumes.insert(volid, Volume { nodes: own.into_iter().collect(), ..volume });
    world.touched = true;
    if protected {
        say("marking backup as protected".into());
    }
    // What is given for this backup goes before what the storage says.
    let keep = option("prune-backups").map(str::to_string);
    let keep = keep.or_else(|| world.state.storages.get(name)?.more.get("prune-backups").cloned());
    let keep = Keep::parse(keep.as_deref().unwrap_or_default());
    if let (false, true) = (keep.everything(), option("remove") != Some("0")) {
        say(format!("prune older backups with retention: {}", keep.spelled()));
        let gone: Vec<String> = prune::marked(world, name, &keep, Some((vmid, guest.kind)))
            .into_iter()
            .filter(|row| row.mark == "remove")
            .map(|row| row.volid)
            .collect();
        for volid in &gone {
            say(format!("removing backup '{volid}'"));
            storage::remove(world, volid)?;
        }
        let extra = if gone.is_empty() { "" } else { " not covered by keep-retention policy" };
        say(format!("pruned {} backup(s){extra}", gone.len()));
    }
    if mode == "stop" && running && !is_machine {
        say("restarting vm".into());
        lxc_power::perform_start(world, vmid, &mut Vec::new())?;
        say("guest is online again after 1 seconds".into());
    }
    say(format!("Finished Backup of VM {vmid} (00:00:00)"));
    say(format!("Backup finished at {now}"));
    Ok(())
}

/// Bytes of the files on a volume: a sixteenth of it, where nothing is known.
pub fn held(world: &World, volid: &str) -> u64 {
    storage::volume(world, volid).map_or(0, |v| v.holds.unwrap_or(v.size / 16))
}

/// The placeholders of a template of notes.
fn from_template(template: &str, vmid: u32, guest: &Guest, node: &str) -> String {
    let name = backup_jobs::name(guest).cloned().unwrap_or_default();
    let text = template.replace("\\n", "\n").replace("\\\\", "\\");
    let places =
        [("guestname", name), ("vmid", vmid.to_string()), ("node", node.into()), ("cluster", "standalone node".into())];
    places.into_iter().fold(text, |text, (place, value)| text.replace(&format!("{{{{{place}}}}}"), &value))
}

/// `2.03M`, as rsync sums up.
fn short(bytes: u64) -> String {
    match bytes {
        ..1_000_000 => format!("{:.2}K", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2}M", bytes as f64 / 1e6),
        _ => format!("{:.2}G", bytes as f64 / 1e9),
    }
}

/// `1MB`: whole units of 1024, gibibytes with two digits.
fn whole(bytes: u64) -> String {
    match bytes {
        ..1024 => format!("{bytes}B"),
        1024..1_048_576 => format!("{}KB", bytes >> 10),
        1_048_576..1_073_741_824 => format!("{}MB", bytes >> 20),
        _ => format!("{:.2}GB", bytes as f64 / f64::from(1 << 30)),
    }
}
