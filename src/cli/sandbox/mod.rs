//! `trueup sandbox …`: a simulated site on this machine.
mod drift;
mod fault;
mod probe;
mod replay;
mod seed;
mod serve;
mod show;
mod stop;

use super::{runtime, screen::Screen};
use crate::{
    model::Answer,
    providers::sandbox_connection::Connection,
    report::Exit,
    sandbox::control::{self, Ask},
};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::path::PathBuf;

/// A simulated site on this machine: Proxmox VE, Cloudflare, Traefik, guests, and the kernel's own nftables
#[derive(Args, Debug)]
pub(super) struct Sandbox {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Serve(serve::Serve),
    Show(show::Show),
    Drift(drift::DriftIt),
    Fault(fault::FaultIt),
    Probe(probe::ProbeIt),
    Replay(replay::Replay),
    Stop(stop::Stop),
}

/// Which sandbox is meant.
#[derive(Args, Debug)]
struct Which {
    /// The directory in which the sandbox runs
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
}

impl Sandbox {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        match self.what {
            What::Serve(serve) => serve.run(screen),
            What::Show(show) => show.run(screen),
            What::Drift(drift) => drift.run(screen),
            What::Fault(fault) => fault.run(screen),
            What::Probe(probe) => probe.run(screen),
            What::Replay(replay) => replay.run(screen),
            What::Stop(stop) => stop.run(screen),
        }
    }
}

impl Which {
    fn connection(&self) -> Answer<Connection> {
        Connection::read(&self.state)
    }

    /// Asks it something.
    fn ask(&self, what: &Ask) -> anyhow::Result<Value> {
        let connection = self.connection()?;
        runtime()?.block_on(control::ask(&connection.control_socket, what))
    }
}
