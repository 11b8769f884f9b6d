//! What observations at Cloudflare have to know, from the declarations. Pure.
use super::{
    declared::Declarations,
    dns_slug,
    site::{Cloudflare, Site},
    tunnel::{self, TunnelMode},
};
use crate::resources::{dns_record, tunnel as tunnels, tunnel_configuration};

fn access(declarations: &Declarations) -> Option<(String, &Site, &Cloudflare)> {
    let site = declarations.site()?;
    Some((site.meta.name.to_string(), &site.spec, site.spec.cloudflare.as_ref()?))
}

/// `None`: the Site declares no access to Cloudflare.
pub fn records(declarations: &Declarations) -> Option<dns_record::Scope> {
    let (site, _, access) = access(declarations)?;
    let slugs = declarations.dns_slugs.values().flat_map(|slug| {
        let keys = dns_slug::record::keys(declarations, slug);
        keys.into_keys().filter_map(|key| Some((key, slug.uid.clone()?)))
    });
    let tunnels = declarations.tunnels.values().flat_map(|tunnel| {
        let keys = tunnel::cname::hosts(&tunnel.spec).into_iter().map(|host| tunnel::cname::key(&host));
        keys.filter_map(|key| Some((key, tunnel.uid.clone()?)))
    });
    Some(dns_record::Scope { site, zone: access.zone.clone(), wanted: slugs.chain(tunnels).collect() })
}

/// `None`: the Site declares no access to Cloudflare.
pub fn tunnels(declarations: &Declarations) -> Option<tunnels::Scope> {
    let (site, _, access) = access(declarations)?;
    let adopt = declarations.tunnels.values().filter_map(|t| Some((t.meta.adopt.clone()?, t.uid.clone()?))).collect();
    Some(tunnels::Scope { site, account: access.account.clone(), adopt })
}

/// `None`: the Site declares no access to Cloudflare.
pub fn configurations(declarations: &Declarations) -> Option<tunnel_configuration::Scope> {
    let (_, _, access) = access(declarations)?;
    let shared = declarations.tunnels.values().filter(|tunnel| tunnel.spec.mode == TunnelMode::Shared);
    Some(tunnel_configuration::Scope {
        tunnels: tunnels(declarations)?,
        zone: access.zone.clone(),
        shared: shared.filter_map(|tunnel| tunnel.uid.clone()).collect(),
    })
}
