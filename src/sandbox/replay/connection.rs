//! A client's connection to the sandbox's own HTTP front, by memory instead of a socket: what is sent is what is meant, byte
//! for byte, and what comes back is taken as it is.
use crate::sandbox::{https, wire::Api};
use std::{future::poll_fn, io::Read, pin::Pin, sync::Arc, task::Poll, time::Duration};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, ReadBuf};

/// As pveproxy: a connection on which nothing was asked for so long is closed.
pub const IDLE: Duration = Duration::from_secs(5);

/// An open connection, or one that the server has closed.
pub struct Connection {
    stream: DuplexStream,
    unread: Vec<u8>,
}

/// An answer off the wire.
#[derive(Clone, Debug)]
pub struct Received {
    pub status: u16,
    pub reason: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    /// The last header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The body unpacked.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        let packed = self.header("content-encoding") == Some("gzip");
        match packed && flate2::read::GzDecoder::new(&self.body[..]).read_to_end(&mut text).is_ok() {
            true => String::from_utf8_lossy(&text).into_owned(),
            false => String::from_utf8_lossy(&self.body).into_owned(),
        }
    }
}

impl Connection {
    /// Opens one; the front serves it until it ends.
    pub fn open(api: &Arc<dyn Api>, number: u64) -> Self {
        let (stream, theirs) = tokio::io::duplex(256 << 10);
        tokio::spawn(https::converse(theirs, Arc::clone(api), number, IDLE));
        Self { stream, unread: Vec::new() }
    }

    /// Whether the server still listens.
    pub async fn is_open(&mut self) -> bool {
        let mut byte = [0; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))).await;
        self.unread.extend(buffer.filled());
        polled.is_pending() || !self.unread.is_empty()
    }

    /// Sends a request and waits for its answer; `None` when the connection ends without one.
    pub async fn ask(&mut self, request: &[u8]) -> Option<Received> {
        // A server that refuses early closes while we write: what it said can still be read.
        let (mut reading, mut writing) = tokio::io::split(&mut self.stream);
        let unread = &mut self.unread;
        let write = async {
            _ = writing.write_all(request).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            received = read(&mut reading, unread) => received,
            () = write => None,
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin), unread: &mut Vec<u8>) -> Option<Received> {
    loop {
        let end = loop {
            match unread.windows(4).position(|w| w == b"\r\n\r\n") {
                Some(end) => break end,
                None => more(stream, unread).await?,
            }
        };
        let head = String::from_utf8_lossy(&unread[..end]).into_owned();
        unread.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.splitn(3, ' ').skip(1);
        let status: u16 = first.next()?.parse().ok()?;
        if status < 200 {
            continue;
        }
        let reason = first.next().unwrap_or_default().to_string();
        let header = |line: &str| line.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_string()));
        let headers: Vec<(String, String)> = lines.filter_map(header).collect();
        let length = headers.iter().find(|(n, _)| n == "content-length").and_then(|(_, l)| l.parse().ok());
        let length = length.unwrap_or(0);
        while unread.len() < length {
            more(stream, unread).await?;
        }
        let body = unread.drain(..length).collect();
        return Some(Received { status, reason, headers, body });
    }
}

async fn more(stream: &mut (impl AsyncRead + Unpin), unread: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 8192];
    let count = stream.read(&mut piece).await.ok().filter(|n| *n > 0)?;
    unread.extend(&piece[..count]);
    Some(())
}
