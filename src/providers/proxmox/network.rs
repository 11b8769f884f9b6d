//! One `netN` of a container.
use super::property::Properties;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The interface fields that a manifest can say; everything else in a `netN` is kept as it is found.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Interface {
    /// Inside the guest: `eth0`.
    pub name: String,
    pub bridge: String,
    /// Upper case. Leaving it out of a write draws a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// `10.0.1.5/24`, `dhcp` or `manual`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Ipv4Addr>,
    /// `fd00:1::5/64`, `auto`, `dhcp` or `manual`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip6: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway6: Option<Ipv6Addr>,
    #[serde(default)]
    pub firewall: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// Megabytes per second, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
}

impl Interface {
    /// Reads a `netN` value.
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
            firewall: p.flag("firewall"),
            vlan: p.get("tag").and_then(|t| t.parse().ok()),
            rate: p.get("rate").map(plain_number),
        }
    }

    /// The value to send: this interface laid over what is there, so that what we do not speak of (trunks, mtu, link_down)
    /// stays. The address of the card stays too, unless this says another.
    pub fn over(&self, live: Option<&str>) -> String {
        let mut p = live.map(Properties::parse).unwrap_or_default();
        p.put("name", Some(&self.name));
        p.put("bridge", Some(&self.bridge));
        if let Some(mac) = &self.mac {
            p.put("hwaddr", Some(mac));
        }
        p.put("ip", self.ip.as_ref());
        p.put("gw", self.gateway.map(|g| g.to_string()));
        p.put("ip6", self.ip6.as_ref());
        p.put("gw6", self.gateway6.map(|g| g.to_string()));
        if self.firewall != p.flag("firewall") {
            p.put("firewall", self.firewall.then_some("1"));
        }
        p.put("tag", self.vlan.map(|t| t.to_string()));
        p.put("rate", self.rate.as_ref());
        p.put("type", Some("veth"));
        p.to_string()
    }

    /// Whether both say the same. A card address that this leaves open is not compared.
    pub fn same_as(&self, live: &Self) -> bool {
        let mac = self.mac.as_ref().or(live.mac.as_ref()).map(|m| m.to_ascii_uppercase());
        Self { mac, ..self.clone() } == *live
    }
}

/// One spelling per address: IPv6 in its shortest form, words in lower case.
pub fn canonical(address: &str) -> String {
    match address.parse::<ipnet::IpNet>() {
        Ok(net) => net.to_string(),
        Err(_) => address.to_ascii_lowercase(),
    }
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
            firewall: true,
            ..Default::default()
        };
        assert!(wanted.same_as(&Interface::parse(LIVE)));
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
        assert!(a.same_as(&b) && b.same_as(&a));
    }
}
