//! All guests of a node at once: `…/startall` and `…/stopall` (pve-manager 9.2.11).
use super::ha;
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    refusal::{Refusal, Result},
    schema::split_list,
    state::Guest,
    task::Work,
    world::World,
};
use serde_json::json;

pub const ENDPOINTS: &[Endpoint] =
    &[on("POST", "/nodes/{node}/startall", |c| all(c, true)), on("POST", "/nodes/{node}/stopall", |c| all(c, false))];

fn all(call: &mut Call<'_>, start: bool) -> Result<Answer> {
    let named = call.arg("vms").map(split_list);
    let (state, who) = (&call.world.state, &call.who);
    if !state.may(who, "/", &["VM.PowerMgmt"], false) {
        let Some(named) = named.as_ref().filter(|n| !n.is_empty()) else {
            return Err(Refusal::denied("/, VM.PowerMgmt"));
        };
        for vmid in named {
            state.demand(who, &format!("/vms/{vmid}"), &["VM.PowerMgmt"])?;
        }
    }
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
    let guests = guests.into_iter().map(|(_, vmid)| vmid).collect();
    let timeout = call.arg("timeout").and_then(|t| t.parse().ok()).unwrap_or(180);
    let (kind, who) = (if start { "startall" } else { "stopall" }, call.who.clone());
    Ok(json!(call.world.fork(&node, kind, "", &who, Work::Bulk { guests, start, timeout }, None)).into())
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
