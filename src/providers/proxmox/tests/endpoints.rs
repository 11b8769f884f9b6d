//! Connections and endpoints: what goes away, what never answers, what is somebody else.
use super::{
    super::*,
    QUICK, at,
    server::{Reply, Server},
};
use crate::providers::http::Fingerprint;
use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpListener};

fn version() -> Reply {
    Reply::data(json!({"release": "9.2"}))
}

/// A client of several servers that trusts all their certificates.
fn cluster(servers: &[&Server], first: Option<Url>) -> Proxmox {
    let endpoints = first.into_iter().chain(servers.iter().map(|s| s.url.clone())).collect();
    let pem: String = servers.iter().map(|s| s.pem.as_str()).collect();
    let access = Access { endpoints, trust: Trust::Ca(pem), token: "a@pve!t=s".into() };
    Proxmox::connect_with(access, QUICK).unwrap()
}

/// Where nobody listens.
async fn down() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("https://localhost:{}", listener.local_addr().unwrap().port()).parse().unwrap()
}

/// Where somebody takes the connection and says nothing, not even a certificate.
async fn deaf() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port()).parse().unwrap();
    tokio::spawn(async move {
        let mut held = vec![];
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    url
}

async fn write(pve: &Proxmox) -> Answer<()> {
    pve.update(&at(101), &Parameters::new(), &[], &[], "d").await
}

#[tokio::test]
async fn an_endpoint_that_is_down_or_deaf_is_passed_over_by_reads_and_writes() {
    for dead in [down().await, deaf().await] {
        let server = Server::with([Reply::data(json!(null)), version()]).await;
        let pve = cluster(&[&server], Some(dead));
        write(&pve).await.unwrap();
        assert_eq!(pve.version().await.unwrap().to_string(), "9.2");
        assert_eq!(server.lines(), ["PUT /nodes/pve1/lxc/101/config", "GET /version"]);
    }
}

#[tokio::test]
async fn an_endpoint_that_never_answers_costs_one_wait() {
    let (silent, good) = (Server::choosing(|_| Reply::Silent).await, Server::choosing(|_| version()).await);
    let pve = cluster(&[&silent, &good], None);
    assert_eq!(pve.version().await.unwrap().to_string(), "9.2");
    assert!(pve.permissions().await.is_ok());
    assert_eq!(silent.seen().len(), 1, "the one that answers is asked from now on");

    let (silent, good) = (Server::choosing(|_| Reply::Silent).await, Server::choosing(|_| version()).await);
    let pve = cluster(&[&silent, &good], None);
    let lost = write(&pve).await.unwrap_err();
    assert_eq!(lost.class, Class::UnknownOutcome, "it may have been executed");
    assert!(good.seen().is_empty(), "so it is not sent to another");
    assert!(lost.reason.contains(&format!("localhost:{}", silent.url.port().unwrap())), "{lost}");
    pve.version().await.unwrap();
    assert_eq!(silent.seen().len(), 1, "whoever looks what became of it does not ask there again");
}

#[tokio::test]
async fn an_endpoint_whose_daemon_is_gone_is_passed_over() {
    let gone = || Reply::Say { status: 595, reason: "Connection refused".into(), body: String::new() };
    let (one, two) = (Server::choosing(move |_| gone()).await, Server::choosing(|_| Reply::data(json!(null))).await);
    write(&cluster(&[&one, &two], None)).await.unwrap();
    assert_eq!((one.seen().len(), two.seen().len()), (1, 1));
    let failed = write(&cluster(&[&one], None)).await.unwrap_err();
    assert_eq!(failed.class, Class::Unreachable, "nothing was executed");
}

#[tokio::test]
async fn all_endpoints_and_what_is_wrong_with_each_are_named() {
    let (stranger, down) = (Server::choosing(|_| version()).await, down().await);
    let known = Server::choosing(|_| Reply::Drop).await;
    let access = Access {
        endpoints: vec![stranger.url.clone(), down.clone(), known.url.clone()],
        trust: Trust::Ca(known.pem.clone()),
        token: "a@pve!t=s".into(),
    };
    let failed = Proxmox::connect_with(access, QUICK).unwrap().version().await.unwrap_err();
    assert_eq!(failed.class, Class::Transient);
    let parts: Vec<&str> = failed.reason.split("; ").collect();
    for (part, url, why) in
        [(parts[0], &stranger.url, "certificate"), (parts[1], &down, "refused"), (parts[2], &known.url, "")]
    {
        assert!(part.starts_with(&format!("localhost:{}: ", url.port().unwrap())), "{failed}");
        assert!(part.to_lowercase().contains(why), "{failed}");
    }
    assert!(failed.hint.unwrap().contains("fingerprint"));
    assert!(stranger.seen().is_empty(), "the token is not shown to a stranger");
}

#[tokio::test]
async fn several_authorities_or_several_fingerprints_serve_several_nodes() {
    let (one, two) = (Server::choosing(|_| version()).await, Server::choosing(|_| version()).await);
    let prints = |servers: &[&Server]| Trust::Fingerprints(servers.iter().map(|s| s.fingerprint).collect());
    let ask = async |trust: Trust, server: &Server| {
        let access = Access { endpoints: vec![server.url.clone()], trust, token: "a@pve!t=s".into() };
        Proxmox::connect_with(access, QUICK).unwrap().version().await.map(|v| v.to_string()).map_err(|f| f.class)
    };
    for server in [&one, &two] {
        assert_eq!(ask(prints(&[&one, &two]), server).await, Ok("9.2".into()));
        assert_eq!(ask(Trust::Ca(format!("{}{}", one.pem, two.pem)), server).await, Ok("9.2".into()));
    }
    assert_eq!(ask(prints(&[&one]), &two).await, Err(Class::Unreachable));
    assert_eq!(ask(Trust::Fingerprints(vec![]), &one).await, Err(Class::Unreachable));
    assert_eq!(ask(Trust::SystemRoots, &one).await, Err(Class::Unreachable));
}

/// What the client offers is all that it can be talked into.
#[tokio::test]
async fn nothing_older_than_tls_1_2_is_offered() {
    for trust in [Trust::SystemRoots, Trust::Fingerprints(vec![Fingerprint([0; 32])])] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port()).parse().unwrap();
        let pve = Access { endpoints: vec![endpoint], trust, token: "a@pve!t=s".into() };
        let pve = Proxmox::connect_with(pve, QUICK).unwrap();
        let asked = tokio::spawn(async move { pve.version().await });
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = vec![0; 4096];
        let length = stream.read(&mut hello).await.unwrap();
        // supported_versions, of two: 1.3 and 1.2.
        let both = [[0, 0x2b, 0, 5, 4, 3, 4, 3, 3], [0, 0x2b, 0, 5, 4, 3, 3, 3, 4]];
        let offers = hello[..length].windows(9).filter(|part| both.iter().any(|b| b == part)).count();
        assert_eq!(offers, 1);
        drop((stream, listener));
        assert_eq!(asked.await.unwrap().unwrap_err().class, Class::Unreachable);
    }
}

