//! The whole sandbox in this process, asked over its own wires.
use super::{
    control::{Ask, ask},
    drift::Drift,
    faults::{Fault, What},
    net::probe::Probe,
    proxmox::{Kind, SeedGuest},
    seed::{Seed, ZONE},
    serve::{NetMode, Options, Running, serve},
};
use crate::{
    model::Class,
    providers::{
        host::{Host, HostReply, Limits, Place},
        nftables,
        sandbox_connection::{Connection, Https},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

fn web() -> SeedGuest {
    let net = "name=eth0,bridge=vmbr1,hwaddr=BC:24:11:00:00:01,ip=10.0.1.5/24,gw=10.0.1.1,type=veth";
    let config = [
        ("hostname", "web"),
        ("memory", "512"),
        ("ostype", "debian"),
        ("arch", "amd64"),
        ("rootfs", "local-zfs:subvol-100-disk-0,size=8G"),
        ("net0", net),
    ];
    let config = config.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    SeedGuest { vmid: 100, kind: Kind::Lxc, node: None, running: true, config }
}

async fn start(dir: &std::path::Path, net: NetMode) -> Running {
    let mut seed = Seed::default();
    seed.proxmox.guests.push(web());
    serve(Options { net, fast: true, seed, ..Options::new(dir) }).await.unwrap()
}

/// One call as a client makes it, with the token that the connection names.
async fn call(api: &Https, method: &str, path: &str, scheme: &str, body: Option<Value>) -> (u16, Value) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = reqwest::Certificate::from_pem(&std::fs::read(&api.ca).unwrap()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([ca]).build().unwrap();
    let token = std::fs::read_to_string(&api.token_file).unwrap();
    let mut request = client.request(method.parse().unwrap(), format!("{}{path}", api.url));
    request = request.header("authorization", format!("{scheme}{}", token.trim()));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn pve(connection: &Connection, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    call(&connection.proxmox, method, &format!("/api2/json{path}"), "PVEAPIToken=", body).await
}

async fn cloudflare(connection: &Connection, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    call(&connection.cloudflare, method, &format!("/client/v4{path}"), "Bearer ", body).await
}

#[tokio::test]
async fn every_system_answers_and_a_restart_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), NetMode::Simulated).await;
    let connection = Connection::read(dir.path()).unwrap();
    assert_eq!(&connection, running.connection());
    assert_eq!(connection.namespaces, None);
    assert_eq!(pve(&connection, "GET", "/version", None).await.0, 200);
    let (status, _) = pve(&connection, "PUT", "/nodes/pve1/lxc/100/config", Some(json!({ "memory": 1024 }))).await;
    assert_eq!(status, 200);
    let record = json!({ "name": "a.decent-cloud.org", "type": "A", "content": "203.0.113.1", "ttl": 300 });
    let (status, said) = cloudflare(&connection, "POST", &format!("/zones/{ZONE}/dns_records"), Some(record)).await;
    assert_eq!(status, 200, "{said}");
    let version = reqwest::get(format!("{}/api/version", connection.traefik.url)).await.unwrap();
    assert_eq!(version.status().as_u16(), 200);

    let host = Host::sandbox(&connection.host_socket);
    host.put_file(Place::Guest { vmid: 100 }, "/etc/note", 0o600, Bytes::from_static(b"kept")).await.unwrap();
    let listed = host.run(&nftables::LIST, Bytes::new(), Limits::default()).await.unwrap();
    assert!(listed.complaint().contains("No such file or directory"), "{}", listed.complaint());
    let forwarding = host.run(&["sysctl", "-n", "net.ipv4.ip_forward"], Bytes::new(), Limits::default()).await.unwrap();
    assert_eq!(forwarding.stdout, "1\n");
    running.stop().await.unwrap();
    let gone = Connection::read(dir.path()).unwrap_err();
    assert!(gone.class == Class::Unreachable && gone.to_string().contains("trueup sandbox serve"), "{gone}");

    let running = start(dir.path(), NetMode::Simulated).await;
    let connection = running.connection();
    let (_, config) = pve(connection, "GET", "/nodes/pve1/lxc/100/config", None).await;
    assert_eq!(config["data"]["memory"].to_string().trim_matches('"'), "1024");
    let (_, records) = cloudflare(connection, "GET", &format!("/zones/{ZONE}/dns_records"), None).await;
    assert_eq!(records["result"][0]["name"], "a.decent-cloud.org");
    let host = Host::sandbox(&connection.host_socket);
    assert_eq!(host.read_file(Place::Guest { vmid: 100 }, "/etc/note").await.unwrap().unwrap().content, "kept");
}

