//! Disks and network cards.
use super::super::reading::{Reading, four, six, storage_of};
use crate::{
    kinds::virtual_machine::{Cache, Card, Disk, Format, Model},
    model::{Auto, Identifier, Rate, Size},
    providers::proxmox::{property::Properties, values::is_true},
    resources::guest::machine::{self, disk},
};

impl Reading<'_> {
    /// The disks on volumes of storages, by slot. CD drives and disks of the node itself are named and left.
    pub fn disks(&mut self, default: Option<&Identifier>) -> Vec<Disk> {
        let live = self.live;
        let slots = live.config.values.iter().filter(|(key, _)| disk::is_slot(key));
        let mut said = vec![];
        for (key, text) in slots {
            if self.taken.contains(key) || text.trim().is_empty() {
                continue;
            }
            self.taken.push(key.clone());
            if !disk::is_disk(text) {
                self.left.push(format!("{key}, a CD drive"));
                continue;
            }
            let value = Properties::parse(text);
            let (Ok(slot), Some(storage)) = (key.parse(), storage_of(&value)) else {
                self.left.push(format!("the disk at {key}"));
                continue;
            };
            // Manifests know no part of a KiB.
            let bytes = disk::size(text).filter(|bytes| *bytes > 0 && bytes.is_multiple_of(1024));
            let word = |key: &str| value.get(key);
            let flag = |key: &str| value.get(key).map(is_true);
            let caches = [Cache::None, Cache::Writethrough, Cache::Writeback, Cache::Directsync, Cache::Unsafe];
            let cache = caches.into_iter().find(|cache| word("cache") == Some(cache.word()));
            let formats = [Format::Raw, Format::Qcow2, Format::Vmdk];
            let format = formats.into_iter().find(|format| word("format") == Some(format.word()));
            let mut fields = vec![Properties::BARE, "file", "volume", "media", "discard", "ssd", "iothread", "backup"];
            for (is_said, name) in [(bytes.is_some(), "size"), (cache.is_some(), "cache"), (format.is_some(), "format")]
            {
                fields.extend(is_said.then_some(name));
            }
            self.rest(key, &value, &fields);
            said.push(Disk {
                slot,
                size: bytes.map(|bytes| Size::kib(bytes / 1024)),
                storage: Some(storage).filter(|own| default != Some(own)),
                image: None,
                format,
                cache,
                discard: flag("discard"),
                ssd: flag("ssd"),
                io_thread: flag("iothread"),
                backup: flag("backup"),
                detached: false,
            });
        }
        said
    }

    /// All cards or none: those that are not said would be taken away. `told`: cloud-init gives them addresses.
    pub fn cards(&mut self, told: bool, default: Option<&Identifier>) -> Vec<Card> {
        let all = self.live.cards();
        let mut said = vec![];
        for (n, live) in &all {
            match self.card(*n, live, default) {
                Some(card) => said.push(card),
                None => {
                    let keys: Vec<String> = all.keys().map(|n| format!("net{n}")).collect();
                    self.left.push(format!("{} (a manifest has no words for net{n})", keys.join(" ")));
                    self.taken.extend(keys);
                    return vec![];
                }
            }
        }
        for card in &mut said {
            let n = card.slot.number();
            self.address(card, told);
            let value = Properties::parse(self.text(&format!("net{n}")).unwrap_or_default());
            let mut fields = vec!["model", "macaddr", "bridge", "firewall", card.model.word(), Properties::BARE];
            for (is_said, name) in
                [(card.rate.is_some(), "rate"), (card.vlan.is_some(), "tag"), (card.mtu.is_some(), "mtu")]
            {
                fields.extend(is_said.then_some(name));
            }
            self.rest(&format!("net{n}"), &value, &fields);
        }
        said
    }

    fn card(&self, n: u8, live: &machine::Card, default: Option<&Identifier>) -> Option<Card> {
        let models = [Model::Virtio, Model::E1000, Model::E1000e, Model::Rtl8139, Model::Vmxnet3];
        let bridge: Identifier = live.bridge.parse().ok()?;
        let text = self.live.config.get(&format!("net{n}")).unwrap_or_default();
        let rate = live.rate.as_ref().and_then(|rate| {
            let said: Rate = format!("{rate}MB/s").parse().ok()?;
            (said.megabytes() == *rate).then_some(said)
        });
        Some(Card {
            slot: format!("net{n}").parse().ok()?,
            model: models.into_iter().find(|model| model.word() == live.model)?,
            bridge: Some(bridge).filter(|own| default != Some(own)),
            address: None,
            gateway: None,
            address6: None,
            gateway6: None,
            firewall: Properties::parse(text).get("firewall").map(is_true),
            hwaddr: Auto::Auto,
            rate,
            mtu: live.mtu.filter(|mtu| (1..=65520).contains(mtu)),
            vlan: live.vlan.filter(|vlan| (1..=4094).contains(vlan)),
        })
    }

    /// What cloud-init tells the guest of a card: all of it or nothing.
    fn address(&mut self, card: &mut Card, told: bool) {
        let key = format!("ipconfig{}", card.slot.number());
        if !told || self.live.config.get(&key).is_none() {
            return;
        }
        let value = Properties::parse(self.text(&key).unwrap_or_default());
        let four = four(value.get("ip"), value.get("gw").and_then(|router| router.parse().ok()));
        let six = six(value.get("ip6"), value.get("gw6").and_then(|router| router.parse().ok()));
        let mut with = card.clone();
        (with.address, with.gateway) = four.map_or((None, None), |(address, router)| (Some(address), router));
        (with.address6, with.gateway6) = six.map_or((None, None), |(address, router)| (Some(address), router));
        if self.is_told(&with) {
            *card = with;
        } else {
            self.left.push(key);
        }
    }
}