#[tokio::test]
async fn a_worker_that_retires_without_a_word_costs_no_read() {
    let body = json!({"data": "101"}).to_string();
    let server = Server::choosing(move |_| Reply::Last(body.clone())).await;
    let pve = cluster(&[&server], None);
    for _ in 0..20 {
        assert_eq!(pve.next_free_id().await.unwrap(), 101);
    }
}

#[tokio::test]
async fn a_read_is_not_asked_for_ever() {
    let server = Server::choosing(|_| Reply::Drop).await;
    assert_eq!(cluster(&[&server], None).version().await.unwrap_err().class, Class::Transient);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_query_cannot_be_split_by_its_values() {
    let server = Server::with([Reply::data(json!([]))]).await;
    cluster(&[&server], None).storage_content("pve1", "a+b", "x;y=1&z").await.unwrap();
    assert_eq!(server.lines(), ["GET /nodes/pve1/storage/a%2Bb/content?content=x%3By%3D1%26z"]);
}

#[tokio::test]
async fn what_an_old_release_does_not_know_is_not_sent() {
    let server = Server::with([Reply::data(json!({"release": "8.4", "version": "8.4.21"}))]).await;
    let pve = cluster(&[&server], None);
    for (key, value) in [("entrypoint", "/bin/app"), ("net0", "name=eth0,bridge=vmbr0,host-managed=1")] {
        let set = [(key.to_owned(), value.to_owned())].into();
        let failed = pve.create(&at(101), &set).await.unwrap_err();
        assert_eq!(failed.class, Class::Invalid);
        assert!(failed.reason.contains("8.4") && failed.reason.contains(key), "{failed}");
    }
    assert_eq!(server.lines(), ["GET /version"], "asked once");
    let server = Server::with([Reply::data(json!({"release": "9.2"})), Reply::data(json!(null))]).await;
    let set = [("entrypoint".to_owned(), "/bin/app".to_owned())].into();
    cluster(&[&server], None).update(&at(101), &set, &[], &[], "d").await.unwrap();
}
