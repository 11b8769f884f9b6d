//! What one must be allowed to in order to set or delete each option of a container (`check_ct_modify_config_perm`).
use crate::sandbox::proxmox::{
    access::Who,
    property::{self, Properties},
    refusal::{Refusal, Result},
    schema::Args,
    state::{Conf, Kind},
    world::World,
};

/// Whose container is changed, and how.
pub struct Change<'a> {
    pub who: &'a Who,
    pub vmid: u32,
    /// The pool that a new guest joins.
    pub pool: Option<&'a str>,
    /// The config so far; `None` for a new guest.
    pub old: Option<&'a Conf>,
    pub new: &'a Args,
    pub delete: &'a [String],
    pub unprivileged: bool,
}

/// Checks every option of a change.
///
/// # Errors
/// 403 with the missing privilege, or with what only root's own session may do.
pub fn check(world: &World, change: &Change<'_>) -> Result<()> {
    if change.who.is_root() {
        return Ok(());
    }
    let set = change.new.iter().map(|(k, v)| (k.as_str(), Some(v.as_str())));
    set.chain(change.delete.iter().map(|k| (k.as_str(), None))).try_for_each(|(k, v)| option(world, change, k, v))
}

fn option(world: &World, change: &Change<'_>, key: &str, value: Option<&str>) -> Result<()> {
    let demand = |privilege: &str| world.state.demand_guest(change.who, change.vmid, change.pool, &[privilege]);
    let stem = key.trim_end_matches(|c: char| c.is_ascii_digit());
    match key {
        "cores" | "cpuunits" | "cpulimit" => demand("VM.Config.CPU"),
        "memory" | "swap" => demand("VM.Config.Memory"),
        "nameserver" | "searchdomain" | "hostname" => demand("VM.Config.Network"),
        "features" => features(world, change, value),
        "hookscript" => Err(Refusal::denied("changing the hookscript is only allowed for root@pam")),
        "tags" => {
            let old = change.old.and_then(|c| c.get("tags")).map_or("", String::as_str);
            super::tag_permission::check(world, change.who, change.vmid, old, value.unwrap_or_default())
        }
        _ if key == "rootfs" || (stem == "mp" && stem != key) => {
            demand("VM.Config.Disk")?;
            value.map_or(Ok(()), |v| volume(world, change, key, v))
        }
        _ if stem == "net" && stem != key => {
            demand("VM.Config.Network")?;
            bridges(world, change, key, value)
        }
        _ if stem == "dev" && stem != key => {
            Err(Refusal::denied("configuring device passthrough is only allowed for root@pam"))
        }
        _ => demand("VM.Config.Options"),
    }
}

fn parse(world: &World, key: &str, value: &str) -> Properties {
    let format = world.properties(Kind::Lxc, key);
    format.and_then(|f| property::take_apart(f, value).ok()).unwrap_or_default()
}

fn volume(world: &World, change: &Change<'_>, key: &str, value: &str) -> Result<()> {
    let parts = parse(world, key, value);
    let volid = parts.get("volume").map_or("", String::as_str);
    let kind = super::lxc_volume::kind(volid);
    if kind != "volume" {
        return Err(Refusal::denied(format!("mount point type {kind} is only allowed for root@pam")));
    }
    match super::lxc_volume::new_disk(volid) {
        Some((storage, _)) => {
            world.state.demand(change.who, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])
        }
        None => super::storage::may_use(world, change.who, Some(change.vmid), volid, "rootdir"),
    }
}

/// `SDN.Use` on the bridges of the old and of the new value.
fn bridges(world: &World, change: &Change<'_>, key: &str, value: Option<&str>) -> Result<()> {
    let old = change.old.and_then(|c| c.get(key)).map(String::as_str);
    for net in [old, value].into_iter().flatten().map(|v| parse(world, key, v)) {
        super::vnet_permission::check(world, change.who, &net)?;
    }
    Ok(())
}

fn features(world: &World, change: &Change<'_>, value: Option<&str>) -> Result<()> {
    if !change.unprivileged {
        let why = "changing feature flags for privileged container is only allowed for root@pam";
        return Err(Refusal::denied(why));
    }
    let old = change.old.and_then(|c| c.get("features")).map(|v| parse(world, "features", v)).unwrap_or_default();
    let new = value.map(|v| parse(world, "features", v)).unwrap_or_default();
    let only_nesting = |f: &Properties| f.len() == 1 && f.contains_key("nesting");
    let (nesting, other) = if value.is_some() && !old.is_empty() {
        let keys: Vec<&String> = old.keys().chain(new.keys()).collect();
        let differs = |k: &&&String| old.get(**k).map_or("", String::as_str) != new.get(**k).map_or("", String::as_str);
        (keys.iter().any(|k| *k == "nesting" && differs(&k)), keys.iter().any(|k| *k != "nesting" && differs(&k)))
    } else {
        let said = if value.is_some() { &new } else { &old };
        (only_nesting(said), !said.is_empty() && !only_nesting(said))
    };
    if other {
        return Err(Refusal::denied("changing feature flags (except nesting) is only allowed for root@pam"));
    }
    match nesting {
        true => world.state.demand_guest(change.who, change.vmid, change.pool, &["VM.Allocate"]),
        false => Ok(()),
    }
}
