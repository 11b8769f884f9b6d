//! Starts and stops a sandbox; the command line and tests do it alike.
use super::{
    authority::Authority,
    cloudflare, control,
    faults::Faults,
    guests::Street,
    host::{self, Ground, LookUp, Node, Presence},
    https::Front,
    net::{Kernel, Net, Simulated},
    proxmox::{self, Clock, Kind, Timing},
    seed::Seed,
    site::{self, Network, Site},
    store::Store,
    traefik::{Traefik, Watching},
    wire::Api,
};
use crate::providers::{
    host::{Host, Limits},
    sandbox_connection::{Connection, Http, Https},
};
use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
};

/// How a sandbox is to be started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it keeps its state, and where `--sandbox` finds it.
    pub state: PathBuf,
    pub proxmox: SocketAddr,
    pub cloudflare: SocketAddr,
    pub traefik: SocketAddr,
    pub net: NetMode,
    /// Nothing takes the time that it takes in reality.
    pub fast: bool,
    /// The time of Proxmox VE; the present unless it is given.
    pub clock: Option<Clock>,
    /// Used by a fresh state directory only.
    pub seed: Seed,
}

impl Options {
    /// With the default site, on ports that are free, with whatever network this machine allows.
    pub fn new(state: impl Into<PathBuf>) -> Self {
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let (proxmox, cloudflare, traefik) = (any, any, any);
        let (net, seed) = (NetMode::possible(), Seed::default());
        Self { state: state.into(), proxmox, cloudflare, traefik, net, fast: false, clock: None, seed }
    }
}

/// What stands for the network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NetMode {
    /// Namespaces of the kernel; with a name, `ip netns` shows them as `NAME-client`, `NAME-edge`, `NAME-guests`.
    Root { name: Option<String> },
    /// The same inside an unprivileged user namespace, in which the process must have been started
    /// (see [`enter_user_namespace`]).
    UserNamespace,
    /// nft is simulated and there are no packets.
    Simulated,
}

impl NetMode {
    /// Namespaces where we are root, no packets elsewhere.
    pub fn possible() -> Self {
        if nix::unistd::geteuid().is_root() { Self::Root { name: None } } else { Self::Simulated }
    }
}

/// Starts this program again with the same arguments as root of a user namespace of its own. Does not come back.
///
/// # Errors
/// When `unshare` is not there. Where the kernel forbids it, `unshare` itself says so and ends.
pub fn enter_user_namespace() -> Result<std::convert::Infallible> {
    use std::os::unix::process::CommandExt;
    let own = std::env::current_exe().context("find the program itself")?;
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--"]).arg(own).args(std::env::args_os().skip(1));
    Err(command.exec()).context("start `unshare` (package util-linux)")
}

/// A sandbox that serves until it is stopped or dropped.
pub struct Running {
    connection: Connection,
    site: Arc<Site>,
    names: Option<String>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    _watching: Watching,
}

/// Starts a sandbox.
///
/// # Errors
/// When the directory is in use or cannot be understood, an address is taken, or the network cannot be made.
pub async fn serve(options: Options) -> Result<Running> {
    let store = Arc::new(Store::open(&options.state)?);
    let seed = match store.load("seed")? {
        Some(seed) => seed,
        None => {
            let seed = Seed { proxmox: options.seed.proxmox.clone().with_account(), ..options.seed.clone() };
            store.save("seed", &seed)?;
            seed
        }
    };
    let faults = Arc::new(Faults::open(Arc::clone(&store))?);
    let timing = if options.fast { Timing::Fast } else { Timing::Real };
    let wrong = |what: &'static str| move |e: String| anyhow!("the seed of {what}: {e}");
    let clock = options.clock.clone().unwrap_or_else(Clock::system);
    let proxmox = proxmox::Simulator::by(&seed.proxmox, store.load(site::PROXMOX)?, timing, clock);
    let proxmox = Arc::new(proxmox.map_err(wrong("proxmox"))?);
    let state = store.load(site::CLOUDFLARE)?.unwrap_or_default();
    let mut account = seed.cloudflare.clone();
    if options.fast {
        account.behaviour = account.behaviour.unhurried();
    }
    let cloudflare = Arc::new(cloudflare::Simulator::new(&account, state).map_err(wrong("cloudflare"))?);
    let (network, ground) = network(&options.net, &seed, &store).await?;
    let (touched, nft_touched) = (watch::Sender::new(0), watch::Sender::new(0));
    let node = node(&seed, &store, &proxmox, &ground, &touched, &nft_touched)?;
    let dynamic = node.root().join(seed.dynamic_directory.trim_start_matches('/'));
    std::fs::create_dir_all(&dynamic).with_context(|| format!("make {}", dynamic.display()))?;
    let traefik = Arc::new(Traefik::start(dynamic));
    let watching = traefik.watch(if options.fast { Duration::ZERO } else { Duration::from_secs(2) })?;
    let (connected, settled) = (Mutex::new(BTreeMap::new()), Mutex::new(site::Settled::unknown(node.inhabited())));
    let site =
        Site { seed, store, faults, proxmox, cloudflare, traefik, node, ground, network, touched, connected, settled };
    let site = Arc::new(site);
    site.settle().await;

    let mut tasks = vec![follow(Arc::clone(&site)), keep(Arc::clone(&site), nft_touched.subscribe())];
    if let Some(net) = site.net() {
        tasks.push(site.traefik.listen(&net.edge).await?);
    }
    let (connection, fronts) = fronts(&site, &options).await?;
    tasks.extend(fronts);
    tasks.push(host::serve(&connection.host_socket, Arc::clone(&site.node), Arc::clone(&site.faults))?);
    let stop = watch::Sender::new(false);
    tasks.push(control::serve(Arc::clone(&site), connection.clone(), stop.clone())?);
    let names = match options.net {
        NetMode::Root { name } => name,
        _ => None,
    };
    if let (Some(name), Some(net)) = (&names, site.net()) {
        net.publish(name).await?;
    }
    // Written last: whoever finds it finds everything else.
    let text = serde_json::to_vec_pretty(&connection).context("write the connection")?;
    site.store.put(Connection::FILE, &text, 0o600)?;
    Ok(Running { connection, site, names, stop, tasks, _watching: watching })
}

