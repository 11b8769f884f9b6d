//! Nodes of guests whose manifests leave it open where they are made.
use super::{Work, mistake_at};
use crate::kinds::{any_guest::AnyGuest, container::Placement};
use std::{cmp::Reverse, collections::BTreeMap};

/// How much room a node has; more is greater.
type Room = (u64, Reverse<usize>);

impl Work<'_> {
    /// A guest that is there keeps what the lock says, or is where it is; another one gets the node with the most free
    /// memory of those that fit and are up. What is given away in one run counts as used.
    pub(super) fn nodes(&mut self) {
        let guests = |name: &str| self.carried.guests.values().filter(|g| g.node.as_deref() == Some(name)).count();
        let up = self.carried.nodes.iter().filter(|(_, node)| node.up);
        let mut free: BTreeMap<String, Room> =
            up.map(|(name, node)| (name.clone(), (node.free.unwrap_or(0), Reverse(guests(name))))).collect();
        let declarations = self.declarations;
        for guest in declarations.guests() {
            let id = guest.id();
            let chosen = guest.placement().and_then(|placement| self.node(guest, placement, &mut free));
            let Some(entry) = self.out.lock.objects.get_mut(&id) else { continue };
            if let Some(node) = chosen.as_ref().filter(|node| entry.node.as_ref() != Some(node)) {
                self.out.made.push(format!("{id}: node {node}"));
            }
            entry.node = chosen;
        }
    }

    fn node(
        &mut self,
        guest: AnyGuest<'_>,
        placement: &Placement,
        free: &mut BTreeMap<String, Room>,
    ) -> Option<String> {
        let site = &self.declarations.site()?.spec.proxmox;
        let fit: Vec<String> = placement.candidates(site).iter().map(ToString::to_string).collect();
        let entry = self.out.lock.objects.get(&guest.id())?;
        let live = entry.vmid.and_then(|vmid| self.carried.guests.get(&vmid));
        let ours = live.filter(|there| guest.meta().adopt.is_some() || there.uid.as_ref() == Some(&entry.uid));
        let there = ours.and_then(|there| there.node.clone());
        let locked = entry.node.clone().filter(|node| there.is_some() || fit.contains(node));
        if let Some(known) = locked.or(there) {
            return Some(known);
        }
        let up: Vec<&String> = fit.iter().filter(|name| free.contains_key(*name)).collect();
        let unseen = up.iter().find(|name| self.carried.nodes.get(**name).is_some_and(|node| node.free.is_none()));
        if let (true, Some(unseen)) = (up.len() > 1, unseen) {
            let names = fit.join(", ");
            let text = format!("which of {names} gets it is chosen by free memory, and that of {unseen} is not shown");
            let hint = format!(
                "the token lacks Sys.Audit on /nodes/{unseen} (`trueup setup token` gives it), or the node has not reported yet"
            );
            self.out.unplaced.push(mistake_at(guest.origin(), &["spec", "placement"], "no-node", text).hint(hint));
            return None;
        }
        let best = up.into_iter().max_by_key(|name| (free.get(*name), Reverse(*name)));
        let best = match (best, &fit[..]) {
            (Some(best), _) => best.clone(),
            // There is nothing to choose.
            (None, [only]) if self.carried.nodes.is_empty() => only.clone(),
            (None, _) => {
                let names = fit.join(", ");
                let (text, hint) = match self.carried.nodes.is_empty() {
                    true => (
                        format!("which of {names} gets it is chosen by free memory, and they were not looked at"),
                        "run `trueup lock` where Proxmox VE can be reached, or write `node:` instead",
                    ),
                    false => (format!("none of {names} is up"), "bring one of them up, or let others fit"),
                };
                self.out.unplaced.push(mistake_at(guest.origin(), &["spec", "placement"], "no-node", text).hint(hint));
                return None;
            }
        };
        if let Some((left, Reverse(guests))) = free.get_mut(&best) {
            *left = left.saturating_sub(guest.memory().bytes());
            *guests += 1;
        }
        if fit.len() > 1 {
            // In the words of the step that makes it: a node's name alone stands in many lines.
            let (hostname, _) = guest.hostname();
            self.out.unsettled.insert(format!("{hostname} on {best}"));
        }
        Some(best)
    }
}
