//! `/cluster/backup`: jobs that back guests up by a schedule, and which guests they hold (pve-manager 9.2.11).
//! The jobs are kept and told; the sandbox has nobody who runs them at their time.
use super::{
    lxc_hotplug,
    qemu_drive::{self, SLOTS, is_cdrom},
};
use crate::sandbox::proxmox::{
    calendar,
    call::{Answer, Call, Endpoint, on},
    named, property,
    refusal::{Refusal, Result},
    schema::{Args, split_list},
    state::{BackupJob, Conf, Guest, Kind},
    world::{World, is_disk},
};
use serde_json::{Map, Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/cluster/backup", list),
    on("POST", "/cluster/backup", create),
    on("GET", "/cluster/backup/{id}", read),
    on("PUT", "/cluster/backup/{id}", update),
    on("DELETE", "/cluster/backup/{id}", delete),
    on("GET", "/cluster/backup/{id}/included_volumes", included),
    on("GET", "/cluster/backup-info", |_| Ok(json!([{"subdir": "not-backed-up"}]).into())),
    on("GET", "/cluster/backup-info/not-backed-up", not_backed_up),
];

/// What only root itself may set.
const OF_ROOT: [&str; 4] = ["tmpdir", "dumpdir", "script", "job-id"];

/// Checks what every backup needs, of a job and by hand.
///
/// # Errors
/// 400 and 403.
pub fn permit(call: &Call<'_>, given: &dyn Fn(&str) -> bool) -> Result<()> {
    let (state, who) = (&call.world.state, &call.who);
    if who.is_root() {
        return Ok(());
    }
    if let Some(key) = OF_ROOT.iter().find(|k| given(k)) {
        return Err(Refusal::parameter(key, "Only root may set this option."));
    }
    if ["bwlimit", "ionice", "performance"].iter().any(|k| given(k)) {
        state.demand(who, "/", &["Sys.Modify"])?;
    }
    let fleecing = call.arg("fleecing").and_then(|f| properties("backup-fleecing", f).remove("storage"));
    match fleecing {
        Some(storage) => state.demand(who, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"]),
        None => Ok(()),
    }
}

fn properties(format: &str, value: &str) -> property::Properties {
    named::properties(format).and_then(|f| property::take_apart(f, value).ok()).unwrap_or_default()
}

/// The storage of a backup: `local` where neither it nor a folder is named.
pub fn storage_of(job: &Conf) -> Option<&str> {
    let named = job.get("storage").map_or("local", String::as_str);
    (!job.contains_key("dumpdir")).then_some(named)
}

/// What contradicts itself (`verify_vzdump_parameters`).
///
/// # Errors
/// 400.
pub fn verify(job: &mut Conf, whole: bool) -> Result<()> {
    let set = |job: &Conf, key: &str| job.get(key).is_some_and(|v| !v.is_empty() && v != "0");
    for key in ["all", "exclude", "pool"] {
        if set(job, key) && set(job, "vmid") {
            return Err(Refusal::parameter(key, "option conflicts with option 'vmid'"));
        }
    }
    if job.contains_key("exclude") && !set(job, "pool") {
        job.insert("all".into(), "1".into());
    }
    let named = ["all", "stop", "pool", "vmid"].iter().any(|k| set(job, k));
    if whole && !named {
        return Err(Refusal::parameter("vmid", "property is missing"));
    }
    Ok(())
}

/// A refusal inside of a lock is told as the text that it is.
fn in_lock(refusal: Refusal) -> Refusal {
    match &refusal {
        Refusal::Answer { status: 400, message, errors, .. } => {
            let lines = errors.iter().map(|(key, why)| format!("\n{key}: {}", why.as_str().unwrap_or_default()));
            Refusal::die(format!("400 {message}{}", lines.collect::<String>()))
        }
        _ => refusal,
    }
}

/// Turns the older `dow` and `starttime` into a schedule.
fn schedule(args: &mut Args, required: bool) -> Result<()> {
    let (start, days) = (args.remove("starttime"), args.remove("dow"));
    if args.contains_key("schedule") {
        return match start {
            Some(_) => Err(Refusal::parameter("starttime", "'starttime' and 'schedule' cannot both be set")),
            None => Ok(()),
        };
    }
    let Some(start) = start else {
        let why = "neither 'starttime' nor 'schedule' were set";
        return if required { Err(Refusal::parameter("schedule", why)) } else { Ok(()) };
    };
    let days = days.map(|d| split_list(&d).join(",")).filter(|d| !d.is_empty() && d != "mon,tue,wed,thu,fri,sat,sun");
    args.insert("schedule".into(), days.map_or_else(|| start.clone(), |d| format!("{d} {start}")));
    Ok(())
}

fn pool(call: &Call<'_>) -> Result<()> {
    let Some(pool) = call.arg("pool").filter(|p| !p.is_empty()) else { return Ok(()) };
    super::lxc_create::pool_exists(call.world, Some(pool))?;
    call.world.state.demand(&call.who, &format!("/pool/{pool}"), &["VM.Backup"])
}

fn allocates(call: &Call<'_>, storage: Option<&str>) -> Result<()> {
    match storage.filter(|_| !call.who.is_root()) {
        Some(name) => call.world.state.demand(&call.who, &format!("/storage/{name}"), &["Datastore.Allocate"]),
        None => Ok(()),
    }
}

fn create(call: &mut Call<'_>) -> Result<Answer> {
    permit(call, &|key| call.arg(key).is_some())?;
    allocates(call, storage_of(call.given.told()))?;
    pool(call)?;
    let mut args = call.given.rest();
    schedule(&mut args, true)?;
    args.entry("enabled".into()).or_insert_with(|| "1".into());
    let id = args.remove("id").unwrap_or_else(|| call.world.uuid());
    if job(call.world, &id).is_some() {
        return Err(Refusal::die(format!("Job '{id}' already exists")));
    }
    let mut conf: Conf = args.into_iter().collect();
    verify(&mut conf, true).map_err(in_lock)?;
    call.world.touched = true;
    call.world.state.backup_jobs.push(BackupJob { id, conf });
    Ok(Answer::default())
}

fn job<'a>(world: &'a World, id: &str) -> Option<&'a BackupJob> {
    world.state.backup_jobs.iter().find(|j| j.id == id)
}

