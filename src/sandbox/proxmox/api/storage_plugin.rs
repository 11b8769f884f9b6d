//! What each kind of storage takes in its section, as the plugins of libpve-storage-perl 9.1 declare it.
use crate::sandbox::proxmox::{
    refusal::{Refusal, Result},
    schema::split_list,
    section::Options,
    state::{Conf, State},
};
use std::collections::BTreeSet;

/// A plugin's declaration.
pub struct Plugin {
    /// What cannot be left out. All of it but `open` is fixed.
    required: &'static [&'static str],
    /// What may be given beside it and what every plugin takes.
    optional: &'static [&'static str],
    /// What may be changed although it is required.
    open: &'static [&'static str],
    /// What may be given once and is never changed.
    fixed: &'static [&'static str],
    /// Content that it can hold, without what is there for every list.
    content: &'static [&'static str],
    /// Content where none is named.
    default: &'static [&'static str],
}

const EVERY: &[&str] = &["content", "disable", "nodes"];
const FILES: &[&str] = &["images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import"];
const BASE: Plugin =
    Plugin { required: &[], optional: &[], open: &[], fixed: &[], content: &["images"], default: &["images"] };
/// What every plugin of files takes.
macro_rules! files {
    ($($more:literal),*) => {
        &["prune-backups", "max-protected-backups", "format", "mkdir", "create-base-path", "create-subdirs", $($more),*]
    };
}
const CHAIN: &[&str] = &["snapshot-as-volume-chain"];

fn plugin(kind: &str) -> Option<Plugin> {
    let files = Plugin { content: FILES, ..BASE };
    Some(match kind {
        "dir" => Plugin {
            required: &["path"],
            optional: files!("content-dirs", "shared", "is_mountpoint", "bwlimit", "preallocation"),
            fixed: CHAIN,
            content: &["images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import", "none"],
            default: &["images", "rootdir"],
            ..files
        },
        "btrfs" => Plugin {
            required: &["path"],
            optional: files!("shared", "is_mountpoint", "nocow", "preallocation"),
            content: &["images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import", "none"],
            default: &["images", "rootdir"],
            ..files
        },
        "nfs" => Plugin {
            required: &["export", "path", "server"],
            optional: files!("content-dirs", "options", "bwlimit", "preallocation"),
            fixed: CHAIN,
            ..files
        },
        "cifs" => Plugin {
            required: &["path", "server", "share"],
            optional: files!(
                "content-dirs",
                "subdir",
                "username",
                "password",
                "domain",
                "smbversion",
                "bwlimit",
                "preallocation",
                "options"
            ),
            fixed: CHAIN,
            ..files
        },
        "cephfs" => Plugin {
            required: &["path"],
            optional: files!(
                "content-dirs",
                "monhost",
                "subdir",
                "options",
                "username",
                "fuse",
                "bwlimit",
                "keyring",
                "fs-name"
            ),
            content: &["vztmpl", "iso", "backup", "snippets", "import"],
            default: &["backup"],
            ..BASE
        },
        "lvm" => Plugin {
            required: &["vgname"],
            optional: &[
                "shared",
                "saferemove",
                "saferemove-stepsize",
                "saferemove_throughput",
                "tagged_only",
                "bwlimit",
                "snapshot-as-volume-chain",
            ],
            fixed: &["base"],
            content: &["images", "rootdir"],
            ..BASE
        },
        "lvmthin" => Plugin {
            required: &["thinpool", "vgname"],
            optional: &["bwlimit"],
            content: &["images", "rootdir"],
            default: &["images", "rootdir"],
            ..BASE
        },
        "zfspool" => Plugin {
            required: &["pool"],
            optional: &["blocksize", "sparse", "bwlimit", "mountpoint"],
            content: &["images", "rootdir"],
            default: &["images", "rootdir"],
            ..BASE
        },
        "pbs" => Plugin {
            required: &["datastore", "server"],
            optional: &[
                "namespace",
                "port",
                "username",
                "password",
                "encryption-key",
                "master-pubkey",
                "prune-backups",
                "max-protected-backups",
                "fingerprint",
            ],
            content: &["backup", "none"],
            default: &["backup"],
            ..BASE
        },
        "rbd" => Plugin {
            optional: &["monhost", "pool", "data-pool", "namespace", "username", "krbd", "keyring", "bwlimit"],
            content: &["images", "rootdir"],
            ..BASE
        },
        "iscsi" | "iscsidirect" => {
            Plugin { required: &["portal", "target"], optional: &["bwlimit"], content: &["images", "none"], ..BASE }
        }
        "esxi" => Plugin {
            required: &["server", "username"],
            open: &["server", "username"],
            optional: &["shared", "password", "skip-cert-verification", "port"],
            content: &["import"],
            default: &["import"],
            ..BASE
        },
        "zfs" => Plugin {
            required: &["blocksize", "iscsiprovider", "pool", "portal", "target"],
            optional: &["nowritecache", "sparse", "comstar_hg", "comstar_tg", "lio_tpg", "bwlimit", "zfs-base-path"],
            ..BASE
        },
        _ => return None,
    })
}

