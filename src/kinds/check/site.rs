//! The Site, and what other kinds need of it.
use super::{Whole, key_spot, spot};
use crate::{
    kinds::{Declared, Spec, gateway::Gateway, site::Host},
    manifest::{Diagnostic, Spot, suggest},
    model::SiteId,
};
use std::str::FromStr;

pub(super) fn check(whole: &Whole<'_>, found: &mut Vec<Diagnostic>) {
    let declarations = whole.declarations;
    if !whole.has("Site") {
        let mistake = Diagnostic::general("no-site", "there is no Site among the manifests");
        found.push(
            mistake.hint("add one manifest of kind Site: it says where Proxmox answers and which domain is used"),
        );
    }
    one("Site", declarations.sites.values(), found);
    one("Gateway", declarations.gateways.values(), found);
    for site in declarations.sites.values() {
        let name = site.meta.name.as_str();
        if let Err(why) = SiteId::from_str(name) {
            found.push(
                Diagnostic::error("site-id", spot(site, "metadata.name"), why)
                    .hint("a site id is a short word such as dc-lk"),
            );
        }
        proxmox(site, found);
        timezone(&site.spec.timezone, spot(site, "spec.timezone"), found);
        if let Some(cloudflare) = &site.spec.cloudflare {
            for (field, id) in [("account", &cloudflare.account), ("zone", &cloudflare.zone)] {
                if id.len() != 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
                    let message = format!("`{id}` is not an id at Cloudflare");
                    let mistake =
                        Diagnostic::error("wrong-value", spot(site, &format!("spec.cloudflare.{field}")), message);
                    found
                        .push(mistake.hint(
                            "it has 32 hexadecimal digits; the dashboard shows it on the overview of the domain",
                        ));
                }
            }
        }
        if let Some(Host::Ssh(host)) = &site.spec.host {
            let parts = host.ssh.split_once('@').filter(|(user, name)| !user.is_empty() && !name.is_empty());
            let plain = !host.ssh.starts_with('-') && !host.ssh.contains(char::is_whitespace);
            if parts.is_none() || !plain {
                let message = format!("`{}` is not user@host", host.ssh);
                found.push(
                    Diagnostic::error("wrong-value", spot(site, "spec.host.ssh"), message)
                        .hint("write it as root@10.0.1.1"),
                );
            }
        }
    }
}

/// Everything but the first of what there may be only one of.
fn one<'a, S: Spec>(kind: &str, all: impl Iterator<Item = &'a Declared<S>>, found: &mut Vec<Diagnostic>) {
    let mut spots: Vec<Spot> = all.map(|declared| spot(declared, "metadata.name")).collect();
    spots.sort_by_key(|spot| (spot.file.path().to_owned(), spot.span.start));
    if let Some((first, again)) = spots.split_first() {
        for spot in again {
            let mistake = Diagnostic::error("one-only", spot.clone(), format!("there is more than one {kind}"));
            let mistake = mistake.label("again here").other(first.clone(), "first here");
            found.push(match kind {
                Gateway::KIND => mistake.hint("several Gateways in one site are not supported yet"),
                _ => mistake.hint("keep each site in a directory of its own"),
            });
        }
    }
}

fn proxmox(site: &Declared<crate::kinds::site::Site>, found: &mut Vec<Diagnostic>) {
    let proxmox = &site.spec.proxmox;
    if proxmox.endpoints.is_empty() {
        let mistake = Diagnostic::error("wrong-value", spot(site, "spec.proxmox.endpoints"), "there is no endpoint");
        found.push(mistake.hint("write the address of at least one node: https://10.0.1.1:8006"));
    }
    for (index, endpoint) in proxmox.endpoints.iter().enumerate() {
        if !endpoint.is_https() {
            let spot = spot(site, &format!("spec.proxmox.endpoints.{index}"));
            let mistake = Diagnostic::error("wrong-value", spot, "Proxmox answers over HTTPS only");
            found.push(mistake.hint(format!("write {}", endpoint.to_string().replacen("http:", "https:", 1))));
        }
    }
    let Some(fingerprints) = &proxmox.fingerprint else { return };
    let is_one = |text: &String| {
        let bytes: Vec<&str> = text.split(':').collect();
        bytes.len() == 32 && bytes.iter().all(|b| b.len() == 2 && b.bytes().all(|c| c.is_ascii_hexdigit()))
    };
    if fingerprints.all().is_empty() || !fingerprints.all().iter().all(is_one) {
        let spot = spot(site, "spec.proxmox.fingerprint");
        let mistake = Diagnostic::error("wrong-value", spot, "this is not a SHA-256 fingerprint");
        found.push(mistake.hint(
            "it has 32 bytes with colons between: `openssl x509 -noout -fingerprint -sha256 -in pveproxy-ssl.pem`",
        ));
    }
    if proxmox.ca.is_some() {
        let mistake = Diagnostic::error(
            "wrong-value",
            key_spot(site, "spec.proxmox.fingerprint"),
            "`ca` and `fingerprint` exclude each other",
        );
        found.push(mistake.other(key_spot(site, "spec.proxmox.ca"), "and this").hint("keep one of them"));
    }
}

/// Whether the time zone is one of the time zone database.
pub(super) fn timezone(name: &str, spot: Spot, found: &mut Vec<Diagnostic>) {
    // The database of this program, not of this machine: the same manifests are right everywhere.
    let zones = jiff::tz::TimeZoneDatabase::bundled();
    if zones.get(name).is_ok_and(|zone| zone.iana_name() == Some(name)) {
        return;
    }
    let mistake = Diagnostic::error("time-zone", spot, format!("`{name}` is not a time zone"));
    let names: Vec<String> = zones.available().map(|zone| zone.to_string()).collect();
    found.push(match suggest(name, names.iter().map(String::as_str)) {
        Some(meant) => mistake.hint(format!("did you mean `{meant}`?")),
        None => mistake.hint("time zones are written as Asia/Colombo, or UTC"),
    });
}