fn update(call: &mut Call<'_>) -> Result<Answer> {
    let id = call.take("id").unwrap_or_default();
    let gone = split_list(&call.take("delete").unwrap_or_default());
    permit(call, &|key| call.arg(key).is_some() || gone.iter().any(|g| g == key))?;
    let local = gone.iter().any(|g| g == "storage").then_some("local");
    allocates(call, call.arg("storage").filter(|s| !s.is_empty()).or(local))?;
    pool(call)?;
    let mut args = call.given.rest();
    schedule(&mut args, false)?;
    if args.is_empty() && gone.is_empty() {
        return Err(Refusal::die("no options specified"));
    }
    let mut given: Conf = args.into_iter().collect();
    verify(&mut given, false).map_err(in_lock)?;
    let mut conf = job(call.world, &id).ok_or_else(|| Refusal::die("no such vzdump job"))?.conf.clone();
    allocates(call, storage_of(&conf))?;
    let known = call.world.facts.method("POST", "/nodes/{node}/vzdump").map(|m| &m.parameters);
    for key in &gone {
        let option = known.is_some_and(|k| k.property(key).is_some()) && !matches!(&**key, "job-id" | "stdout");
        if !option && !matches!(&**key, "comment" | "repeat-missed") {
            return Err(in_lock(Refusal::parameter("delete", format!("unknown option '{key}'"))));
        }
        conf.remove(key);
    }
    let (chosen, all) = (given.contains_key("vmid"), given.get("all").is_some_and(|a| a == "1"));
    conf.extend(given);
    if conf.contains_key("exclude") && !conf.contains_key("pool") {
        conf.insert("all".into(), "1".into());
    }
    // The last way to choose guests takes the place of the others.
    let replaced: &[&str] = match () {
        () if chosen => &["all", "exclude", "pool"],
        () if all => &["vmid", "pool"],
        () if conf.get("pool").is_some_and(|p| !p.is_empty()) => &["vmid", "all", "exclude"],
        () => &[],
    };
    conf.retain(|key, _| !replaced.contains(&&**key));
    verify(&mut conf, true).map_err(in_lock)?;
    call.world.touched = true;
    if let Some(job) = call.world.state.backup_jobs.iter_mut().find(|j| j.id == id) {
        job.conf = conf;
    }
    Ok(Answer::default())
}

fn delete(call: &mut Call<'_>) -> Result<Answer> {
    let id = call.arg("id").unwrap_or_default().to_string();
    let jobs = &mut call.world.state.backup_jobs;
    let before = jobs.len();
    jobs.retain(|j| j.id != id);
    if jobs.len() == before {
        return Err(in_lock(no_such(&id)));
    }
    call.world.touched = true;
    Ok(Answer::default())
}

