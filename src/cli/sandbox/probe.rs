//! `trueup sandbox probe`: a connection from outside, as a proof that what was published is reached.
use super::Which;
use crate::{
    cli::screen::Screen,
    report::Exit,
    sandbox::{control::Ask, net::probe::Probe},
};
use clap::{Args, Subcommand};
use std::net::SocketAddr;

/// Connect to the simulated site from outside, and tell what came back
#[derive(Args, Debug)]
pub(super) struct ProbeIt {
    #[command(flatten)]
    which: Which,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Connect and read what the other side says first
    Tcp { to: SocketAddr },
    /// Send a datagram and read the answer
    Udp { to: SocketAddr },
    /// Shake hands for a name and tell whose certificate was shown
    Tls { to: SocketAddr, name: String },
    /// Ask for / in plain HTTP and tell status line and Location
    Http { to: SocketAddr, host: String },
}

impl ProbeIt {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        let probe = match self.what {
            What::Tcp { to } => Probe::Tcp { to },
            What::Udp { to } => Probe::Udp { to },
            What::Tls { to, name } => Probe::Tls { to, name },
            What::Http { to, host } => Probe::Http { to, host },
        };
        let answer = self.which.ask(&Ask::Probe(probe))?;
        screen.print(&format!("{}\n", answer.as_str().unwrap_or_default()));
        Ok(Exit::Done)
    }
}
