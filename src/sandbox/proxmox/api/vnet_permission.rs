//! What one must be allowed to in order to put a network device on a bridge (`check_vnet_access`, pve-guest-common).
use crate::sandbox::proxmox::{access::Who, property::Properties, refusal::Result, world::World};

/// `SDN.Use` on the bridge, or on each of the VLANs that the device takes part in.
///
/// # Errors
/// 403.
pub fn check(world: &World, who: &Who, device: &Properties) -> Result<()> {
    let Some(bridge) = device.get("bridge") else { return Ok(()) };
    let whole = format!("/sdn/zones/localnetwork/{bridge}");
    let tag = device.get("tag").filter(|tag| *tag != "0");
    let trunks = device.get("trunks").filter(|trunks| !trunks.is_empty());
    if tag.is_none() && trunks.is_none() {
        return world.state.demand(who, &whole, &["SDN.Use"]);
    }
    let vlans = tag.cloned().into_iter().chain(trunks.into_iter().flat_map(|t| vlans(t)));
    vlans.into_iter().try_for_each(|vlan| world.state.demand(who, &format!("{whole}/{vlan}"), &["SDN.Use"]))
}

/// `2;5-7`, in the order in which Perl sorts them.
fn vlans(trunks: &str) -> Vec<String> {
    let numbers = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.parse::<u16>(), last.parse::<u16>()) {
            (Ok(first), Ok(last)) => (first..=last).map(|n| n.to_string()).collect(),
            _ => vec![],
        }
    };
    let mut all: Vec<String> = trunks.split(';').flat_map(numbers).collect();
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trunk_is_its_vlans() {
        assert_eq!(vlans("20;3-5;4"), ["20", "3", "4", "5"]);
        assert!(vlans("x").is_empty());
    }
}