#[tokio::test]
async fn a_connector_that_runs_in_a_guest_is_connected_at_cloudflare() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), NetMode::Simulated).await;
    let (connection, guest) = (running.connection(), Place::Guest { vmid: 100 });
    let tunnels = format!("/accounts/{}/cfd_tunnel", super::seed::ACCOUNT);
    let (_, made) =
        cloudflare(connection, "POST", &tunnels, Some(json!({ "name": "t", "config_src": "cloudflare" }))).await;
    let one = format!("{tunnels}/{}", made["result"]["id"].as_str().unwrap());
    let (_, token) = cloudflare(connection, "GET", &format!("{one}/token"), None).await;
    let token = token["result"].as_str().unwrap().to_owned();
    let host = Host::sandbox(&connection.host_socket);
    host.put_file(guest, "/etc/tunnel.token", 0o600, Bytes::from(token)).await.unwrap();
    let unit = "[Service]\nExecStart=/usr/bin/cloudflared --no-autoupdate tunnel run --token-file /etc/tunnel.token\n[Install]\nWantedBy=multi-user.target\n";
    host.put_file(guest, "/etc/systemd/system/t.service", 0o644, Bytes::from(unit)).await.unwrap();
    let status = async || cloudflare(connection, "GET", &one, None).await.1["result"]["status"].clone();
    let mut changed = running.site().cloudflare.changed();
    assert_eq!(status().await, "inactive");
    let start = host.run_at(guest, &["systemctl", "enable", "--now", "t.service"], Bytes::new(), Limits::default());
    assert_eq!(start.await.unwrap().status, 0);
    changed.changed().await.unwrap();
    assert_eq!(status().await, "healthy");
    // A guest that stops takes its connector along.
    let mut changed = running.site().cloudflare.changed();
    assert_eq!(pve(connection, "POST", "/nodes/pve1/lxc/100/status/stop", None).await.0, 200);
    running.site().settle().await;
    changed.changed().await.unwrap();
    assert_eq!(status().await, "down");
}

#[tokio::test]
async fn drift_faults_and_the_end_come_through_the_control_socket() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), NetMode::Simulated).await;
    let connection = running.connection().clone();
    let tell = async |question: Ask| ask(&connection.control_socket, &question).await;
    let drifted = tell(Ask::Drift(Drift::Memory { guest: "web".into(), mib: 4096 })).await.unwrap();
    assert_eq!(drifted, "set the memory of web to 4096 MiB");
    let (_, config) = pve(&connection, "GET", "/nodes/pve1/lxc/100/config", None).await;
    assert_eq!(config["data"]["memory"].to_string().trim_matches('"'), "4096");
    let none =
        tell(Ask::Drift(Drift::Record { name: "x.test".into(), content: "198.51.100.1".into() })).await.unwrap_err();
    assert!(none.to_string().contains("no DNS record is called x.test"), "{none}");
    let none = tell(Ask::Drift(Drift::Forward { port: 20000 })).await.unwrap_err();
    assert!(format!("{none:#}").contains("no forward"), "{none:#}");

    tell(Ask::AddFault(Fault::new(What::Hold).on("proxmox", "*").only_writes())).await.unwrap();
    let write = pve(&connection, "PUT", "/nodes/pve1/lxc/100/config", Some(json!({ "memory": 512 })));
    let held = tokio::select! { held = tell(Ask::WaitForHold) => held.unwrap(), _ = write => panic!("answered") };
    assert_eq!((&held["call"], &held["nth_write"]), (&json!("PUT /api2/json/nodes/pve1/lxc/100/config"), &json!(1)));
    assert_eq!(tell(Ask::Calls).await.unwrap()["writes"], 1, "drift is not counted");
    let shown = tell(Ask::Show).await.unwrap();
    assert_eq!((&shown["namespaces"], &shown["guests"][0]["name"]), (&Value::Null, &json!("web")));
    assert!(tell(Ask::Probe(Probe::Tcp { to: "203.0.113.1:22".parse().unwrap() })).await.is_err());
    tell(Ask::Stop).await.unwrap();
    running.asked_to_stop().await;
}

#[tokio::test]
async fn with_namespaces_the_site_is_reached_by_real_packets() {
    if !super::net::tests::allowed("with_namespaces_the_site_is_reached_by_real_packets") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), NetMode::Root { name: None }).await;
    let connection = running.connection();
    let rules = "table inet foreign {\n chain pre {\n  type nat hook prerouting priority -105\n  ip daddr 203.0.113.1 tcp dport 20000 dnat ip to 10.0.1.5:22\n }\n}\n";
    let host = Host::sandbox(&connection.host_socket);
    let applied = host.run(&nftables::APPLY, Bytes::from(rules), Limits::default()).await.unwrap();
    assert_eq!(applied.status, 0, "{}", applied.complaint());
    let probe = Ask::Probe(Probe::Tcp { to: "203.0.113.1:20000".parse().unwrap() });
    let banner = ask(&connection.control_socket, &probe).await.unwrap();
    assert_eq!(banner, "SSH-2.0-trueup_sandbox guest=web vmid=100");
    let argv = ["ip", "-o", "address", "show", "vmbr0"].map(str::to_owned).to_vec();
    let reply = ask(&connection.control_socket, &Ask::Exec { namespace: "edge".into(), argv }).await.unwrap();
    let reply: HostReply = serde_json::from_value(reply).unwrap();
    assert!(String::from_utf8(STANDARD.decode(reply.stdout).unwrap()).unwrap().contains("203.0.113.1/24"));
    let edge = connection.namespaces.clone().unwrap().edge;
    let entered = std::process::Command::new("nsenter")
        .arg(format!("--net={}", edge.display()))
        .args(["nft", "list", "tables"])
        .output();
    assert!(String::from_utf8(entered.unwrap().stdout).unwrap().contains("table inet foreign"));
    // Names are shared by all of the machine: root of a user namespace may not give them.
    let named = connection.namespaces.clone().unwrap().user_of.is_none();
    running.stop().await.unwrap();
    let running = start(dir.path(), NetMode::Root { name: named.then(|| "trueup-test-named".into()) }).await;
    assert_eq!(ask(&running.connection().control_socket, &probe).await.unwrap(), banner, "rules outlive a restart");
    assert_eq!(std::path::Path::new("/run/netns/trueup-test-named-edge").exists(), named);
    running.stop().await.unwrap();
    assert!(!std::path::Path::new("/run/netns/trueup-test-named-edge").exists());
}