fn no_such(id: &str) -> Refusal {
    Refusal::parameter("id", format!("No such job '{id}'"))
}

/// As the API shows it: numbers as numbers, property strings taken apart.
fn row(world: &World, job: &BackupJob) -> Map<String, Value> {
    let known = world.facts.method("POST", "/cluster/backup").map(|m| &m.parameters);
    let mut row = Map::new();
    for (key, value) in &job.conf {
        let schema = known.and_then(|k| k.property(key));
        let format = schema.and_then(|s| s.format_name()).and_then(named::properties);
        let numeric = schema.is_some_and(|s| s.is("boolean") || s.is("integer"));
        let shown = match (format, value.parse::<i64>()) {
            (Some(format), _) => {
                let parts = property::take_apart(format, value).unwrap_or_default();
                let typed = |key: &str, part: &str| match format.get(key).is_some_and(|s| s.is("boolean")) {
                    true => json!(i32::from(property::boolean(part) == Some(true))),
                    false => json!(part),
                };
                Value::Object(parts.iter().map(|(k, v)| (k.clone(), typed(k, v))).collect())
            }
            (None, Ok(number)) if numeric => json!(number),
            _ => json!(value),
        };
        row.insert(key.clone(), shown);
    }
    row.insert("id".into(), json!(job.id));
    row.insert("type".into(), json!("vzdump"));
    row
}

fn list(call: &mut Call<'_>) -> Result<Answer> {
    let world = &call.world;
    let now = i64::try_from(world.now / 1000).ok().and_then(|now| jiff::Timestamp::from_second(now).ok());
    let now = now.unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    let rows = world.state.backup_jobs.iter().map(|job| {
        let mut row = row(world, job);
        let calendar = job.conf.get("schedule").and_then(|s| calendar::parse(s).ok());
        if let Some(next) = calendar.and_then(|c| c.next(&now)) {
            row.insert("next-run".into(), json!(next.timestamp().as_second()));
        }
        Value::Object(row)
    });
    Ok(Value::Array(rows.collect()).into())
}

fn read(call: &mut Call<'_>) -> Result<Answer> {
    let id = call.arg("id").unwrap_or_default();
    let job = job(call.world, id).ok_or_else(|| no_such(id))?;
    Ok(Value::Object(row(call.world, job)).into())
}

