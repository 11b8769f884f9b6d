//! Sending a file: the one call that takes no form. Fields come first, then the file, in a body of known length (the server
//! refuses chunks, and reads no field after the file; pve-http-server of Proxmox VE 9.2).
use super::{Place, encode, strange, transport};
use crate::model::{Answer, Checksum, Class, Failure};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use reqwest::header;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    io,
    path::Path,
    pin::Pin,
    sync::atomic::Ordering,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncReadExt, ReadBuf},
};

const CHUNK: usize = 64 * 1024;
/// Bytes a second that the way to the server has at least.
const SLOWEST: u64 = 256 * 1024;
/// For everything but the bytes: the server keeps the file before it answers.
const PATIENCE: Duration = Duration::from_secs(120);

/// What separates the parts: no file that is sent for a template has such a line.
const BOUNDARY: &str = "----trueup-7f1c53d0a94b4a6c8f1be2d3c0a5e947";

/// Sends a file to a storage and answers the id of the task that puts it there.
pub(super) async fn send(
    wire: &transport::Wire,
    attempted: &str,
    place: Place<'_>,
    path: &Path,
    checksum: Option<&Checksum>,
) -> Answer<Value> {
    let unreadable = |error: &io::Error| {
        let class = if error.kind() == io::ErrorKind::NotFound { Class::NotFound } else { Class::Invalid };
        Failure::new(class, attempted, format!("{}: {error}", path.display()))
    };
    let (sum, length) = sum(path).await.map_err(|e| unreadable(&e))?;
    let checksum = checksum.cloned().unwrap_or(sum);
    let before = Bytes::from(head(place, &checksum));
    let after = Bytes::from(format!("\r\n--{BOUNDARY}--\r\n"));
    let total = before.len() as u64 + length + after.len() as u64;
    let file = File::open(path).await.map_err(|e| unreadable(&e))?;
    let parts = Parts { before: Some(before), file, left: length, after: Some(after) };
    let _slot = wire.slots.acquire().await.map_err(|e| strange(attempted, &e.to_string()))?;
    // Whoever answered last: a file that was half sent cannot be sent on to the next.
    let at = wire.current.load(Ordering::Relaxed) % wire.endpoints.len();
    let (node, storage) = (encode::segment(place.node), encode::segment(place.storage));
    let below = format!("/nodes/{node}/storage/{storage}/upload");
    let url = format!("{}/api2/json{below}", wire.endpoints[at].as_str().trim_end_matches('/'));
    let request = wire
        .writes
        .post(url)
        .headers(wire.authorization(attempted, true)?)
        .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"))
        .header(header::CONTENT_LENGTH, total)
        .timeout(PATIENCE + Duration::from_secs(total / SLOWEST))
        .body(reqwest::Body::wrap(parts));
    wire.answered(attempted, true, &below, request).await
}

fn head(place: Place<'_>, checksum: &Checksum) -> String {
    let fields =
        [("content", place.content), ("checksum-algorithm", checksum.algorithm()), ("checksum", checksum.digits())];
    let mut text = String::new();
    for (name, value) in fields {
        text += &format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    text + &format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"filename\"; filename=\"{}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n",
        place.file
    )
}

/// The SHA-256 sum of a file, and its length.
async fn sum(path: &Path) -> io::Result<(Checksum, u64)> {
    let mut file = File::open(path).await?;
    let (mut hasher, mut length) = (Sha256::new(), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file.read(&mut chunk).await?;
        if read == 0 {
            return Ok((Checksum::sha256(&hasher.finalize().into()), length));
        }
        hasher.update(&chunk[..read]);
        length += read as u64;
    }
}

/// The body, read from the file as it is sent.
struct Parts {
    before: Option<Bytes>,
    file: File,
    /// Bytes of the file that are still to be sent.
    left: u64,
    after: Option<Bytes>,
}

impl Body for Parts {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(before) = self.before.take() {
            return Poll::Ready(Some(Ok(Frame::data(before))));
        }
        if self.left > 0 {
            let mut chunk = vec![0; CHUNK.min(usize::try_from(self.left).unwrap_or(CHUNK))];
            let mut buffer = ReadBuf::new(&mut chunk);
            if let Err(error) = ready!(Pin::new(&mut self.file).poll_read(cx, &mut buffer)) {
                return Poll::Ready(Some(Err(error)));
            }
            let read = buffer.filled().len();
            if read == 0 {
                let short = io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent");
                return Poll::Ready(Some(Err(short)));
            }
            self.left -= read as u64;
            chunk.truncate(read);
            return Poll::Ready(Some(Ok(Frame::data(chunk.into()))));
        }
        Poll::Ready(self.after.take().map(|after| Ok(Frame::data(after))))
    }

    fn is_end_stream(&self) -> bool {
        self.after.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let of = |part: &Option<Bytes>| part.as_ref().map_or(0, |bytes| bytes.len() as u64);
        SizeHint::with_exact(of(&self.before) + self.left + of(&self.after))
    }
}
