//! From slugs to DNS records: `{slug}.{site}.{domain}` to the public addresses of the Gateway.
use super::DnsSlug;
use crate::{
    kinds::declared::{Declarations, Declared},
    model::{Found, ObjectId, Observation, Observed, Ready, Resource, Wanted, Wants},
    resources::{
        World,
        dns_record::{Desired, DnsRecord, Key},
        guest::Guest,
        traefik_file::{FileName, TraefikFile},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Seconds. Not proxied: Cloudflare's edge would end TLS and carry only its own ports, while guests have their own
/// certificates and any ports.
const TTL: u32 = 300;

/// The full name of a slug; `None` before the lock has one.
pub fn name(declarations: &Declarations, slug: &Declared<DnsSlug>) -> Option<String> {
    let site = declarations.site()?;
    Some(format!("{}.{}.{}", declarations.slug(slug)?, site.meta.name, site.spec.domain))
}

/// The records that a slug wants, by key, with their contents: one key for each family of addresses.
pub fn keys(declarations: &Declarations, slug: &Declared<DnsSlug>) -> BTreeMap<Key, BTreeSet<String>> {
    let mut keys: BTreeMap<Key, BTreeSet<String>> = BTreeMap::new();
    let Some(name) = name(declarations, slug) else { return keys };
    for address in declarations.gateway().into_iter().flat_map(|gateway| &gateway.spec.public_addresses) {
        let kind = match address {
            IpAddr::V4(_) => "A",
            IpAddr::V6(_) => "AAAA",
        };
        keys.entry(Key { name: name.clone(), kind: kind.into() }).or_default().insert(address.to_string());
    }
    keys
}

/// What all slugs want.
pub fn record(declarations: &Declarations, observed: &Observed<DnsRecord>, _: &World) -> Wants<DnsRecord> {
    let mut wants = Wants::default();
    for declared in declarations.dns_slugs.values() {
        let Some(guest) = declarations.guest(&declared.spec.guest) else { continue };
        let Some(mark) = declarations.mark(declared, guest.uid().cloned()) else { continue };
        let uses: Vec<ObjectId> = guest.vmid(declarations).iter().map(Guest::id).collect();
        let route = TraefikFile::id(&FileName::of(&mark));
        for (key, contents) in keys(declarations, declared) {
            let desired = Desired {
                contents,
                ttl: TTL,
                proxied: false,
                needs: vec![route.clone()],
                uses: uses.clone(),
                warning: None,
            };
            let adopt = adopts(declared.meta.adopt.as_deref(), &key, observed);
            let ready = Ready { mark: mark.clone(), adopt, mode: declared.meta.mode, desired };
            wants.add(key, Wanted::Ready(ready));
        }
    }
    wants
}

/// Whether `trueup/adopt` names what holds this key: the key as conflicts show it, the name, or Cloudflare's id of a
/// record.
pub fn adopts(annotation: Option<&str>, key: &Key, observed: &Observed<DnsRecord>) -> bool {
    let Some(text) = annotation else { return false };
    let by_id = || match observed {
        Observation::Complete(all) => match all.get(key) {
            Some(Found::Foreign(foreign)) => foreign.live.records.iter().any(|held| held.id == text),
            _ => false,
        },
        Observation::Unavailable { .. } => false,
    };
    text == key.to_string() || text.trim_end_matches('.').eq_ignore_ascii_case(&key.name) || by_id()
}
