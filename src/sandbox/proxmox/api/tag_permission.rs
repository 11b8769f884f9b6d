//! What one must be allowed to in order to give tags to a guest and take them away (`assert_tag_permissions`,
//! pve-guest-common).
use crate::sandbox::proxmox::{
    access::Who,
    refusal::{Refusal, Result},
    schema::split_list,
    world::World,
};
use std::collections::BTreeSet;

/// `VM.Config.Options` on the guest; and what `user-tag-access` and `registered-tags` of the cluster leave to those who lack
/// Sys.Modify on `/`.
///
/// # Errors
/// 403.
pub fn check(world: &World, who: &Who, vmid: u32, old: &str, new: &str) -> Result<()> {
    let state = &world.state;
    state.demand(who, &format!("/vms/{vmid}"), &["VM.Config.Options"])?;
    let (old, new): (BTreeSet<String>, BTreeSet<String>) =
        (split_list(old).into_iter().collect(), split_list(new).into_iter().collect());
    let open = Open::to(world, who);
    match old.symmetric_difference(&new).find(|tag| !open.is_to(tag)) {
        Some(tag) => Err(Refusal::denied(format!("/, Sys.Modify for modifying tag '{tag}'"))),
        None => Ok(()),
    }
}

/// The tags that somebody may give to guests and has reason to know, in order (`get_allowed_tags`).
pub fn allowed(world: &World, who: &Who) -> Vec<String> {
    let Open { listed, registered, privileged, .. } = Open::to(world, who);
    let known = if privileged { &listed | &registered } else { &listed - &registered };
    known.into_iter().collect()
}

/// The tags that somebody may give and take.
struct Open {
    any: bool,
    listed: BTreeSet<String>,
    registered: BTreeSet<String>,
    /// Whether they hold Sys.Modify, before which nothing is closed.
    privileged: bool,
}

impl Open {
    fn to(world: &World, who: &Who) -> Self {
        let option = |name: &str| world.state.options.get(name).map_or("", String::as_str);
        let access = option("user-tag-access");
        let part = |name: &str| access.split(',').find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
        let allow = part("user-allow").unwrap_or("free");
        let privileged = world.state.may(who, "/", &["Sys.Modify"], false);
        let mut listed = BTreeSet::new();
        if privileged || allow != "none" {
            let list = part("user-allow-list").unwrap_or_default().split(';');
            listed.extend(list.filter(|tag| !tag.is_empty()).map(str::to_owned));
        }
        if privileged || matches!(allow, "free" | "existing") {
            let audits = |vmid: &u32| world.state.may(who, &format!("/vms/{vmid}"), &["VM.Audit"], false);
            let guests = world.state.guests.iter().filter(|(vmid, _)| privileged || audits(vmid));
            listed.extend(guests.filter_map(|(_, guest)| guest.conf.get("tags")).flat_map(|tags| split_list(tags)));
        }
        let registered = split_list(option("registered-tags")).into_iter().collect();
        Self { any: allow == "free", listed, registered, privileged }
    }

    fn is_to(&self, tag: &String) -> bool {
        self.privileged || (self.any || self.listed.contains(tag)) && !self.registered.contains(tag)
    }
}
