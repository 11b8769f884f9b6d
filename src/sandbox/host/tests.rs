//! The product's host transport against the sandbox's node.
use super::*;
use crate::{
    model::Class,
    providers::host::{Host, Place},
    sandbox::{
        faults::{Fault, What},
        store::Store,
    },
};
use std::{future::Future, pin::Pin};

/// A network in which nothing is installed.
struct Bare;

impl Ground for Bare {
    fn run(&self, argv: Vec<String>, _: Bytes, _: Limits) -> Pin<Box<dyn Future<Output = Output> + Send + '_>> {
        Box::pin(async move {
            Output { status: 127, stderr: format!("{}: command not found", argv[0]).into(), ..Output::default() }
        })
    }
}

fn world() -> (tempfile::TempDir, Host, Arc<Faults>, Arc<Node>) {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&dir.path().join("state")).unwrap());
    let faults = Arc::new(Faults::open(Arc::clone(&store)).unwrap());
    let look_up: LookUp = Arc::new(|vmid| match vmid {
        101 => Presence::Running,
        102 => Presence::Stopped,
        _ => Presence::Absent,
    });
    let node = Node::new("pve1".into(), store.directory().into(), Arc::new(Bare), look_up, Box::new(|_| ()));
    node.furnish().unwrap();
    let node = Arc::new(node);
    let socket = dir.path().join("host.sock");
    drop(serve(&socket, Arc::clone(&node), Arc::clone(&faults)).unwrap());
    (dir, Host::sandbox(socket), faults, node)
}

#[tokio::test]
async fn files_land_in_the_machine_that_was_meant() {
    let (_dir, host, _, node) = world();
    let guest = Place::Guest { vmid: 101 };
    host.put_file(guest, "/etc/systemd/system/a.service", 0o600, Bytes::from_static(b"[Service]")).await.unwrap();
    let file = host.read_file(guest, "/etc/systemd/system/a.service").await.unwrap().unwrap();
    assert_eq!((file.mode, &file.content[..]), (0o600, &b"[Service]"[..]));
    assert_eq!(host.read_file(Place::Node, "/etc/systemd/system/a.service").await.unwrap(), None);
    let listed = host.list_directory(guest, "/etc/systemd/system", "").await.unwrap();
    assert_eq!(listed.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["a.service"]);
    assert_eq!(node.inhabited(), [101].into());
    node.follow(&[101, 102].into(), &[(102, ("b".into(), false))].into()).unwrap();
    assert!(!node.guest_root(101).exists(), "a destroyed guest takes its insides along");
    assert!(node.guest_root(102).exists());
}

#[tokio::test]
async fn a_guest_must_run_to_be_entered() {
    let (_dir, host, ..) = world();
    let enter = async |vmid| {
        host.run_at(Place::Guest { vmid }, &["systemctl", "daemon-reload"], Bytes::new(), Limits::default()).await
    };
    assert_eq!(enter(101).await.unwrap().status, 0);
    assert_eq!(enter(102).await.unwrap_err().class, Class::Unreachable);
    assert_eq!(enter(103).await.unwrap_err().class, Class::NotFound);
    let failure = host.run(&["docker", "ps"], Bytes::new(), Limits::default()).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "could not run `docker ps`: docker: command not found; install the program there, or check the PATH of the account"
    );
    let output = host.run(&["sh", "-c", "reboot"], Bytes::new(), Limits::default()).await.unwrap();
    assert_eq!(output.status, 126);
}

#[tokio::test]
async fn faults_and_counts_work_as_for_the_apis() {
    let (dir, host, faults, _) = world();
    let put = || host.put_file(Place::Node, "/etc/x", 0o644, Bytes::from_static(b"1"));
    faults.replace(vec![Fault::new(What::Drop).on("host", "put /etc/x*").after().nth(1)]).unwrap();
    assert_eq!(put().await.unwrap_err().class, Class::UnknownOutcome);
    assert!(dir.path().join("state/node/etc/x").exists(), "it was done, only the answer was lost");
    faults.replace(vec![Fault::new(What::Status { status: 1, message: "No space left on device".into() })]).unwrap();
    assert_eq!(put().await.unwrap_err().class, Class::Transient);
    faults.replace(vec![Fault::new(What::Hold).only_writes()]).unwrap();
    assert_eq!(host.read_file(Place::Node, "/etc/x").await.unwrap().unwrap().content, "1", "reads pass");
    tokio::select! { held = faults.wait_for_hold() => assert_eq!(held.nth_write, Some(3)), _ = put() => panic!("answered") }
}
