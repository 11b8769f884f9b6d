//! From what was observed to what it carries.
use super::{Carried, CarriedGuest};
use crate::{
    kinds::{declared::Spec, dns_slug::DnsSlug},
    ledger::Block,
    model::{Found, Ours, Resource},
    resources::{
        World, dns_record::DnsRecord, forwards::Forwards, gateway_table::GatewayTable, guest::Guest,
        guest_unit::GuestUnit, traefik_file::TraefikFile, tunnel::Tunnel,
    },
};

impl Carried {
    /// What the marks and contents of observed objects say. An inventory that could not be looked at says nothing.
    /// `gateway`: the name of the one Gateway, which marks of forwards have no room for.
    pub fn of(world: &World, gateway: Option<&str>) -> Self {
        let mut out = Self::default();
        out.guests(world);
        out.identities::<Guest>(world);
        out.identities::<Tunnel>(world);
        out.identities::<GuestUnit>(world);
        out.identities::<GatewayTable>(world);
        out.identities::<Forwards>(world);
        out.identities::<TraefikFile>(world);
        out.identities::<DnsRecord>(world);
        for (base, forwards) in ours::<Forwards>(world) {
            let Some(gateway) = gateway else { break };
            let block = Block { gateway: gateway.into(), base: base.0, size: forwards.live.size };
            out.blocks.push((block, forwards.mark.uid.clone()));
        }
        let routes = ours::<TraefikFile>(world)
            .flat_map(|(_, file)| file.live.hosts.iter().map(move |host| (host.to_string(), &file.mark)));
        let records = ours::<DnsRecord>(world).map(|(key, record)| (key.name.clone(), &record.mark));
        for (name, mark) in routes.chain(records) {
            // Other kinds have names in the zone too, and a name's first label is a slug only where it is a DnsSlug's.
            let slugs = mark.declared.as_ref().is_some_and(|declared| declared.kind == DnsSlug::KIND);
            if let (true, Some(Ok(slug))) = (slugs, name.split('.').next().map(str::parse)) {
                out.slugs.entry(slug).or_insert_with(|| mark.uid.clone());
            }
        }
        out
    }

    /// Where two objects disagree, what is built first is believed.
    fn identities<R: Resource>(&mut self, world: &World) {
        for (_, object) in ours::<R>(world) {
            if let Some(declared) = &object.mark.declared {
                self.uids.entry(declared.clone()).or_insert_with(|| object.mark.uid.clone());
            }
        }
    }

    fn guests(&mut self, world: &World) {
        for (vmid, found) in world.seen::<Guest>().into_iter().flatten() {
            let (uid, live) = match found {
                Found::Ours(ours) => (Some(ours.mark.uid.clone()), Some(&ours.live)),
                Found::Foreign(foreign) => (None, Some(&foreign.live)),
                Found::Duplicates(_) => (None, None),
            };
            let interfaces = live.into_iter().flat_map(|live| live.interfaces().into_values());
            let of_containers = interfaces.filter_map(|i| Some((i.name, i.mac?.parse().ok()?)));
            let cards = live.into_iter().flat_map(|live| live.cards());
            let of_machines = cards.filter_map(|(n, card)| Some((format!("net{n}"), card.mac?.parse().ok()?)));
            let macs = of_containers.chain(of_machines).collect();
            let node = live.map(|live| live.node.clone());
            self.guests.insert(vmid.get(), CarriedGuest { uid, macs, node });
        }
    }
}

/// All objects of ours of one resource.
fn ours<R: Resource>(world: &World) -> impl Iterator<Item = (&R::Key, &Ours<R::Live>)> {
    world.seen::<R>().into_iter().flatten().filter_map(|(key, found)| Some((key, found.ours()?)))
}
