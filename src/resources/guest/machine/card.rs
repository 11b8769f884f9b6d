//! One `netN` of a virtual machine: `virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1`.
use crate::providers::proxmox::property::Properties;

/// Models of cards as Proxmox spells them (qemu-server of 8.4 and 9.2).
const MODELS: [&str; 16] = [
    "virtio",
    "e1000",
    "e1000-82540em",
    "e1000-82544gc",
    "e1000-82545em",
    "e1000e",
    "i82551",
    "i82557b",
    "i82559er",
    "ne2k_isa",
    "ne2k_pci",
    "pcnet",
    "rtl8139",
    "vmxnet3",
    "igb",
    "virtio-net-pci",
];

/// The fields of a card that a manifest can speak of. What is `None` in a wanted one stays as it is found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Card {
    pub model: String,
    /// Upper case. Leaving it out of a write draws a new one.
    pub mac: Option<String>,
    pub bridge: String,
    pub firewall: Option<bool>,
    pub vlan: Option<u16>,
    /// Megabytes per second, as written.
    pub rate: Option<String>,
    pub mtu: Option<u32>,
}

impl Card {
    /// Reads a `netN` value, in either of its spellings. A live card has a firewall or has none: `None` does not occur.
    pub fn parse(text: &str) -> Self {
        let p = Properties::parse(text);
        let named = MODELS.iter().find_map(|model| Some(((*model).to_owned(), Some(p.get(model)?.to_owned()))));
        let bare = || Some((p.get(Properties::BARE)?.to_owned(), None));
        let spelled = || Some((p.get("model")?.to_owned(), None));
        let (model, mac) = named.or_else(spelled).or_else(bare).unwrap_or_default();
        let mac = mac.or_else(|| p.get("macaddr").map(str::to_owned));
        Self {
            model,
            mac: mac.map(|mac| mac.to_ascii_uppercase()),
            bridge: p.get("bridge").unwrap_or_default().to_owned(),
            firewall: Some(p.flag("firewall")),
            vlan: p.get("tag").and_then(|t| t.parse().ok()),
            rate: p.get("rate").map(plain_number),
            mtu: p.get("mtu").and_then(|m| m.parse().ok()),
        }
    }

    /// This card with what it does not speak of taken from the live one.
    pub fn completed_from(&self, live: &Self) -> Self {
        Self {
            model: self.model.clone(),
            mac: self.mac.as_ref().map(|m| m.to_ascii_uppercase()).or(live.mac.clone()),
            bridge: self.bridge.clone(),
            firewall: self.firewall.or(live.firewall),
            vlan: self.vlan.or(live.vlan),
            rate: self.rate.as_deref().map(plain_number).or(live.rate.clone()),
            mtu: self.mtu.or(live.mtu),
        }
    }

    /// The value to send: this card laid over what is there, so that what nobody here speaks of (queues, trunks, link_down)
    /// stays, and its address with it.
    pub fn over(&self, live: Option<&str>) -> String {
        let mut p = live.map(Properties::parse).unwrap_or_default();
        let all = live.map_or_else(|| self.clone(), |live| self.completed_from(&Self::parse(live)));
        for key in MODELS.into_iter().chain([Properties::BARE, "model", "macaddr"]) {
            p.put(key, None::<String>);
        }
        p.put("bridge", Some(&all.bridge));
        if all.firewall.unwrap_or(false) != p.flag("firewall") {
            p.put("firewall", all.firewall.filter(|on| *on).map(|_| "1"));
        }
        p.put("tag", all.vlan.map(|t| t.to_string()));
        p.put("rate", all.rate.as_ref());
        p.put("mtu", all.mtu.map(|m| m.to_string()));
        let first = match &all.mac {
            Some(mac) => format!("{}={mac}", all.model),
            None => all.model.clone(),
        };
        format!("{first},{p}")
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

    #[test]
    fn a_card_without_a_mac_equals_the_live_one_that_has_it() {
        let live = "virtio=BC:24:11:0E:B2:13,bridge=vmbr0,firewall=1,tag=20";
        let wanted = Card {
            model: "virtio".into(),
            bridge: "vmbr0".into(),
            firewall: Some(true),
            vlan: Some(20),
            ..Card::default()
        };
        assert_eq!(wanted.completed_from(&Card::parse(live)), Card::parse(live));
        assert_eq!(wanted.over(Some(live)), live, "a write keeps the card's address");
        assert_eq!(wanted.over(None), "virtio,bridge=vmbr0,firewall=1,tag=20");
    }

    #[test]
    fn both_spellings_are_one_card_and_what_nobody_speaks_of_stays() {
        let a = Card::parse("model=e1000,macaddr=bc:24:11:00:00:31,bridge=vmbr0");
        let b = Card::parse("e1000=BC:24:11:00:00:31,bridge=vmbr0,firewall=0");
        assert_eq!(a, b);
        let other = Card { model: "virtio".into(), bridge: "vmbr1".into(), ..Card::default() };
        insta::assert_snapshot!(
            other.over(Some("e1000=bc:24:11:00:00:31,bridge=vmbr0,link_down=1,queues=2,rate=10")),
            @"virtio=BC:24:11:00:00:31,bridge=vmbr1,link_down=1,queues=2,rate=10"
        );
    }
}
