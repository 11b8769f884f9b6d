//! A process of this machine; `ssh` uses it as well.
use super::{Limits, Output};
use crate::model::{Answer, Class, Failure};
use bytes::{Bytes, BytesMut};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{io, os::unix::process::ExitStatusExt, process::Stdio};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::Command,
};

const MAX_COMPLAINT: usize = 64 << 10;

/// Ends the process and everything that it started, also when the future that waits for it is dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.take() {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

pub(super) async fn run(argv: &[&str], stdin: Bytes, limits: Limits, attempted: &str) -> Answer<Output> {
    let [program, arguments @ ..] = argv else {
        return Err(Failure::new(Class::Invalid, attempted, "no program was named"));
    };
    let spawned = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Ok(Output {
                status: 127,
                stderr: format!("{program}: command not found").into(),
                ..Output::default()
            });
        }
        Err(e) => return Err(Failure::new(Class::Unreachable, attempted, e.to_string())),
    };
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
    let (Some(mut input), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Failure::new(Class::Unreachable, attempted, "its pipes could not be opened"));
    };
    let feed = async move {
        // A program may end without reading all of its input; its exit status says whether that was right.
        let _ = input.write_all(&stdin).await;
    };
    let read = async {
        let (stdout, stderr, ()) = tokio::join!(bounded(stdout, limits.max_output), cut(stderr), feed);
        Ok::<_, Overflow>((stdout?, stderr, child.wait().await))
    };
    match tokio::time::timeout(limits.timeout, read).await {
        Err(_) => Err(Failure::new(
            Class::UnknownOutcome,
            attempted,
            format!("no end after {} s; it was killed", limits.timeout.as_secs_f32()),
        )),
        Ok(Err(Overflow)) => Err(Failure::new(
            Class::UnknownOutcome,
            attempted,
            format!("it printed more than {} bytes; it was killed", limits.max_output),
        )),
        Ok(Ok((_, _, Err(e)))) => Err(Failure::new(Class::UnknownOutcome, attempted, e.to_string())),
        Ok(Ok((stdout, stderr, Ok(status)))) => {
            // It has ended by itself: what it left in the background (an ssh master) is meant to stay.
            group.0 = None;
            let status = status.code().or_else(|| status.signal().map(|s| 128 + s)).unwrap_or(-1);
            Ok(Output { status, stdout, stderr })
        }
    }
}

struct Overflow;

/// Stops at once when there is more: the rest of an endless output is of no use to anybody.
async fn bounded(mut from: impl AsyncRead + Unpin, most: usize) -> Result<Bytes, Overflow> {
    let mut all = BytesMut::new();
    loop {
        match from.read_buf(&mut all).await {
            Ok(0) | Err(_) => return Ok(all.freeze()),
            Ok(_) if all.len() > most => return Err(Overflow),
            Ok(_) => {}
        }
    }
}

/// Keeps the beginning and reads on, so that a chatty program does not block.
async fn cut(mut from: impl AsyncRead + Unpin) -> Bytes {
    let (mut kept, mut buffer) = (BytesMut::new(), vec![0; 8 << 10]);
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return kept.freeze(),
            Ok(n) => {
                let room = MAX_COMPLAINT.saturating_sub(kept.len());
                kept.extend_from_slice(buffer.get(..n.min(room)).unwrap_or_default());
            }
        }
    }
}
