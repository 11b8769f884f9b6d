//! From declared tunnels to their ingress documents.
use super::{Ingress, Tunnel, TunnelMode, cname};
use crate::{
    kinds::declared::Declarations,
    model::{Observed, Ready, Resource, Wanted, Wants},
    resources::{
        World, dns_record, tunnel,
        tunnel_configuration::{Desired, Rule, TunnelConfiguration},
    },
};

/// What all declarations want.
pub fn configuration(
    declarations: &Declarations,
    _: &Observed<TunnelConfiguration>,
    _: &World,
) -> Wants<TunnelConfiguration> {
    let mut wants = Wants::default();
    for declared in declarations.tunnels.values() {
        let Some(mark) = declarations.mark(declared, None) else { continue };
        let shared = declared.spec.mode == TunnelMode::Shared;
        let mut needs = vec![tunnel::Tunnel::of(&mark.uid)];
        if shared {
            // There a rule is known as ours by its name's record, so the record comes first.
            let hosts = cname::hosts(&declared.spec).into_iter();
            needs.extend(hosts.map(|host| dns_record::DnsRecord::id(&cname::key(&host))));
        }
        let desired =
            Desired { shared, rules: rules(&declared.spec), otherwise: declared.spec.otherwise.to_string(), needs };
        // The mark is the tunnel's, which is adopted by its own step.
        let ready = Ready { mark: mark.clone(), adopt: false, mode: declared.meta.mode, desired };
        wants.add(mark.uid, Wanted::Ready(ready));
    }
    wants
}

/// In the order in which they are tried: exact names before wildcards, longer wildcards before shorter ones, longer paths
/// before shorter ones, a rule without a path last of its name.
fn rules(tunnel: &Tunnel) -> Vec<Rule> {
    let mut rules: Vec<&Ingress> = tunnel.ingress.iter().collect();
    rules.sort_by_key(|rule| {
        let depth = std::cmp::Reverse(rule.host.to_string().split('.').count());
        let path = std::cmp::Reverse(rule.path.as_ref().map_or(0, String::len));
        let wildcard_depth = rule.host.wildcard.then_some(depth);
        (rule.host.wildcard, wildcard_depth, rule.host.to_string(), path, rule.path.clone())
    });
    rules
        .into_iter()
        .map(|rule| Rule {
            host: rule.host.to_string(),
            path: rule.path.clone().filter(|path| !path.is_empty()),
            service: rule.service.to_string(),
        })
        .collect()
}