async fn network(mode: &NetMode, seed: &Seed, store: &Store) -> Result<(Network, Arc<dyn Ground>)> {
    if *mode == NetMode::Simulated {
        tracing::warn!("no network namespaces: nft is simulated, and no packet will ever pass");
        let simulated = Arc::new(Simulated::new(site::saved_nft(store)?, seed.gateway.clone()));
        return Ok((Network::Simulated(Arc::clone(&simulated)), simulated));
    }
    if !nix::unistd::geteuid().is_root() {
        bail!("network namespaces need root; start the sandbox inside `unshare -Ur`, or let it simulate nft");
    }
    let net = Arc::new(Net::open(&seed.gateway).await?);
    if let Err(e) = net.restore(store).await {
        tracing::warn!("the ruleset of the last run was not loaded: {e:#}");
    }
    let street = Street::new(Arc::clone(&net), room_for_guests().await);
    Ok((Network::Namespaces { net: Arc::clone(&net), street }, Arc::new(Kernel(net))))
}

/// How many files this process may have open: as set, and the most that it may set itself.
fn open_files() -> Option<(usize, usize)> {
    let text = std::fs::read_to_string("/proc/self/limits").ok()?;
    let mut words = text.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// Each guest listens on four ports of each address: a shell's usual 1,024 descriptors end at 250 guests. Gives back at
/// how many addresses guests may answer.
async fn room_for_guests() -> usize {
    if let Some((_, most)) = open_files() {
        let argv = ["prlimit", "--pid", &std::process::id().to_string(), &format!("--nofile={most}:")];
        if let Err(e) = Host::local().run(&argv, Bytes::new(), Limits::default()).await {
            tracing::debug!("the number of open files stays as it is: {e}");
        }
    }
    // Half of them is for clients' connections and everything else.
    open_files().map_or(100, |(now, _)| now / 8)
}

fn node(
    seed: &Seed,
    store: &Store,
    proxmox: &Arc<proxmox::Simulator>,
    ground: &Arc<dyn Ground>,
    touched: &watch::Sender<u64>,
    nft_touched: &watch::Sender<u64>,
) -> Result<Arc<Node>> {
    let name = seed.proxmox.nodes.keys().next().cloned().unwrap_or_default();
    let guests = Arc::clone(proxmox);
    let look_up: LookUp = Arc::new(move |vmid| match guests.guest(vmid).filter(|guest| guest.kind == Kind::Lxc) {
        None => Presence::Absent,
        Some(guest) if guest.running => Presence::Running,
        Some(_) => Presence::Stopped,
    });
    let (touched, nft_touched) = (touched.clone(), nft_touched.clone());
    let tell = Box::new(move |program: &str| match program {
        "nft" => nft_touched.send_modify(|n| *n += 1),
        // Only what happens inside a guest can start or stop something there.
        "pct" => touched.send_modify(|n| *n += 1),
        _ => {}
    });
    let (pve, at) = (Arc::clone(proxmox), name.clone());
    let set = move |vmid: u32, given: BTreeMap<String, String>| {
        pve.as_root("PUT", &format!("/nodes/{at}/lxc/{vmid}/config"), given)
    };
    let console = Arc::clone(proxmox);
    let node = Node::new(name, store.directory().to_owned(), Arc::clone(ground), look_up, tell)
        .with_console(Box::new(move |argv| proxmox::pveum::run(&console, argv)))
        .with_options(Box::new(set));
    node.furnish().context("make the node's directories")?;
    Ok(Arc::new(node))
}

/// What changes in Proxmox or on the node has its effect at once.
fn follow(site: Arc<Site>) -> JoinHandle<()> {
    let (mut proxmox, mut touched) = (site.proxmox.changed(), site.touched.subscribe());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                changed = proxmox.changed() => if changed.is_err() { return },
                changed = touched.changed() => if changed.is_err() { return },
            }
            site.settle().await;
        }
    })
}

