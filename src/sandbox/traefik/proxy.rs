//! The entry points `web` and `websecure`: redirect on the one, splice by server name on the other.
use super::{
    Traefik,
    rule::{self, Rule, Seen},
};
use crate::sandbox::{authority, net::Room};
use anyhow::Result;
use rustls::ServerConfig;
use serde_json::Value;
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_HEAD: usize = 64 << 10;

impl Traefik {
    /// Listens on 80 and 443 of all addresses in `room`.
    ///
    /// # Errors
    /// When a port is taken.
    pub async fn listen(self: &Arc<Self>, room: &Room) -> Result<JoinHandle<()>> {
        let pem = authority::self_signed("TRAEFIK DEFAULT CERT", &["traefik.default".to_owned()])?;
        let tls = authority::server_of(&pem)?;
        let traefik = Arc::clone(self);
        let bound = room.run(async move {
            let mut all = JoinSet::new();
            for (port, secure) in [(80, false), (443, true)] {
                for listener in
                    [listener((Ipv4Addr::UNSPECIFIED, port).into())?, listener((Ipv6Addr::UNSPECIFIED, port).into())?]
                {
                    all.spawn(Arc::clone(&traefik).accept(listener, secure, Arc::clone(&tls)));
                }
            }
            Ok::<_, io::Error>(all)
        });
        let bound = bound.await??;
        Ok(room.spawn(async move { _ = bound.join_all().await }))
    }

    async fn accept(self: Arc<Self>, listener: TcpListener, secure: bool, tls: Arc<ServerConfig>) {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, from)) = accepted else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let (traefik, tls) = (Arc::clone(&self), Arc::clone(&tls));
            connections.spawn(async move {
                let ended = match secure {
                    true => traefik.secure(stream, from, tls).await,
                    false => traefik.plain(stream, from, "web").await,
                };
                if let Err(e) = ended {
                    tracing::debug!("traefik: a connection from {from} ended: {e}");
                }
            });
        }
    }

    async fn secure(&self, mut stream: TcpStream, from: SocketAddr, tls: Arc<ServerConfig>) -> io::Result<()> {
        let (hello, name) = tokio::time::timeout(PATIENCE, client_hello(&mut stream)).await??;
        let seen = Seen { host: &name, path: "/", from: from.ip() };
        // A router that ends TLS for this very name takes the connection before any passthrough.
        let terminated = self.http_router("websecure", &seen, true).is_some();
        if !terminated && let Some((server, passthrough)) = self.tcp_router(&seen) {
            if !passthrough {
                let joined = rejoined(stream, hello);
                let mut stream = TlsAcceptor::from(tls).accept(joined).await?;
                let mut backend = TcpStream::connect(&server).await?;
                return tokio::io::copy_bidirectional(&mut stream, &mut backend).await.map(|_| ());
            }
            let mut backend = TcpStream::connect(&server).await?;
            backend.write_all(&hello).await?;
            return tokio::io::copy_bidirectional(&mut stream, &mut backend).await.map(|_| ());
        }
        let stream = TlsAcceptor::from(tls).accept(rejoined(stream, hello)).await?;
        self.plain(stream, from, "websecure").await
    }

    /// One request in plain text: redirected, sent to a service, or not found.
    async fn plain(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        from: SocketAddr,
        entry_point: &str,
    ) -> io::Result<()> {
        let head = tokio::time::timeout(PATIENCE, request_head(&mut stream)).await??;
        let text = String::from_utf8_lossy(&head);
        let mut lines = text.lines();
        let target = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or("/").to_owned();
        let header = |line: &str| Some(line.split_once(':')?.1.trim().to_ascii_lowercase());
        let host =
            lines.filter(|line| line.to_ascii_lowercase().starts_with("host:")).find_map(header).unwrap_or_default();
        let host =
            host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host.as_str(), |(h, _)| h);
        let seen = Seen { host, path: target.split('?').next().unwrap_or("/"), from: from.ip() };
        let challenge = seen.path.starts_with("/.well-known/acme-challenge/");
        if entry_point == "web" && !challenge {
            let answer = format!(
                "HTTP/1.1 301 Moved Permanently\r\nLocation: https://{host}{target}\r\nContent-Length: 17\r\nConnection: close\r\n\r\nMoved Permanently"
            );
            stream.write_all(answer.as_bytes()).await?;
            return stream.shutdown().await;
        }
        match self.http_router(entry_point, &seen, entry_point == "websecure") {
            Some(server) => {
                let mut backend = TcpStream::connect(&server).await?;
                backend.write_all(&head).await?;
                tokio::io::copy_bidirectional(&mut stream, &mut backend).await.map(|_| ())
            }
            None => {
                let answer = "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 19\r\nConnection: close\r\n\r\n404 page not found\n";
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await
            }
        }
    }

    /// The server of the TCP router of highest priority that matches, and whether TLS passes through.
    fn tcp_router(&self, seen: &Seen<'_>) -> Option<(String, bool)> {
        let (router, service) = self.router("tcp", "websecure", rule::TCP, seen, true)?;
        let servers = service.pointer("/loadBalancer/servers")?.as_array()?;
        // A server without a port is dropped without a word.
        let address =
            servers.iter().filter_map(|s| s.get("address")?.as_str()).find(|a| a.rsplit_once(':').is_some())?;
        let passthrough = router.pointer("/tls/passthrough").and_then(Value::as_bool).unwrap_or(false);
        Some((address.to_owned(), passthrough))
    }

    /// `host:port` of the HTTP router that matches.
    fn http_router(&self, entry_point: &str, seen: &Seen<'_>, tls: bool) -> Option<String> {
        let (_, service) = self.router("http", entry_point, rule::HTTP, seen, tls)?;
        let url = service.pointer("/loadBalancer/servers/0/url")?.as_str()?;
        let url = url::Url::parse(url).ok()?;
        Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
    }

    fn router(
        &self,
        protocol: &str,
        entry_point: &str,
        known: &[&str],
        seen: &Seen<'_>,
        tls: bool,
    ) -> Option<(Value, Value)> {
        let current = self.current();
        let mut best: Option<(i64, &String, &Value)> = None;
        for (name, router) in current.1.all(protocol, "routers").filter(|(name, _)| name.ends_with("@file")) {
            let on = router["using"].as_array().is_some_and(|using| using.iter().any(|e| e == entry_point));
            let in_use = router["status"] != "disabled" && on && router.get("tls").is_some() == tls;
            let rule = router["rule"].as_str().filter(|_| in_use).and_then(|text| Rule::parse(text, known).ok());
            let priority = router["priority"].as_i64().unwrap_or_default();
            if rule.is_some_and(|rule| rule.matches(seen)) && best.is_none_or(|(known, ..)| priority > known) {
                best = Some((priority, name, router));
            }
        }
        let (_, _, router) = best?;
        let service = router["service"].as_str()?;
        let service = if service.contains('@') { service.to_owned() } else { format!("{service}@file") };
        Some((router.clone(), current.1.one(protocol, "services", &service)?.clone()))
    }
}

