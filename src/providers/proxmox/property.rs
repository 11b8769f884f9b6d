//! Property strings: `name=eth0,bridge=vmbr0,ip=dhcp`. The order of the keys means nothing and changes on the way through
//! the API, so they are compared as maps.
use std::{
    collections::BTreeMap,
    fmt::{self, Display},
};

/// One property string. The part without a key (a volume, a bare start order) is under [`Properties::BARE`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// The key of the part that is written without one, such as the volume of `rootfs`.
    pub const BARE: &'static str = "";

    /// Reads any property string; Proxmox never returns one that cannot be split.
    pub fn parse(text: &str) -> Self {
        Self(
            text.split(',')
                .filter(|part| !part.trim().is_empty())
                .map(|part| match part.split_once('=') {
                    Some((key, value)) => (key.trim().to_owned(), value.to_owned()),
                    None => (Self::BARE.to_owned(), part.trim().to_owned()),
                })
                .collect(),
        )
    }
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
    /// Sets a key, or takes it away.
    pub fn put(&mut self, key: &str, value: Option<impl Into<String>>) {
        match value {
            Some(value) => self.0.insert(key.to_owned(), value.into()),
            None => self.0.remove(key),
        };
    }
    pub fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(super::values::is_true)
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

/// The bare part first, then `name` and `bridge`, then the rest by alphabet: the order in which Proxmox itself prints.
impl Display for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rank = |key: &str| match key {
            Self::BARE => 0,
            "name" => 1,
            "bridge" => 2,
            _ => 3,
        };
        let mut keys: Vec<_> = self.0.iter().collect();
        keys.sort_by_key(|(key, _)| (rank(key), key.as_str()));
        for (i, (key, value)) in keys.into_iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            if key != Self::BARE {
                write!(f, "{key}=")?;
            }
            f.write_str(value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_keys_means_nothing_and_printing_is_what_proxmox_prints() {
        let live = "name=eth0,bridge=vmbr0,firewall=1,gw=10.99.0.1,hwaddr=BC:24:11:A2:20:76,ip=10.99.0.51/24,type=veth";
        let same = "type=veth,ip=10.99.0.51/24,hwaddr=BC:24:11:A2:20:76,bridge=vmbr0,gw=10.99.0.1,name=eth0,firewall=1";
        assert_eq!(Properties::parse(live), Properties::parse(same));
        assert_eq!(Properties::parse(same).to_string(), live);
    }

    #[test]
    fn a_bare_part_is_kept_first() {
        let p = Properties::parse("local:101/vm-101-disk-0.raw,size=1G");
        assert_eq!(p.get(Properties::BARE), Some("local:101/vm-101-disk-0.raw"));
        assert_eq!(p.to_string(), "local:101/vm-101-disk-0.raw,size=1G");
    }
}
