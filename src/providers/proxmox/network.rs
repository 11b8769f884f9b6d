//! One `netN` of a container.
use super::property::Properties;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The fields of an interface that a manifest can speak of. What is `None` in a wanted one is not spoken of and stays as
/// it is found; an address and its gateway are one field here: with the one, the other is spoken of too.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Interface {
    /// Inside the guest: `eth0`.
    pub name: String,
    pub bridge: String,
    /// Upper case. Leaving it out of a write draws a new one.
    pub mac: Option<String>,
    /// `10.0.1.5/24`, `dhcp` or `manual`.
    pub ip: Option<String>,
    pub gateway: Option<Ipv4Addr>,
    /// `fd00:1::5/64`, `auto`, `dhcp` or `manual`.
    pub ip6: Option<String>,
    pub gateway6: Option<Ipv6Addr>,
    pub firewall: Option<bool>,
    pub vlan: Option<u16>,
    /// Megabytes per second, as written.
    pub rate: Option<String>,
    pub mtu: Option<u32>,
    /// The VLANs that pass with their tags, in order.
    pub trunks: Option<Vec<u16>>,
    /// The cable is pulled out.
    pub link_down: Option<bool>,
}

impl Interface {
    /// Reads a `netN` value. A live interface has a firewall, trunks and a cable or has none: `None` does not occur.
    pub fn parse(text: &str) -> Self {
        let p = Properties::parse(text);
        let owned = |key| p.get(key).map(str::to_owned);
        Self {
            name: owned("name").unwrap_or_default(),
            bridge: owned("bridge").unwrap_or_default(),
            mac: p.get("hwaddr").map(str::to_ascii_uppercase),
            ip: p.get("ip").map(canonical),
            gateway: p.get("gw").and_then(|g| g.parse().ok()),
            ip6: p.get("ip6").map(canonical),
            gateway6: p.get("gw6").and_then(|g| g.parse().ok()),
            firewall: Some(p.flag("firewall")),
            vlan: p.get("tag").and_then(|t| t.parse().ok()),
            rate: p.get("rate").map(plain_number),
            mtu: p.get("mtu").and_then(|m| m.parse().ok()),
            trunks: Some(trunks(p.get("trunks").unwrap_or_default())),
            link_down: Some(p.flag("link_down")),
        }
    }

    /// This interface with what it does not speak of taken from the live one.
    pub fn completed_from(&self, live: &Self) -> Self {
        let (ip, gateway) = if self.ip.is_some() { (&self.ip, self.gateway) } else { (&live.ip, live.gateway) };
        let (ip6, gateway6) = if self.ip6.is_some() { (&self.ip6, self.gateway6) } else { (&live.ip6, live.gateway6) };
        Self {
            name: self.name.clone(),
            bridge: self.bridge.clone(),
            mac: self.mac.as_ref().map(|m| m.to_ascii_uppercase()).or(live.mac.clone()),
            ip: ip.as_deref().map(canonical),
            gateway,
            ip6: ip6.as_deref().map(canonical),
            gateway6,
            firewall: self.firewall.or(live.firewall),
            vlan: self.vlan.or(live.vlan),
            rate: self.rate.as_deref().map(plain_number).or(live.rate.clone()),
            mtu: self.mtu.or(live.mtu),
            trunks: self.trunks.clone().or(live.trunks.clone()),
            link_down: self.link_down.or(live.link_down),
        }
    }

    /// The value to send: this interface laid over what is there, so that what nobody here speaks of
    /// stays, and the address of the card with it.
    pub fn over(&self, live: Option<&str>) -> String {
        let mut p = live.map(Properties::parse).unwrap_or_default();
        let all = live.map_or_else(|| self.clone(), |live| self.completed_from(&Self::parse(live)));
        p.put("name", Some(&all.name));
        p.put("bridge", Some(&all.bridge));
        p.put("hwaddr", all.mac.as_ref());
        p.put("ip", all.ip.as_ref());
        p.put("gw", all.gateway.map(|g| g.to_string()));
        p.put("ip6", all.ip6.as_ref());
        p.put("gw6", all.gateway6.map(|g| g.to_string()));
        for (key, on) in [("firewall", all.firewall), ("link_down", all.link_down)] {
            if on.unwrap_or(false) != p.flag(key) {
                p.put(key, on.filter(|on| *on).map(|_| "1"));
            }
        }
        let joined = all.trunks.map(|t| t.iter().map(u16::to_string).collect::<Vec<_>>().join(";"));
        p.put("trunks", joined.filter(|t| !t.is_empty()));
        p.put("tag", all.vlan.map(|t| t.to_string()));
        p.put("rate", all.rate.as_ref());
        p.put("mtu", all.mtu.map(|m| m.to_string()));
        p.put("type", Some("veth"));
        p.to_string()
    }
}

/// One spelling per address: IPv6 in its shortest form, words in lower case.
pub fn canonical(address: &str) -> String {
    match address.parse::<ipnet::IpNet>() {
        Ok(net) => net.to_string(),
        Err(_) => address.to_ascii_lowercase(),
    }
}

/// A list of VLANs, in order, each once.
fn trunks(text: &str) -> Vec<u16> {
    let mut all: Vec<u16> = text.split([';', ' ']).filter_map(|t| t.trim().parse().ok()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// `12.50` and `12.5` are one rate.
fn plain_number(text: &str) -> String {
    if !text.contains('.') {
        return text.to_owned();
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: &str =
        "name=eth0,bridge=vmbr0,firewall=1,gw=10.99.0.1,hwaddr=BC:24:11:A2:20:76,ip=10.99.0.51/24,type=veth";

    #[test]
    fn a_written_interface_without_mac_equals_the_live_one_that_has_it() {
        let wanted = Interface {
            name: "eth0".into(),
            bridge: "vmbr0".into(),
            ip: Some("10.99.0.51/24".into()),
            gateway: Some(Ipv4Addr::new(10, 99, 0, 1)),
            firewall: Some(true),
            ..Default::default()
        };
        let live = Interface::parse(LIVE);
        assert_eq!(wanted.completed_from(&live), live);
        assert_eq!(wanted.over(Some(LIVE)), LIVE, "a write keeps the card's address");
    }

    #[test]
    fn what_we_do_not_speak_of_stays() {
        let live = "name=eth0,bridge=vmbr0,hwaddr=bc:24:11:aa:bb:cc,ip=dhcp,link_down=1,mtu=1400,type=veth";
        let wanted = Interface { bridge: "vmbr1".into(), ..Interface::parse(live) };
        insta::assert_snapshot!(wanted.over(Some(live)), @"name=eth0,bridge=vmbr1,hwaddr=BC:24:11:AA:BB:CC,ip=dhcp,link_down=1,mtu=1400,type=veth");
    }

    #[test]
    fn spelling_of_addresses_and_flags_means_nothing() {
        let a = Interface::parse("name=eth0,bridge=b,ip6=FD00:0001::5/64,firewall=0,hwaddr=bc:24:11:00:00:01");
        let b = Interface::parse("bridge=b,name=eth0,ip6=fd00:1::5/64,hwaddr=BC:24:11:00:00:01");
        assert_eq!((a.completed_from(&b), b.completed_from(&a)), (b.clone(), a.clone()));
    }
}
