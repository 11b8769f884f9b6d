//! `POST /nodes/{node}/lxc`: a config with nothing but `lock: create` at once, the container when the task ends.
use super::{
    lxc_hotplug::{self, Update},
    lxc_permission::{self, Change},
    lxc_volume, storage,
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    given::Given,
    refusal::{Refusal, Result},
    schema::Args,
    state::{Conf, Guest, Kind},
    task::{Create, Work},
    world::World,
};
use serde_json::json;

pub const ENDPOINTS: &[Endpoint] = &[on("POST", "/nodes/{node}/lxc", create)];

/// The command that unpacks a template, as it stands in error texts.
fn unpack_command(vmid: u32, option: &str) -> String {
    format!(
        "command 'lxc-usernsexec -m u:0:100000:65536 -m g:0:100000:65536 -- tar xpf - {option} --totals --one-file-system \
         -p --sparse --numeric-owner --acls --xattrs '--xattrs-include=user.*' '--xattrs-include=security.capability' \
         '--warning=no-file-ignored' '--warning=no-xattr-write' -C /var/lib/lxc/{vmid}/rootfs --skip-old-files --anchored \
         --exclude './dev/*''"
    )
}

/// Bytes below which a file is no template.
const SMALLEST_ARCHIVE: u64 = 512;

/// The option of tar for a template, by the end of its name, and the program that unpacks it.
fn packed_by(template: &str) -> (&'static str, &'static str) {
    match template.rsplit_once('.').map(|(_, end)| end) {
        Some("gz" | "tgz") => ("-z", "gzip"),
        Some("xz") => ("-J", "xz"),
        Some("bz2") => ("-j", "bzip2"),
        _ => ("--zstd", "zstd"),
    }
}

/// Parameters of a create that never stand in the config.
const NOT_CONFIG: &[&str] = &[
    "node",
    "vmid",
    "ostemplate",
    "password",
    "ssh-public-keys",
    "start",
    "pool",
    "force",
    "restore",
    "unique",
    "storage",
    "bwlimit",
    "ignore-unpack-errors",
    "ha-managed",
];

/// Demands that a number is free, for containers and virtual machines alike.
///
/// # Errors
/// 500 that says what has it, and where.
pub fn unused(world: &World, vmid: u32) -> Result<()> {
    match world.state.guests.get(&vmid) {
        Some(guest) => {
            let (title, node) = (guest.kind.title(), &guest.node);
            Err(Refusal::die(format!("{title} {vmid} already exists on node '{node}'")))
        }
        None => Ok(()),
    }
}

/// Demands that a number is free for a call: one that was taken since the call arrived is found later, by whoever makes the
/// config file.
///
/// # Errors
/// 500 that says what has it, and where.
fn free(call: &Call<'_>, vmid: u32) -> Result<()> {
    let meanwhile = |t: &crate::sandbox::proxmox::task::Task| {
        t.started > call.arrived && t.id == vmid.to_string() && matches!(t.kind.as_str(), "vzcreate" | "qmcreate")
    };
    unused(call.world, vmid).map_err(|why| match call.world.state.tasks.iter().any(meanwhile) {
        true => Refusal::die(format!("unable to create CT {vmid} - {}", why.text())),
        false => why,
    })
}

/// Demands that a storage is not switched off.
///
/// # Errors
/// 500.
pub fn enabled(world: &World, name: &str) -> Result<()> {
    match storage::of(world, name)?.more.get("disable").is_some_and(|d| d == "1") {
        true => Err(Refusal::die(format!("storage '{name}' is disabled"))),
        false => Ok(()),
    }
}

/// Demands that a pool is there.
///
/// # Errors
/// 403, as the real one says it.
pub fn pool_exists(world: &World, pool: Option<&str>) -> Result<()> {
    match pool.filter(|p| !world.state.pools.contains_key(*p)) {
        Some(pool) => Err(Refusal::denied(format!("pool '{pool}' does not exist"))),
        None => Ok(()),
    }
}

