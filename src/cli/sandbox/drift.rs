//! `trueup sandbox drift`: what people do behind the product's back.
use super::Which;
use crate::{
    cli::screen::Screen,
    report::Exit,
    sandbox::{control::Ask, drift::Drift},
};
use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Change something in the simulated site behind trueup's back, as people do
#[derive(Args, Debug)]
pub(super) struct DriftIt {
    #[command(flatten)]
    which: Which,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Delete the forwards of a public port
    Forward { port: u16 },
    /// Flush the whole ruleset of nftables
    FlushRuleset,
    /// Edit the DNS records of a name
    Record { name: String, content: String },
    /// Delete the DNS records of a name
    DeleteRecord { name: String },
    /// Set a guest's memory; the guest by its name or vmid
    Memory {
        guest: String,
        #[arg(value_name = "MIB")]
        mib: u64,
    },
    /// Start or stop a guest
    Power { guest: String, state: Power },
    /// Move a guest to another node
    Migrate { guest: String, node: String },
    /// Take a node down, or bring it up again
    Node { node: String, state: Power },
    /// Give an interface of a guest another address, as a DHCP server does
    Lease {
        guest: String,
        /// As the guest calls it: eth0
        interface: String,
        #[arg(value_name = "ADDRESS/PREFIX")]
        address: ipnet::IpNet,
    },
    /// Write a file on the node, or in a guest
    File {
        /// The path there
        path: String,
        /// The file whose content is written
        content: PathBuf,
        /// In this guest
        #[arg(long)]
        vmid: Option<u32>,
    },
    /// Remove a file on the node, or in a guest
    RemoveFile {
        /// The path there
        path: String,
        /// In this guest
        #[arg(long)]
        vmid: Option<u32>,
    },
    /// Call an API with an administrator's token
    Call {
        system: Api,
        method: String,
        path: String,
        /// JSON
        body: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Power {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Api {
    Proxmox,
    Cloudflare,
}

impl DriftIt {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        let drift = match self.what {
            What::Forward { port } => Drift::Forward { port },
            What::FlushRuleset => Drift::FlushRuleset,
            What::Record { name, content } => Drift::Record { name, content },
            What::DeleteRecord { name } => Drift::DeleteRecord { name },
            What::Memory { guest, mib } => Drift::Memory { guest, mib },
            What::Power { guest, state } => Drift::Power { guest, running: matches!(state, Power::On) },
            What::Lease { guest, interface, address } => Drift::Lease { guest, interface, address },
            What::File { vmid, path, content } => {
                let text = std::fs::read_to_string(&content);
                let content = text.with_context(|| format!("read {}", content.display()))?;
                Drift::File { vmid, path, content }
            }
            What::Migrate { guest, node } => Drift::Migrate { guest, node },
            What::Node { node, state } => Drift::Node { node, online: matches!(state, Power::On) },
            What::RemoveFile { vmid, path } => Drift::RemoveFile { vmid, path },
            What::Call { system, method, path, body } => {
                let system = match system {
                    Api::Proxmox => "proxmox",
                    Api::Cloudflare => "cloudflare",
                };
                let body = body.map(|text| serde_json::from_str(&text)).transpose().context("read the body as JSON")?;
                Drift::Call { system: system.into(), method, path, body }
            }
        };
        let told = self.which.ask(&Ask::Drift(drift))?;
        screen.print(&format!("{}\n", told.as_str().unwrap_or_default()));
        Ok(Exit::Done)
    }
}
