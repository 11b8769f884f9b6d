//! Connectors (`cloudflared`) and their connections.
use crate::sandbox::cloudflare::{
    Simulator,
    state::{Connector, State, Tunnel, next_uuid},
    time,
};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Connectors that may serve one tunnel.
const REPLICAS: usize = 25;

impl Simulator {
    /// What `cloudflared` does when it starts with this token: four connections.
    ///
    /// # Errors
    /// The token fits no live tunnel, or 25 connectors serve it.
    pub fn connect(&self, token: &str, connector: &str) -> Result<(), String> {
        let now = time((self.clock)());
        self.edit(|state| {
            let State { counter, tunnels, .. } = state;
            let mut live = tunnels.values_mut().flat_map(BTreeMap::values_mut).filter(|t| t.deleted_at.is_none());
            let (id, secret) = inside(token).ok_or("the token cannot be read")?;
            let tunnel = live.find(|t| t.id == id && t.secret == secret).ok_or("Unauthorized: Tunnel not found")?;
            if tunnel.connectors.len() >= REPLICAS && !tunnel.connectors.contains_key(connector) {
                return Err(format!("a tunnel has at most {REPLICAS} connectors"));
            }
            let connections = (0..4).map(|_| next_uuid(counter)).collect();
            tunnel.conns_active_at = Some(now.clone());
            tunnel.conns_inactive_at = None;
            tunnel.connectors.insert(connector.to_owned(), Connector { run_at: now, connections, gone_at: None });
            Ok(())
        })
    }

    /// What Cloudflare sees when a connector stops. Its connections stay listed for a while
    /// ([`super::super::Behaviour::connections_linger`]).
    pub fn disconnect(&self, connector: &str) {
        let now = time((self.clock)());
        self.edit(|state| {
            for tunnel in state.tunnels.values_mut().flat_map(BTreeMap::values_mut) {
                if let Some(gone) = tunnel.connectors.get_mut(connector) {
                    gone.gone_at.get_or_insert_with(|| now.clone());
                }
                settle(tunnel, &now);
            }
        });
    }
}

/// Tunnel id and secret of a token.
fn inside(token: &str) -> Option<(String, String)> {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let value: Value = serde_json::from_slice(&BASE64_STANDARD.decode(token.trim()).ok()?).ok()?;
    Some((value["t"].as_str()?.to_owned(), value["s"].as_str()?.to_owned()))
}

/// Drops the connections of connectors that have been gone for long enough (seconds).
pub fn forget(state: &mut State, account: &str, now: Timestamp, linger: u32) {
    let Ok(before) = now.checked_sub(i64::from(linger).seconds()) else { return };
    for tunnel in state.tunnels.get_mut(account).into_iter().flat_map(BTreeMap::values_mut) {
        let expired =
            |c: &Connector| c.gone_at.as_ref().and_then(|t| t.parse().ok()).is_some_and(|t: Timestamp| t <= before);
        tunnel.connectors.retain(|_, connector| !expired(connector));
    }
}

/// Ends the connections of one connector, or of all.
pub fn end(tunnel: &mut Tunnel, only: Option<&str>, now: &str) {
    tunnel.connectors.retain(|id, _| only.is_some_and(|wanted| wanted != id));
    settle(tunnel, now);
}

fn settle(tunnel: &mut Tunnel, now: &str) {
    let running = tunnel.connectors.values().any(|c| c.gone_at.is_none());
    if !running && tunnel.conns_active_at.is_some() {
        tunnel.conns_active_at = None;
        tunnel.conns_inactive_at = Some(now.to_owned());
    }
}

/// Never ran, runs, or ran once.
pub fn status(tunnel: &Tunnel) -> &'static str {
    let running = tunnel.connectors.values().any(|c| c.gone_at.is_none());
    match (running, &tunnel.conns_inactive_at) {
        (true, _) => "healthy",
        (false, Some(_)) => "down",
        (false, None) => "inactive",
    }
}

fn connection(id: &str, client: &str, connector: &Connector) -> Value {
    json!({
        "id": id,
        "uuid": id,
        "client_id": client,
        "client_version": "2026.8.0",
        "colo_name": "akl01",
        "is_pending_reconnect": connector.gone_at.is_some(),
        "opened_at": connector.run_at,
        "origin_ip": "203.0.113.1",
    })
}

/// All connections in one list, as the tunnel itself shows them (deprecated by Cloudflare).
pub fn flat(tunnel: &Tunnel) -> Value {
    let all = tunnel.connectors.iter();
    all.flat_map(|(client, c)| c.connections.iter().map(move |id| connection(id, client, c))).collect()
}

/// Connections by connector.
pub fn clients(tunnel: &Tunnel) -> Value {
    let client = |(id, connector): (&String, &Connector)| {
        json!({
            "id": id,
            "arch": "linux_amd64",
            "version": "2026.8.0",
            "features": ["ha-origin"],
            "run_at": connector.run_at,
            "config_version": tunnel.version,
            "conns": connector.connections.iter().map(|c| connection(c, id, connector)).collect::<Vec<_>>(),
        })
    };
    tunnel.connectors.iter().map(client).collect()
}
