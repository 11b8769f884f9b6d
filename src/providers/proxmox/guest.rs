//! One guest, a guest or a virtual machine: configuration, power, life and death.
use super::{
    AgentInterface, Grant, Guest, GuestType, Heard, Power, Proxmox, Role, encode,
    guests::power,
    property::Properties,
    strange,
    values::{self, Pairs},
};
use crate::model::{Answer, Class, Failure};
use reqwest::Method;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display},
    net::IpAddr,
    time::Duration,
};
use tokio::time::Instant;

/// The parameters of one call, by name.
pub type Parameters = BTreeMap<String, String>;

/// The configuration of a guest.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// Of the whole file; sent back with a write, which is refused when the file has changed since.
    pub digest: String,
    /// What holds now or from the next start: the file with its pending part merged.
    pub values: BTreeMap<String, String>,
    /// Keys whose value (or removal) takes effect only with the next start.
    pub pending: BTreeSet<String>,
    /// Keys that exist only as pending. Deleting one does nothing (seen on pve-manager 9.2.11): it must be reverted.
    pub only_pending: BTreeSet<String>,
}

impl Config {
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }
    /// Why the guest is locked: `backup`, `create`, `migrate` …
    pub fn lock(&self) -> Option<&str> {
        self.get("lock").filter(|l| !l.trim().is_empty())
    }
}

/// An address that a running guest really has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// The interface inside: `eth0`.
    pub interface: String,
    pub ip: IpAddr,
}

/// One guest, as its own calls name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct At {
    pub kind: GuestType,
    pub node: String,
    pub vmid: u32,
}

impl At {
    /// The path of its calls: `/nodes/pve1/lxc/101`.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.all(), self.vmid)
    }
    /// The path of the call that makes it: `/nodes/pve1/lxc`.
    fn all(&self) -> String {
        format!("/nodes/{}/{}", encode::segment(&self.node), self.kind.segment())
    }
}

impl Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} on {}", self.kind, self.vmid, self.node)
    }
}

impl Proxmox {
    /// The configuration of a guest, with what is pending.
    pub async fn config(&self, guest: &At) -> Answer<Config> {
        let attempted = format!("read the configuration of {guest}");
        let data = self.wire.get(&attempted, &format!("{}/pending", guest.path()), &[]).await?;
        let lines = data.as_array().ok_or_else(|| strange(&attempted, "not a list"))?;
        let mut config = Config::default();
        for line in lines {
            let key = line.get("key").and_then(Value::as_str).ok_or_else(|| strange(&attempted, "no `key`"))?;
            let [now, next] = ["value", "pending"].map(|n| line.get(n).and_then(values::text));
            let goes = line.get("delete").and_then(values::number).is_some_and(|n| n > 0);
            if next.is_some() || goes {
                config.pending.insert(key.to_owned());
                if now.is_none() {
                    config.only_pending.insert(key.to_owned());
                }
            }
            if let Some(value) = next.or(now).filter(|_| !goes) {
                config.values.insert(key.to_owned(), value);
            }
        }
        config.digest = config.values.remove("digest").ok_or_else(|| strange(&attempted, "no `digest`"))?;
        Ok(config)
    }

    /// The configuration once nobody makes the guest any more: until then it holds nothing but a lock. After the
    /// patience for locks it is handed out as it is.
    pub async fn config_when_made(&self, guest: &At) -> Answer<Config> {
        self.config_when(guest, |config| !matches!(config.lock(), Some("create" | "clone"))).await
    }

    /// The configuration once no task holds the guest, or as it is after the patience for locks.
    pub async fn config_when_free(&self, guest: &At) -> Answer<Config> {
        self.config_when(guest, |config| config.lock().is_none()).await
    }

    async fn config_when(&self, guest: &At, fine: fn(&Config) -> bool) -> Answer<Config> {
        let deadline = Instant::now() + self.patience.lock;
        let mut pause = self.patience.first_look;
        loop {
            let config = self.config(guest).await?;
            if fine(&config) || Instant::now() + pause >= deadline {
                return Ok(config);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.patience.last_look);
        }
    }

    /// Waits, for a while, until an interface of a running guest has an address.
    pub async fn await_address(&self, guest: &At, interface: &str) -> Answer<Option<IpAddr>> {
        let deadline = Instant::now() + self.patience.lease;
        let mut pause = self.patience.first_look;
        loop {
            let found = self.interfaces(guest).await?.into_iter().find(|a| a.interface == interface);
            if found.is_some() || Instant::now() + pause >= deadline {
                return Ok(found.map(|a| a.ip));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.patience.last_look);
        }
    }