fn create(call: &mut Call<'_>) -> Result<Answer> {
    let (node, vmid) = (call.node(), call.vmid());
    if call.flag("restore") {
        if call.flag("ignore-unpack-errors") {
            return Err(Refusal::not_simulated("backups that do not unpack"));
        }
        return super::restore::lxc(call);
    }
    let nine = call.world.release().is_9();
    let unprivileged = call.take("unprivileged").map_or(nine, |v| v == "1");
    if !unprivileged && nine {
        call.world.state.demand(&call.who, "/", &["Sys.Modify"])?;
    }
    let ha = may_manage(call)?;
    free(call, vmid)?;
    keys_valid(call)?;
    let pool = call.arg("pool").map(str::to_string);
    pool_exists(call.world, pool.as_deref())?;
    let template = call.arg("ostemplate").unwrap_or_default().to_string();
    let default = call.arg("storage").unwrap_or("local").to_string();
    let (start, lenient) = (call.flag("start"), call.flag("ignore-unpack-errors"));
    let mut args = config_of(&call.given);
    permit(call, vmid, pool.as_deref(), &args, unprivileged)?;
    storage::may_use(call.world, &call.who, Some(vmid), &template, "vztmpl")?;

    let mut disks: Conf = args.iter().filter(|(k, _)| is_volume(k)).map(|(k, v)| (k.clone(), v.clone())).collect();
    args.retain(|k, _| !is_volume(k));
    if !disks.is_empty() && !disks.contains_key("rootfs") {
        return Err(Refusal::die("mount points configured, but 'rootfs' not set - aborting"));
    }
    for (key, value) in &disks {
        usable(call, key, value)?;
    }
    if disks.is_empty() {
        usable(call, "rootfs", &format!("{default}:4"))?;
        disks.insert("rootfs".into(), format!("{default}:4"));
    }
    let mut guest = Guest::new(Kind::Lxc, &node);
    lxc_hotplug::update(call.world, vmid, &mut guest, &Update { set: args, ..Update::default() }, &mut None)?;
    if unprivileged {
        guest.conf.insert("unprivileged".into(), "1".into());
    }
    let conf = std::mem::take(&mut guest.conf);
    guest.conf.insert("lock".into(), "create".into());
    call.world.state.guests.insert(vmid, guest);
    call.world.touched = true;
    let who = call.who.clone();
    let work = Work::Create(Box::new(Create { vmid, conf, disks, template, pool, start, ha, lenient }));
    Ok(json!(call.world.fork(&node, "vzcreate", &vmid.to_string(), &who, work, Some(vmid))).into())
}

/// Whether the container is to become a resource of the cluster's high availability.
///
/// # Errors
/// 403.
pub fn may_manage(call: &Call<'_>) -> Result<bool> {
    let ha = call.flag("ha-managed");
    if ha {
        call.world.state.demand(&call.who, "/", &["Sys.Console"])?;
    }
    Ok(ha)
}

/// Demands that the keys for root are keys.
///
/// # Errors
/// 500.
pub fn keys_valid(call: &Call<'_>) -> Result<()> {
    match call.arg("ssh-public-keys").is_some_and(|keys| !are_keys(keys)) {
        true => Err(Refusal::die("SSH public key validation error")),
        false => Ok(()),
    }
}

/// What of the parameters of a create stands in the config.
pub fn config_of(given: &Given) -> Args {
    given.chosen(|key| !NOT_CONFIG.contains(&key) && !lxc_hotplug::is_numbered(key, "unused"))
}

fn is_volume(key: &str) -> bool {
    key == "rootfs" || lxc_hotplug::is_numbered(key, "mp")
}

/// Whether every line is a public SSH key: its type, and a blob that says the same type.
pub fn are_keys(keys: &str) -> bool {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let is_key = |line: &str| {
        let mut words =
            line.split_whitespace().skip_while(|w| !["ssh-", "ecdsa-", "sk-"].iter().any(|k| w.starts_with(k)));
        let (Some(kind), Some(blob)) = (words.next(), words.next()) else { return false };
        let blob = STANDARD.decode(blob).unwrap_or_default();
        blob.get(4..4 + kind.len()).is_some_and(|said| said == kind.as_bytes())
    };
    let mut lines = keys.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).peekable();
    lines.peek().is_some() && lines.all(is_key)
}

fn permit(call: &Call<'_>, vmid: u32, pool: Option<&str>, args: &Args, unprivileged: bool) -> Result<()> {
    let (state, who) = (&call.world.state, &call.who);
    let in_pool = pool.is_some_and(|p| state.may(who, &format!("/pool/{p}"), &["VM.Allocate"], false));
    if !in_pool && !state.may(who, &format!("/vms/{vmid}"), &["VM.Allocate"], false) {
        return Err(Refusal::denied(""));
    }
    let change = Change { who, vmid, pool, old: None, new: args, delete: &[], unprivileged };
    lxc_permission::check(call.world, &change)
}

