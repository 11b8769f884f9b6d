//! Virtual machines: configuration, power, life and death, and what their agent says.
use super::{
    Address, At, GuestType, Proxmox, guest, strange,
    values::{self, Pairs},
};
use crate::model::{Answer, Class, Failure};
use reqwest::Method;
use serde_json::Value;
use std::net::IpAddr;
use tokio::time::Instant;

/// A machine boots longer than a container starts: how many times the patience for a lease.
const BOOT: u32 = 6;

/// What the guest agent says of the network.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AgentInterface {
    /// Inside the machine: `eth0`, `ens18`.
    pub name: String,
    /// Upper case; none for interfaces without one.
    pub mac: Option<String>,
    /// Without loopback and link-local ones.
    pub addresses: Vec<IpAddr>,
}

/// What was heard of a guest agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    Interfaces(Vec<AgentInterface>),
    /// It does not answer, and why: none configured, not started yet, a privilege is missing.
    Silence(String),
}

/// A copy of another machine that is to be made.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct CloneOf {
    /// The machine that is copied; with `full: false` a template.
    pub source: u32,
    /// Whether all disks are copied, instead of being built upon.
    pub full: bool,
    /// Where the disks of a full copy go; where they are unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
    /// The state that is copied; the present one unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The node of the copy; the source has to lie on storage that both see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
}

impl Proxmox {
    /// Copies a virtual machine of this node, with these notes, and waits until the copy is complete.
    ///
    /// # Errors
    /// `Conflict` when the id is taken. A copy that fails leaves nothing behind.
    pub async fn clone_qemu(&self, node: &str, vmid: u32, of: &CloneOf, notes: &str) -> Answer<()> {
        let source = At { kind: GuestType::Qemu, node: node.to_owned(), vmid: of.source };
        let attempted = format!("clone {source} as {vmid}");
        let mut pairs: Pairs = vec![
            ("newid".into(), vmid.to_string()),
            ("name".into(), of.name.clone()),
            ("description".into(), notes.to_owned()),
            ("full".into(), u8::from(of.full).to_string()),
        ];
        let rest = [("storage", &of.storage), ("snapname", &of.snapshot), ("target", &of.target), ("pool", &of.pool)];
        pairs.extend(rest.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?))));
        let path = format!("{}/clone", source.path());
        self.patient().act(&attempted, Method::POST, &path, &pairs).await
    }

    /// Whether the cloud-init drive holds other values than the configuration. It is written when the machine starts.
    pub async fn cloud_init_is_stale(&self, guest: &At) -> Answer<bool> {
        let attempted = format!("ask what the cloud-init drive of {guest} holds");
        let data = self.wire.get(&attempted, &format!("{}/cloudinit", guest.path()), &[]).await?;
        let lines = data.as_array().ok_or_else(|| strange(&attempted, "not a list"))?;
        let differs = |line: &Value| {
            line.get("pending").is_some_and(|v| !v.is_null())
                || line.get("delete").and_then(values::number).is_some_and(|n| n > 0)
        };
        Ok(lines.iter().any(differs))
    }

    /// Writes the cloud-init drive of a running machine anew.
    pub async fn rewrite_cloud_init(&self, guest: &At) -> Answer<()> {
        let attempted = format!("write the cloud-init drive of {guest} anew");
        self.act(&attempted, Method::PUT, &format!("{}/cloudinit", guest.path()), &vec![]).await
    }

    /// The interfaces of a running machine, as its guest agent says. An agent that is not there yet is no mistake, nor is one
    /// that the token may not ask.
    pub async fn agent_interfaces(&self, guest: &At) -> Answer<Heard> {
        match self.ask_agent(guest).await {
            Err(f) if f.class == Class::Denied => Ok(silence(f)),
            answer => answer,
        }
    }

    async fn ask_agent(&self, guest: &At) -> Answer<Heard> {
        let attempted = format!("ask the agent of {guest} for its addresses");
        let path = format!("{}/agent/network-get-interfaces", guest.path());
        let data = match self.wire.get(&attempted, &path, &[]).await {
            // Where the agent is not there the server says so with status 500, like any other mishap.
            Err(f) if matches!(f.class, Class::Transient | Class::Invalid) => return Ok(silence(f)),
            answer => answer?,
        };
        let lines = data.get("result").and_then(Value::as_array).ok_or_else(|| strange(&attempted, "no `result`"))?;
        let interfaces = lines.iter().filter_map(|line| {
            let text = |key: &str| line.get(key).and_then(Value::as_str);
            let listed = line.get("ip-addresses").and_then(Value::as_array).into_iter().flatten();
            let listed = listed.filter_map(|a| a.get("ip-address")?.as_str()?.parse::<IpAddr>().ok());
            let mac = text("hardware-address").filter(|mac| mac.len() == 17 && *mac != "00:00:00:00:00:00");
            Some(AgentInterface {
                name: text("name")?.to_owned(),
                mac: mac.map(str::to_ascii_uppercase),
                addresses: listed.filter(|ip| !guest::is_local(ip)).collect(),
            })
        });
        Ok(Heard::Interfaces(interfaces.collect()))
    }

    /// Waits, for a while, until the agent of a machine that was started tells of an address that `wanted` accepts.
    ///
    /// # Errors
    /// `Denied` where the token may not ask it: then no wait helps.
    pub async fn await_agent(&self, guest: &At, wanted: impl Fn(&AgentInterface) -> bool) -> Answer<Option<Address>> {
        let deadline = Instant::now() + self.patience.lease * BOOT;
        let mut pause = self.patience.first_look;
        loop {
            if let Heard::Interfaces(all) = self.ask_agent(guest).await? {
                let found = all.into_iter().find(|i| !i.addresses.is_empty() && wanted(i));
                let address = |i: AgentInterface| Some(Address { ip: *i.addresses.first()?, interface: i.name });
                if let Some(address) = found.and_then(address) {
                    return Ok(Some(address));
                }
            }
            if Instant::now() + pause >= deadline {
                return Ok(None);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.patience.last_look);
        }
    }
}

fn silence(failure: Failure) -> Heard {
    Heard::Silence(match failure.hint {
        Some(hint) => format!("{}; {hint}", failure.reason),
        None => failure.reason,
    })
}
