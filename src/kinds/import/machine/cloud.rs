//! What cloud-init is told. It is said only of a machine that has a drive for it: a manifest that says any of it makes one.
use super::{
    super::reading::{Reading, storage_of},
    is_read_back,
};
use crate::{
    kinds::virtual_machine::{Card, CloudInit, CloudInitType, Snippets, guest::addressing},
    model::Identifier,
    providers::proxmox::property::Properties,
    resources::guest::machine::settings::cloud_drive,
};

impl Reading<'_> {
    /// `None`: nothing that cloud-init is told may be said.
    pub fn cloud_init(&mut self, default: Option<&Identifier>) -> Option<CloudInit> {
        let slot = cloud_drive(self.live)?.to_owned();
        if self.live.machine.stale_drive {
            // A pass would write it anew, and the guest would have at its next start what nobody gave it so far.
            self.left.push("cloud-init, whose drive holds other values than the configuration".into());
            return None;
        }
        let value = Properties::parse(self.live.config.get(&slot).unwrap_or_default());
        let (place, storage) = (slot.parse().ok()?, storage_of(&value)?);
        self.taken.push(slot.clone());
        self.rest(&slot, &value, &[Properties::BARE, "file", "volume", "media", "size", "format"]);
        Some(CloudInit {
            slot: Some(place).filter(|_| slot != "ide2"),
            storage: Some(storage).filter(|own| default != Some(own)),
            user: self.user(),
            password: None,
            ssh_keys: None,
            upgrade: self.flag("ciupgrade"),
            format: self.hand_over(),
            snippets: self.snippets(),
        })
    }

    fn user(&mut self) -> Option<Identifier> {
        let text = self.text("ciuser")?;
        let said = text.parse().ok();
        if said.is_none() {
            self.left.push(format!("ciuser {text}"));
        }
        said
    }

    fn hand_over(&mut self) -> Option<CloudInitType> {
        let text = self.text("citype")?;
        let all = [CloudInitType::Nocloud, CloudInitType::Configdrive2, CloudInitType::Opennebula];
        let said = all.into_iter().find(|format| format.word() == text);
        if said.is_none() {
            self.left.push(format!("citype {text}"));
        }
        said
    }

    /// All or none: they are one value.
    fn snippets(&mut self) -> Option<Snippets> {
        let text = self.text("cicustom")?;
        let mut said = Snippets::default();
        for (key, volume) in Properties::parse(text).iter() {
            let field = match key {
                "user" => Some(&mut said.user),
                "network" => Some(&mut said.network),
                "meta" => Some(&mut said.meta),
                "vendor" => Some(&mut said.vendor),
                _ => None,
            };
            let Some(field) = field.filter(|_| Snippets::is_volume(volume)) else {
                self.left.push("cicustom".into());
                return None;
            };
            *field = Some(volume.to_owned());
        }
        Some(said)
    }

    /// Whether a pass would find that cloud-init is told of a card what this one says.
    pub fn is_told(&self, card: &Card) -> bool {
        let key = format!("ipconfig{}", card.slot.number());
        let is = self.live.config.get(&key).map(str::trim).filter(|text| !text.is_empty());
        match (is, addressing(card)) {
            (Some(is), Some(said)) => is_read_back(&key, is, &said),
            (None, None) => true,
            _ => false,
        }
    }
}