/// Demands that the storage of a new volume takes it from this user.
///
/// # Errors
/// 400, 403 and 500.
pub fn usable(call: &Call<'_>, key: &str, value: &str) -> Result<()> {
    let volid = lxc_hotplug::parse(call.world, key, value).remove("volume").unwrap_or_default();
    if lxc_volume::kind(&volid) != "volume" {
        return match call.who.is_root() {
            true => Ok(()),
            false => Err(Refusal::die("Only root can pass arbitrary filesystem paths.")),
        };
    }
    let name = volid.split_once(':').map_or(volid.as_str(), |(s, _)| s);
    let found = storage::of(call.world, name)?;
    enabled(call.world, name)?;
    if !found.content.contains("rootdir") {
        return Err(Refusal::parameter("storage", format!("storage '{name}' does not support container directories")));
    }
    call.world.state.demand(&call.who, &format!("/storage/{name}"), &["Datastore.AllocateSpace"])
}

/// Does the work of the task.
///
/// # Errors
/// The text that the task ends with; the config and the volumes are gone again.
pub fn perform(world: &mut World, create: Create, log: &mut Vec<String>) -> Result<()> {
    let vmid = create.vmid;
    let (pool, start, ha) = (create.pool.clone(), create.start, create.ha);
    if let Err(why) = build(world, create, log) {
        log.extend(why.text().strip_prefix("volume ").map(|_| why.text()));
        world.forget_guest(vmid);
        forget_volumes(world, vmid);
        return Err(Refusal::die(format!("unable to create CT {vmid} - {}", why.text())));
    }
    if let Some(pool) = pool.and_then(|p| world.state.pools.get_mut(&p)) {
        pool.vms.insert(vmid);
    }
    if start {
        // Whether it starts is not this task's success or failure, nor in its log.
        world.fork_start(vmid);
    }
    if ha {
        super::ha::add(world, vmid, start, log);
    }
    Ok(())
}

fn forget_volumes(world: &mut World, vmid: u32) {
    let named: Vec<String> = world.state.guests.get(&vmid).into_iter().flat_map(|g| g.conf.values().cloned()).collect();
    for storage in world.state.storages.values_mut() {
        storage.volumes.retain(|volid, v| v.vmid != Some(vmid) || named.iter().any(|n| n.starts_with(volid.as_str())));
    }
}

/// Makes the volumes.
fn begin(world: &mut World, create: &Create, log: &mut Vec<String>) -> Result<Conf> {
    let (vmid, disks, mut conf) = (create.vmid, &create.disks, create.conf.clone());
    world.any(Kind::Lxc, vmid)?;
    // The root first.
    let root = disks.iter().filter(|(k, _)| *k == "rootfs");
    for (key, value) in root.chain(disks.iter().filter(|(k, _)| *k != "rootfs")) {
        let value = lxc_volume::allocate(world, vmid, key, value, log)?;
        conf.insert(key.clone(), value);
    }
    Ok(conf)
}

/// What is left of a create that was interrupted while it unpacked: a log, and the text that the task ends with.
pub fn interrupted(world: &mut World, create: &Create, log: &mut Vec<String>) -> String {
    let vmid = create.vmid;
    let begun = begin(world, create, log);
    log.push(format!("extracting archive '{}'", storage::path(world, &create.template)));
    world.forget_guest(vmid);
    for (_, value) in begun.unwrap_or_default() {
        drop(storage::remove(world, value.split(',').next().unwrap_or_default()));
    }
    format!(
        "unable to create CT {vmid} - {} failed: received interrupt",
        unpack_command(vmid, packed_by(&create.template).0)
    )
}

