//! Commands and files on a node, or inside one of its guests.
//!
//! There is one verb, [`Host::run`], over three transports that all take the same argument list: processes of this
//! machine, the system's `ssh`, and the Unix socket of a sandbox. Whatever nft, Traefik's directory and the units in
//! guests need is built on it, so that a plan executes the same way everywhere.
mod archive;
mod connection;
mod failure;
mod files;
mod local;
mod sandbox;
pub mod scripts;
mod ssh;
#[cfg(test)]
mod tests;

pub use connection::{HostReply, HostRequest};
pub use failure::name_of;
pub use files::{DirectoryEntry, EntryKind, File};
pub use ssh::Ssh;

use crate::model::Answer;
use bytes::Bytes;
use std::{
    fmt::{self, Display},
    path::PathBuf,
    time::Duration,
};

/// How long a command may take and how much it may print before it is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    pub timeout: Duration,
    /// Bytes of standard output; standard error is cut at 64 KiB and never fails the command.
    pub max_output: usize,
}

impl Default for Limits {
    /// Thirty seconds and 64 MiB: a listing of 40,000 nft elements is about 3 MB.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), max_output: 64 << 20 }
    }
}

/// What a command left behind. A status other than 0 is an answer, not a failure of the transport.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Output {
    /// The exit status; 128 + signal when a signal ended it.
    pub status: i32,
    pub stdout: Bytes,
    pub stderr: Bytes,
}

impl Output {
    /// Standard error as text without the trailing newline, for a person.
    pub fn complaint(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim_end().to_owned()
    }
}

/// Where on a host a command runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    Node,
    /// Inside the container, through `pct exec VMID --`.
    Guest {
        vmid: u32,
    },
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => f.write_str("the node"),
            Self::Guest { vmid } => write!(f, "guest {vmid}"),
        }
    }
}

#[derive(Clone, Debug)]
enum Transport {
    Local,
    Ssh(Ssh),
    Sandbox(PathBuf),
}

/// A node whose commands and files can be reached.
#[derive(Clone, Debug)]
pub struct Host {
    transport: Transport,
}

impl Host {
    /// This machine.
    pub fn local() -> Self {
        Self { transport: Transport::Local }
    }
    /// Another machine, through the system's `ssh`.
    pub fn ssh(ssh: Ssh) -> Self {
        Self { transport: Transport::Ssh(ssh) }
    }
    /// The node of a sandbox, through its socket.
    pub fn sandbox(socket: impl Into<PathBuf>) -> Self {
        Self { transport: Transport::Sandbox(socket.into()) }
    }

    /// Runs `argv` on the node with `stdin`, waits for its end and hands back what it printed.
    ///
    /// Secrets go through `stdin`, never through `argv`, which every user of the node can read.
    ///
    /// # Errors
    /// `Unreachable` when the host or the program is not there (exit 127), `Denied` when ssh refuses us or the host's
    /// key, `UnknownOutcome` when the time or the room for output is used up (the command is killed) or the
    /// connection ended midway.
    pub async fn run(&self, argv: &[&str], stdin: Bytes, limits: Limits) -> Answer<Output> {
        let output = match &self.transport {
            Transport::Local => local::run(argv, stdin, limits, &failure::name_of(argv)).await,
            Transport::Ssh(ssh) => ssh.run(argv, stdin, limits).await,
            Transport::Sandbox(socket) => sandbox::run(socket, argv, stdin, limits).await,
        }?;
        failure::program_was_found(argv, output)
    }

    /// The same at a place: inside a guest, the command is prefixed with `pct exec VMID --`.
    ///
    /// # Errors
    /// Those of [`Host::run`]; `Unreachable` when the guest is not running, `NotFound` when it is not on this node.
    pub async fn run_at(&self, place: Place, argv: &[&str], stdin: Bytes, limits: Limits) -> Answer<Output> {
        let Place::Guest { vmid } = place else { return self.run(argv, stdin, limits).await };
        let number = vmid.to_string();
        let whole: Vec<&str> = ["pct", "exec", &number, "--"].into_iter().chain(argv.iter().copied()).collect();
        failure::guest_was_there(vmid, argv, self.run(&whole, stdin, limits).await?)
    }
}
