//! Where guests may be made: some node must fit.
use super::{guest_key_spot, guest_spot, key_spot};
use crate::{
    kinds::{AnyGuest, Declarations},
    manifest::{Diagnostic, suggest},
};

pub(super) fn check(declarations: &Declarations, found: &mut Vec<Diagnostic>) {
    for guest in declarations.guests() {
        one(declarations, guest, found);
    }
}

fn one(declarations: &Declarations, guest: AnyGuest<'_>, found: &mut Vec<Diagnostic>) {
    let (Some(placement), Some(site)) = (guest.placement(), declarations.site()) else { return };
    let wrong = |path: &str, message: String| Diagnostic::error("wrong-value", guest_spot(guest, path), message);
    let key = |path: &str| guest_key_spot(guest, path);
    if guest.node().is_some() {
        let message = "`node` and `placement` exclude each other";
        let mistake = Diagnostic::error("wrong-value", key("spec.placement"), message);
        found.push(mistake.other(key("spec.node"), "and this").hint("keep one of them"));
    }
    let nodes = &site.spec.proxmox.nodes;
    let names = || nodes.iter().map(|node| node.name.as_str());
    for (i, name) in placement.nodes.iter().enumerate() {
        if !nodes.is_empty() && !names().any(|known| known == name.as_str()) {
            let mistake = wrong(&format!("spec.placement.nodes.{i}"), format!("the Site has no node `{name}`"));
            let mistake = mistake.other(key_spot(site, "spec.proxmox.nodes"), "the nodes of the Site");
            found.push(
                mistake.maybe_hint(suggest(name.as_str(), names()).map(|meant| format!("did you mean `{meant}`?"))),
            );
        }
    }
    let fit = placement.candidates(&site.spec.proxmox);
    if fit.is_empty() {
        let message = match placement.labels.is_empty() {
            true => "the Site names no nodes, and neither does this".to_owned(),
            false => "no node of the Site has all these labels".to_owned(),
        };
        let mistake = wrong("spec.placement", message).other(key_spot(site, "spec.proxmox.nodes"), "in this");
        found.push(
            mistake.hint("list the nodes of the cluster there: `nodes: [{ name: pve1, labels: { disk: nvme } }]`"),
        );
    }
    let AnyGuest::Machine(machine) = guest else { return };
    if let Some(clone) = machine.spec.clone.as_ref().filter(|clone| clone.node.is_none() && fit.len() > 1) {
        let message = format!("the copy may be made on several nodes, and on which {} lies is not said", clone.from);
        let mistake = Diagnostic::error("missing-field", key("spec.clone"), message).label("in this");
        found.push(mistake.hint(format!("add `node`, that of {}; all must see its storage", clone.from)));
    }
}
