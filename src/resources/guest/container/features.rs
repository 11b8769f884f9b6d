//! `features`: what a container may do beyond the usual.
use crate::providers::proxmox::{property::Properties, values::is_true};
use std::collections::BTreeSet;

/// Those that a manifest speaks of. What is else in the value (`mount=nfs`, `force_rw_sys`) stays.
const SWITCHES: [&str; 4] = ["fuse", "keyctl", "mknod", "nesting"];

/// The one that Proxmox lets a token switch, of an unprivileged container.
pub const FREE: &str = "nesting";

/// The features that are on in a value.
pub fn on(value: &str) -> BTreeSet<&'static str> {
    let p = Properties::parse(value);
    SWITCHES.into_iter().filter(|name| p.get(name).is_some_and(is_true)).collect()
}

/// The value with these features and no others, laid over what is there. Switching off is written as `0`: to a token, taking
/// the whole option away is another matter than switching one feature.
pub fn over(is: &str, wanted: &BTreeSet<String>) -> String {
    let mut p = Properties::parse(is);
    for name in SWITCHES {
        match (wanted.contains(name), p.flag(name)) {
            (true, false) => p.put(name, Some("1")),
            (false, true) => p.put(name, Some("0")),
            _ => {}
        }
    }
    p.to_string()
}

/// Whether a token may change one value into the other (`check_ct_modify_config_perm`, pve-container 6).
pub fn is_free(unprivileged: bool, is: &str, wanted: &str) -> bool {
    let (is, wanted) = (Properties::parse(is), Properties::parse(wanted));
    let rest = |p: &Properties| {
        p.iter().filter(|(k, _)| *k != FREE).map(|(k, v)| (k.to_owned(), v.to_owned())).collect::<Vec<_>>()
    };
    unprivileged && rest(&is) == rest(&wanted)
}
