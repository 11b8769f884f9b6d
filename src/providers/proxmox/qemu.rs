//! Virtual machines: configuration, power, life and death, and what their agent says.
use super::{
    Address, Config, Guest, Parameters, Power, Proxmox, encode, guests::power, lxc, strange, transport::Pairs, values,
};
use crate::model::{Answer, Class};
use reqwest::Method;
use serde_json::Value;
use std::{net::IpAddr, time::Duration};
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

fn base(node: &str, vmid: u32) -> String {
    format!("/nodes/{}/qemu/{vmid}", encode::segment(node))
}

impl Proxmox {
    /// The configuration of a virtual machine, with what is pending.
    pub async fn qemu_config(&self, node: &str, vmid: u32) -> Answer<Config> {
        let attempted = format!("read the configuration of virtual machine {vmid} on {node}");
        self.config_at(&attempted, &base(node, vmid)).await
    }

    /// The configuration once nobody makes or copies the machine any more; after the patience for locks, as it is.
    pub async fn qemu_config_when_made(&self, node: &str, vmid: u32) -> Answer<Config> {
        let attempted = format!("read the configuration of virtual machine {vmid} on {node}");
        let made = |config: &Config| !matches!(config.lock(), Some("create" | "clone"));
        self.config_when(&attempted, &base(node, vmid), made).await
    }

    /// The configuration once no task holds the machine, or as it is after the patience for locks.
    pub async fn qemu_config_when_free(&self, node: &str, vmid: u32) -> Answer<Config> {
        let attempted = format!("read the configuration of virtual machine {vmid} on {node}");
        self.config_when(&attempted, &base(node, vmid), |config| config.lock().is_none()).await
    }

    /// Whether a virtual machine runs, asked of the node itself.
    pub async fn qemu_power(&self, node: &str, vmid: u32) -> Answer<Power> {
        let attempted = format!("ask whether virtual machine {vmid} on {node} runs");
        let data = self.wire.get(&attempted, &format!("{}/status/current", base(node, vmid)), &[]).await?;
        Ok(power(data.get("status").and_then(Value::as_str)))
    }

    /// Whether a listed machine runs: the word of the listing where that can be relied on, else the node's.
    pub async fn qemu_power_of(&self, guest: &Guest) -> Answer<Power> {
        match self.listed_power(guest) {
            Some(power) => Ok(power),
            None => self.qemu_power(&guest.node, guest.vmid).await,
        }
    }

    /// Creates a virtual machine and waits until it is complete, imported disks included.
    ///
    /// # Errors
    /// `Conflict` when the id is taken. A create that fails leaves nothing behind.
    pub async fn create_qemu(&self, node: &str, vmid: u32, parameters: &Parameters) -> Answer<()> {
        let attempted = format!("create virtual machine {vmid} on {node}");
        let mut pairs: Pairs = vec![("vmid".into(), vmid.to_string())];
        pairs.extend(parameters.clone());
        self.wire.touch(vmid);
        let path = format!("/nodes/{}/qemu", encode::segment(node));
        self.patient().act(&attempted, Method::POST, &path, &pairs).await
    }

