//! A server that says what it was told to say, as pveproxy would: keep-alive, closed after every refusal.
use crate::providers::http::{Fingerprint, install_crypto};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// One request as it arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrived {
    pub connection: usize,
    /// `GET /version`: below `/api2/json`, with its query.
    pub line: String,
    pub headers: Vec<String>,
    pub body: String,
}

#[derive(Clone, Debug)]
pub enum Reply {
    Say {
        status: u16,
        reason: String,
        body: String,
    },
    /// End the connection without an answer.
    Drop,
    /// Take the request, and never answer.
    Silent,
    /// Answer, and then end the connection without having said so, as a worker that retires does.
    Last(String),
}

impl Reply {
    pub fn data(data: serde_json::Value) -> Self {
        Self::Say { status: 200, reason: "OK".into(), body: serde_json::json!({ "data": data }).to_string() }
    }
    pub fn refusal(status: u16, message: &str) -> Self {
        let body = serde_json::json!({ "data": null, "message": format!("{message}\n") }).to_string();
        Self::Say { status, reason: message.into(), body }
    }
}

/// Chooses the reply to `GET /path`.
type Choose = Box<dyn FnMut(&Arrived) -> Reply + Send>;

pub struct Server {
    pub url: url::Url,
    pub pem: String,
    pub fingerprint: Fingerprint,
    seen: Arc<Mutex<Vec<Arrived>>>,
}

impl Server {
    /// Answers these, in this order, and then drops connections.
    pub async fn with(replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut replies: VecDeque<Reply> = replies.into_iter().collect();
        Self::choosing(move |_| replies.pop_front().unwrap_or(Reply::Drop)).await
    }

    pub async fn choosing(choose: impl FnMut(&Arrived) -> Reply + Send + 'static) -> Self {
        install_crypto();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = rustls::ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(vec![]));
        let (log, choose) = (seen.clone(), Arc::new(Mutex::new(Box::new(choose) as Choose)));
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((stream, _)) = listener.accept().await {
                connection += 1;
                tokio::spawn(serve(acceptor.clone(), stream, connection, log.clone(), choose.clone()));
            }
        });
        let fingerprint = Fingerprint(Sha256::digest(made.cert.der()).into());
        Self { url: format!("https://localhost:{port}").parse().unwrap(), pem: made.cert.pem(), fingerprint, seen }
    }

    pub fn seen(&self) -> Vec<Arrived> {
        self.seen.lock().unwrap().clone()
    }
    pub fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|a| a.line).collect()
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    connection: usize,
    log: Arc<Mutex<Vec<Arrived>>>,
    choose: Arc<Mutex<Choose>>,
) {
    let Ok(tls) = acceptor.accept(stream).await else { return };
    let mut tls = BufReader::new(tls);
    loop {
        let (mut first, mut headers) = (String::new(), vec![]);
        if tls.read_line(&mut first).await.unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            if tls.read_line(&mut line).await.unwrap_or(0) == 0 || line == "\r\n" {
                break;
            }
            headers.push(line.trim_end().to_ascii_lowercase());
        }
        let length = headers.iter().find_map(|h| h.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        if tls.read_exact(&mut body).await.is_err() {
            return;
        }
        let line = first.trim_end().trim_end_matches(" HTTP/1.1").replacen("/api2/json", "", 1);
        let arrived = Arrived { connection, line, headers, body: String::from_utf8(body).unwrap() };
        let reply = (choose.lock().unwrap())(&arrived);
        log.lock().unwrap().push(arrived);
        let (status, reason, body, last) = match reply {
            Reply::Say { status, reason, body } => (status, reason, body, false),
            Reply::Last(body) => (200, "OK".into(), body, true),
            Reply::Drop => return,
            Reply::Silent => std::future::pending().await,
        };
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&jiff::Timestamp::now());
        let head =
            format!("HTTP/1.1 {status} {reason}\r\ndate: {}\r\ncontent-length: {}\r\n\r\n", date.unwrap(), body.len());
        let written = tls.write_all(format!("{head}{body}").as_bytes()).await;
        if written.is_err() || status >= 400 || last {
            let _ = tls.shutdown().await;
            return;
        }
        let _ = tls.flush().await;
    }
}
