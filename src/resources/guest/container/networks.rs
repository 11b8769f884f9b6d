//! Network cards: `netN`.
use super::Container;
use crate::{
    model::Field,
    providers::proxmox::network::Interface,
    resources::guest::{Live, difference::Differences, option},
};

pub fn differences(desired: &Container, live: &Live, out: &mut Differences) {
    let there = live.interfaces();
    for (n, wanted) in &desired.networks {
        let is = there.get(n);
        if is.is_some_and(|is| wanted.completed_from(is) == *is) {
            continue;
        }
        let key = format!("net{n}");
        let effect = Some(option::effect(live, &key));
        out.fields.extend(interface_fields(is, wanted).into_iter().map(|field| Field { effect, ..field }));
        out.set.insert(key.clone(), wanted.over(live.config.get(&key)));
        out.network = true;
    }
    for (n, is) in there.iter().filter(|(n, _)| !desired.networks.contains_key(n)) {
        let key = format!("net{n}");
        out.show(live, &format!("networks.{}", is.name), &key, Some("there".into()), None);
        out.delete.push(key);
        out.network = true;
    }
}

fn interface_fields(is: Option<&Interface>, wanted: &Interface) -> Vec<Field> {
    let Some(is) = is else {
        let what = wanted.ip.clone().or(wanted.ip6.clone()).unwrap_or_else(|| wanted.bridge.clone());
        return Field::differs(&format!("networks.{}", wanted.name), None::<&str>, Some(what)).into_iter().collect();
    };
    let name = |field: &str| format!("networks.{}.{field}", wanted.name);
    let wanted = wanted.completed_from(is);
    [
        Field::differs(&name("name"), Some(&is.name), Some(&wanted.name)),
        Field::differs(&name("bridge"), Some(&is.bridge), Some(&wanted.bridge)),
        Field::differs(&name("hwaddr"), is.mac.as_ref(), wanted.mac.as_ref()),
        Field::differs(&name("address"), is.ip.as_ref(), wanted.ip.as_ref()),
        Field::differs(&name("gateway"), is.gateway, wanted.gateway),
        Field::differs(&name("address6"), is.ip6.as_ref(), wanted.ip6.as_ref()),
        Field::differs(&name("gateway6"), is.gateway6, wanted.gateway6),
        Field::differs(&name("firewall"), is.firewall, wanted.firewall),
        Field::differs(&name("vlan"), is.vlan, wanted.vlan),
        Field::differs(&name("rate"), is.rate.as_ref(), wanted.rate.as_ref()),
        Field::differs(&name("mtu"), is.mtu, wanted.mtu),
        Field::differs(&name("trunks"), trunks(is), trunks(&wanted)),
        Field::differs(&name("linkDown"), is.link_down, wanted.link_down),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn trunks(interface: &Interface) -> Option<String> {
    let all = interface.trunks.as_ref().filter(|all| !all.is_empty())?;
    Some(all.iter().map(u16::to_string).collect::<Vec<_>>().join(" "))
}
