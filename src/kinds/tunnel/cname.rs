//! From declared tunnels to the records that lead to them.
use super::{Tunnel, TunnelMode, connector};
use crate::{
    kinds::{declared::Declarations, dns_slug},
    model::{HostPattern, ObjectId, Observed, Ready, Resource, Waiting, Wanted, Wants},
    resources::{
        World,
        dns_record::{Desired, DnsRecord, Key},
        guest_unit::GuestUnit,
        tunnel, tunnel_configuration,
    },
};
use std::collections::BTreeSet;

/// The host names of a tunnel, each once.
pub fn hosts(tunnel: &Tunnel) -> BTreeSet<HostPattern> {
    tunnel.ingress.iter().map(|rule| rule.host.clone()).collect()
}

/// The key of a host name's record.
pub fn key(host: &HostPattern) -> Key {
    Key { name: host.to_string(), kind: "CNAME".into() }
}

/// What all declarations want. The target holds the id of the tunnel, so a record waits until the tunnel is there.
pub fn cname(declarations: &Declarations, observed: &Observed<DnsRecord>, earlier: &World) -> Wants<DnsRecord> {
    let mut wants = Wants::default();
    for declared in declarations.tunnels.values() {
        let Some(mark) = declarations.mark(declared, None) else { continue };
        let tunnel = tunnel::Tunnel::of(&mark.uid);
        let live = earlier.ours::<tunnel::Tunnel>(&mark.uid);
        for host in hosts(&declared.spec) {
            let key = key(&host);
            let wanted = match live {
                None => Wanted::Waiting(Waiting {
                    declared: declared.id(),
                    on: tunnel.clone(),
                    sketch: "CNAME to the tunnel's id.cfargotunnel.com, proxied".into(),
                }),
                Some(live) => {
                    // The name comes when it is answered, but in a shared tunnel, where it is what makes its rule ours.
                    let mut needs: Vec<ObjectId> =
                        connector::unit(declarations, declared).iter().map(GuestUnit::id).collect();
                    if declared.spec.mode == TunnelMode::Exclusive {
                        needs.push(tunnel_configuration::TunnelConfiguration::of(&mark.uid));
                    }
                    let desired = Desired {
                        contents: BTreeSet::from([tunnel::Tunnel::target(live)]),
                        // A name leads to a tunnel only through Cloudflare's edge, and then its TTL is always automatic.
                        ttl: 1,
                        proxied: true,
                        needs,
                        uses: vec![tunnel.clone()],
                        warning: without_certificate(declarations, &host),
                    };
                    let adopt = dns_slug::record::adopts(declared.meta.adopt.as_deref(), &key, observed);
                    Wanted::Ready(Ready { mark: mark.clone(), adopt, mode: declared.meta.mode, desired })
                }
            };
            wants.add(key, wanted);
        }
    }
    wants
}

/// Cloudflare's free certificate covers the zone and one label below it. Deeper proxied names meet a TLS error that no
/// API call shows.
fn without_certificate(declarations: &Declarations, host: &HostPattern) -> Option<String> {
    let zone = &declarations.site()?.spec.domain;
    let depth = host.name.depth_below(zone)? + usize::from(host.wildcard);
    (depth > 1).then(|| {
        format!(
            "no certificate: {host} is {depth} labels below {zone}, and Cloudflare's free certificate covers one; use a \
             shorter name or Advanced Certificate Manager"
        )
    })
}