    /// Whether a guest runs, asked of the node itself.
    pub async fn power(&self, guest: &At) -> Answer<Power> {
        let attempted = format!("ask whether {guest} runs");
        let data = self.wire.get(&attempted, &format!("{}/status/current", guest.path()), &[]).await?;
        Ok(power(data.get("status").and_then(Value::as_str)))
    }

    /// Whether a listed guest runs: what its node has said ([`Self::ask_power`]), else what it says now.
    pub async fn power_of(&self, guest: &Guest) -> Answer<Power> {
        match guest.power {
            Power::Unknown => self.power(&guest.at()).await,
            said => Ok(said),
        }
    }

    /// Creates a guest and waits until it is complete.
    ///
    /// # Errors
    /// `Conflict` when the id is taken. A create that fails leaves nothing behind.
    pub async fn create(&self, guest: &At, parameters: &Parameters) -> Answer<()> {
        let attempted = format!("create {guest}");
        let mut pairs: Pairs = vec![("vmid".into(), guest.vmid.to_string())];
        pairs.extend(parameters.clone());
        self.admit(&attempted, guest.kind, parameters.iter()).await?;
        self.expect(guest);
        match guest.kind {
            GuestType::Lxc => self.act(&attempted, Method::POST, &guest.all(), &pairs).await,
            // Disks that are imported take as long as they take.
            GuestType::Qemu => self.patient().act(&attempted, Method::POST, &guest.all(), &pairs).await,
        }
    }

    /// Sets and removes values; `revert` takes back what is pending. Not atomic: after an error some of it may have been
    /// applied.
    ///
    /// # Errors
    /// `Conflict` when the configuration is no longer that of `digest`.
    pub async fn update(
        &self,
        guest: &At,
        set: &Parameters,
        delete: &[String],
        revert: &[String],
        digest: &str,
    ) -> Answer<()> {
        let attempted = format!("change the configuration of {guest}");
        self.admit(&attempted, guest.kind, set.iter()).await?;
        let mut pairs: Pairs = set.clone().into_iter().collect();
        for (name, keys) in [("delete", delete), ("revert", revert)] {
            if !keys.is_empty() {
                pairs.push((name.into(), keys.join(",")));
            }
        }
        pairs.push(("digest".into(), digest.into()));
        let path = format!("{}/config", guest.path());
        match guest.kind {
            GuestType::Lxc => self.act(&attempted, Method::PUT, &path, &pairs).await,
            // As a task: the synchronous form of the call gives up after 30 s while a disk is still being made.
            GuestType::Qemu => self.patient().act(&attempted, Method::POST, &path, &pairs).await,
        }
    }

    /// Starts a guest; one that runs already is fine.
    pub async fn start(&self, guest: &At) -> Answer<()> {
        let attempted = format!("start {guest}");
        self.switch(&attempted, guest, "start", vec![], Power::Running).await
    }

    /// Shuts a guest down, hard after `timeout`; one that does not run is fine.
    pub async fn shutdown(&self, guest: &At, timeout: Duration) -> Answer<()> {
        let attempted = format!("shut down {guest}");
        let pairs = vec![("timeout".into(), timeout.as_secs().to_string()), ("forceStop".into(), "1".into())];
        self.switch(&attempted, guest, "shutdown", pairs, Power::Stopped).await
    }

    /// Stops a guest hard; one that does not run is fine.
    pub async fn stop(&self, guest: &At) -> Answer<()> {
        let attempted = format!("stop {guest}");
        self.switch(&attempted, guest, "stop", vec![], Power::Stopped).await
    }

    /// Shuts a guest down and starts it again, which applies what is pending.
    pub async fn reboot(&self, guest: &At, timeout: Duration) -> Answer<()> {
        let attempted = format!("restart {guest}");
        let pairs = vec![("timeout".into(), timeout.as_secs().to_string())];
        self.act(&attempted, Method::POST, &format!("{}/status/reboot", guest.path()), &pairs).await
    }

    /// Destroys a stopped guest with its volumes, and its entries in backup jobs.
    pub async fn destroy(&self, guest: &At) -> Answer<()> {
        let attempted = format!("destroy {guest}");
        let pairs = vec![("purge".into(), "1".into())];
        match self.act(&attempted, Method::DELETE, &guest.path(), &pairs).await {
            Err(f) if f.class == Class::NotFound => Ok(()),
            other => other,
        }
    }

