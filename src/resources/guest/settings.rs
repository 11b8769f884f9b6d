//! Desired settings in the words of Proxmox, and where they differ from what is there: what both types of guest have.
//! Spelling makes no difference here: values are compared as numbers, sets and maps.
use super::{Body, Desired, Live, Startup, container, difference::Differences, machine, spelling::flag};
use crate::providers::proxmox::{
    notes::{self, TAG, UNITS_TAG},
    property::Properties,
    tags,
    values::is_true,
};
use std::collections::{BTreeMap, BTreeSet};

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
