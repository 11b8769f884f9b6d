//! From a DnsSlug to the file that routes HTTPS to its guest.
use super::DnsSlug;
use crate::{
    kinds::{
        Declarations, Declared,
        gateway::{GuestAddress, guest_address4, guest_address6},
    },
    model::{Found, HostName, Mark, Note, Observed, Ready, Resource, Waiting, Wanted, Wants},
    resources::{
        World,
        guest::Guest,
        traefik_file::{Desired, FileName, Live, Scope, TraefikFile},
    },
};
use std::net::SocketAddr;

/// Where guests answer HTTPS.
const HTTPS: u16 = 443;

/// Files are looked at where the Gateway says that there is a Traefik.
pub fn scope(declarations: &Declarations) -> Option<Scope> {
    declarations.gateway()?.spec.traefik.as_ref()?;
    Some(Scope { site: declarations.site()?.meta.name.to_string() })
}

/// The public name of a slug: `k7m2p4.dc-lk.decent-cloud.org`.
pub fn host_name(declarations: &Declarations, declared: &Declared<DnsSlug>) -> Option<HostName> {
    let site = declarations.site()?;
    format!("{}.{}.{}", declarations.slug(declared)?, site.meta.name, site.spec.domain).parse().ok()
}

/// One file for each slug; and what files of others do to them.
pub fn route(declarations: &Declarations, observed: &Observed<TraefikFile>, earlier: &World) -> Wants<TraefikFile> {
    let mut wants = Wants::default();
    for declared in declarations.dns_slugs.values() {
        let Some(mark) = mark(declarations, declared) else { continue };
        let key = FileName::of(&mark);
        match wanted(declarations, observed, earlier, declared, mark) {
            Ok(Some(wanted)) => wants.add(key, wanted),
            Ok(None) => {}
            Err(Obstacle { text, hint }) => {
                let object = TraefikFile::id(&key);
                wants.conflicts.push(Note { object, declared: Some(declared.id()), text, hint });
            }
        }
    }
    wants.conflicts.extend(refused(observed));
    wants
}

fn mark(declarations: &Declarations, declared: &Declared<DnsSlug>) -> Option<Mark> {
    let guest = declarations.guest(&declared.spec.guest)?;
    declarations.mark(declared, guest.uid().cloned())
}

/// Why a route cannot be.
struct Obstacle {
    text: String,
    hint: Option<String>,
}

impl From<String> for Obstacle {
    fn from(text: String) -> Self {
        Self { text, hint: None }
    }
}

fn wanted(
    declarations: &Declarations,
    observed: &Observed<TraefikFile>,
    earlier: &World,
    declared: &Declared<DnsSlug>,
    mark: Mark,
) -> Result<Option<Wanted<Desired>>, Obstacle> {
    let serves = declarations.guest(&declared.spec.guest);
    let (Some(serves), Some(host)) = (serves, host_name(declarations, declared)) else { return Ok(None) };
    let Some(guest) = serves.vmid(declarations) else { return Ok(None) };
    let Some(gateway) = declarations.gateway().filter(|gateway| gateway.spec.traefik.is_some()) else {
        return Err("there is no Gateway with a Traefik".to_owned().into());
    };
    if let Some((file, claim)) = claimed(observed, &host) {
        let before = if claim.ends_tls { "it ends TLS and goes before every passthrough: " } else { "" };
        return Err(Obstacle {
            text: format!("{host} is routed by {} in {file} of the dynamic directory", claim.router),
            hint: Some(format!("{before}remove it there, or choose another slug")),
        });
    }
    let live = earlier.ours::<Guest>(&guest);
    let networks = &gateway.spec.guest_networks;
    let addresses = [guest_address4(serves, live, networks), guest_address6(serves, live, networks)];
    let key = FileName::of(&mark);
    // A guest that stands, stays, and has no address now (it is stopped): its route stays as it is.
    let kept = || {
        let Found::Ours(ours) = observed.complete()?.get(&key)? else { return None };
        let same = live.is_some() && ours.live.guest == Some(guest);
        ours.live.target.filter(|_| same).map(|target| target.ip())
    };
    let pending = addresses.contains(&GuestAddress::Pending);
    let address = addresses.iter().find_map(|found| found.address()).or_else(|| pending.then(kept).flatten());
    let name = &serves.meta().name;
    Ok(Some(match address {
        Some(address) => Wanted::Ready(Ready {
            mark,
            adopt: declared.meta.adopt.as_ref() == Some(&key.0),
            mode: declared.meta.mode,
            desired: Desired { guest, hosts: [host].into(), target: SocketAddr::new(address, HTTPS) },
        }),
        None if pending => Wanted::Waiting(Waiting {
            declared: declared.id(),
            on: Guest::id(&guest),
            sketch: format!("{host} to the address that {name} gets"),
        }),
        None => {
            let within: Vec<String> = networks.iter().map(ToString::to_string).collect();
            return Err(format!("{name} has no address in {}", within.join(" or ")).into());
        }
    }))
}

fn foreign(observed: &Observed<TraefikFile>) -> impl Iterator<Item = (&FileName, &Live)> {
    observed.complete().into_iter().flatten().filter_map(|(name, found)| match found {
        Found::Foreign(foreign) => Some((name, &foreign.live)),
        _ => None,
    })
}

/// A file of others that asks for this name.
fn claimed<'a>(
    observed: &'a Observed<TraefikFile>,
    host: &HostName,
) -> Option<(&'a FileName, &'a crate::providers::traefik::Claim)> {
    foreign(observed).find_map(|(name, live)| Some((name, live.claims.iter().find(|c| c.host == host.as_str())?)))
}

/// Files of others that Traefik refuses, and with them everything that we write.
fn refused(observed: &Observed<TraefikFile>) -> impl Iterator<Item = Note> {
    foreign(observed).filter_map(|(name, live)| {
        Some(Note {
            object: TraefikFile::id(name),
            declared: None,
            text: live.refused.clone()?,
            hint: Some("correct or remove it; it is not ours to change".into()),
        })
    })
}
