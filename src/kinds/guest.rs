//! What guests of both kinds want alike.
use super::{any_guest::AnyGuest, container::RestartPolicy, declared::Declarations};
use crate::{
    model::{Name, Note, Resource, Vmid},
    resources::guest::{Guest, Restarts, Scope},
};
use std::collections::BTreeMap;

/// What an observation of guests has to know. `None` without a Site.
pub fn scope(declarations: &Declarations) -> Option<Scope> {
    let site = declarations.site()?.meta.name.to_string();
    // Before the lock knows it, an id may stand in the manifest.
    let said = |guest: AnyGuest<'_>| guest.pinned().or_else(|| guest.meta().adopt.as_ref()?.parse().ok());
    let wanted = declarations.guests().filter_map(|guest| guest.vmid(declarations).or_else(|| said(guest))).collect();
    Some(Scope { site, wanted, keys: keys(declarations) })
}

/// The files of public keys that cloud-init is to give to users: an observation holds them against what is there.
fn keys(declarations: &Declarations) -> BTreeMap<Vmid, String> {
    let all = declarations.virtual_machines.values();
    all.filter_map(|declared| {
        let keys = declared.spec.cloud_init.as_ref()?.ssh_keys.as_ref()?;
        Some((declarations.vmid(declared)?, keys.file.clone()))
    })
    .collect()
}

/// What neither its manifest nor the Site says.
pub(super) fn lacks(guest: AnyGuest<'_>, vmid: Vmid, missing: &str) -> Note {
    if missing == "node" && guest.placement().is_some() {
        return Note {
            object: Guest::id(&vmid),
            declared: Some(guest.id()),
            text: "no node is chosen for it yet".into(),
            hint: Some("run `trueup lock` where Proxmox VE can be reached and a node that fits is up".into()),
        };
    }
    Note {
        object: Guest::id(&vmid),
        declared: Some(guest.id()),
        text: format!("no {missing} is given"),
        hint: Some(format!("give it in the manifest, or in `spec.proxmox.defaults.{missing}` of the Site")),
    }
}

/// Whether and when a guest may be restarted; by the Site's time zone unless the policy names one.
pub(super) fn restarts(declarations: &Declarations, policy: &RestartPolicy) -> Restarts {
    match policy {
        RestartPolicy::Never => Restarts::Never,
        RestartPolicy::WhenNeeded => Restarts::WhenNeeded,
        RestartPolicy::Window(window) => {
            let zone = declarations.site().map_or("UTC", |site| site.spec.timezone.as_str());
            Restarts::Within(window.clone().in_zone(zone))
        }
    }
}

/// Whether something else of the site puts units into it.
pub(super) fn has_units(declarations: &Declarations, guest: &Name) -> bool {
    declarations.sync_schedules.values().any(|s| s.spec.guest == *guest)
        || declarations.tunnels.values().any(|t| t.spec.connector.guest == *guest)
}
