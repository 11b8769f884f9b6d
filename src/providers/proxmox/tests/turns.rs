//! Who works at the same time.
use super::{
    super::*,
    QUICK, at, client,
    server::{Reply, Server},
    stopped,
};
use crate::sandbox::{
    authority::Authority,
    faults::Faults,
    https::Front,
    proxmox::{Clock, Seed, Simulator, Timing},
    store::Store,
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};
use tokio::task::JoinSet;

/// Tasks that run, by storage, and how many ran at most.
#[derive(Default)]
struct Work {
    running: BTreeMap<String, (String, u32)>,
    most: BTreeMap<String, usize>,
}

/// A server whose tasks end at the third look, and that counts.
async fn server(work: Arc<Mutex<Work>>) -> Server {
    Server::choosing(move |asked| {
        let mut work = work.lock().unwrap();
        let field = |name: &str| {
            let parts = asked.body.split('&').filter_map(|pair| pair.split_once('='));
            parts.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next().unwrap()
        };
        if asked.line == "POST /nodes/pve1/lxc" {
            let (vmid, storage) = (field("vmid"), field("rootfs").split("%3A").next().unwrap().to_owned());
            let upid = format!("UPID:pve1:000022ED:000C00ED:6B01A51C:vzcreate:{vmid}:root@pam!full:");
            work.running.insert(encode::segment(&upid), (storage.clone(), 3));
            let now = work.running.values().filter(|(of, _)| *of == storage).count();
            let most = work.most.entry(storage).or_default();
            *most = now.max(*most);
            return Reply::data(json!(upid));
        }
        let upid = asked.line.split('/').nth_back(1).unwrap().to_owned();
        let left = &mut work.running.get_mut(&upid).unwrap().1;
        *left -= 1;
        if *left > 0 {
            return Reply::data(json!({"status": "running"}));
        }
        work.running.remove(&upid);
        stopped("OK")
    })
    .await
}

/// G10
#[tokio::test]
async fn a_hundred_containers_at_once_are_made_a_few_at_a_time_on_each_storage() {
    let work = Arc::new(Mutex::new(Work::default()));
    let pve = client(&server(work.clone()).await);
    let mut making = JoinSet::new();
    for vmid in 100..200 {
        let pve = pve.clone();
        making.spawn(async move {
            let storage = if vmid % 4 == 0 { "slow" } else { "fast" };
            let all = [("rootfs".to_owned(), format!("{storage}:8"))].into();
            pve.create(&at(vmid), &all).await
        });
    }
    while let Some(made) = making.join_next().await {
        made.unwrap().unwrap();
    }
    let most = work.lock().unwrap().most.clone();
    assert_eq!(most.keys().collect::<BTreeSet<_>>().len(), 2);
    assert!(most.values().all(|n| (2..=PER_STORAGE).contains(n)), "{most:?}");
}

#[tokio::test]
async fn writes_to_one_guest_are_one_after_the_other_and_nobody_waits_for_another_guest() {
    // The task of guest 101 ends only after the write to guest 102 was made.
    let mut second = false;
    let mut order = vec![];
    let seen = Arc::new(Mutex::new(vec![]));
    let log = seen.clone();
    let server = Server::choosing(move |asked| {
        let name = asked.line.clone();
        match &*name {
            "POST /nodes/pve1/lxc/101/status/start" => {
                order.push("start 101");
                Reply::data(json!("UPID:pve1:000022ED:000C00ED:6B01A51C:vzstart:101:root@pam!full:"))
            }
            "PUT /nodes/pve1/lxc/101/config" => {
                order.push("set 101");
                *log.lock().unwrap() = order.clone();
                Reply::data(json!(null))
            }
            "PUT /nodes/pve1/lxc/102/config" => {
                second = true;
                order.push("set 102");
                Reply::data(json!(null))
            }
            _ if second => {
                order.push("end 101");
                stopped("OK")
            }
            _ => Reply::data(json!({"status": "running"})),
        }
    })
    .await;
    let pve = client(&server);
    let none = Parameters::new();
    let (first, second) = (at(101), at(102));
    let (one, two, three) = tokio::join!(pve.start(&first), pve.update(&first, &none, &[], &[], "d"), async {
        // It comes last and is done first.
        tokio::task::yield_now().await;
        pve.update(&second, &none, &[], &[], "d").await
    });
    one.and(two).and(three).unwrap();
    assert!(matches!(*seen.lock().unwrap().as_slice(), [.., "end 101", "set 101"]), "{:?}", seen.lock().unwrap());
}

/// The simulated Proxmox VE behind real HTTPS, in a time that passes as fast as it is asked.
struct Served {
    pve: Arc<Simulator>,
    access: Access,
    _directory: tempfile::TempDir,
}

async fn served() -> Served {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&directory.path().join("state")).unwrap());
    let authority = Authority::open(&store).unwrap();
    let seed = Seed::default().with_account();
    let clock = Clock::starting_at(1_795_269_900_000);
    let pve = Arc::new(Simulator::by(&seed, None, Timing::Real, clock).unwrap());
    let loopback = std::net::IpAddr::from([127, 0, 0, 1]);
    let front = Front {
        api: pve.clone(),
        tls: Some(authority.server(loopback).unwrap()),
        faults: Arc::new(Faults::open(store).unwrap()),
        idle: Duration::from_secs(5),
    };
    let address = front.serve((loopback, 0).into()).await.unwrap().address;
    let token = seed.token().unwrap();
    let access = Access {
        endpoints: vec![format!("https://{address}").parse().unwrap()],
        trust: Trust::Ca(std::fs::read_to_string(authority.file()).unwrap()),
        token: format!("{}={}", token.id, token.secret).into(),
    };
    Served { pve, access, _directory: directory }
}

fn container(vmid: u32) -> Parameters {
    let template = "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst";
    let network = format!("name=eth0,bridge=vmbr0,ip=10.99.0.{}/24", vmid % 250);
    let all = [
        ("ostemplate", template),
        ("rootfs", "local:4"),
        ("memory", "128"),
        ("unprivileged", "1"),
        ("features", "nesting=1"),
        ("net0", &network),
    ];
    all.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// A hundred clients that know nothing of each other, and so have no queue: the locks of the simulator are real. That one client
/// never meets them is shown by a whole pass (`tests/guests`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_queue_the_lock_of_a_storage_is_met() {
    let served = served().await;
    let mut making = JoinSet::new();
    for vmid in 100..200 {
        let long = Duration::from_secs(120);
        let patience = Patience { connect: long, answer: long, task: long, ..QUICK };
        let pve = Proxmox::connect_with(served.access.clone(), patience).unwrap();
        making.spawn(async move { pve.create(&at(vmid), &container(vmid)).await });
    }
    while let Some(made) = making.join_next().await {
        if let Err(failure) = made.unwrap() {
            assert_eq!(failure.class, Class::Busy, "{failure}");
        }
    }
    let tasks = served.pve.snapshot().tasks;
    assert!(
        tasks.iter().any(|t| t.exit.as_ref().is_some_and(|exit| exit.contains("got timeout"))),
        "nobody waited in vain"
    );
}