fn build(world: &mut World, create: Create, log: &mut Vec<String>) -> Result<()> {
    let mut conf = begin(world, &create, log)?;
    let Create { vmid, template, lenient, .. } = create;
    // Nobody knows what comes out of an archive that is half broken.
    let half = |why: Refusal| match lenient {
        true => Refusal::not_simulated(format!("what is left of an archive that does not unpack: {}", why.text())),
        false => why,
    };
    let holds = unpack(world, vmid, &template, &conf, log).map_err(half)?;
    fill(world, &conf, holds);
    let file = template.rsplit('/').next().unwrap_or_default();
    let unmanaged = conf.get("ostype").is_some_and(|o| o == "unmanaged");
    if !unmanaged {
        let found = detect(file);
        if let Some(said) = conf.get("ostype").filter(|said| *said != found) {
            log.push(format!("got unexpected ostype ({found} != {said})"));
        }
        conf.insert("ostype".into(), found.into());
    }
    if !conf.contains_key("arch") {
        let arch =
            ["amd64", "arm64", "armhf", "i386", "riscv64"].into_iter().find(|a| file.contains(a)).unwrap_or("amd64");
        if !unmanaged {
            log.push(format!("Detected container architecture: {arch}"));
        }
        conf.insert("arch".into(), arch.into());
    }
    if !unmanaged {
        let host = conf.get("hostname").and_then(|h| h.split('.').next()).unwrap_or("localhost").to_string();
        for kind in ["rsa", "ecdsa", "ed25519"] {
            log.push(format!("Creating SSH host key 'ssh_host_{kind}_key' - this may take some time ..."));
            let print = crate::sandbox::proxmox::login::secret_sum(&world.uuid());
            log.push(format!("done: SHA256:{} root@{host}", &print[..43]));
        }
        nesting_hint(&conf, log);
    }
    for (key, default) in [("hostname", format!("CT{vmid}")), ("memory", "512".into()), ("swap", "512".into())] {
        conf.entry(key.into()).or_insert(default);
    }
    world.any(Kind::Lxc, vmid)?.conf = conf;
    world.write(vmid);
    Ok(())
}

/// The warning that a recent systemd without nesting gets; the task then ends with `WARNINGS: 1`.
pub fn nesting_hint(conf: &Conf, log: &mut Vec<String>) {
    let is_on =
        |part: &str| part.strip_prefix("nesting=").and_then(crate::sandbox::proxmox::property::boolean) == Some(true);
    let nested = conf.get("features").is_some_and(|f| f.split(',').any(is_on));
    let systemd =
        conf.get("ostype").is_some_and(|o| !matches!(o.as_str(), "alpine" | "devuan" | "gentoo" | "unmanaged"));
    if systemd && !nested {
        log.push("WARN: Systemd 257 detected. You may need to enable nesting.".into());
    }
}

fn detect(file: &str) -> &'static str {
    const KNOWN: &[&str] =
        &["debian", "devuan", "ubuntu", "centos", "fedora", "opensuse", "archlinux", "alpine", "gentoo", "nixos"];
    KNOWN.iter().find(|k| file.starts_with(*k)).unwrap_or(&"debian")
}

/// Notes how many bytes of files are in the root of a container.
pub fn fill(world: &mut World, conf: &Conf, holds: u64) {
    let volid = conf.get("rootfs").and_then(|r| r.split(',').next()).unwrap_or_default();
    let storage = volid.split_once(':').and_then(|(s, _)| world.state.storages.get_mut(s));
    if let Some(volume) = storage.and_then(|s| s.volumes.get_mut(volid)) {
        volume.holds = Some(holds);
    }
}

/// What a task ends with whose archive did not fit.
pub fn unpack_failed(vmid: u32, archive: &str) -> String {
    format!("{} failed: exit code 2", unpack_command(vmid, packed_by(archive).0))
}

/// Unpacks a template, and answers how many bytes came out of it.
fn unpack(world: &World, vmid: u32, template: &str, conf: &Conf, log: &mut Vec<String>) -> Result<u64> {
    let volume = storage::volume(world, template)?;
    log.push(format!("extracting archive '{}'", storage::path(world, template)));
    let (option, program) = packed_by(template);
    // No container fits into so little: it is no archive at all.
    if volume.size < SMALLEST_ARCHIVE {
        log.push(String::new());
        log.push(format!("{program}: stdin: not in {program} format"));
        log.push("tar: Child returned status 1".into());
        log.push("tar: Error is not recoverable: exiting now".into());
        return Err(Refusal::die(format!("{} failed: exit code 2", unpack_command(vmid, option))));
    }
    // So much grew a Debian template packed by zstd, and a small one by gzip.
    let (whole, packed) = if program == "gzip" { (2_088_960, 1_067_621) } else { (152_514_560, 53_296_284) };
    let size = volume.size * whole / packed;
    let root = conf.get("rootfs").map(String::as_str).unwrap_or_default();
    let space = crate::sandbox::proxmox::world::size_in(root).unwrap_or(u64::MAX);
    if space != 0 && space < size {
        return Err(Refusal::die(format!("{} failed: exit code 2", unpack_command(vmid, option))));
    }
    log.push(format!("Total bytes read: {size} ({}MiB, 190MiB/s)", size.div_ceil(1 << 20)));
    Ok(size)
}
