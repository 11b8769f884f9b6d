//! Differences of a virtual machine that no step makes go away.
use super::{Disk, Machine, disk, settings};
use crate::{
    model::Wish,
    resources::guest::{Live, difference::smaller},
};

/// Disks that are to be smaller than they are.
pub fn shrunk(desired: &Machine, live: &Live) -> Vec<Wish> {
    let shrunk = |(slot, wanted): (&String, &Disk)| {
        let (is, wanted) = (disk::size(live.config.get(slot)?)?, wanted.size?);
        (is > wanted.bytes()).then(|| smaller(format!("disks.{slot}.size"), slot, is, wanted))
    };
    desired.disks.iter().filter_map(shrunk).collect()
}

/// One text for each.
pub fn remarks(desired: &Machine, live: &Live) -> Vec<String> {
    let mut said = vec![];
    for slot in desired.disks.keys() {
        let Some(is) = live.config.get(slot) else { continue };
        if !disk::is_disk(is) {
            said.push(format!("{slot} is a CD drive, where the manifest wants a disk: it is left"));
        }
    }
    let named = |slot: &&str| desired.disks.contains_key(*slot) || desired.detached.contains(*slot);
    for slot in settings::disks(live).map(|(slot, _)| slot).filter(|slot| !named(slot)) {
        said.push(format!("the disk at {slot} is not in the manifest: it is kept"));
    }
    let unused = live.config.values.iter().filter(|(key, _)| key.starts_with("unused"));
    said.extend(unused.map(|(key, volume)| format!("the disk {volume} was taken out ({key}): it is kept")));
    if let Some(drive) = &desired.drive
        && settings::cloud_drive(live).is_none()
        && live.config.get(&drive.slot).is_some_and(|held| !held.trim().is_empty())
    {
        said.push(format!(
            "{} is taken, so there is no place for the drive of cloud-init: name another slot",
            drive.slot
        ));
    }
    if let Some(why) = live.machine.silent.as_ref().filter(|_| desired.leased) {
        said.push(format!("its agent tells no addresses: {why}"));
    }
    said
}
