//! Public names: given once, inside the zone, and with a certificate.
use super::{
    claim::{Claim, exclusive},
    spot,
};
use crate::{
    kinds::{Declarations, Declared, tunnel::Tunnel},
    manifest::Diagnostic,
    model::{HostName, Slug},
};
use std::collections::BTreeMap;

pub(super) fn check(declarations: &Declarations, found: &mut Vec<Diagnostic>) {
    let pinned = || declarations.dns_slugs.values().filter_map(|s| Some((s, s.spec.slug.pinned()?)));
    let slugs = pinned().map(|(declared, slug)| Claim {
        key: slug,
        spot: spot(declared, "spec.slug"),
        by: declared.id().to_string(),
    });
    exclusive("duplicate-slug", |slug: &&Slug| format!("the slug `{slug}`"), slugs.collect(), found);

    let mut names: Vec<Claim<String>> = Vec::new();
    if let Some(site) = declarations.site() {
        names.extend(pinned().map(|(declared, slug)| Claim {
            key: format!("{slug}.{}.{}", site.meta.name, site.spec.domain),
            spot: spot(declared, "spec.slug"),
            by: declared.id().to_string(),
        }));
        // Two slugs that are the same were reported as such.
        names.sort_by(|a, b| a.key.cmp(&b.key));
        names.dedup_by(|a, b| a.key == b.key);
    }
    for tunnel in declarations.tunnels.values() {
        names.extend(ingress(tunnel, found));
        if let Some(site) = declarations.site() {
            zone(tunnel, &site.spec.domain, spot(site, "spec.domain"), found);
        }
    }
    exclusive("duplicate-host", |name| format!("the host name {name}"), names, found);
}

/// The host names of a tunnel, each once. Rules of one name differ by their path.
fn ingress(tunnel: &Declared<Tunnel>, found: &mut Vec<Diagnostic>) -> Vec<Claim<String>> {
    let mut rules: BTreeMap<(String, Option<&str>), usize> = BTreeMap::new();
    let mut names: BTreeMap<String, Claim<String>> = BTreeMap::new();
    if tunnel.spec.ingress.is_empty() {
        let mistake = Diagnostic::error("wrong-value", spot(tunnel, "spec.ingress"), "the tunnel has no rule");
        found.push(mistake.hint("write at least one: { host: …, service: … }"));
    }
    for (i, rule) in tunnel.spec.ingress.iter().enumerate() {
        let host = rule.host.to_string();
        let at = spot(tunnel, &format!("spec.ingress.{i}.host"));
        if let Some(path) = &rule.path
            && let Err(error) = regex::Regex::new(path)
        {
            let why = error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let message = format!("the path is not a regular expression: {why}");
            let spot = spot(tunnel, &format!("spec.ingress.{i}.path"));
            found.push(Diagnostic::error("wrong-value", spot, message).hint("write it as ^/gateway/"));
        }
        if let Some(first) = rules.insert((host.clone(), rule.path.as_deref()), i) {
            let message = format!("a rule for {host} and the same path stands here a second time");
            let mistake = Diagnostic::error("duplicate-host", at.clone(), message).label("again here");
            found.push(mistake.other(spot(tunnel, &format!("spec.ingress.{first}.host")), "first here"));
        }
        let claim = Claim { key: host.clone(), spot: at, by: tunnel.id().to_string() };
        names.entry(host).or_insert(claim);
    }
    names.into_values().collect()
}

/// A tunnel's names are records of the Site's zone; deeper than one label they get no certificate from the free plan.
fn zone(tunnel: &Declared<Tunnel>, domain: &HostName, site: crate::manifest::Spot, found: &mut Vec<Diagnostic>) {
    let mut warned: Vec<&HostName> = Vec::new();
    for (i, rule) in tunnel.spec.ingress.iter().enumerate() {
        let at = spot(tunnel, &format!("spec.ingress.{i}.host"));
        match rule.host.name.depth_below(domain).map(|depth| depth + usize::from(rule.host.wildcard)) {
            None => {
                let message = format!("the host name {} is outside the zone {domain}", rule.host);
                let mistake = Diagnostic::error("outside-zone", at, message);
                found.push(
                    mistake.other(site.clone(), "the Site's domain").hint(format!("a name in it ends in .{domain}")),
                );
            }
            Some(depth) if depth >= 2 && !warned.contains(&&rule.host.name) => {
                warned.push(&rule.host.name);
                let message = format!(
                    "{} is {depth} labels below the zone: Cloudflare's free plan has no certificate for it",
                    rule.host
                );
                let mistake = Diagnostic::warning("no-certificate", at, message);
                let hint = format!(
                    "browsers will refuse it, unless the zone has an advanced certificate; a name such as x.{domain} is covered"
                );
                found.push(mistake.hint(hint));
            }
            Some(_) => {}
        }
    }
}
