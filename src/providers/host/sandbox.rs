//! The node of a sandbox, through its Unix socket.
use super::{HostReply, HostRequest, Limits, Output, failure};
use crate::model::{Answer, Class, Failure};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use std::path::Path;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

pub(super) async fn run(socket: &Path, argv: &[&str], stdin: Bytes, limits: Limits) -> Answer<Output> {
    let attempted = failure::name_of(argv);
    let mut stream = UnixStream::connect(socket).await.map_err(|e| {
        Failure::new(Class::Unreachable, attempted.clone(), format!("{}: {e}", socket.display()))
            .hint("start the sandbox with `trueup sandbox serve`")
    })?;
    let request = HostRequest {
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        stdin: STANDARD.encode(&stdin),
        timeout_ms: u64::try_from(limits.timeout.as_millis()).unwrap_or(u64::MAX),
        max_output: limits.max_output,
    };
    let unknown = |reason: String| Failure::new(Class::UnknownOutcome, attempted.clone(), reason);
    let talk = async {
        let mut line = serde_json::to_vec(&request).map_err(|e| unknown(e.to_string()))?;
        line.push(b'\n');
        stream.write_all(&line).await.map_err(|e| unknown(e.to_string()))?;
        // Base64 adds a third; a reply beyond that is not one of ours.
        let most = u64::try_from(limits.max_output).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(1 << 20);
        let mut reply = Vec::new();
        stream.take(most).read_to_end(&mut reply).await.map_err(|e| unknown(e.to_string()))?;
        if reply.is_empty() {
            return Err(unknown("the connection ended without an answer".to_owned()));
        }
        let reply: HostReply = serde_json::from_slice(&reply).map_err(|e| unknown(format!("not an answer: {e}")))?;
        let decoded = |text: &str| STANDARD.decode(text).map(Bytes::from).map_err(|e| unknown(e.to_string()));
        let stdout = decoded(&reply.stdout)?;
        if stdout.len() > limits.max_output {
            return Err(unknown(format!("it printed more than {} bytes", limits.max_output)));
        }
        Ok(Output { status: reply.status, stdout, stderr: decoded(&reply.stderr)? })
    };
    match tokio::time::timeout(limits.timeout, talk).await {
        Ok(answer) => answer,
        Err(_) => Err(unknown(format!("no end after {} s", limits.timeout.as_secs_f32()))),
    }
}
