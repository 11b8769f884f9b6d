//! From a Gateway to its nftables table.
use crate::{
    kinds::{Declarations, gateway::Gateway},
    model::{Note, Observed, Ready, Resource, Wanted, Wants},
    providers::nftables::Rules,
    resources::{
        World,
        gateway_table::{GatewayTable, Scope, Table},
    },
};

/// The table is looked at wherever the node can be reached: what an earlier Gateway left there is to be seen.
pub fn scope(declarations: &Declarations) -> Option<Scope> {
    let site = declarations.site()?;
    site.spec.host.is_some().then(|| Scope { site: site.meta.name.to_string() })
}

/// One table for each Gateway; two of them on one node want the same one, which is a conflict.
pub fn table(declarations: &Declarations, _: &Observed<GatewayTable>, _: &World) -> Wants<GatewayTable> {
    let mut wants = Wants::default();
    for declared in declarations.gateways.values() {
        let Some(mark) = declarations.mark(declared, None) else { continue };
        match rules(&declared.spec) {
            Ok(desired) => {
                let (adopt, mode) = (declared.meta.adopt.is_some(), declared.meta.mode);
                wants.add(Table, Wanted::Ready(Ready { mark, adopt, mode, desired }));
            }
            Err(text) => wants.conflicts.push(Note {
                object: GatewayTable::id(&Table),
                declared: Some(declared.id()),
                text,
                hint: Some("correct it in the manifest".into()),
            }),
        }
    }
    wants
}

fn rules(gateway: &Gateway) -> Result<Rules, String> {
    let rules = Rules {
        public_addresses: gateway.public_addresses.iter().copied().collect(),
        public_interface: gateway.public_interface.as_str().parse()?,
        guest_networks: gateway.guest_networks.iter().map(|network| network.net()).collect(),
        host_tcp: gateway.host_ports.tcp.iter().map(|port| port.get()).collect(),
        host_udp: gateway.host_ports.udp.iter().map(|port| port.get()).collect(),
    };
    rules.check()?;
    Ok(rules)
}
