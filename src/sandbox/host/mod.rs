//! The host side of the sandbox: a Unix socket that runs commands as the node would, really where it can.
//!
//! The file scripts of the host transport are the very same text, run by the machine's own shell on a directory that
//! stands for the node's or a guest's root. nft, ip, sysctl and conntrack run in the edge namespace, or are simulated
//! where there is none. `systemctl` is a simulator over the unit files. Anything else is not installed.
mod node;
mod pct;
#[cfg(test)]
mod tests;

pub use node::{Ground, LookUp, Node, Presence, Touched};
pub use pct::SetOptions;

use super::faults::{Call, Faults, Previous};
use crate::providers::host::{HostReply, HostRequest, Limits, Output, name_of};
use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use std::{io, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    task::{JoinHandle, JoinSet},
};

/// A request line beyond this is not one of ours.
const MOST_REQUEST: u64 = 256 << 20;

/// Listens on `socket` and serves until the task is aborted.
///
/// # Errors
/// When the socket cannot be bound.
pub fn serve(socket: &Path, node: Arc<Node>, faults: Arc<Faults>) -> Result<JoinHandle<()>> {
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket).with_context(|| format!("listen on {}", socket.display()))?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("protect {}", socket.display()))?;
    Ok(tokio::spawn(async move {
        let previous = Arc::new(Previous::default());
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = connections.join_next() => {}
                Ok((stream, _)) = listener.accept() => {
                    let (node, faults, previous) = (Arc::clone(&node), Arc::clone(&faults), Arc::clone(&previous));
                    connections.spawn(async move {
                        if let Err(e) = converse(stream, node, faults, &previous).await {
                            tracing::debug!("a conversation on the host socket ended: {e}");
                        }
                    });
                }
            }
        }
    }))
}

async fn converse(
    mut stream: UnixStream,
    node: Arc<Node>,
    faults: Arc<Faults>,
    previous: &Previous<Output>,
) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut read = BufReader::new(read.take(MOST_REQUEST));
    let mut line = String::new();
    if read.read_line(&mut line).await? == 0 {
        return Ok(());
    }
    let request: HostRequest = serde_json::from_str(&line)?;
    let stdin = STANDARD.decode(&request.stdin).map(Bytes::from).map_err(io::Error::other)?;
    let words: Vec<&str> = request.argv.iter().map(String::as_str).collect();
    let call = Call { system: "host".to_owned(), name: name_of(&words), write: Node::writes(&words) };
    let limits = Limits { timeout: Duration::from_millis(request.timeout_ms), max_output: request.max_output };
    let effect = async move { node.run(request.argv, stdin, limits).await };
    // Whoever asked may be gone before there is an answer; an effect that has begun goes on in its own task.
    let reply = tokio::select! {
        reply = faults.around(call, previous, effect) => reply,
        _ = read.read_u8() => None,
    };
    let Some(output) = reply else { return Ok(()) };
    let reply = HostReply {
        status: output.status,
        stdout: STANDARD.encode(&output.stdout),
        stderr: STANDARD.encode(&output.stderr),
    };
    write.write_all(&serde_json::to_vec(&reply)?).await
}
