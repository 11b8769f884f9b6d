//! What a sandbox holds, as one document for `sandbox show`.
use super::{proxmox::Kind, site::Site};
use crate::providers::{
    host::Limits,
    nftables::{self, Element},
    sandbox_connection::Connection,
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

/// Guests, forwards, routes, records, tunnels, services, calls, and how to reach it all.
pub(super) async fn everything(site: &Arc<Site>, connection: &Connection) -> Value {
    let (calls, writes) = site.faults.counts();
    json!({
        "connection": connection,
        "namespaces": connection.namespaces,
        "guests": guests(site),
        "forwards": forwards(site).await,
        "routes": site.traefik.routes(),
        "records": records(site),
        "tunnels": tunnels(site),
        "faults": site.faults.rules(),
        "calls": calls,
        "writes": writes,
    })
}

fn guests(site: &Site) -> Value {
    let shown = |guest: super::proxmox::GuestView| {
        let container = guest.kind == Kind::Lxc;
        let services = if container && guest.running { site.node.services_in(guest.vmid) } else { Vec::new() };
        let addresses: Vec<_> = guest.networks.iter().flat_map(|network| network.addresses.iter()).collect();
        json!({
            "vmid": guest.vmid, "name": guest.name, "kind": if container { "lxc" } else { "qemu" }, "node": guest.node,
            "running": guest.running, "addresses": addresses,
            "services": services.into_iter().map(|(name, _)| name).collect::<Vec<_>>(),
        })
    };
    site.proxmox.guests().into_iter().map(shown).collect()
}

async fn forwards(site: &Site) -> Value {
    let argv = nftables::LIST.map(str::to_owned).to_vec();
    let output = site.ground.run(argv, Bytes::new(), Limits::default()).await;
    let entries = nftables::read(&output.stdout).map(|table| table.entries).unwrap_or_default();
    let shown = |element: Element| match element {
        Element::Forward { public, to } => Some(json!({ "public": public.to_string(), "to": to.to_string() })),
        _ => None,
    };
    entries.into_iter().filter_map(|entry| shown(entry.element)).collect()
}

fn records(site: &Site) -> Value {
    let state = serde_json::to_value(site.cloudflare.snapshot()).unwrap_or_default();
    state.get("records").cloned().unwrap_or_default()
}

fn tunnels(site: &Site) -> Value {
    // Without the secrets that the store must keep.
    let tunnels = site.cloudflare.snapshot().tunnels.into_values().flat_map(std::collections::BTreeMap::into_values);
    let shown = tunnels.map(|tunnel| {
        json!({
            "id": tunnel.id, "name": tunnel.name, "deleted": tunnel.deleted_at.is_some(), "version": tunnel.version,
            "config": tunnel.config, "connectors": tunnel.connectors.values().filter(|c| c.gone_at.is_none()).count(),
        })
    });
    shown.collect()
}
