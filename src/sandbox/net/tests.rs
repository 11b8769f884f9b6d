//! Real packets between the namespaces. Where namespaces cannot be made, each test says so by name and does nothing.
use super::*;
use crate::{
    providers::nftables::kernel_tests::runs_in_a_user_namespace,
    sandbox::{
        guests::{Inhabitant, Street},
        net::probe::{Probe, ask},
    },
};

/// Whether namespaces can be made by this process. Where they can be made by another one, that one has run the test;
/// else a line past the test harness says that it did not run.
pub(crate) fn allowed(test: &str) -> bool {
    use std::io::Write;
    let root = nix::unistd::geteuid().is_root();
    if !root && !runs_in_a_user_namespace(test) {
        let text = "network namespaces need root, or user namespaces for everybody (`unshare -Ur`)";
        let _ = writeln!(std::io::stderr(), "NOT RUN HERE: {test}: {text}");
    }
    root
}

/// `None`, and a line that says so, where the kernel does not let us.
async fn net(test: &str) -> Option<(tempfile::TempDir, Arc<Net>)> {
    if !allowed(test) {
        return None;
    }
    Some((tempfile::tempdir().unwrap(), Arc::new(Net::open(&Layout::default()).await.unwrap())))
}

fn guest(dir: &tempfile::TempDir, vmid: u32, name: &str, addresses: &[&str]) -> Inhabitant {
    let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
    Inhabitant { vmid, name: name.into(), addresses, root: dir.path().join(vmid.to_string()) }
}

const FORWARD: &str = "table inet t {
  chain pre { type nat hook prerouting priority -105;
    ip daddr 203.0.113.1 tcp dport 20000 dnat ip to 10.0.1.5:22
    ip daddr 203.0.113.1 udp dport 20005 dnat ip to 10.0.1.5:10005
    ip6 daddr 2001:db8:1::1 tcp dport 20001 dnat ip6 to [fd00:1::5]:10001
  }
}";

#[tokio::test]
async fn packets_from_outside_meet_the_guest_that_the_kernel_forwards_to() {
    let Some((dir, net)) = net("packets_from_outside_meet_the_guest_that_the_kernel_forwards_to").await else { return };
    let street = Street::new(Arc::clone(&net), 10);
    let web = guest(&dir, 100, "web", &["10.0.1.5/24", "fd00:1::5/64"]);
    street.settle(std::slice::from_ref(&web)).await.unwrap();
    let tcp = |to: &str| Probe::Tcp { to: to.parse().unwrap() };
    let refused = ask(&net.client, tcp("203.0.113.1:20000")).await.unwrap_err();
    assert!(format!("{refused:#}").contains("refused"), "{refused:#}");

    let argv = ["nft", "-f", "-"].map(str::to_owned).to_vec();
    let output = Kernel(Arc::clone(&net)).run(argv, FORWARD.into(), Limits::default()).await;
    assert_eq!(output.status, 0, "{}", output.complaint());
    let banner = ask(&net.client, tcp("203.0.113.1:20000")).await.unwrap();
    assert_eq!(banner, "SSH-2.0-trueup_sandbox guest=web vmid=100");
    assert_eq!(ask(&net.client, tcp("[2001:db8:1::1]:20001")).await.unwrap(), "guest=web vmid=100");
    let udp = Probe::Udp { to: "203.0.113.1:20005".parse().unwrap() };
    assert_eq!(ask(&net.client, udp).await.unwrap(), "guest=web vmid=100\nwho is there");
    let tls = Probe::Tls { to: "10.0.1.5:443".parse().unwrap(), name: "anything.test".into() };
    assert_eq!(ask(&net.edge, tls).await.unwrap(), "certificate of web");

    let store = Store::open(&dir.path().join("state")).unwrap();
    net.keep(&store).await.unwrap();
    let again = Net::open(&Layout::default()).await.unwrap();
    again.restore(&store).await.unwrap();
    let list = ["nft", "list", "ruleset"].map(str::to_owned).to_vec();
    let listed = again.edge.command(list, Bytes::new(), Limits::default()).await;
    assert!(String::from_utf8_lossy(&listed.stdout).contains("dport 20000 dnat ip to 10.0.1.5:22"));

    street.settle(&[]).await.unwrap();
    ask(&net.client, tcp("203.0.113.1:20000")).await.unwrap_err();
    let moved = Inhabitant { vmid: 101, name: "shop".into(), root: dir.path().join("101"), ..web };
    street.settle(&[moved]).await.unwrap();
    assert!(ask(&net.client, tcp("203.0.113.1:20000")).await.unwrap().ends_with("guest=shop vmid=101"));
}

#[tokio::test]
async fn guests_reach_the_internet_as_themselves_until_somebody_masquerades() {
    let Some((dir, net)) = net("guests_reach_the_internet_as_themselves_until_somebody_masquerades").await else {
        return;
    };
    let street = Street::new(Arc::clone(&net), 10);
    street.settle(&[guest(&dir, 100, "web", &["10.0.1.5/24"])]).await.unwrap();
    let listener =
        net.client.run(async { tokio::net::TcpListener::bind("198.51.100.10:20000").await }).await.unwrap().unwrap();
    let from_guest = net.guests.run(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind("10.0.1.5:0".parse().unwrap())?;
        socket.connect("198.51.100.10:20000".parse().unwrap()).await
    });
    let masquerade = "table inet t {\n chain post {\n type nat hook postrouting priority 100\n oifname vmbr0 ip saddr 10.0.1.0/24 masquerade\n }\n}\n";
    let argv = ["nft", "-f", "-"].map(str::to_owned).to_vec();
    assert_eq!(net.edge.command(argv, masquerade.into(), Limits::default()).await.status, 0);
    let accepted = net.client.run(async move { listener.accept().await.unwrap().1.ip() });
    let (peer, _stream) = tokio::join!(accepted, from_guest);
    assert_eq!(peer.unwrap().to_string(), "203.0.113.1");
}