    /// Grows a volume (`rootfs`, `mp0` …) to this many bytes; one that has them already is fine.
    pub async fn resize(&self, guest: &At, disk: &str, bytes: u64) -> Answer<()> {
        let size = values::size(bytes);
        let attempted = format!("grow {disk} of {guest} to {size}");
        let pairs = vec![("disk".into(), disk.into()), ("size".into(), size)];
        match self.act(&attempted, Method::PUT, &format!("{}/resize", guest.path()), &pairs).await {
            Err(f) if f.reason.contains("disk is already at specified size") => Ok(()),
            other => other,
        }
    }

    /// Makes a guest a member of a pool, and of no other any more.
    pub async fn join_pool(&self, guest: &At, pool: &str) -> Answer<()> {
        let attempted = format!("put {guest} into the pool {pool}");
        // Who may not see the members takes every member for none, and would be told that it is there already.
        self.demand(&attempted, &Grant::on(Role::Pools, pool)).await?;
        let pairs = [("poolid", pool), ("vms", &guest.vmid.to_string()), ("allow-move", "1")];
        let pairs: Pairs = pairs.map(|(key, value)| (key.into(), value.into())).into();
        self.act(&attempted, Method::PUT, "/pools", &pairs).await
    }

    /// The addresses that a guest really has, without loopback and link-local ones. Empty when it does not run, and of a
    /// virtual machine also while its agent does not answer.
    pub async fn interfaces(&self, guest: &At) -> Answer<Vec<Address>> {
        let attempted = format!("ask for the addresses of {guest}");
        let data = match guest.kind {
            GuestType::Lxc => self.wire.get(&attempted, &format!("{}/interfaces", guest.path()), &[]).await?,
            GuestType::Qemu => {
                let Heard::Interfaces(all) = self.agent_interfaces(guest).await? else { return Ok(vec![]) };
                let each = |i: AgentInterface| {
                    i.addresses.into_iter().map(move |ip| Address { interface: i.name.clone(), ip })
                };
                return Ok(all.into_iter().flat_map(each).collect());
            }
        };
        Ok(addresses(&data))
    }

    async fn switch(&self, attempted: &str, guest: &At, verb: &str, pairs: Pairs, wanted: Power) -> Answer<()> {
        let path = format!("{}/status/{verb}", guest.path());
        match self.acted(attempted, Method::POST, &path, &pairs).await {
            Ok(Some(task)) if task.is_request() => self.await_power(attempted, guest, wanted).await,
            Ok(_) => Ok(()),
            // `CT 101 already running`, `CT 101 not running`; the latter also when there is no such guest.
            Err(f) if f.reason.contains("already running") || f.reason.contains("not running") => {
                match self.power(guest).await? {
                    now if now == wanted => Ok(()),
                    _ => Err(f),
                }
            }
            Err(other) => Err(other),
        }
    }

    /// Waits until the cluster has done what it was asked to do with a guest that it runs.
    async fn await_power(&self, attempted: &str, guest: &At, wanted: Power) -> Answer<()> {
        let deadline = Instant::now() + self.patience.task;
        let mut pause = self.patience.first_look;
        loop {
            if self.power(guest).await? == wanted {
                return Ok(());
            }
            if Instant::now() + pause >= deadline {
                let why = "the high availability of the cluster was asked to do it, and has not done it in time";
                return Err(Failure::new(Class::Transient, attempted, why).hint("see `ha-manager status` on a node"));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.patience.last_look);
        }
    }
}

/// What a listing of a container's interfaces says.
fn addresses(cards: &Value) -> Vec<Address> {
    let mut out = vec![];
    for card in cards.as_array().into_iter().flatten() {
        let Some(interface) = card.get("name").and_then(Value::as_str) else { continue };
        let listed = card.get("ip-addresses").and_then(Value::as_array).into_iter().flatten();
        let listed = listed.filter_map(|a| a.get("ip-address").and_then(Value::as_str)).map(str::to_owned);
        // Before 9 there are only these two, with a prefix.
        let old = ["inet", "inet6"].into_iter().filter_map(|n| card.get(n).and_then(Value::as_str));
        let old = old.filter_map(|a| a.split('/').next()).map(str::to_owned);
        let mut seen = BTreeSet::new();
        for ip in listed.chain(old).filter_map(|a| a.parse::<IpAddr>().ok()) {
            if !is_local(&ip) && seen.insert(ip) {
                out.push(Address { interface: interface.to_owned(), ip });
            }
        }
    }
    out
}

/// Whether an address reaches no further than the guest's own links.
pub(super) fn is_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

/// The size of a volume in bytes, as the configuration notes it: `local:101/vm-101-disk-0.raw,size=8G`.
pub fn volume_size(value: &str) -> Option<u64> {
    Properties::parse(value).get("size").and_then(values::bytes)
}
