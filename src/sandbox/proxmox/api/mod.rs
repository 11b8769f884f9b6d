//! The endpoints, one file per family. A path that the facts know and that is not in these tables is answered as not simulated.
pub mod access;
pub mod access_realms;
pub mod access_roles;
pub mod access_ticket;
pub mod access_users;
pub mod backup;
pub mod backup_jobs;
pub mod backup_vm;
pub mod capabilities;
pub mod cluster;
pub mod download;
pub mod firewall;
pub mod firewall_names;
pub mod firewall_rule;
pub mod ha;
pub mod lxc_clone;
pub mod lxc_config;
pub mod lxc_create;
pub mod lxc_delete;
pub mod lxc_hotplug;
pub mod lxc_move;
pub mod lxc_permission;
pub mod lxc_power;
pub mod lxc_read;
pub mod lxc_snapshot;
pub mod lxc_volume;
pub mod migrate;
pub mod network;
pub mod node;
pub mod node_files;
pub mod node_guests;
pub mod node_reads;
pub mod pools;
pub mod prune;
pub mod qemu_agent;
pub mod qemu_alloc;
pub mod qemu_apply;
pub mod qemu_clone;
pub mod qemu_cloudinit;
pub mod qemu_config;
pub mod qemu_create;
pub mod qemu_disk;
pub mod qemu_drive;
pub mod qemu_permission;
pub mod qemu_power;
pub mod qemu_read;
pub mod qemu_snapshot;
pub mod restore;
pub mod restore_vm;
pub mod rrd;
pub mod storage;
pub mod storage_content;
pub mod storage_definition;
pub mod storage_plugin;
pub mod tag_permission;
pub mod tasks;
pub mod version;
pub mod vnet_permission;
pub mod work;

use super::call::{Endpoint, Run};
use std::{collections::BTreeMap, sync::OnceLock};

const FAMILIES: &[&[Endpoint]] = &[
    access::ENDPOINTS,
    access_realms::ENDPOINTS,
    access_roles::ENDPOINTS,
    access_ticket::ENDPOINTS,
    access_users::ENDPOINTS,
    backup::ENDPOINTS,
    backup_jobs::ENDPOINTS,
    capabilities::ENDPOINTS,
    cluster::ENDPOINTS,
    download::ENDPOINTS,
    firewall::ENDPOINTS,
    firewall::CLUSTER,
    firewall::NODE,
    firewall::LXC,
    firewall::QEMU,
    firewall_names::CLUSTER,
    firewall_names::LXC,
    firewall_names::QEMU,
    firewall_names::GROUPS,
    ha::ENDPOINTS,
    lxc_clone::ENDPOINTS,
    lxc_config::ENDPOINTS,
    lxc_create::ENDPOINTS,
    lxc_delete::ENDPOINTS,
    lxc_move::ENDPOINTS,
    lxc_power::ENDPOINTS,
    lxc_read::ENDPOINTS,
    lxc_snapshot::ENDPOINTS,
    lxc_volume::ENDPOINTS,
    migrate::ENDPOINTS,
    network::ENDPOINTS,
    node::ENDPOINTS,
    node_files::ENDPOINTS,
    node_guests::ENDPOINTS,
    node_reads::ENDPOINTS,
    pools::ENDPOINTS,
    prune::ENDPOINTS,
    qemu_agent::ENDPOINTS,
    qemu_clone::ENDPOINTS,
    qemu_cloudinit::ENDPOINTS,
    qemu_config::ENDPOINTS,
    qemu_create::ENDPOINTS,
    qemu_disk::ENDPOINTS,
    qemu_power::ENDPOINTS,
    qemu_read::ENDPOINTS,
    qemu_snapshot::ENDPOINTS,
    rrd::ENDPOINTS,
    storage::ENDPOINTS,
    storage_content::ENDPOINTS,
    storage_definition::ENDPOINTS,
    tasks::ENDPOINTS,
    version::ENDPOINTS,
];

/// What answers a verb on a path of the facts.
pub fn endpoint(verb: &str, template: &str) -> Option<Run> {
    static TABLE: OnceLock<BTreeMap<(&str, &str), Run>> = OnceLock::new();
    let table = TABLE.get_or_init(|| FAMILIES.iter().copied().flatten().map(|e| ((e.verb, e.path), e.run)).collect());
    table.get(&(verb, template)).copied()
}

/// Every endpoint.
#[cfg(test)]
pub fn all() -> impl Iterator<Item = &'static Endpoint> {
    FAMILIES.iter().copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::proxmox::facts::Release;

    #[test]
    fn every_endpoint_is_one_of_the_facts() {
        let facts = Release::V9_2_11.facts();
        for endpoint in FAMILIES.iter().copied().flatten() {
            assert!(facts.method(endpoint.verb, endpoint.path).is_some(), "{} {}", endpoint.verb, endpoint.path);
        }
    }
}