/// What changed is written down, at most ten times a second, and in a tenth of the time at most: a large site is a large
/// file.
fn keep(site: Arc<Site>, mut nft: watch::Receiver<u64>) -> JoinHandle<()> {
    let (mut proxmox, mut cloudflare) = (site.proxmox.changed(), site.cloudflare.changed());
    tokio::spawn(async move {
        loop {
            let changed = tokio::select! {
                Ok(()) = proxmox.changed() => Part::Proxmox,
                Ok(()) = cloudflare.changed() => Part::Cloudflare,
                Ok(()) = nft.changed() => Part::Nft,
                else => return,
            };
            let began = tokio::time::Instant::now();
            let kept = match changed {
                Part::Proxmox => site.store.save(site::PROXMOX, &site.proxmox.snapshot()),
                Part::Cloudflare => site.store.save(site::CLOUDFLARE, &site.cloudflare.snapshot()),
                Part::Nft => site.save_nft().await,
            };
            let took = began.elapsed();
            if let Err(e) = kept {
                tracing::error!("the sandbox's state could not be kept: {e:#}");
            }
            tokio::time::sleep(Duration::from_millis(100).max(took * 9)).await;
        }
    })
}

/// What has a file of its own.
enum Part {
    Proxmox,
    Cloudflare,
    Nft,
}

async fn fronts(site: &Arc<Site>, options: &Options) -> Result<(Connection, Vec<JoinHandle<()>>)> {
    let authority = Authority::open(&site.store)?;
    let token = |name: &str, token: Option<String>| -> Result<PathBuf> {
        let token = token.with_context(|| format!("the seed has no token for {name}"))?;
        let file = format!("{name}.token");
        site.store.put(&file, format!("{token}\n").as_bytes(), 0o600)?;
        Ok(site.store.path(&file))
    };
    let password = site.seed.proxmox.root_password().context("the seed has no password for root@pam")?;
    site.store.put("proxmox.password", format!("{password}\n").as_bytes(), 0o600)?;
    let front = |api: Arc<dyn Api>, at: Option<IpAddr>, idle| {
        let tls = at.map(|address| authority.server(address)).transpose()?;
        anyhow::Ok(Front { api, tls, faults: Arc::clone(&site.faults), idle: Duration::from_secs(idle) })
    };
    // pveproxy closes a connection after five idle seconds, Cloudflare after minutes.
    let proxmox = front(site.proxmox.clone(), Some(options.proxmox.ip()), 5)?.serve(options.proxmox).await?;
    let cloudflare =
        front(site.cloudflare.clone(), Some(options.cloudflare.ip()), 400)?.serve(options.cloudflare).await?;
    let traefik = front(site.traefik.clone(), None, 180)?.serve(options.traefik).await?;
    let https = |address: SocketAddr, token_file| Https {
        url: format!("https://{address}"),
        ca: authority.file().clone(),
        token_file,
    };
    let connection = Connection {
        proxmox: https(proxmox.address, token("proxmox", site.seed.proxmox_token())?),
        proxmox_password_file: site.store.path("proxmox.password"),
        cloudflare: https(cloudflare.address, token("cloudflare", site.seed.cloudflare_token())?),
        traefik: Http { url: format!("http://{}", traefik.address) },
        host_socket: site.store.socket("host.sock"),
        control_socket: site.store.socket("control.sock"),
        namespaces: site.net().map(|net| net.namespaces()),
        pid: std::process::id(),
    };
    Ok((connection, vec![proxmox.task, cloudflare.task, traefik.task]))
}

impl Running {
    /// Where it can be reached.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Its parts, for tests that look behind the APIs.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// Resolves when somebody asked it, through its control socket, to stop.
    pub async fn asked_to_stop(&self) {
        let mut asked = self.stop.subscribe();
        // The sender is ours: it does not go away before we do.
        let _ = asked.wait_for(|asked| *asked).await;
    }

    /// Stops serving and writes the state down.
    ///
    /// # Errors
    /// When the state could not be written.
    pub async fn stop(mut self) -> Result<()> {
        for task in &self.tasks {
            task.abort();
        }
        for task in std::mem::take(&mut self.tasks) {
            let _ = task.await;
        }
        if let (Some(name), Some(net)) = (&self.names, self.site.net()) {
            net.withdraw(name).await;
        }
        // What is dropped on leaving takes the files away and gives the directory free.
        self.site.save().await
    }

    fn end(&mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
        }
        for file in
            [&self.site.store.path(Connection::FILE), &self.connection.host_socket, &self.connection.control_socket]
        {
            let _ = std::fs::remove_file(file);
        }
        self.site.store.release();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
