//! `PUT /nodes/{node}/lxc/{vmid}/config`.
use super::{
    lxc_hotplug::{self, Update},
    lxc_permission::{self, Change},
};
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on, unlocked},
    config_file,
    refusal::{Refusal, Result},
    schema::{Args, split_list},
    state::{Guest, Kind},
    world::World,
};
use serde_json::Value;

pub const ENDPOINTS: &[Endpoint] = &[on("PUT", "/nodes/{node}/lxc/{vmid}/config", change)];

fn change(call: &mut Call<'_>) -> Result<Answer> {
    let (node, vmid) = (call.node(), call.vmid());
    call.take("node");
    call.take("vmid");
    let digest = call.take("digest");
    if call.given.told().is_empty() {
        return Err(Refusal::die("no options specified"));
    }
    let mut named = |which: &str| split_list(&call.take(which).unwrap_or_default());
    let (delete, revert) = (named("delete"), named("revert"));
    let update = Update { set: call.given.rest(), delete, revert };

    call.world.guest(Kind::Lxc, &node, vmid)?;
    call.world.lock(vmid)?;
    let mut guest = call.world.guest(Kind::Lxc, &node, vmid)?.clone();
    unlocked(&guest)?;
    unmodified(digest.as_deref(), &config_file::digest(&guest))?;
    permit(call, vmid, &guest, &Args::new(), &update.delete)?;
    permit(call, vmid, &guest, &Args::new(), &update.revert)?;
    known(call.world, &update)?;
    permit(call, vmid, &guest, &update.set, &[])?;

    let mut halfway = None;
    let errors = lxc_hotplug::update(call.world, vmid, &mut guest, &update, &mut halfway)?;
    if !errors.is_empty() {
        // Nothing is written, but for what was written on the way.
        if let Some(halfway) = halfway {
            call.world.state.guests.insert(vmid, halfway);
            call.world.write(vmid);
        }
        return Err(Refusal::parameters(errors));
    }
    call.world.state.guests.insert(vmid, guest);
    call.world.write(vmid);
    // The file is written; what follows from it may still fail.
    consistent(call.world, vmid)?;
    Ok(Value::Null.into())
}

fn permit(call: &Call<'_>, vmid: u32, guest: &Guest, new: &Args, delete: &[String]) -> Result<()> {
    let (old, unprivileged) = (Some(&guest.conf), guest.flag("unprivileged"));
    lxc_permission::check(call.world, &Change { who: &call.who, vmid, pool: None, old, new, delete, unprivileged })
}

/// Options of a config that are never set by hand, and may be named all the same.
const INTERNAL: &[&str] = &["parent", "snaptime"];

/// Demands that what is to be deleted or reverted are options, each in one of the lists, and not set at the same time.
fn known(world: &World, update: &Update) -> Result<()> {
    let parameters = ["digest", "delete", "revert", "node", "vmid"];
    let is_option =
        |key: &str| INTERNAL.contains(&key) || !parameters.contains(&key) && world.option(Kind::Lxc, key).is_some();
    let unknown = |which, key: &String| Err(Refusal::parameter(which, format!("unknown option '{key}'")));
    for key in &update.revert {
        if !is_option(key) {
            return unknown("revert", key);
        }
        if update.set.contains_key(key) {
            let why = format!("you can't use '-{key}' and '-revert {key}' at the same time");
            return Err(Refusal::parameter("revert", why));
        }
    }
    for key in &update.delete {
        if !is_option(key) {
            return unknown("delete", key);
        }
        // The quotes are as crooked as those of the real one.
        let also = match (update.set.contains_key(key), update.revert.contains(key)) {
            (true, _) => format!("'-{key}' and -delete {key}'"),
            (_, true) => format!("'-delete {key}' and '-revert {key}'"),
            _ => continue,
        };
        return Err(Refusal::parameter("delete", format!("you can't use {also} at the same time")));
    }
    Ok(())
}

/// Demands that a config is still the one that a digest was taken of.
///
/// # Errors
/// 500 when it changed.
pub fn unmodified(given: Option<&str>, current: &str) -> Result<()> {
    match given {
        Some(given) if !given.trim().is_empty() && given != current => {
            Err(Refusal::die("detected modified configuration - file changed by other user? Try again."))
        }
        _ => Ok(()),
    }
}

/// What LXC's own config is made of must be there: it is made after every write, and before every start.
///
/// # Errors
/// 500; the write stays.
pub fn consistent(world: &World, vmid: u32) -> Result<()> {
    let Some(guest) = world.state.guests.get(&vmid) else { return Ok(()) };
    if guest.is_template() {
        return Ok(());
    }
    if !guest.conf.contains_key("arch") {
        return Err(Refusal::die("missing 'arch' - internal error at /usr/share/perl5/PVE/LXC.pm line 729."));
    }
    let known = world.state.nodes.get(&guest.node);
    for (_, net) in super::lxc_read::networks(world, guest) {
        if let Some(bridge) = net.get("bridge").filter(|b| known.is_some_and(|n| !n.bridges.contains_key(*b))) {
            return Err(Refusal::die(format!("bridge '{bridge}' does not exist")));
        }
    }
    Ok(())
}
