//! A card goes to a bridge only where that bridge is.
//!
//! Proxmox answers 400 to a change of `netN` to a bridge that is not there, and does half of it: the running card is gone, the wrong
//! value stays pending, and the guest does not start any more (seen on pve-manager 9.2.11). So it is asked beforehand.
use super::Live;
use crate::{
    model::{Answer, Class, Failure},
    providers::proxmox::{Parameters, Proxmox, property::Properties},
};
use std::collections::BTreeSet;

/// Demands that every bridge to which a card is moved, or a new card is put, is on the guest's node.
///
/// # Errors
/// `Invalid` when one is not there; nothing was written. What the token may not see is left to Proxmox, which refuses it as a whole.
pub async fn demand(pve: &Proxmox, live: &Live, vmid: u32, set: &Parameters) -> Answer<()> {
    let new: BTreeSet<String> = set.iter().filter_map(|(key, value)| moves_to(live, key, value)).collect();
    if new.is_empty() {
        return Ok(());
    }
    let there = pve.bridges(&live.node).await?;
    for bridge in new.difference(&there) {
        let path = format!("/sdn/zones/localnetwork/{bridge}");
        if pve.permissions_on(&path).await?.on(&path).contains("SDN.Use") {
            let there: Vec<&str> = there.iter().map(String::as_str).collect();
            let why = format!("there is no bridge {bridge} on node {} (there is {})", live.node, there.join(", "));
            return Err(Failure::new(Class::Invalid, format!("change {}", live.at(vmid)), why)
                .hint("name a bridge that is there, or make this one on the node; nothing was changed"));
        }
    }
    Ok(())
}

fn moves_to(live: &Live, key: &str, value: &str) -> Option<String> {
    key.strip_prefix("net")?.parse::<u8>().ok()?;
    let bridge = |value: &str| Properties::parse(value).get("bridge").map(str::to_owned);
    bridge(value).filter(|wanted| live.config.get(key).and_then(bridge).as_ref() != Some(wanted))
}
