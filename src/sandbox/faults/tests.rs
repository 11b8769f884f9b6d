//! Over real HTTPS, with an API that counts: what was asked for and what happened are told apart by its number.
use super::*;
use crate::sandbox::{
    authority::Authority,
    https::Front,
    wire::{Api, Reply, Request},
};
use serde_json::{Value, json};
use std::{
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

#[derive(Default)]
struct Counter(AtomicU64);

impl Api for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }
    fn answer(&self, request: Request) -> Pin<Box<dyn Future<Output = Reply> + Send + '_>> {
        Box::pin(async move {
            if request.method == "POST" {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
            let n = self.0.load(Ordering::SeqCst);
            let body =
                json!({ "data": (0..n).collect::<Vec<_>>(), "connection": request.connection, "nth": request.nth });
            let reason = (request.path == "/odd").then(|| "can't lock file".to_owned());
            let close = request.path == "/last";
            Reply { status: 200, reason, body: Bytes::from(body.to_string()), close, ..Reply::default() }
        })
    }
}

use bytes::Bytes;

struct World {
    _dir: tempfile::TempDir,
    faults: Arc<Faults>,
    counter: Arc<Counter>,
    url: String,
    client: reqwest::Client,
}

async fn world(idle: Duration) -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(dir.path()).unwrap());
    let authority = Authority::open(&store).unwrap();
    let faults = Arc::new(Faults::open(Arc::clone(&store)).unwrap());
    let counter = Arc::new(Counter::default());
    let address = "127.0.0.1:0".parse().unwrap();
    let tls = Some(authority.server("127.0.0.1".parse().unwrap()).unwrap());
    let front = Front { api: Arc::clone(&counter) as Arc<dyn Api>, tls, faults: Arc::clone(&faults), idle };
    let served = front.serve(address).await.unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pem = std::fs::read(authority.file()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()]);
    World { _dir: dir, faults, counter, url: format!("https://{}", served.address), client: client.build().unwrap() }
}

impl World {
    async fn get(&self, path: &str) -> reqwest::Result<(u16, Value)> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }
    async fn post(&self) -> reqwest::Result<u16> {
        Ok(self.client.post(format!("{}/list", self.url)).send().await?.status().as_u16())
    }
    fn effects(&self) -> u64 {
        self.counter.0.load(Ordering::SeqCst)
    }
    fn log(&self) -> Vec<Logged> {
        let text = std::fs::read_to_string(self.faults.store.path(Faults::LOG)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[tokio::test]
async fn connections_are_kept_numbered_and_closed_as_the_reply_says() {
    let world = world(Duration::from_secs(60)).await;
    let numbers = |v: &Value| (v["connection"].as_u64().unwrap(), v["nth"].as_u64().unwrap());
    assert_eq!(numbers(&world.get("/a").await.unwrap().1), (1, 1));
    assert_eq!(numbers(&world.get("/last").await.unwrap().1), (1, 2));
    assert_eq!(numbers(&world.get("/a").await.unwrap().1), (2, 1));
}

#[tokio::test]
async fn an_idle_connection_is_closed_by_the_server() {
    use tokio::io::AsyncReadExt;
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::open(Arc::new(Store::open(dir.path()).unwrap())).unwrap());
    let front = Front { api: Arc::new(Counter::default()), tls: None, faults, idle: Duration::from_millis(50) };
    let served = front.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut stream = tokio::net::TcpStream::connect(served.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET /odd HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).await.unwrap();
    assert!(all.starts_with("HTTP/1.1 200 can't lock file\r\n"), "{all}");
}

#[tokio::test]
async fn a_fault_before_has_no_effect_and_one_after_has() {
    let world = world(Duration::from_secs(60)).await;
    let drop = || Fault::new(What::Drop).on("counter", "POST /list").nth(1);
    world.faults.replace(vec![drop()]).unwrap();
    assert!(world.post().await.is_err());
    assert_eq!(world.effects(), 0);
    assert_eq!(world.post().await.unwrap(), 200, "only the first");
    world.faults.replace(vec![drop().after()]).unwrap();
    assert!(world.post().await.is_err());
    assert_eq!(world.effects(), 2, "the reply was lost, the effect was not");

    let status = What::Status { status: 596, message: "Connection timed out".into() };
    world.faults.replace(vec![Fault::new(status)]).unwrap();
    assert_eq!(world.get("/list").await.unwrap().0, 596);
    let log = world.log();
    assert_eq!(log.iter().map(|l| l.nth_write).collect::<Vec<_>>(), [Some(1), Some(2), Some(3), None]);
    assert_eq!(log[0].fault.as_deref(), Some("before: dropped"));
    assert_eq!((log[2].fault.as_deref(), log[2].status), (Some("after: dropped"), None));
}

#[tokio::test]
async fn lists_can_be_empty_cut_or_old() {
    let world = world(Duration::from_secs(60)).await;
    for _ in 0..4 {
        world.post().await.unwrap();
    }
    let list = async |what: Option<What>| {
        world.faults.replace(what.map(Fault::new).into_iter().collect()).unwrap();
        world.get("/list").await.unwrap().1["data"].as_array().unwrap().len()
    };
    assert_eq!(list(None).await, 4);
    assert_eq!(list(Some(What::EmptyList)).await, 0);
    assert_eq!(list(Some(What::TruncatedPage)).await, 2);
    world.faults.replace(vec![]).unwrap();
    world.post().await.unwrap();
    assert_eq!(list(Some(What::Stale)).await, 4, "what it was when last asked");
    assert_eq!(list(None).await, 5);
}

#[tokio::test]
async fn a_held_write_is_announced_and_the_rules_outlive_the_process() {
    let world = world(Duration::from_secs(60)).await;
    world.faults.replace(vec![Fault::new(What::Hold).only_writes().nth(2).after()]).unwrap();
    world.get("/list").await.unwrap();
    world.post().await.unwrap();
    let request = world.client.post(format!("{}/list", world.url)).send();
    let held = tokio::select! { held = world.faults.wait_for_hold() => held, _ = request => panic!("answered") };
    assert_eq!((held.call.as_str(), held.nth_write), ("POST /list", Some(2)));
    assert_eq!(world.effects(), 2);
    let again = Faults::open(Arc::clone(&world.faults.store)).unwrap();
    assert_eq!(again.rules()[0].seen, 2);
    assert_eq!(again.counts(), (3, 2));
}
