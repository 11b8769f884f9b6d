//! A Traefik 3.7 with the file provider, as strict and as silent as the real one.
//!
//! It reads the dynamic directory when it starts and after each event in it; any error in any file keeps the last good
//! configuration (none at the start) and shows only in the log. What it was given is taken over at most once per throttle
//! interval. It answers its API, and where there are namespaces it listens in the edge on 80 and 443.
mod api;
mod directory;
mod proxy;
mod rule;
mod runtime;
mod schema;
#[cfg(test)]
mod tests;

pub use directory::{Configuration, Reader};

use anyhow::{Context, Result};
use jiff::Timestamp;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use runtime::Runtime;
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::Instant,
};

/// A running Traefik.
pub struct Traefik {
    directory: PathBuf,
    reader: Mutex<Reader>,
    started: Timestamp,
    current: watch::Sender<Arc<(Configuration, Runtime)>>,
}

/// Ends the watching when it is dropped.
pub struct Watching {
    _watcher: RecommendedWatcher,
    task: JoinHandle<()>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Traefik {
    /// Starts on `directory`, which must exist; with a bad file in it, it starts empty.
    pub fn start(directory: PathBuf) -> Self {
        let mut reader = Reader::default();
        let first = reader.read(&directory).unwrap_or_else(|e| {
            tracing::error!("traefik: error while building configuration (for the first time): {e}");
            Configuration::default()
        });
        let runtime = Runtime::of(&first);
        let current = watch::Sender::new(Arc::new((first, runtime)));
        Self { directory, reader: Mutex::new(reader), started: Timestamp::now(), current }
    }

    /// Follows the directory; the real interval is two seconds.
    ///
    /// # Errors
    /// When it does not exist: Traefik then never sees anything either.
    pub fn watch(self: &Arc<Self>, throttle: Duration) -> Result<Watching> {
        let (send, mut events) = mpsc::unbounded_channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Its own reading is no event to it.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                let _ = send.send(());
            }
        })
        .context("watch files")?;
        // Sub-directories are read, but not watched.
        let watched = watcher.watch(&self.directory, RecursiveMode::NonRecursive);
        watched.with_context(|| format!("watch {}", self.directory.display()))?;
        let traefik = Arc::clone(self);
        let task = tokio::spawn(async move {
            let mut quiet_until = Instant::now();
            while events.recv().await.is_some() {
                tokio::time::sleep_until(quiet_until).await;
                while events.try_recv().is_ok() {}
                if traefik.reload() {
                    quiet_until = Instant::now() + throttle;
                }
            }
        });
        Ok(Watching { _watcher: watcher, task })
    }

    /// Reads everything again; whether something else is in force now.
    fn reload(&self) -> bool {
        // A reader that panicked knows nothing any more, and reads everything.
        let next = match self.reader.lock().unwrap_or_else(PoisonError::into_inner).read(&self.directory) {
            Ok(next) => next,
            Err(e) => {
                tracing::error!("traefik: error occurred during watcher callback: {e}");
                return false;
            }
        };
        self.current.send_if_modified(|current| {
            let differs = current.0 != next;
            if differs {
                let runtime = Runtime::of(&next);
                *current = Arc::new((next, runtime));
            }
            differs
        })
    }

    /// The TCP routes in force: name, rule, status.
    pub fn routes(&self) -> Value {
        let shown = |(name, router): (&String, &Value)| json!({ "name": name, "rule": router["rule"], "service": router["service"], "status": router["status"] });
        self.current().1.all("tcp", "routers").map(shown).collect()
    }

    fn current(&self) -> Arc<(Configuration, Runtime)> {
        Arc::clone(&self.current.borrow())
    }

    fn runtime(&self) -> Runtime {
        self.current().1.clone()
    }
}
