//! Virtual machines: what their agent says, and the calls that only they have.
use super::{
    client,
    server::{Reply, Server},
    stopped,
};
use crate::providers::proxmox::{At, CloneOf, GuestType, Heard};
use serde_json::json;

fn machine() -> At {
    At { kind: GuestType::Qemu, node: "pve1".into(), vmid: 101 }
}

/// As qemu-guest-agent 10 answers on a Debian with docker; the outer `result` is Proxmox's.
fn told() -> serde_json::Value {
    let address =
        |ip: &str, family: &str, prefix: u8| json!({"ip-address": ip, "ip-address-type": family, "prefix": prefix});
    json!({"result": [
        {"name": "lo", "hardware-address": "00:00:00:00:00:00", "ip-addresses": [
            address("127.0.0.1", "ipv4", 8), address("::1", "ipv6", 128)]},
        {"name": "eth0", "hardware-address": "bc:24:11:0e:b2:13", "ip-addresses": [
            address("10.0.1.23", "ipv4", 24), address("fe80::be24:11ff:fe0e:b213", "ipv6", 64),
            address("fd00:1::23", "ipv6", 64)]},
        {"name": "docker0", "hardware-address": "02:42:5f:3b:00:01", "ip-addresses": [
            address("172.17.0.1", "ipv4", 16)]},
        {"name": "veth3f", "hardware-address": "ae:11:22:33:44:55"},
    ]})
}

/// G11: what only the machine itself or its link can reach is no address of it.
#[tokio::test]
async fn the_agent_tells_of_every_interface_but_no_loopback_or_link_local_address() {
    let server = Server::with([Reply::data(told())]).await;
    let Heard::Interfaces(all) = client(&server).agent_interfaces(&machine()).await.unwrap() else { panic!("silent") };
    let shown: Vec<String> = all.iter().map(|i| format!("{} {:?} {:?}", i.name, i.mac, i.addresses)).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    lo None []
    eth0 Some("BC:24:11:0E:B2:13") [10.0.1.23, fd00:1::23]
    docker0 Some("02:42:5F:3B:00:01") [172.17.0.1]
    veth3f Some("AE:11:22:33:44:55") []
    "#);
    assert_eq!(server.lines(), ["GET /nodes/pve1/qemu/101/agent/network-get-interfaces"]);
}

#[tokio::test]
async fn an_agent_that_does_not_answer_is_no_failure_and_says_why() {
    for (status, text, said) in [
        (500, "QEMU guest agent is not running", "QEMU guest agent is not running"),
        (500, "No QEMU guest agent configured", "No QEMU guest agent configured"),
        (403, "Permission check failed (/vms/101, VM.GuestAgent.Audit|VM.GuestAgent.Unrestricted)", "give the token"),
    ] {
        let server = Server::choosing(move |_| Reply::refusal(status, text)).await;
        match client(&server).agent_interfaces(&machine()).await.unwrap() {
            Heard::Silence(why) => assert!(why.contains(said), "{why}"),
            Heard::Interfaces(all) => panic!("{all:?}"),
        }
    }
}

#[tokio::test]
async fn a_copy_carries_its_notes_in_the_one_call() {
    let upid = "UPID:pve1:000022ED:000C00ED:6B01A51C:qmclone:9000:root@pam!full:";
    let server = Server::with([Reply::data(json!(upid)), stopped("OK")]).await;
    let of = CloneOf {
        source: 9000,
        full: true,
        storage: Some("local-zfs".into()),
        snapshot: None,
        target: None,
        name: "build".into(),
        pool: None,
    };
    client(&server).clone_qemu("pve1", 101, &of, "<!-- trueup uid=x -->").await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.line, "POST /nodes/pve1/qemu/9000/clone");
    insta::assert_snapshot!(seen.body, @"newid=101&name=build&description=%3C%21--%20trueup%20uid%3Dx%20--%3E&full=1&storage=local-zfs");
}

/// Lines as recorded, and as qemu-server 9 writes them for values that the drive does not have yet.
#[tokio::test]
async fn a_drive_is_stale_when_a_value_is_pending_or_gone() {
    let lines = |line: serde_json::Value| json!([{"value": "deb", "key": "ciuser"}, line]);
    for (line, stale) in [
        (json!({"key": "searchdomain", "value": "example.org"}), false),
        (json!({"key": "nameserver", "value": "1.1.1.1", "pending": "9.9.9.9"}), true),
        (json!({"key": "sshkeys", "pending": "ssh-ed25519"}), true),
        (json!({"key": "ciuser", "delete": 1}), true),
    ] {
        let server = Server::with([Reply::data(lines(line.clone()))]).await;
        assert_eq!(client(&server).cloud_init_is_stale(&machine()).await.unwrap(), stale, "{line}");
    }
}