/// What is kept in files of its own, and not in the section.
pub fn is_secret(kind: &str, key: &str) -> bool {
    match kind {
        "cifs" | "esxi" => key == "password",
        "pbs" => matches!(key, "encryption-key" | "master-pubkey" | "password"),
        "cephfs" | "rbd" => key == "keyring",
        _ => false,
    }
}

/// What a section holds. `None`: nobody knows this plugin.
pub fn options(kind: &str) -> Option<Options> {
    let plugin = plugin(kind)?;
    let never = plugin.required.iter().filter(|key| !plugin.open.contains(key)).copied();
    Some(Options {
        required: plugin.required,
        optional: [plugin.optional, plugin.fixed, EVERY].concat(),
        fixed: never.chain(plugin.fixed.iter().copied()).collect(),
    })
}

/// The content of a section: what the plugin cannot hold is left out, as the real one does with a warning in its log.
///
/// # Errors
/// 500: nothing is left and the plugin cannot be without, or `none` beside others.
pub fn content(kind: &str, given: Option<&str>) -> Result<BTreeSet<String>> {
    let Some(plugin) = plugin(kind) else { return Ok(given.map(split_list).unwrap_or_default().into_iter().collect()) };
    let Some(given) = given else { return Ok(plugin.default.iter().map(|c| (*c).to_string()).collect()) };
    let mut kept: BTreeSet<String> = split_list(given).into_iter().collect();
    kept.retain(|c| plugin.content.contains(&c.as_str()));
    if kept.contains("none") && kept.len() > 1 {
        return Err(Refusal::die("unable to combine 'none' with other content types"));
    }
    match kept.is_empty() && !plugin.content.contains(&"none") {
        true => Err(Refusal::die("storage does not support content type 'none'")),
        false => Ok(kept),
    }
}

/// Demands that what a new storage needs of the world can be reached (`activate_storage`): servers and pools are there where
/// a storage of the seed has them.
///
/// # Errors
/// 500.
pub fn reachable(state: &State, name: &str, kind: &str, given: &Conf) -> Result<()> {
    let of = |key: &str| given.get(key).map(String::as_str).unwrap_or_default();
    let shares = |keys: &[&str]| {
        let same = |more: &Conf| keys.iter().all(|key| more.get(*key).map(String::as_str) == Some(of(key)));
        state.storages.values().any(|s| s.kind == kind && same(&s.more))
    };
    let why = match kind {
        "nfs" | "cifs" | "esxi" if !shares(&["server"]) => format!("storage '{name}' is not online"),
        "iscsi" if !shares(&["portal"]) => format!("storage '{name}' is not online"),
        "lvmthin" if !shares(&["vgname", "thinpool"]) => {
            format!("no such logical volume {}/{}", of("vgname"), of("thinpool"))
        }
        "zfspool" if !shares(&["pool"]) => {
            let pool = of("pool").split('/').next().unwrap_or_default();
            format!("could not activate storage '{name}', zfs error: cannot import '{pool}': no such pool available")
        }
        "pbs" if !shares(&["server"]) => {
            let port = given.get("port").map_or("8007", String::as_str);
            let why = format!("500 Can't connect to {}:{port} (Connection refused)", of("server"));
            format!("{name}: error fetching datastores - {why}")
        }
        _ => return Ok(()),
    };
    Err(Refusal::die(why))
}
