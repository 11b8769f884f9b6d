//! The sandbox's network: three namespaces joined by veth, with the kernel's own nft in the middle.
//!
//! ```text
//!   client ── net ═══ vmbr0 ── edge ── vmbr1 ═══ eth0 ── guests
//! ```
//! The edge is the node: it has the public addresses and the guests' gateway addresses. All guests share one namespace,
//! each with its own addresses; what answers there says which guest it is.
mod plan;
pub mod probe;
mod room;
mod simulated;
#[cfg(test)]
pub(crate) mod tests;

pub use plan::{GuestNetwork, Layout};
pub use room::Room;
pub use simulated::Simulated;

use super::{host::Ground, store::Store};
use crate::providers::{
    host::{Limits, Output},
    sandbox_connection::Namespaces,
};
use anyhow::Result;
use bytes::Bytes;
use std::{future::Future, pin::Pin, sync::Arc};

/// The namespaces of a running sandbox.
pub struct Net {
    pub client: Room,
    pub edge: Room,
    pub guests: Room,
}

/// Where the ruleset is kept over a restart.
const RULESET: &str = "nft.ruleset";

impl Net {
    /// Makes and joins them.
    ///
    /// # Errors
    /// When the kernel refuses, or `ip` is not installed.
    pub async fn open(layout: &Layout) -> Result<Self> {
        let net = Self { client: Room::open("client")?, edge: Room::open("edge")?, guests: Room::open("guests")? };
        for room in [&net.client, &net.edge, &net.guests] {
            room.ip(vec!["link set lo up".to_owned()]).await?;
        }
        net.edge.ip(layout.links(net.client.thread_id(), net.guests.thread_id())).await?;
        net.edge.ip(layout.edge()).await?;
        net.client.ip(layout.client()).await?;
        net.guests.ip(layout.guests(false)).await?;
        net.guests.ip6(layout.guests(true)).await?;
        // Guests are many machines in one namespace: what another interface would filter is not theirs to filter.
        net.guests.sysctl("net.ipv4.conf.all.rp_filter", "0").await?;
        for key in ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"] {
            net.edge.sysctl(key, if layout.forwarding { "1" } else { "0" }).await?;
        }
        Ok(net)
    }

    /// As the connection file shows them.
    pub fn namespaces(&self) -> Namespaces {
        // As root of a user namespace one must be entered first; its map does not begin with the whole of user ids.
        let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let initial = map.split_whitespace().last() == Some("4294967295");
        Namespaces {
            client: self.client.path(),
            edge: self.edge.path(),
            guests: self.guests.path(),
            user_of: (!initial).then(std::process::id),
        }
    }

    /// Lets `ip netns` show them under a name. A name that a killed run left is taken over.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub async fn publish(&self, name: &str) -> Result<()> {
        self.withdraw(name).await;
        for (room, suffix) in [(&self.client, "client"), (&self.edge, "edge"), (&self.guests, "guests")] {
            let argv = ["ip", "netns", "attach", &format!("{name}-{suffix}"), &room.thread_id().to_string()];
            let output = room.command(argv.map(str::to_owned).to_vec(), Bytes::new(), Limits::default()).await;
            anyhow::ensure!(output.status == 0, "name the namespace {name}-{suffix}: {}", output.complaint());
        }
        Ok(())
    }

    /// Takes the names away.
    pub async fn withdraw(&self, name: &str) {
        for suffix in ["client", "edge", "guests"] {
            let argv = ["ip", "netns", "del", &format!("{name}-{suffix}")];
            self.edge.command(argv.map(str::to_owned).to_vec(), Bytes::new(), Limits::default()).await;
        }
    }

    /// Loads the ruleset that an earlier run left, as a node's boot unit does.
    ///
    /// # Errors
    /// When it cannot be read or nft refuses it.
    pub async fn restore(&self, store: &Store) -> Result<()> {
        let path = store.path(RULESET);
        if !path.exists() {
            return Ok(());
        }
        let text = std::fs::read(&path)?;
        let argv = ["nft", "-f", "-"].map(str::to_owned).to_vec();
        let output = self.edge.command(argv, text.into(), Limits::default()).await;
        anyhow::ensure!(output.status == 0, "nft refuses {}: {}", path.display(), output.complaint());
        Ok(())
    }

    /// Keeps the ruleset for the next run.
    ///
    /// # Errors
    /// When nft cannot list it or the disk is full.
    pub async fn keep(&self, store: &Store) -> Result<()> {
        let argv = ["nft", "list", "ruleset"].map(str::to_owned).to_vec();
        let output = self.edge.command(argv, Bytes::new(), Limits::default()).await;
        anyhow::ensure!(output.status == 0, "nft list ruleset: {}", output.complaint());
        store.put(RULESET, &output.stdout, 0o600)
    }
}

/// The kernel's nft, `ip`, `sysctl` and `conntrack`, run in the edge namespace.
pub struct Kernel(pub Arc<Net>);

impl Ground for Kernel {
    fn run(
        &self,
        argv: Vec<String>,
        stdin: Bytes,
        limits: Limits,
    ) -> Pin<Box<dyn Future<Output = Output> + Send + '_>> {
        Box::pin(self.0.edge.command(argv, stdin, limits))
    }
}