    /// Copies a virtual machine of this node, with these notes, and waits until the copy is complete.
    ///
    /// # Errors
    /// `Conflict` when the id is taken. A copy that fails leaves nothing behind.
    pub async fn clone_qemu(&self, node: &str, vmid: u32, of: &CloneOf, notes: &str) -> Answer<()> {
        let attempted = format!("clone virtual machine {} on {node} as {vmid}", of.source);
        let mut pairs: Pairs = vec![
            ("newid".into(), vmid.to_string()),
            ("name".into(), of.name.clone()),
            ("description".into(), notes.to_owned()),
            ("full".into(), u8::from(of.full).to_string()),
        ];
        let rest = [("storage", &of.storage), ("snapname", &of.snapshot), ("target", &of.target), ("pool", &of.pool)];
        pairs.extend(rest.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?))));
        self.wire.touch(vmid);
        let path = format!("{}/clone", base(node, of.source));
        self.patient().act(&attempted, Method::POST, &path, &pairs).await
    }

    /// Sets and removes values; `revert` takes back what is pending. As a task, because the synchronous form of the call
    /// gives up after 30 s while a disk is still being made. Not atomic: after an error some of it may have been applied.
    ///
    /// # Errors
    /// `Conflict` when the configuration has changed since `digest`.
    pub async fn update_qemu(
        &self,
        node: &str,
        vmid: u32,
        set: &Parameters,
        delete: &[String],
        revert: &[String],
        digest: &str,
    ) -> Answer<()> {
        let attempted = format!("change the configuration of virtual machine {vmid} on {node}");
        let mut pairs: Pairs = set.clone().into_iter().collect();
        for (name, keys) in [("delete", delete), ("revert", revert)] {
            if !keys.is_empty() {
                pairs.push((name.into(), keys.join(",")));
            }
        }
        pairs.push(("digest".into(), digest.into()));
        self.patient().act(&attempted, Method::POST, &format!("{}/config", base(node, vmid)), &pairs).await
    }

    /// Starts a virtual machine; one that runs already is fine.
    pub async fn start_qemu(&self, node: &str, vmid: u32) -> Answer<()> {
        let attempted = format!("start virtual machine {vmid} on {node}");
        self.switch_qemu(&attempted, node, vmid, "start", vec![], Power::Running).await
    }

    /// Shuts a virtual machine down, hard after `timeout`; one that does not run is fine.
    pub async fn shutdown_qemu(&self, node: &str, vmid: u32, timeout: Duration) -> Answer<()> {
        let attempted = format!("shut down virtual machine {vmid} on {node}");
        let pairs = vec![("timeout".into(), timeout.as_secs().to_string()), ("forceStop".into(), "1".into())];
        self.switch_qemu(&attempted, node, vmid, "shutdown", pairs, Power::Stopped).await
    }

    /// Destroys a stopped virtual machine with its volumes, and its entries in backup jobs.
    pub async fn delete_qemu(&self, node: &str, vmid: u32) -> Answer<()> {
        let attempted = format!("destroy virtual machine {vmid} on {node}");
        let pairs = vec![("purge".into(), "1".into())];
        match self.act(&attempted, Method::DELETE, &base(node, vmid), &pairs).await {
            Err(f) if f.class == Class::NotFound => Ok(()),
            other => other,
        }
    }

    /// Grows a disk (`scsi0`, `virtio1` …) to this many bytes; one that has them already is fine.
    pub async fn resize_qemu(&self, node: &str, vmid: u32, disk: &str, bytes: u64) -> Answer<()> {
        let size = values::size(bytes);
        let attempted = format!("grow {disk} of virtual machine {vmid} on {node} to {size}");
        let pairs = vec![("disk".into(), disk.into()), ("size".into(), size)];
        self.act(&attempted, Method::PUT, &format!("{}/resize", base(node, vmid)), &pairs).await
    }

    /// Whether the cloud-init drive holds other values than the configuration. It is written when the machine starts.
    pub async fn cloud_init_is_stale(&self, node: &str, vmid: u32) -> Answer<bool> {
        let attempted = format!("ask what the cloud-init drive of virtual machine {vmid} on {node} holds");
        let data = self.wire.get(&attempted, &format!("{}/cloudinit", base(node, vmid)), &[]).await?;
        let lines = data.as_array().ok_or_else(|| strange(&attempted, "not a list"))?;
        let differs = |line: &Value| {
            line.get("pending").is_some_and(|v| !v.is_null())
                || line.get("delete").and_then(values::number).is_some_and(|n| n > 0)
        };
        Ok(lines.iter().any(differs))
    }

    /// Writes the cloud-init drive of a running machine anew.
    pub async fn rewrite_cloud_init(&self, node: &str, vmid: u32) -> Answer<()> {
        let attempted = format!("write the cloud-init drive of virtual machine {vmid} on {node} anew");
        self.act(&attempted, Method::PUT, &format!("{}/cloudinit", base(node, vmid)), &vec![]).await
    }

    /// The interfaces of a running machine, as its guest agent says. An agent that is not there yet is no mistake.
    pub async fn agent_interfaces(&self, node: &str, vmid: u32) -> Answer<Heard> {
        let attempted = format!("ask the agent of virtual machine {vmid} on {node} for its addresses");
        let path = format!("{}/agent/network-get-interfaces", base(node, vmid));
        let data = match self.wire.get(&attempted, &path, &[]).await {
            Err(f) if f.class == Class::NotFound => return Err(f),
            Err(f) if matches!(f.class, Class::Transient | Class::Denied | Class::Invalid) => {
                // Where the agent is not there the server says so with status 500, like any other mishap.
                return Ok(Heard::Silence(match f.hint {
                    Some(hint) => format!("{}; {hint}", f.reason),
                    None => f.reason,
                }));
            }
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
                addresses: listed.filter(|ip| !lxc::is_local(ip)).collect(),
            })
        });
        Ok(Heard::Interfaces(interfaces.collect()))
    }

    /// Waits, for a while, until the agent of a machine that was started tells of an address that `wanted` accepts.
    pub async fn await_agent(
        &self,
        node: &str,
        vmid: u32,
        wanted: impl Fn(&AgentInterface) -> bool,
    ) -> Answer<Option<Address>> {
        let deadline = Instant::now() + self.patience.lease * BOOT;
        let mut pause = self.patience.first_look;
        loop {
            if let Heard::Interfaces(all) = self.agent_interfaces(node, vmid).await? {
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

    async fn switch_qemu(
        &self,
        attempted: &str,
        node: &str,
        vmid: u32,
        verb: &str,
        pairs: Pairs,
        wanted: Power,
    ) -> Answer<()> {
        self.wire.touch(vmid);
        let path = format!("{}/status/{verb}", base(node, vmid));
        match self.act(attempted, Method::POST, &path, &pairs).await {
            // `VM 101 already running` ends the task of a start.
            Err(f) if f.reason.contains("already running") || f.reason.contains("not running") => {
                match self.qemu_power(node, vmid).await? {
                    now if now == wanted => Ok(()),
                    _ => Err(f),
                }
            }
            other => other,
        }
    }
}
