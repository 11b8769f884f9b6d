//! All guests of a node at once: `…/startall`, `…/stopall`, `…/suspendall` and `…/migrateall` (pve-manager 9.2.11).
use super::ha;
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    refusal::{Refusal, Result},
    schema::split_list,
    state::{Guest, Kind},
    task::Work,
    world::World,
};
use serde_json::json;

pub const ENDPOINTS: &[Endpoint] = &[
    on("POST", "/nodes/{node}/startall", |c| all(c, true)),
    on("POST", "/nodes/{node}/stopall", |c| all(c, false)),
    on("POST", "/nodes/{node}/suspendall", suspend),
    on("POST", "/nodes/{node}/migrateall", migrate),
];

/// Demands privileges on everything, or the first of them on each guest that is named.
fn permitted(call: &Call<'_>, privileges: &[&str]) -> Result<()> {
    let (state, who) = (&call.world.state, &call.who);
    if state.may(who, "/", privileges, false) {
        return Ok(());
    }
    let named = split_list(call.arg("vms").unwrap_or_default());
    if named.is_empty() {
        return Err(Refusal::denied(format!("/, {}", privileges.join(" && "))));
    }
    named.iter().try_for_each(|vmid| state.demand(who, &format!("/vms/{vmid}"), &privileges[..1]))
}

fn all(call: &mut Call<'_>, start: bool) -> Result<Answer> {
    permitted(call, &["VM.PowerMgmt"])?;
    let guests = in_order(call, start);
    let timeout = call.arg("timeout").and_then(|t| t.parse().ok()).unwrap_or(180);
    let (node, kind, who) = (call.node(), if start { "startall" } else { "stopall" }, call.who.clone());
    Ok(json!(call.world.fork(&node, kind, "", &who, Work::Bulk { guests, start, timeout }, None)).into())
}

/// The machines are suspended to disk in the order in which they would be stopped; containers are passed over.
fn suspend(call: &mut Call<'_>) -> Result<Answer> {
    permitted(call, &["VM.PowerMgmt", "VM.Config.Disk"])?;
    let guests = in_order(call, false);
    let (node, who) = (call.node(), call.who.clone());
    Ok(json!(call.world.fork(&node, "suspendall", "", &who, Work::SuspendAll { guests }, None)).into())
}

fn migrate(call: &mut Call<'_>) -> Result<Answer> {
    permitted(call, &["VM.Migrate"])?;
    let target = call.arg("target").unwrap_or_default();
    if target == call.node() {
        return Err(Refusal::parameter("target", "target is local node."));
    }
    if !call.world.state.nodes.contains_key(target) {
        return Err(Refusal::die(format!("no such cluster node '{target}'")));
    }
    Err(Refusal::not_simulated("moving all guests of a node"))
}

/// The guests that are meant, in the order in which they are started, or backwards.
fn in_order(call: &Call<'_>, start: bool) -> Vec<u32> {
    let named = call.arg("vms").map(split_list);
    let state = &call.world.state;
    let node = call.node();
    let by_itself = start && !call.flag("force");
    let mut guests: Vec<(u64, u32)> = state
        .guests
        .iter()
        .filter(|(vmid, guest)| {
            // One that is named is taken though the cluster runs it.
            let chosen = match &named {
                Some(named) => named.contains(&vmid.to_string()),
                None => !ha::is_managed(call.world, **vmid),
            };
            guest.node == node && !guest.is_template() && chosen && (!by_itself || guest.flag("onboot"))
        })
        .map(|(vmid, guest)| (order(guest), *vmid))
        .collect();
    guests.sort_unstable();
    if !start {
        guests.reverse();
    }
    guests.into_iter().map(|(_, vmid)| vmid).collect()
}

/// The place of a guest among those that are started; one without a number comes last.
fn order(guest: &Guest) -> u64 {
    part(guest, "order").or_else(|| guest.conf.get("startup")?.parse().ok()).unwrap_or(u64::MAX)
}

fn part(guest: &Guest, key: &str) -> Option<u64> {
    let startup = guest.conf.get("startup")?;
    startup.split(',').find_map(|p| p.strip_prefix(key)?.strip_prefix('=')?.parse().ok())
}

/// Does the work of the task: each guest has a task of its own.
pub fn perform(world: &mut World, guests: &[u32], start: bool, timeout: u64, log: &mut Vec<String>) {
    for vmid in guests {
        let Some(guest) = world.state.guests.get(vmid) else { continue };
        let title = guest.kind.title();
        if guest.running.is_some() == start {
            continue;
        }
        if start {
            log.push(format!("Starting {title} {vmid}"));
            world.fork_start(*vmid);
        } else {
            let timeout = part(guest, "down").unwrap_or(timeout);
            log.push(format!("Stopping {title} {vmid} (timeout = {timeout} seconds)"));
            world.fork_shutdown(*vmid);
        }
    }
}

/// Does the work of `suspendall`.
pub fn perform_suspend(world: &mut World, guests: &[u32], log: &mut Vec<String>) {
    for vmid in guests {
        match world.state.guests.get(vmid) {
            Some(guest) if guest.kind == Kind::Lxc => {
                log.push(format!("WARN: skipping {vmid}, only VMs can be suspended"));
            }
            Some(guest) if guest.running.is_some() => {
                log.push(format!("Suspending VM {vmid}"));
                world.fork_suspend(*vmid);
            }
            _ => {}
        }
    }
}
