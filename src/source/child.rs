//! A child process that is killed when it takes too long.
use std::{
    io::{self, Read, Write},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// How a child process ended.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Ended {
    /// By itself, and this was its standard output.
    Output(Vec<u8>),
    /// By us, when the deadline was over.
    Killed,
}

/// Runs the command with `input` as its standard input. Its standard error is ours. It is never left behind.
pub(super) fn run(mut command: Command, input: &[u8], deadline: Duration) -> io::Result<Ended> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (mut stdin, mut stdout) = (child.stdin.take(), child.stdout.take());
    let input = input.to_vec();
    let (send, receive) = mpsc::channel();
    let reader = thread::spawn(move || {
        // A child that does not read its input has ended, which its output will show.
        let _ = stdin.take().map(|mut stdin| stdin.write_all(&input));
        let mut output = Vec::new();
        let read = stdout.take().map_or(Ok(0), |mut stdout| stdout.read_to_end(&mut output));
        // Nobody listens any more once the deadline is over.
        let _ = send.send(read.map(|_| output));
    });
    let ended = match receive.recv_timeout(deadline) {
        Ok(output) => output.map(Ended::Output),
        Err(_) => Ok(Ended::Killed),
    };
    // After an orderly end this finds nothing to kill.
    let killed = child.kill();
    child.wait()?;
    if ended.is_ok() {
        killed.or_else(|error| if error.kind() == io::ErrorKind::InvalidInput { Ok(()) } else { Err(error) })?;
    }
    if matches!(ended, Ok(Ended::Output(_))) {
        // It has sent, so it is at its end.
        let _ = reader.join();
    }
    ended
}
