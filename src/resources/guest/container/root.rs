//! What Proxmox grants to the session of `root@pam` alone (pve-container 6, `check_ct_modify_config_perm`).
use super::{features, volumes};
use crate::resources::guest::Live;

/// Whether setting this key to this value (`None`: deleting it) needs root's own session. `live`: `None` of a new container.
pub fn for_root(live: Option<&Live>, unprivileged: bool, key: &str, value: Option<&str>) -> bool {
    let is = |key: &str| live.and_then(|live| live.config.get(key)).unwrap_or_default();
    let numbered = |stem: &str| key.strip_prefix(stem).is_some_and(|n| n.parse::<u16>().is_ok());
    match key {
        "hookscript" => true,
        "features" => !features::is_free(unprivileged, is(key), value.unwrap_or_default()),
        _ if numbered("dev") => true,
        _ if numbered("mp") => value.is_some_and(volumes::is_of_the_node),
        _ => false,
    }
}
