//! Desired settings in the words of Proxmox, and where they differ from what is there: what both types of guest have.
//! Spelling makes no difference here: values are compared as numbers, sets and maps.
use super::{Body, Desired, Live, Startup, container, machine, option};
use crate::{
    model::{Effect, Field, Reference, Size, Wish},
    providers::proxmox::{
        notes::{self, TAG, UNITS_TAG},
        property::Properties,
        tags,
        values::is_true,
    },
};
use std::collections::{BTreeMap, BTreeSet};

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

/// All parameters of a create but the mark.
pub fn parameters(desired: &Desired) -> BTreeMap<String, String> {
    let mut out = match &desired.body {
        Body::Container(container) => container::settings::parameters(container),
        Body::Machine(machine) => machine::settings::parameters(machine),
    };
    let mut put = |key: &str, value: Option<String>| out.extend(value.map(|value| (key.to_owned(), value)));
    put("description", desired.notes.clone());
    put("pool", desired.pool.clone());
    put("onboot", desired.start_on_boot.map(flag));
    put("startup", desired.startup.map(startup).filter(|s| !s.is_empty()));
    put("protection", desired.protection.map(flag));
    let mut all_tags = desired.tags.clone();
    all_tags.extend(own(desired));
    put("tags", Some(tags::print(&all_tags)));
    out
}

/// Where a live guest is not as desired, as far as a change in place can help. `marked`: our tag will be there.
pub fn differences(desired: &Desired, live: &Live, marked: bool) -> Differences {
    let mut out = Differences::default();
    match &desired.body {
        Body::Container(container) => container::settings::differences(container, live, &mut out),
        Body::Machine(machine) => machine::settings::differences(machine, live, &mut out),
    }
    out.scalar(live, "startup", "startup", desired.startup.map(startup), same_startup);
    // Unset is the same as off.
    for (name, key, wanted) in
        [("startOnBoot", "onboot", desired.start_on_boot), ("protection", "protection", desired.protection)]
    {
        let is = live.config.get(key).is_some_and(is_true);
        if let Some(wanted) = wanted.filter(|w| *w != is) {
            out.show(live, name, key, Some(is.to_string()), Some(wanted.to_string()));
            out.set.insert(key.into(), flag(wanted));
        }
    }
    tags_of(desired, live, marked, &mut out);
    notes_of(desired, live, &mut out);
    out
}

/// What the notes say beside our stamp. The line ends that Proxmox adds, and those that YAML does, are no difference.
fn notes_of(desired: &Desired, live: &Live, out: &mut Differences) {
    let Some(wanted) = desired.notes.as_ref().map(|notes| notes.trim_end()) else { return };
    let is = notes::prose(live.notes());
    if is.trim_end() != wanted {
        let first = |text: &str| text.lines().next().filter(|l| !l.is_empty()).map(str::to_owned);
        out.show(live, "notes", "description", first(&is), first(wanted));
        out.notes = Some(wanted.to_owned());
    }
}

/// Our own tags. They come with the mark.
pub fn own(desired: &Desired) -> impl Iterator<Item = String> {
    [TAG].into_iter().chain(desired.units.then_some(UNITS_TAG)).map(str::to_owned)
}

fn tags_of(desired: &Desired, live: &Live, marked: bool, out: &mut Differences) {
    let mut is = tags::parse(live.config.get("tags").unwrap_or_default());
    if marked {
        is.extend(own(desired));
    }
    // Tags that others gave it stay.
    let mut wanted = is.clone();
    wanted.extend(tags::parse(&tags::print(&desired.tags)));
    wanted.extend(own(desired));
    if is != wanted {
        out.show(live, "tags", "tags", shown(&is), shown(&wanted));
        out.set.insert("tags".into(), tags::print(&wanted));
    }
}

/// When two spellings are one value.
pub type Same = fn(&str, &str) -> bool;

/// The same to the letter.
pub fn text(a: &str, b: &str) -> bool {
    a == b
}

/// The same number.
pub fn number(a: &str, b: &str) -> bool {
    a.trim().parse::<f64>().ok() == b.parse::<f64>().ok()
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

/// A size as people write it, of a number of bytes that may be odd.
pub fn size(of: u64) -> String {
    match of % 1024 {
        0 => format!("{}KiB", of / 1024).parse::<Size>().map_or_else(|_| of.to_string(), |s| s.to_string()),
        _ => format!("{of} bytes"),
    }
}

/// On or off, as Proxmox writes it.
pub fn flag(on: bool) -> String {
    u8::from(on).to_string()
}

/// The words of a list with any separator that Proxmox takes.
pub fn words(text: &str) -> Vec<&str> {
    text.split([' ', ',', ';']).filter(|w| !w.is_empty()).collect()
}

/// The same words in the same order.
pub fn same_words(a: &str, b: &str) -> bool {
    words(a) == words(b)
}

/// The same addresses in the same order.
pub fn same_addresses(a: &str, b: &str) -> bool {
    let all = |text: &str| words(text).iter().map(|w| w.parse::<std::net::IpAddr>().ok()).collect::<Vec<_>>();
    all(a) == all(b)
}

/// Whole MiB, in which Proxmox counts memory.
pub fn mebibytes(size: Size) -> String {
    (size.bytes() >> 20).to_string()
}

/// Whole GiB as such, else with as many digits as it takes.
pub fn gibibytes(size: Size) -> String {
    let (whole, mut rest) = (size.bytes() >> 30, size.bytes() & ((1 << 30) - 1));
    let mut digits = String::new();
    while rest > 0 {
        rest *= 10;
        digits.push(char::from(b'0' + u8::try_from(rest >> 30).unwrap_or(0)));
        rest &= (1 << 30) - 1;
    }
    if digits.is_empty() { whole.to_string() } else { format!("{whole}.{digits}") }
}

/// With blanks between them.
pub fn join<T: ToString>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn startup(s: Startup) -> String {
    let mut p = Properties::default();
    p.put("order", s.order.map(|n| n.to_string()));
    p.put("up", s.up.map(|n| n.to_string()));
    p.put("down", s.down.map(|n| n.to_string()));
    p.to_string()
}

fn same_startup(a: &str, b: &str) -> bool {
    let of = |text: &str| {
        let mut p = Properties::parse(text);
        // A bare number is the order.
        if let Some(order) = p.get(Properties::BARE).map(str::to_owned) {
            p.put(Properties::BARE, None::<String>);
            p.put("order", Some(order));
        }
        // `05` is 5.
        p.iter()
            .map(|(key, value)| (key.to_owned(), value.parse::<u64>().map_err(|_| value.to_owned())))
            .collect::<Vec<_>>()
    };
    of(a) == of(b)
}

fn shown(tags: &BTreeSet<String>) -> Option<String> {
    (!tags.is_empty()).then(|| tags.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
}
