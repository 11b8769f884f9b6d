//! The front of a simulated API: a listener on loopback, TLS, HTTP/1.1, and faults around every request.
use super::{
    faults::{Call, Faults, Previous},
    wire::{Api, Reply, Request},
};
use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{ext::ReasonPhrase, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};
use tokio_rustls::TlsAcceptor;

/// A request body beyond this is refused with 413.
const MOST_BODY: usize = 64 << 20;

/// One API at one address.
pub struct Front {
    pub api: Arc<dyn Api>,
    /// Plain HTTP without it.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    pub faults: Arc<Faults>,
    /// A connection on which nothing was asked for so long is closed, as pveproxy does after five seconds.
    pub idle: Duration,
}

/// A bound front: where it listens, and the task that serves until it is aborted.
pub struct Served {
    pub address: SocketAddr,
    pub task: tokio::task::JoinHandle<()>,
}

impl Front {
    /// Binds and serves.
    ///
    /// # Errors
    /// When the address is in use or not ours.
    pub async fn serve(self, address: SocketAddr) -> anyhow::Result<Served> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("listen on {address} for {}", self.api.name()))?;
        let address = listener.local_addr().context("read back the address")?;
        Ok(Served { address, task: tokio::spawn(Arc::new(self).accept(listener)) })
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        let (previous, numbers) = (Arc::new(Previous::default()), AtomicU64::new(0));
        let mut connections = JoinSet::new();
        loop {
            let stream = tokio::select! {
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = stream else {
                // Out of descriptors: let others close first.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let number = numbers.fetch_add(1, Ordering::Relaxed) + 1;
            connections.spawn(Arc::clone(&self).connection(stream, number, Arc::clone(&previous)));
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, number: u64, previous: Arc<Previous<Reply>>) {
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => Arc::clone(&self).http(stream, number, previous).await,
            Some(tls) => match TlsAcceptor::from(Arc::clone(tls)).accept(stream).await {
                Ok(stream) => Arc::clone(&self).http(stream, number, previous).await,
                Err(e) => tracing::debug!("{}: no TLS with a client: {e}", self.api.name()),
            },
        }
    }

    async fn http(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        connection: u64,
        previous: Arc<Previous<Reply>>,
    ) {
        let idle = self.idle;
        let answer = |request, nth| {
            let (front, previous) = (Arc::clone(&self), Arc::clone(&previous));
            async move { front.answer(request, connection, nth, &previous).await }
        };
        speak(stream, idle, answer).await;
    }

    async fn answer(
        &self,
        request: http::Request<hyper::body::Incoming>,
        connection: u64,
        nth: u32,
        previous: &Previous<Reply>,
    ) -> Option<Reply> {
        let request = match whole(request, connection, nth).await {
            Ok(request) => request,
            Err(refused) => return Some(refused),
        };
        let query = request.query.as_ref().map(|q| format!("?{q}")).unwrap_or_default();
        let call = Call {
            system: self.api.name().to_owned(),
            name: format!("{} {}{query}", request.method, request.path),
            write: !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS"),
        };
        let api = Arc::clone(&self.api);
        self.faults.around(call, previous, async move { api.answer(request).await }).await
    }
}

/// Serves one connection of one API without faults, over whatever carries bytes, until either side ends it. `number` is the
/// connection's; `idle` as for a [`Front`].
pub async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    api: Arc<dyn Api>,
    number: u64,
    idle: Duration,
) {
    let answer = |request, nth| {
        let api = Arc::clone(&api);
        async move {
            Some(match whole(request, number, nth).await {
                Ok(request) => api.answer(request).await,
                Err(refused) => refused,
            })
        }
    };
    speak(stream, idle, answer).await;
}

/// HTTP/1.1 on one connection. `answer` is given each request with its number on this connection; nothing from it ends the
/// connection without a byte of an answer, which is what a dropped one looks like.
async fn speak<A: Future<Output = Option<Reply>>>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    idle: Duration,
    answer: impl Fn(http::Request<hyper::body::Incoming>, u32) -> A,
) {
    let (nth, busy) = (AtomicU32::new(0), AtomicU32::new(0));
    let last = Mutex::new(Instant::now());
    let mark = || *last.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Instant::now();
    let idle_since = || *last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let service = service_fn(|request| {
        busy.fetch_add(1, Ordering::Relaxed);
        let answer = answer(request, nth.fetch_add(1, Ordering::Relaxed) + 1);
        let (busy, mark) = (&busy, &mark);
        async move {
            let reply = answer.await;
            busy.fetch_sub(1, Ordering::Relaxed);
            mark();
            reply.map(response).ok_or_else(|| io::Error::other("dropped by a fault"))
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(None);
    let conversation = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(conversation);
    loop {
        tokio::select! {
            _ = conversation.as_mut() => return,
            () = tokio::time::sleep_until(idle_since() + idle) => {
                if busy.load(Ordering::Relaxed) == 0 && idle_since().elapsed() >= idle {
                    conversation.as_mut().graceful_shutdown();
                    let _ = tokio::time::timeout(Duration::from_secs(1), conversation.as_mut()).await;
                    return;
                }
                mark();
            }
        }
    }
}

/// A request with its body.
///
/// # Errors
/// The reply to a body that is too large or breaks off.
async fn whole(request: http::Request<hyper::body::Incoming>, connection: u64, nth: u32) -> Result<Request, Reply> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MOST_BODY).collect().await else {
        return Err(Reply { status: 413, close: true, ..Reply::default() });
    };
    let version = head.version;
    let mut headers: Vec<(String, String)> =
        head.headers.iter().map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect();
    // Before HTTP/1.1 a connection ends unless somebody asks for it to go on.
    if version == http::Version::HTTP_10 && !headers.iter().any(|(n, _)| n == "connection") {
        headers.push(("connection".into(), "close".into()));
    }
    Ok(Request {
        method: head.method.as_str().to_ascii_uppercase(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers,
        body: body.to_bytes(),
        connection,
        nth,
    })
}

fn response(reply: Reply) -> http::Response<Full<Bytes>> {
    let mut response = http::Response::new(Full::new(reply.body));
    *response.status_mut() =
        http::StatusCode::from_u16(reply.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        match (http::HeaderName::try_from(name), http::HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => _ = response.headers_mut().append(name, value),
            _ => tracing::warn!("a simulator made a header that HTTP cannot carry"),
        }
    }
    if reply.close {
        response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    }
    // A status line is one line: whatever a text has more is not in the reason phrase of the real servers either.
    let reason = reply.reason.map(|text| text.replace(['\r', '\n'], " "));
    if let Some(reason) = reason.and_then(|text| ReasonPhrase::try_from(text.into_bytes()).ok()) {
        response.extensions_mut().insert(reason);
    }
    response
}
