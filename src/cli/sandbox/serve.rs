//! `trueup sandbox serve`
use super::{
    super::{
        format::Format,
        interrupt,
        lines::Lines,
        loaded::{self, Shown},
        origin, runtime,
        screen::Screen,
    },
    seed,
};
use crate::{
    providers::sandbox_connection::Connection,
    report::Exit,
    sandbox::{
        proxmox::Release,
        seed::Seed,
        serve::{self, NetMode, Options},
    },
};
use anyhow::Context;
use clap::{Args, ValueEnum};
use std::{
    fmt::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
};

const NOTES: &str = "\
It runs until Ctrl-C or `trueup sandbox stop`; its state stays in the directory, and the next start goes on from there.
The simulated site is the one of the examples, or with --for the one that manifests speak of; it is chosen when the
directory is new.";

/// Start a sandbox and serve until it is stopped
#[derive(Args, Debug)]
#[command(after_help = NOTES)]
pub(super) struct Serve {
    /// The directory in which it keeps its state; `--sandbox DIR` finds it there
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Simulate the nodes, storages, bridges, templates, zone and addresses that these manifests speak of
    #[arg(long = "for", value_name = "PATH")]
    manifests: Option<PathBuf>,
    /// Where the simulated Proxmox VE listens [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    proxmox: Option<SocketAddr>,
    /// Where the simulated Cloudflare listens [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    cloudflare: Option<SocketAddr>,
    /// Where the simulated Traefik's API listens [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    traefik: Option<SocketAddr>,
    /// Show the network namespaces to `ip netns` as NAME-client, NAME-edge and NAME-guests (as root only)
    #[arg(long, value_name = "NAME", conflicts_with = "nft")]
    netns: Option<String>,
    /// The kernel's nftables in namespaces of its own, or a simulation without packets
    #[arg(long, value_enum, default_value_t)]
    nft: Nft,
    /// Take no time for what takes time in reality
    #[arg(long)]
    fast: bool,
    /// The release of Proxmox VE to simulate
    #[arg(long, value_name = "VERSION", value_enum, default_value_t)]
    pve_version: Version,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, ValueEnum)]
enum Nft {
    /// In network namespaces; where we are not root, inside a user namespace
    #[default]
    Kernel,
    /// Neither root nor namespaces needed; what is written is checked and kept, and nothing can be connected to
    Simulated,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, ValueEnum)]
pub(super) enum Version {
    #[default]
    #[value(name = "9.2")]
    V9_2,
    #[value(name = "8.4")]
    V8_4,
}

impl Version {
    /// The release that is simulated for it.
    pub fn release(self) -> Release {
        match self {
            Self::V9_2 => Release::V9_2_11,
            Self::V8_4 => Release::V8_4_21,
        }
    }
}

impl Serve {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        let net = match (self.nft, NetMode::possible()) {
            (Nft::Simulated, _) => NetMode::Simulated,
            (Nft::Kernel, NetMode::Root { .. }) if in_user_namespace() => NetMode::UserNamespace,
            (Nft::Kernel, NetMode::Root { .. }) => NetMode::Root { name: self.netns.clone() },
            (Nft::Kernel, _) => {
                screen.warn("not root: entering a user namespace (where the system forbids that: --nft simulated)");
                match serve::enter_user_namespace()? {}
            }
        };
        let mut seed = match &self.manifests {
            None => Seed::default(),
            Some(path) => {
                let lines = Lines::open(screen, Format::Text, None)?;
                let mut tree = origin::local(Some(path))?.tree;
                let (declarations, found) = loaded::read(&mut tree, screen, &lines, Shown::AsReason);
                if found.errors > 0 {
                    screen.warn(&format!("nothing was started: {}", loaded::count(found)));
                    return Ok(Exit::Nothing);
                }
                seed::of(&declarations)
            }
        };
        seed.proxmox.version = self.pve_version.release();
        let mut options = Options { net, seed, fast: self.fast, ..Options::new(&self.state) };
        options.proxmox = self.proxmox.unwrap_or(options.proxmox);
        options.cloudflare = self.cloudflare.unwrap_or(options.cloudflare);
        options.traefik = self.traefik.unwrap_or(options.traefik);
        runtime()?.block_on(async {
            let running = serve::serve(options).await.context("start the sandbox")?;
            screen.print(&greeting(running.connection(), &self.state)?);
            interrupt::until_asked(running.asked_to_stop()).await?;
            running.stop().await.context("stop the sandbox")?;
            screen.warn(&format!("stopped; the state stays in {}", self.state.display()));
            Ok(Exit::Done)
        })
    }
}

fn greeting(connection: &Connection, state: &Path) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let state = state.display();
    writeln!(text, "A simulated site runs in {state}")?;
    writeln!(text, "  Proxmox VE    {}", connection.proxmox.url)?;
    writeln!(text, "  Cloudflare    {}", connection.cloudflare.url)?;
    writeln!(text, "  Traefik       {}", connection.traefik.url)?;
    match &connection.namespaces {
        Some(namespaces) => {
            let user = namespaces.user_of.map(|pid| format!(" --user --target {pid}")).unwrap_or_default();
            writeln!(text, "  as a client   nsenter{user} --net={}", namespaces.client.display())?;
        }
        None => writeln!(text, "  nftables      simulated: nothing can be connected to")?,
    }
    writeln!(text, "Try:  trueup reconcile --dry-run --sandbox {state}")?;
    writeln!(text, "End:  Ctrl-C, or trueup sandbox stop --state {state}")?;
    Ok(text)
}

/// Whether we are root of a user namespace only, as after [`serve::enter_user_namespace`].
fn in_user_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    // The initial namespace maps all 2^32 - 1 ids.
    map.split_whitespace().last().is_some_and(|length| length != "4294967295")
}