/// The guests that a job or a call chooses; some may be gone.
pub fn guests_of(world: &World, job: &Conf) -> Vec<u32> {
    let numbers = |key: &str| -> Vec<u32> {
        split_list(job.get(key).map(String::as_str).unwrap_or_default()).iter().filter_map(|v| v.parse().ok()).collect()
    };
    let mut chosen: Vec<u32> = if let Some(pool) = job.get("pool").filter(|p| !p.is_empty()) {
        let below = format!("{pool}/");
        let pools = world.state.pools.iter().filter(|(name, _)| *name == pool || name.starts_with(&below));
        pools.flat_map(|(_, p)| p.vms.iter().copied()).collect()
    } else if job.get("vmid").is_some_and(|v| !v.is_empty()) {
        numbers("vmid")
    } else if job.get("all").is_some_and(|a| a == "1") {
        let excluded = numbers("exclude");
        world.state.guests.keys().copied().filter(|v| !excluded.contains(v)).collect()
    } else {
        Vec::new()
    };
    // A job of one node leaves out those of others.
    if let Some(node) = job.get("node") {
        chosen.retain(|v| world.state.guests.get(v).is_none_or(|g| g.node == *node));
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// A disk of a guest, with whether it is backed up and why.
pub struct Disk {
    pub key: String,
    pub volume: String,
    /// Inside the container.
    pub path: String,
    pub included: bool,
    pub reason: &'static str,
}

/// The disks of a guest, the root first.
pub fn disks_of(world: &World, guest: &Guest) -> Vec<Disk> {
    let mut keys: Vec<&String> = guest.conf.keys().filter(|k| is_disk(guest.kind, k)).collect();
    keys.retain(|k| !k.starts_with("unused"));
    // A medium in a CD drive is no disk of the machine.
    keys.retain(|k| guest.kind == Kind::Lxc || !is_cdrom(&qemu_drive::parse(world, k, &guest.conf[*k])));
    let slot = |k: &str| SLOTS.iter().position(|(stem, _)| k.starts_with(stem));
    keys.sort_by_key(|k| (**k != "rootfs", slot(k), k.trim_matches(char::is_alphabetic).parse::<u32>().unwrap_or(0)));
    let disk = |key: &String| {
        let value = &guest.conf[key];
        let parts = match guest.kind {
            Kind::Lxc => lxc_hotplug::parse(world, key, value),
            Kind::Qemu => value.split(',').skip(1).filter_map(|p| p.split_once('=')).map(owned).collect(),
        };
        let volume = value.split(',').next().unwrap_or_default().trim_start_matches("volume=").to_string();
        let asked = parts.get("backup").and_then(|b| property::boolean(b));
        let (included, reason) = match (guest.kind, &**key, asked) {
            (Kind::Lxc, "rootfs", _) => (true, "rootfs"),
            (Kind::Lxc, ..) if super::lxc_volume::kind(&volume) == "bind" => (false, "bind mount"),
            (Kind::Lxc, ..) if super::lxc_volume::kind(&volume) == "device" => (false, "device"),
            (Kind::Qemu, key, _)
                if key.starts_with("efidisk") && guest.conf.get("bios").is_none_or(|b| b != "ovmf") =>
            {
                (false, "efidisk but no OVMF BIOS")
            }
            // Whatever is said is called a no.
            (Kind::Qemu, _, Some(included)) => (included, "backup=no"),
            (Kind::Qemu, ..) => (true, "backup=yes"),
            (Kind::Lxc, ..) => (asked == Some(true), if asked == Some(true) { "enabled" } else { "disabled" }),
        };
        let path = parts.get("mp").cloned().unwrap_or_else(|| "/".into());
        Disk { key: key.clone(), volume, path, included, reason }
    };
    keys.into_iter().map(disk).collect()
}

fn owned((key, value): (&str, &str)) -> (String, String) {
    (key.into(), value.into())
}

/// What a guest is called.
pub fn name(guest: &Guest) -> Option<&String> {
    guest.conf.get(if guest.kind == Kind::Lxc { "hostname" } else { "name" })
}

fn included(call: &mut Call<'_>) -> Result<Answer> {
    let id = call.arg("id").unwrap_or_default();
    let job = job(call.world, id).ok_or_else(|| no_such(id))?;
    let (world, who) = (&call.world, &call.who);
    let seen = |vmid: &u32| world.state.may(who, &format!("/vms/{vmid}"), &["VM.Audit"], false);
    let rows = guests_of(world, &job.conf).into_iter().filter(seen).map(|vmid| {
        let Some(guest) = world.state.guests.get(&vmid) else {
            return json!({"id": vmid, "type": "unknown", "leaf": 1});
        };
        let disks: Vec<Value> = disks_of(world, guest)
            .into_iter()
            .map(|d| {
                json!({
                    "id": format!("{vmid}:{}", d.key), "name": d.volume, "included": i32::from(d.included),
                    "reason": d.reason, "leaf": 1,
                })
            })
            .collect();
        json!({
            "id": vmid, "type": guest.kind.word(), "name": name(guest), "leaf": i32::from(disks.is_empty()),
            "children": disks,
        })
    });
    Ok(json!({"children": rows.collect::<Vec<_>>()}).into())
}

fn not_backed_up(call: &mut Call<'_>) -> Result<Answer> {
    let (world, who) = (&call.world, &call.who);
    let held: Vec<u32> = world.state.backup_jobs.iter().flat_map(|j| guests_of(world, &j.conf)).collect();
    let left = world.state.guests.iter().filter(|(vmid, _)| {
        !held.contains(vmid) && world.state.may(who, &format!("/vms/{vmid}"), &["VM.Audit"], false)
    });
    let rows = left.map(|(vmid, guest)| {
        let mut row = json!({"vmid": vmid, "type": guest.kind.word()});
        if let Some(name) = name(guest) {
            row["name"] = json!(name);
        }
        row
    });
    Ok(Value::Array(rows.collect()).into())
}

/// Takes a guest that is purged out of the jobs that name it; a job that names nobody else goes with it.
pub fn purge(world: &mut World, vmid: u32) {
    let number = vmid.to_string();
    for job in &mut world.state.backup_jobs {
        for key in ["vmid", "exclude"] {
            if let Some(list) = job.conf.get(key).filter(|l| !l.is_empty()) {
                let left: Vec<String> = split_list(list).into_iter().filter(|v| *v != number).collect();
                job.conf.insert(key.into(), left.join(","));
            }
        }
        if job.conf.get("exclude").is_some_and(String::is_empty) {
            job.conf.remove("exclude");
        }
    }
    world.state.backup_jobs.retain(|j| j.conf.get("vmid").is_none_or(|v| !v.is_empty()));
}
