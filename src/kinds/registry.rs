//! THE list: what exists, in building order, and which declarations it comes from.
//!
//! Each resource may read the settled inventories of those above it; the order of the steps comes from `needs` and `uses`
//! alone. A new kind costs a folder and a word or a line here; a new resource one folder more.
use super::{
    cloudflare_scope, container, declared::Declarations, dns_slug, gateway, guest, port_allocation, sync_schedule,
    template, tunnel, virtual_machine,
};
use crate::resources::{
    AnyResource, Of,
    dns_record::DnsRecord,
    forwards::Forwards,
    gateway_table::GatewayTable,
    guest::Guest,
    guest_unit::{self, GuestUnit},
    template_volume::TemplateVolume,
    traefik_file::TraefikFile,
    tunnel::Tunnel,
    tunnel_configuration::TunnelConfiguration,
};

/// In building order.
pub const RESOURCES: &[&dyn AnyResource<Declarations>] = &[
    &Of::<TemplateVolume, _> { scope: template::volume::scope, from: &[template::volume::volume] },
    &Of::<Guest, _> { scope: guest::scope, from: &[container::guest::guest, virtual_machine::guest::guest] },
    &Of::<Tunnel, _> { scope: cloudflare_scope::tunnels, from: &[tunnel::tunnel::tunnel] },
    &Of::<TunnelConfiguration, _> {
        scope: cloudflare_scope::configurations,
        from: &[tunnel::configuration::configuration],
    },
    &Of::<GuestUnit, _> { scope: units, from: &[tunnel::connector::connector, sync_schedule::timer::timer] },
    &Of::<GatewayTable, _> { scope: gateway::table::scope, from: &[gateway::table::table] },
    &Of::<Forwards, _> { scope: port_allocation::forwards::scope, from: &[port_allocation::forwards::forwards] },
    &Of::<TraefikFile, _> { scope: dns_slug::route::scope, from: &[dns_slug::route::route] },
    &Of::<DnsRecord, _> { scope: cloudflare_scope::records, from: &[dns_slug::record::record, tunnel::cname::cname] },
];

/// What an observation of units has to know, from all kinds that yield any.
fn units(declarations: &Declarations) -> Option<guest_unit::Scope> {
    let site = declarations.site()?;
    let account = site.spec.cloudflare.as_ref().map(|cloudflare| cloudflare.account.clone());
    let mut scope = guest_unit::Scope { site: site.meta.name.to_string(), account, ..Default::default() };
    tunnel::connector::extend(&mut scope, declarations);
    sync_schedule::timer::extend(&mut scope, declarations);
    Some(scope)
}
