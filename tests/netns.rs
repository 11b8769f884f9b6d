//! Real packets: what the product's nftables client makes of forwards, seen by connections through network namespaces.
//!
//! Guests, the node's Traefik and somebody on the internet are the sandbox's; the rules go in over its host transport.
use bytes::Bytes;
use std::{
    future::Future,
    io,
    io::Write,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpSocket, TcpStream},
};
use trueup::{
    providers::{
        host::{Host, Limits},
        nftables::{Element, Entry, Nftables, Protocol, PublicPort, Rules, Target, Transaction},
    },
    sandbox::{
        net::{
            Net, Room,
            probe::{Probe, ask},
        },
        proxmox::{Kind, SeedGuest},
        seed::Seed,
        serve::{NetMode, Options, Running, serve},
    },
};

const PUBLIC: &str = "203.0.113.1";

struct World {
    _dir: tempfile::TempDir,
    running: Running,
    nftables: Nftables,
    host: Host,
}

/// Runs a test again as root of a user namespace, where the kernel gives one to everybody; whether it could.
fn runs_in_a_user_namespace(test: &str) -> bool {
    use std::process::Command;
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "--"]).stdin(std::process::Stdio::null());
        command
    };
    if nix::unistd::geteuid().is_root() || !unshare().arg("true").output().is_ok_and(|output| output.status.success()) {
        return false;
    }
    let output = unshare().arg(std::env::current_exe().unwrap()).args([test, "--nocapture"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let ran = said.lines().any(|line| line.starts_with("test result: ok. ") && !line.contains(" 0 passed"));
    assert!(output.status.success() && ran, "{test}: {said}{}", String::from_utf8_lossy(&output.stderr));
    true
}

/// Two guests, `web` at 10.0.1.5 and `shop` at 10.0.1.6, and the base table. `None` where there are no namespaces.
async fn world(test: &str) -> Option<World> {
    if !nix::unistd::geteuid().is_root() {
        if !runs_in_a_user_namespace(test) {
            let text = "network namespaces need root, or user namespaces for everybody (`unshare -Ur`)";
            let _ = writeln!(io::stderr(), "NOT RUN HERE: {test}: {text}");
        }
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut seed = Seed::default();
    seed.proxmox.guests.extend([guest(100, "web", "10.0.1.5"), guest(101, "shop", "10.0.1.6")]);
    let net = NetMode::Root { name: None };
    let running = serve(Options { net, fast: true, seed, ..Options::new(dir.path()) }).await.unwrap();
    let host = Host::sandbox(&running.connection().host_socket);
    let world = World { _dir: dir, nftables: Nftables::new(host.clone()), host, running };
    world.apply(|transaction| _ = transaction.establish(&rules()).unwrap()).await;
    Some(world)
}

fn guest(vmid: u32, name: &str, address: &str) -> SeedGuest {
    let net = format!(
        "name=eth0,bridge=vmbr1,hwaddr=BC:24:11:00:00:{:02X},ip={address}/24,gw=10.0.1.1,type=veth",
        vmid % 256
    );
    let rootfs = format!("local-zfs:subvol-{vmid}-disk-0,size=8G");
    let config = [
        ("hostname", name),
        ("memory", "512"),
        ("ostype", "debian"),
        ("arch", "amd64"),
        ("rootfs", &rootfs),
        ("net0", &net),
    ];
    let config = config.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    SeedGuest { vmid, kind: Kind::Lxc, node: None, running: true, config }
}

fn rules() -> Rules {
    Rules {
        public_addresses: [PUBLIC.parse().unwrap()].into(),
        public_interface: "vmbr0".parse().unwrap(),
        guest_networks: ["10.0.1.0/24".parse().unwrap()].into(),
        host_tcp: [22, 80, 443].into(),
        host_udp: [].into(),
    }
}

/// The default layout of a block, as far as the simulated guests answer.
fn block(base: u16, guest: &str) -> Vec<Entry> {
    let layout = [(0, Protocol::Tcp, 22), (1, Protocol::Tcp, 10001), (5, Protocol::Udp, 10005)];
    let entry = |(offset, protocol, port)| Entry {
        element: Element::Forward {
            public: PublicPort { address: PUBLIC.parse().unwrap(), protocol, port: base + offset },
            to: Target { address: guest.parse().unwrap(), port },
        },
        comment: Some("a mark".parse().unwrap()),
    };
    layout.map(entry).into()
}

fn to(text: impl AsRef<str>) -> SocketAddr {
    text.as_ref().parse().unwrap()
}

impl World {
    async fn apply(&self, build: impl FnOnce(&mut Transaction)) {
        let mut transaction = Transaction::new();
        build(&mut transaction);
        self.nftables.apply(&transaction).await.unwrap();
    }
    async fn create(&self, entries: &[Entry]) {
        self.apply(|transaction| _ = transaction.create(entries).unwrap()).await;
    }
    async fn nft(&self, argv: &[&str], text: &str) -> String {
        let output = self.host.run(argv, Bytes::from(text.to_owned()), Limits::default()).await.unwrap();
        assert_eq!(output.status, 0, "{text}\n{}", output.complaint());
        String::from_utf8(output.stdout.to_vec()).unwrap()
    }
    fn net(&self) -> &Arc<Net> {
        self.running.site().net().unwrap()
    }
    /// What the public port says to somebody on the internet.
    async fn outside(&self, port: u16) -> Result<String, String> {
        let probe = Probe::Tcp { to: to(format!("{PUBLIC}:{port}")) };
        ask(&self.net().client, probe).await.map_err(|e| format!("{e:#}"))
    }
    /// The same to a guest that connects from its own address.
    async fn guest_asks(&self, guest: &str, port: u16) -> io::Result<String> {
        let (own, public) = (to(format!("{guest}:0")), to(format!("{PUBLIC}:{port}")));
        within(&self.net().guests, async move {
            let mut stream = connect(own, public).await?;
            let mut text = vec![0; 200];
            let n = stream.read(&mut text).await?;
            Ok(String::from_utf8_lossy(&text[..n]).trim_end().to_owned())
        })
        .await
    }
}

async fn connect(own: SocketAddr, other: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(own)?;
    socket.connect(other).await
}

/// Work in a namespace that must end: a packet that is lost shows as no answer.
async fn within<T: Send + 'static>(
    room: &Room,
    work: impl Future<Output = io::Result<T>> + Send + 'static,
) -> io::Result<T> {
    room.run(async move {
        tokio::time::timeout(Duration::from_secs(3), work).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
    })
    .await
    .unwrap()
}

/// N1: the block of a guest leads where the layout says; N8: nothing else of the node is open.
#[tokio::test]
async fn a_block_of_public_ports_leads_into_its_guest_and_nothing_else_is_open() {
    let Some(world) = world("a_block_of_public_ports_leads_into_its_guest_and_nothing_else_is_open").await else {
        return;
    };
    world.create(&[block(20_000, "10.0.1.5"), block(20_010, "10.0.1.6")].concat()).await;
    assert_eq!(world.outside(20_000).await.unwrap(), "SSH-2.0-trueup_sandbox guest=web vmid=100");
    assert_eq!(world.outside(20_001).await.unwrap(), "guest=web vmid=100");
    assert_eq!(world.outside(20_011).await.unwrap(), "guest=shop vmid=101");
    let udp = Probe::Udp { to: to(format!("{PUBLIC}:20005")) };
    assert!(ask(&world.net().client, udp).await.unwrap().starts_with("guest=web"));
    let http = Probe::Http { to: to(format!("{PUBLIC}:80")), host: "a.test".into() };
    assert!(ask(&world.net().client, http).await.unwrap().starts_with("HTTP/1.1 301"));

    let node = within(&world.net().edge, async { TcpListener::bind("0.0.0.0:30000").await }).await.unwrap();
    let closed = world.outside(30_000).await.unwrap_err();
    assert!(closed.contains("no answer"), "a port of the node that is not among hostPorts is closed: {closed}");
    drop(node);
}

/// N2: one transaction moves a guest's forwards, and its neighbour's connection lives on.
#[tokio::test]
async fn a_guest_moves_and_its_neighbours_connections_stay() {
    let Some(world) = world("a_guest_moves_and_its_neighbours_connections_stay").await else { return };
    let web = block(20_000, "10.0.1.5");
    world.create(&[web.clone(), block(20_010, "10.0.1.6")].concat()).await;
    let open = within(&world.net().client, async {
        let mut stream = TcpStream::connect(to(format!("{PUBLIC}:20011"))).await?;
        let mut text = [0; 20];
        stream.read_exact(&mut text).await?;
        Ok(stream)
    });
    let mut open = open.await.unwrap();
    let old: Vec<Element> = web.into_iter().map(|entry| entry.element).collect();
    world.apply(|t| _ = t.delete(&old).create(&block(20_000, "10.0.1.6")).unwrap()).await;
    assert_eq!(world.outside(20_000).await.unwrap(), "SSH-2.0-trueup_sandbox guest=shop vmid=101");
    let echoed = within(&world.net().client, async move {
        tokio::io::AsyncWriteExt::write_all(&mut open, b"still there").await?;
        let mut text = vec![0; 64];
        let n = open.read(&mut text).await?;
        Ok(String::from_utf8_lossy(&text[..n]).into_owned())
    });
    assert!(echoed.await.unwrap().contains("still there"));
}

/// N3: another's table is left as it is, and after somebody's `flush ruleset` the same transactions bring ours back.
#[tokio::test]
async fn foreign_tables_stay_and_ours_comes_back_after_a_flush() {
    let Some(world) = world("foreign_tables_stay_and_ours_comes_back_after_a_flush").await else { return };
    let foreign =
        "table ip foreign {\n chain in {\n  type filter hook input priority 10\n  tcp dport 9 counter drop\n }\n}\n";
    world.nft(&["nft", "-f", "-"], foreign).await;
    let list = ["nft", "list", "table", "ip", "foreign"];
    let before = world.nft(&list, "").await;
    world.create(&block(20_000, "10.0.1.5")).await;
    world.apply(|t| _ = t.rebuild(&rules()).unwrap()).await;
    assert_eq!(world.nft(&list, "").await, before);

    world.nft(&["nft", "flush", "ruleset"], "").await;
    assert!(world.outside(20_000).await.is_err());
    assert_eq!(world.nftables.list().await.unwrap(), None);
    world.apply(|t| _ = t.establish(&rules()).unwrap().create(&block(20_000, "10.0.1.5")).unwrap()).await;
    assert_eq!(world.outside(20_000).await.unwrap(), "SSH-2.0-trueup_sandbox guest=web vmid=100");
}

/// N4: a guest reaches its own and its neighbour's public port; its own connection to a remote port of the range is let be.
#[tokio::test]
async fn guests_reach_public_ports_and_remote_ports_of_the_same_number() {
    let Some(world) = world("guests_reach_public_ports_and_remote_ports_of_the_same_number").await else { return };
    world.create(&[block(20_000, "10.0.1.5"), block(20_010, "10.0.1.6")].concat()).await;
    let own = world.guest_asks("10.0.1.5", 20_000).await.unwrap();
    assert_eq!(own, "SSH-2.0-trueup_sandbox guest=web vmid=100");
    let neighbour = world.guest_asks("10.0.1.5", 20_011).await.unwrap();
    assert_eq!(neighbour, "guest=shop vmid=101");

    let remote = within(&world.net().client, async { TcpListener::bind("198.51.100.10:20000").await }).await.unwrap();
    let accepted = within(&world.net().client, async move { Ok(remote.accept().await?.1.ip()) });
    let going = within(&world.net().guests, connect(to("10.0.1.5:0"), to("198.51.100.10:20000")));
    let (seen, stream) = tokio::join!(accepted, going);
    // N5: and it leaves under the node's address.
    assert_eq!(seen.unwrap(), PUBLIC.parse::<IpAddr>().unwrap());
    drop(stream.unwrap());
}

/// N5: what goes from one guest network to another, or to the node, keeps its address.
#[tokio::test]
async fn only_what_leaves_by_the_public_interface_is_masqueraded() {
    let Some(world) = world("only_what_leaves_by_the_public_interface_is_masqueraded").await else { return };
    let node = within(&world.net().edge, async { TcpListener::bind("10.0.1.1:9000").await }).await.unwrap();
    let accepted = within(&world.net().edge, async move { Ok(node.accept().await?.1.ip()) });
    let going = within(&world.net().guests, connect(to("10.0.1.6:0"), to("10.0.1.1:9000")));
    let (seen, stream) = tokio::join!(accepted, going);
    assert_eq!(seen.unwrap(), "10.0.1.6".parse::<IpAddr>().unwrap());
    drop(stream.unwrap());
}

/// A guest's private address cannot be reached from outside except by its forwards.
#[tokio::test]
async fn private_guests_are_reached_by_forwards_alone() {
    let Some(world) = world("private_guests_are_reached_by_forwards_alone").await else { return };
    let straight = Probe::Tcp { to: to("10.0.1.5:22") };
    let add = ["ip", "route", "add", "10.0.1.0/24", "via", PUBLIC].map(str::to_owned).to_vec();
    let routed = world.net().client.command(add, Bytes::new(), Limits::default()).await;
    assert_eq!(routed.status, 0, "{}", routed.complaint());
    let refused = ask(&world.net().client, straight).await.unwrap_err();
    assert!(format!("{refused:#}").contains("no answer"), "{refused:#}");
    assert!(Path::new(&world.running.connection().namespaces.clone().unwrap().edge).exists());
}