/// IPv6 apart from IPv4, so that both can be bound.
fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if address.is_ipv6() {
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::Ipv6V6Only, &true)?;
    }
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

/// Reads until the ClientHello is whole; what was read goes to whoever takes the connection.
async fn client_hello(stream: &mut TcpStream) -> io::Result<(Vec<u8>, String)> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
    let mut acceptor = rustls::server::Acceptor::default();
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        all.extend_from_slice(&buffer[..n]);
        let mut unread = &buffer[..n];
        while !unread.is_empty() {
            acceptor.read_tls(&mut unread)?;
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => {
                let name = accepted.client_hello().server_name().unwrap_or_default().to_ascii_lowercase();
                return Ok((all, name));
            }
            Ok(None) if all.len() < MOST_HEAD => {}
            Ok(None) => return Err(io::Error::other("an endless ClientHello")),
            Err((e, _)) => return Err(io::Error::other(e)),
        }
    }
}

/// The stream as if nothing had been read from it.
fn rejoined(stream: TcpStream, read: Vec<u8>) -> impl AsyncRead + AsyncWrite + Unpin {
    let (rest, write) = stream.into_split();
    tokio::io::join(io::Cursor::new(read).chain(rest), write)
}

async fn request_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 4096]);
    while !all.windows(4).any(|w| w == b"\r\n\r\n") {
        let n = stream.read(&mut buffer).await?;
        if n == 0 || all.len() > MOST_HEAD {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        all.extend_from_slice(&buffer[..n]);
    }
    Ok(all)
}
