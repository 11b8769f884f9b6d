//! Which guests are to be imported.
use super::Refused;
use crate::{kinds::coverage::Named, model::Vmid, providers::proxmox::Guest};
use std::collections::BTreeSet;

/// What a person chose. Guests that match any part of it are chosen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Choice {
    pub vmids: BTreeSet<u32>,
    pub tag: Option<String>,
    pub pool: Option<String>,
    pub all: bool,
}

impl Choice {
    /// The chosen ones of all guests that are there. Those that a manifest names already are said only where they were
    /// chosen by their id.
    pub fn of(&self, listed: &[Guest], named: &Named) -> (Vec<Guest>, Vec<Refused>) {
        let (mut chosen, mut refused) = (vec![], vec![]);
        for guest in listed.iter().filter(|guest| self.matches(guest)) {
            let refuse = |why: &str| Refused { vmid: guest.vmid, name: guest.name.clone(), why: why.into() };
            match Vmid::try_from(guest.vmid) {
                _ if named.has_guest(guest.vmid) => {
                    let asked = self.vmids.contains(&guest.vmid);
                    refused.extend(asked.then(|| refuse("a manifest names it already")));
                }
                Ok(_) => chosen.push(guest.clone()),
                Err(why) => refused.push(refuse(&why)),
            }
        }
        let there: BTreeSet<u32> = listed.iter().map(|guest| guest.vmid).collect();
        let missing = self.vmids.difference(&there);
        refused.extend(missing.map(|vmid| Refused { vmid: *vmid, name: None, why: "there is no such guest".into() }));
        (chosen, refused)
    }

    fn matches(&self, guest: &Guest) -> bool {
        let tagged = self.tag.as_ref().is_some_and(|tag| guest.tags.contains(&tag.to_ascii_lowercase()));
        let pooled = self.pool.is_some() && guest.pool == self.pool;
        self.all || tagged || pooled || self.vmids.contains(&guest.vmid)
    }
}
