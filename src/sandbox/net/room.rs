//! A network namespace with a thread that lives in it.
use crate::{
    model::Class,
    providers::host::{Host, Limits, Output},
};
use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use nix::{
    sched::{CloneFlags, unshare},
    unistd::gettid,
};
use std::{future::Future, path::PathBuf, thread};
use tokio::{runtime::Handle, sync::oneshot};

/// A namespace that exists as long as this value. Sockets that its tasks open, and programs that they start, live in it;
/// nothing of it is left when the process dies, however it dies.
pub struct Room {
    name: &'static str,
    handle: Handle,
    thread_id: i32,
    close: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Room {
    /// Makes a namespace and a thread with a runtime in it.
    ///
    /// # Errors
    /// When the kernel does not allow it: one must be root, also as root of a user namespace.
    pub fn open(name: &'static str) -> Result<Self> {
        let (ready, wait) = std::sync::mpsc::channel();
        let (close, closed) = oneshot::channel();
        let body = move || {
            let runtime = unshare(CloneFlags::CLONE_NEWNET)
                .map_err(anyhow::Error::from)
                .and_then(|()| Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?));
            match runtime {
                Err(e) => _ = ready.send(Err(e)),
                Ok(runtime) => {
                    let _ = ready.send(Ok((runtime.handle().clone(), gettid().as_raw())));
                    let _ = runtime.block_on(closed);
                    runtime.shutdown_background();
                }
            }
        };
        let thread = thread::Builder::new().name(format!("net-{name}")).spawn(body).context("start a thread")?;
        let made = wait.recv().map_err(|_| anyhow!("its thread died"))?;
        let (handle, thread_id) = made.with_context(|| {
            format!("make the network namespace `{name}` (root is needed, or a user namespace: `unshare -Ur`)")
        })?;
        Ok(Self { name, handle, thread_id, close: Some(close), thread: Some(thread) })
    }

    /// Under which the kernel shows it, for `nsenter --net=PATH`.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/task/{}/ns/net", std::process::id(), self.thread_id))
    }

    /// The thread's id, which `ip … netns ID` takes.
    pub fn thread_id(&self) -> i32 {
        self.thread_id
    }

    /// Runs a future in the namespace and waits for it.
    ///
    /// # Errors
    /// When it panicked or the room is being closed.
    pub async fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Result<T> {
        self.handle.spawn(future).await.with_context(|| format!("work in the namespace `{}`", self.name))
    }

    /// Starts a task in the namespace; aborting the handle ends it.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> tokio::task::JoinHandle<()> {
        self.handle.spawn(future)
    }

    /// Runs a program in the namespace; what a shell would say about a missing one is in the output.
    pub async fn command(&self, argv: Vec<String>, stdin: Bytes, limits: Limits) -> Output {
        let ran = self.run(async move {
            let words: Vec<&str> = argv.iter().map(String::as_str).collect();
            Host::local().run(&words, stdin, limits).await
        });
        match ran.await {
            Ok(Ok(output)) => output,
            Ok(Err(failure)) => {
                let status = if failure.class == Class::Unreachable { 127 } else { 137 };
                Output { status, stderr: failure.reason.into(), ..Output::default() }
            }
            Err(e) => Output { status: 1, stderr: format!("{e:#}").into(), ..Output::default() },
        }
    }

    /// Gives many lines to one `ip -batch -`.
    ///
    /// # Errors
    /// What `ip` says about the first line that it refuses.
    pub async fn ip(&self, lines: Vec<String>) -> Result<()> {
        self.batch(&["ip", "-batch", "-"], &lines).await
    }

    /// The same for what `ip` must be told to be IPv6.
    ///
    /// # Errors
    /// As [`Room::ip`].
    pub async fn ip6(&self, lines: Vec<String>) -> Result<()> {
        self.batch(&["ip", "-6", "-batch", "-"], &lines).await
    }

    async fn batch(&self, argv: &[&str], lines: &[String]) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let argv = argv.iter().map(|&word| word.to_owned()).collect();
        let output = self.command(argv, Bytes::from(lines.join("\n") + "\n"), Limits::default()).await;
        anyhow::ensure!(output.status == 0, "ip in the namespace `{}`: {}", self.name, output.complaint());
        Ok(())
    }

    /// Writes a kernel parameter of the namespace, `net.ipv4.ip_forward`.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        let value = value.to_owned();
        let context = format!("set {key} in the namespace `{}`", self.name);
        self.run(async move { std::fs::write(path, value) }).await?.context(context)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.close.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
