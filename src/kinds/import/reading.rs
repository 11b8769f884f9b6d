//! What both types of guest say alike, field by field.
use crate::{
    kinds::container::{Address4, Address6, Dns, Startup, Tag},
    model::{Identifier, Period},
    providers::proxmox::{
        notes::{TAG, UNITS_TAG},
        property::Properties,
        tags,
        values::is_true,
    },
    resources::guest::Live,
};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// A spec, and what of the guest it does not say.
pub struct Said<S> {
    pub spec: S,
    /// In words, for a comment.
    pub left: Vec<String>,
}

/// A guest that is being read.
pub struct Reading<'a> {
    pub live: &'a Live,
    /// Whether the site reaches its node, through which alone some options can be set: without, they are not said.
    pub root: bool,
    pub left: Vec<String>,
    /// Settings that were looked at.
    pub taken: Vec<String>,
}

impl<'a> Reading<'a> {
    /// `root`: whether the site reaches its node.
    pub fn new(live: &'a Live, root: bool) -> Self {
        Self { live, root, left: vec![], taken: vec![] }
    }

    /// What was not said: what was named on the way, and all settings that were not looked at but these.
    pub fn left(self, quiet: &[&str]) -> Vec<String> {
        let Self { live, mut left, taken, .. } = self;
        let said = |key: &str| quiet.contains(&key) || taken.iter().any(|taken| taken == key);
        left.extend(live.config.values.keys().filter(|key| !said(key)).cloned());
        left
    }

    /// A setting that is more than blank.
    pub fn text(&mut self, key: &str) -> Option<&'a str> {
        self.taken.push(key.to_owned());
        self.live.config.get(key).map(str::trim).filter(|text| !text.is_empty())
    }

    /// What is not read as a number is named and not said.
    pub fn number<T: FromStr>(&mut self, key: &str) -> Option<T> {
        let text = self.text(key)?;
        let number = text.parse().ok();
        if number.is_none() {
            self.left.push(format!("{key} {text}"));
        }
        number
    }

    /// What is outside of a range is named and not said.
    pub fn within(&mut self, key: &str, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let number: u32 = self.number(key)?;
        if !range.contains(&number) {
            self.left.push(format!("{key} {number}"));
            return None;
        }
        Some(number)
    }

    pub fn flag(&mut self, key: &str) -> Option<bool> {
        self.text(key).map(is_true)
    }

    /// Names the properties that were not said.
    pub fn rest(&mut self, of: &str, value: &Properties, said: &[&str]) {
        let rest: Vec<&str> = value.iter().map(|(key, _)| key).filter(|key| !said.contains(key)).collect();
        if !rest.is_empty() {
            self.left.push(format!("{of} {}", rest.join(" ")));
        }
    }

    pub fn dns(&mut self) -> Option<Dns> {
        let servers = self.text("nameserver").map(|text| {
            let all: Option<Vec<IpAddr>> =
                text.split([' ', ',', ';']).filter(|word| !word.is_empty()).map(|word| word.parse().ok()).collect();
            all.ok_or(text)
        });
        let search = self.text("searchdomain").map(|text| text.parse().map_err(|_| text));
        let mut said = Dns { servers: vec![], search: None };
        match servers {
            Some(Ok(servers)) => said.servers = servers,
            Some(Err(text)) => self.left.push(format!("nameserver {text}")),
            None => {}
        }
        match search {
            Some(Ok(search)) => said.search = Some(search),
            Some(Err(text)) => self.left.push(format!("searchdomain {text}")),
            None => {}
        }
        (!said.servers.is_empty() || said.search.is_some()).then_some(said)
    }

    pub fn startup(&mut self) -> Option<Startup> {
        let text = self.text("startup")?;
        let mut said = Startup::default();
        for (key, value) in Properties::parse(text).iter() {
            let seconds = || value.parse().ok().map(Period::seconds);
            let read = match key {
                Properties::BARE | "order" => value.parse().ok().map(|order| said.order = Some(order)),
                "up" => seconds().map(|up| said.up = Some(up)),
                "down" => seconds().map(|down| said.down = Some(down)),
                _ => None,
            };
            if read.is_none() {
                self.left.push(format!("startup {text}"));
                return None;
            }
        }
        Some(said)
    }

    pub fn tags(&mut self) -> Vec<Tag> {
        let all = tags::parse(self.text("tags").unwrap_or_default());
        let theirs = all.iter().filter(|tag| !matches!(tag.as_str(), TAG | UNITS_TAG));
        theirs.filter_map(|tag| tag.parse().ok()).collect()
    }
}

/// The storage of a volume; `None` for a path of the node.
pub fn storage_of(value: &Properties) -> Option<Identifier> {
    let (storage, _) =
        [Properties::BARE, "volume", "file"].into_iter().find_map(|key| value.get(key))?.split_once(':')?;
    storage.parse().ok()
}

/// Address and gateway, which are one field: `None` where they cannot be said, or there are none.
pub fn four(address: Option<&str>, gateway: Option<Ipv4Addr>) -> Option<(Address4, Option<Ipv4Addr>)> {
    let address: Address4 = address?.parse().ok()?;
    match (address, gateway) {
        (_, None) => Some((address, None)),
        (Address4::Fixed(own), Some(gateway)) => {
            let near = own.prefix() == 32 || own.network().contains(&gateway);
            (near && own.address() != gateway).then_some((address, Some(gateway)))
        }
        _ => None,
    }
}

pub fn six(address: Option<&str>, gateway: Option<Ipv6Addr>) -> Option<(Address6, Option<Ipv6Addr>)> {
    let address: Address6 = address?.parse().ok()?;
    match (address, gateway) {
        (_, None) => Some((address, None)),
        (Address6::Fixed(own), Some(gateway)) => {
            let near = own.prefix() == 128 || own.network().contains(&gateway) || gateway.is_unicast_link_local();
            (near && own.address() != gateway).then_some((address, Some(gateway)))
        }
        _ => None,
    }
}
