//! References, and what a kind needs beside it.
use super::{Whole, spot};
use crate::{
    kinds::{Declared, Spec, container::TemplateSource, virtual_machine::ImageSource},
    manifest::{Diagnostic, suggest},
    model::Name,
};
use std::collections::BTreeSet;

/// What `guest:` may name.
const GUESTS: &[&str] = &["Container", "VirtualMachine"];

pub(super) fn check(whole: &Whole<'_>, found: &mut Vec<Diagnostic>) {
    let declarations = whole.declarations;
    for container in declarations.containers.values() {
        if let Some(TemplateSource::Declared(name)) = &container.spec.template {
            leads(whole, container, "spec.template", &["Template"], name, found);
        }
    }
    for allocation in declarations.port_allocations.values() {
        leads(whole, allocation, "spec.guest", GUESTS, &allocation.spec.guest, found);
        needs_gateway(whole, allocation, found);
    }
    for slug in declarations.dns_slugs.values() {
        leads(whole, slug, "spec.guest", GUESTS, &slug.spec.guest, found);
        needs_gateway(whole, slug, found);
        needs_proxy(whole, slug, found);
        needs_site(whole, slug, "cloudflare", found);
    }
    for machine in declarations.virtual_machines.values() {
        for (i, disk) in machine.spec.disks.iter().enumerate() {
            if let Some(ImageSource::Declared(name)) = &disk.image {
                leads(whole, machine, &format!("spec.disks.{i}.image"), &["Template"], name, found);
            }
        }
    }
    for tunnel in declarations.tunnels.values() {
        leads(whole, tunnel, "spec.connector.guest", GUESTS, &tunnel.spec.connector.guest, found);
        needs_site(whole, tunnel, "cloudflare", found);
        needs_site(whole, tunnel, "host", found);
    }
    for schedule in declarations.sync_schedules.values() {
        leads(whole, schedule, "spec.guest", GUESTS, &schedule.spec.guest, found);
        needs_site(whole, schedule, "host", found);
    }
    for gateway in declarations.gateways.values() {
        needs_site(whole, gateway, "host", found);
    }
    renamed(whole, &declarations.gateways, found);
    renamed(whole, &declarations.containers, found);
    renamed(whole, &declarations.virtual_machines, found);
    renamed(whole, &declarations.port_allocations, found);
    renamed(whole, &declarations.dns_slugs, found);
    renamed(whole, &declarations.tunnels, found);
    renamed(whole, &declarations.sync_schedules, found);
}

/// Whether something of that kind and name is declared.
fn leads<S: Spec>(
    whole: &Whole<'_>,
    from: &Declared<S>,
    path: &str,
    kinds: &[&'static str],
    name: &Name,
    found: &mut Vec<Diagnostic>,
) {
    let names: BTreeSet<String> = kinds.iter().filter_map(|kind| whole.named.get(kind)).flatten().cloned().collect();
    let kind = kinds.join(" or ");
    if names.contains(name.as_str()) {
        return;
    }
    let mistake = Diagnostic::error("reference", spot(from, path), format!("there is no {kind} `{name}`"));
    found.push(match suggest(name.as_str(), names.iter().map(String::as_str)) {
        Some(meant) => mistake.hint(format!("did you mean `{meant}`?")),
        None if names.is_empty() => mistake.hint(format!("no {kind} is declared at all")),
        None => mistake.hint(format!("declare one, or name one that there is: {}", few(&names))),
    });
}

/// Some of the names; a list of a thousand helps nobody.
fn few(names: &BTreeSet<String>) -> String {
    let first: Vec<&str> = names.iter().take(6).map(String::as_str).collect();
    match names.len() - first.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

fn needs_gateway<S: Spec>(whole: &Whole<'_>, declared: &Declared<S>, found: &mut Vec<Diagnostic>) {
    if !whole.has("Gateway") {
        let mistake = Diagnostic::error(
            "reference-gateway",
            spot(declared, "metadata.name"),
            format!("a {} needs a Gateway, and none is declared", S::KIND),
        );
        found.push(mistake.hint("add a manifest of kind Gateway: it has the public addresses and the range of ports"));
    }
}

fn needs_proxy<S: Spec>(whole: &Whole<'_>, declared: &Declared<S>, found: &mut Vec<Diagnostic>) {
    if let Some(gateway) = whole.declarations.gateway().filter(|gateway| gateway.spec.traefik.is_none()) {
        let mistake = Diagnostic::error(
            "reference-traefik",
            spot(declared, "metadata.name"),
            format!("a {} needs a reverse proxy, and the Gateway has none", S::KIND),
        );
        found.push(
            mistake.other(spot(gateway, "metadata.name"), "this has no `traefik`").hint("add `traefik` to the Gateway"),
        );
    }
}

fn needs_site<S: Spec>(whole: &Whole<'_>, declared: &Declared<S>, field: &str, found: &mut Vec<Diagnostic>) {
    let Some(site) = whole.declarations.site() else { return };
    let there = match field {
        "cloudflare" => site.spec.cloudflare.is_some(),
        _ => site.spec.host.is_some(),
    };
    if !there {
        let message = format!("a {} needs `{field}` of the Site, which is not given", S::KIND);
        let mistake = Diagnostic::error("reference-site", spot(declared, "metadata.name"), message);
        let mistake = mistake.other(spot(site, "metadata.name"), format!("this has no `{field}`"));
        found.push(mistake.hint(format!("add `{field}` to the spec of the Site")));
    }
}

/// The old name may not be in use: two objects would claim one past.
fn renamed<S: Spec>(
    whole: &Whole<'_>,
    all: &std::collections::BTreeMap<Name, Declared<S>>,
    found: &mut Vec<Diagnostic>,
) {
    let mut claims = Vec::new();
    for declared in all.values() {
        let Some(old) = &declared.meta.renamed_from else { continue };
        let at = spot(declared, "metadata.annotations.trueup/renamed-from");
        if whole.named.get(S::KIND).is_some_and(|names| names.contains(old.as_str())) {
            let message = format!("the {} `{old}` is still declared, so it cannot have been renamed", S::KIND);
            let mistake = Diagnostic::error("renamed-from", at.clone(), message);
            let still = all.get(old).map(|still| spot(still, "metadata.name"));
            found.push(match still {
                Some(still) => mistake.other(still, "declared here"),
                None => mistake,
            });
        }
        claims.push(super::claim::Claim { key: old, spot: at, by: declared.id().to_string() });
    }
    super::claim::exclusive("renamed-from", |old| format!("the old name `{old}`"), claims, found);
}
