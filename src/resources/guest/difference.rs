//! Where a live guest is not as desired, in the words of Proxmox.
use super::{Live, option, spelling::size};
use crate::model::{Effect, Field, Reference, Size, Wish};
use std::collections::BTreeMap;

/// What a change would write, and how it is shown.
#[derive(Default)]
pub struct Differences {
    pub fields: Vec<Field>,
    pub set: BTreeMap<String, String>,
    pub delete: Vec<String>,
    /// Volumes to grow, by key, in bytes.
    pub grow: Vec<(String, u64, Field)>,
    /// The file of public keys for cloud-init, where those that are there are others.
    pub ssh_keys: Option<String>,
    /// The password for cloud-init, where there is none yet.
    pub password: Option<Reference>,
    /// What the notes are to say above our stamp.
    pub notes: Option<String>,
    /// An address, a card or its bridge: what others read of this guest, or reach it by.
    pub network: bool,
}

impl Differences {
    /// Tells of a difference in the option `key`.
    pub fn show(&mut self, live: &Live, name: &str, key: &str, from: Option<String>, to: Option<String>) {
        self.fields.push(Field { name: name.into(), from, to, effect: Some(option::effect(live, key)) });
    }
    /// A volume that is too small.
    pub fn grows(&mut self, key: &str, name: String, from: String, to: String, bytes: u64) {
        let field = Field { name, from: Some(from), to: Some(to), effect: Some(Effect::GrowOnly) };
        self.grow.push((key.to_owned(), bytes, field));
    }
    /// The options that it writes.
    pub fn written(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.set.keys().chain(&self.delete).cloned().collect();
        keys.extend(self.ssh_keys.as_ref().map(|_| "sshkeys".to_owned()));
        keys.extend(self.password.as_ref().map(|_| "cipassword".to_owned()));
        keys
    }
    /// One setting of the configuration. `wanted`: `None` is not spoken of, an empty text is to be unset.
    pub fn scalar(&mut self, live: &Live, name: &str, key: &str, wanted: Option<String>, same: fn(&str, &str) -> bool) {
        let Some(wanted) = wanted else { return };
        let is = live.config.get(key).filter(|v| !v.trim().is_empty());
        if is.map_or(wanted.is_empty(), |is| same(is, &wanted)) {
            return;
        }
        let shown = |v: &str| Some(v.to_owned()).filter(|v| !v.is_empty());
        self.show(live, name, key, is.map(str::to_owned), shown(&wanted));
        if wanted.is_empty() {
            self.delete.push(key.into());
        } else {
            self.set.insert(key.into(), wanted);
        }
    }
}

/// A disk that is to be smaller than it is.
pub fn smaller(field: String, disk: &str, is: u64, wanted: Size) -> Wish {
    let is = size(is);
    Wish {
        field,
        text: format!("{disk} has {is}, more than {wanted}: disks only grow"),
        hint: format!("write {is}, or make a smaller disk by hand and copy what is on it"),
    }
}
