//! Backups of virtual machines: what vzdump says of their disks, and what QEMU does (`PVE::VZDump::QemuServer`, qemu-server
//! 9.2). QEMU runs for it, paused, where the machine does not.
use super::{
    backup::{held, packing},
    backup_jobs::Disk,
    qemu_agent,
    qemu_alloc::human,
    qemu_drive::is_numbered,
    qemu_power, storage,
};
use crate::sandbox::proxmox::{
    formats,
    refusal::{Refusal, Result},
    state::{Archive, Conf, Drive, Guest},
    world::World,
};
use std::collections::BTreeMap;

/// What is said of a machine before its backup.
pub fn prepared(world: &World, guest: &Guest, disks: &[Disk]) -> Vec<String> {
    let name = guest.conf.get("name").map(|name| format!("VM Name: {name}"));
    let disk = |disk: &Disk| match disk.included {
        false => format!("exclude disk '{}' '{}' ({})", disk.key, disk.volume, disk.reason),
        true => {
            let size = storage::volume(world, &disk.volume).map(|v| format!(" {}", formats::print_bytes(v.size)));
            format!("include disk '{}' '{}'{}", disk.key, disk.volume, size.unwrap_or_default())
        }
    };
    name.into_iter().chain(disks.iter().map(disk)).collect()
}

/// What of its config is left out.
pub fn left_out(guest: &Guest) -> Vec<String> {
    let unused = guest.conf.iter().filter(|(key, _)| is_numbered(key, "unused"));
    let mut lines: Vec<String> =
        unused.map(|(_, volume)| format!("skip unused drive '{volume}' (not included into backup)")).collect();
    if !guest.snapshots.is_empty() {
        lines.push("snapshots found (not included into backup)".into());
    }
    if !guest.pending.is_empty() {
        lines.push("pending configuration changes found (not included into backup)".into());
    }
    lines
}

/// The drives that are in an archive.
pub fn drives(world: &World, disks: &[Disk]) -> BTreeMap<String, Drive> {
    let drive = |disk: &Disk| {
        let volume = storage::volume(world, &disk.volume).ok()?;
        let storage = storage::name_of(world, &disk.volume).ok()?.storage;
        Some((disk.key.clone(), Drive { storage, format: volume.format.clone(), size: volume.size }))
    };
    disks.iter().filter(|d| d.included).filter_map(drive).collect()
}

/// The device of QEMU from which a drive is read.
pub fn device(key: &str) -> String {
    if key == "tpmstate0" { "drive-tpmstate0-backup".into() } else { format!("drive-{key}") }
}

/// What the config in an archive says at its end: which device holds which drive.
pub fn map(archive: &Archive) -> String {
    let line = |(key, drive): (&String, &Drive)| {
        format!("#qmdump#map:{key}:{}:{}:{}:\n", device(key), drive.storage, drive.format)
    };
    archive.drives.iter().map(line).collect()
}

/// One archive to be written.
pub struct Writing<'a> {
    pub vmid: u32,
    pub mode: &'a str,
    /// Whether the machine ran when its backup began.
    pub was_running: bool,
    /// Without its ending, `/var/lib/vz/dump/vzdump-qemu-101-…`.
    pub base: &'a str,
    pub options: &'a Conf,
}

/// Lets QEMU read the disks into the archive.
///
/// # Errors
/// QEMU does not start; it is told in the log as well.
pub fn write(world: &mut World, to: &Writing<'_>, disks: &[Disk], log: &mut Vec<String>) -> Result<()> {
    let included: Vec<&Disk> = disks.iter().filter(|d| d.included).collect();
    if included.is_empty() {
        log.push("INFO: backup contains no disks".into());
        log.push("INFO: starting diskless backup".into());
        log.push(format!("INFO: {}", diskless(world, to)));
        return Ok(());
    }
    let vmid = to.vmid;
    let guest = world.state.guests.get(&vmid).cloned();
    let guest = guest.ok_or_else(|| Refusal::die(format!("unable to find VM '{vmid}'")))?;
    if guest.running.is_none() {
        log.push("INFO: starting kvm to execute backup task".into());
        let mut said = Vec::new();
        let up = qemu_power::bootable(world, vmid, &guest, &mut said);
        log.append(&mut said);
        if let Err(why) = up {
            log.push(format!("ERROR: {}", why.text()));
            log.push("INFO: aborting backup job".into());
            log.push(format!("ERROR: VM {vmid} not running"));
            if !to.was_running {
                log.push(format!("VM {vmid} not running"));
            }
            return Err(why);
        }
    }
    let mut say = |line: String| log.push(format!("INFO: {line}"));
    if included.iter().any(|d| d.key == "tpmstate0") {
        say("attaching TPM drive to QEMU for backup".into());
    }
    let freezes = to.mode != "stop" && guest.running.is_some() && qemu_agent::answers(&guest);
    if freezes {
        say("issuing guest-agent 'fs-freeze' command".into());
    }
    say("starting backup via QMP command".into());
    if freezes {
        say("issuing guest-agent 'fs-thaw' command".into());
    }
    let size: u64 = included.iter().filter_map(|d| storage::volume(world, &d.volume).ok()).map(|v| v.size).sum();
    let holds: u64 = included.iter().map(|d| held(world, &d.volume)).sum();
    say(format!("started backup task '{}'", world.uuid()));
    match (to.was_running, to.mode) {
        (true, "snapshot") => say("resuming VM again".into()),
        (true, _) => say("resuming VM again after 1 seconds".into()),
        (false, _) => {}
    }
    let (whole, zero) = (human(size, 1), size.saturating_sub(holds));
    let speed = |bytes: u64| if bytes == 0 { "0 B/s".to_string() } else { format!("{}/s", human(bytes, 1)) };
    say(format!("100% ({whole} of {whole}) in 1s, read: {}, write: {}", speed(size), speed(holds)));
    if zero > 0 {
        let share = u128::from(zero) * 100 / u128::from(size.max(1));
        say(format!("backup is sparse: {} ({share}%) total zero data", human(zero, 2)));
    }
    say(format!("transferred {} in 1 seconds ({})", human(size, 2), speed(size)));
    if !to.was_running {
        say("stopping kvm after backup task".into());
    }
    Ok(())
}

/// The command that packs a config without disks.
fn diskless(world: &World, to: &Writing<'_>) -> String {
    let compress = to.options.get("compress").map_or("0", String::as_str);
    let threads = to.options.get("zstd").map_or("1", String::as_str);
    let packer = match compress {
        "1" | "lzo" => "lzop".to_string(),
        "gzip" => "gzip --rsyncable".to_string(),
        "zstd" => format!("zstd --threads={threads}"),
        _ => "cat".to_string(),
    };
    let (end, _) = packing("vma", compress);
    let file = end.rsplit_once('.').map_or(String::new(), |(stem, _)| format!(".{stem}"));
    let firewall = world.state.firewalls.contains_key(&to.vmid);
    let firewall = if firewall { format!(" -c {}.tmp/qemu-server.fw", to.base) } else { String::new() };
    format!(
        "/usr/bin/vma create -v -c {base}.tmp/qemu-server.conf{firewall} exec:{packer} > {base}{file}.dat",
        base = to.base
    )
}
