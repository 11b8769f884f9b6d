//! Faults on demand, and the log of everything that was asked of the sandbox.
//!
//! Every call, be it an HTTP request or a command on the node, passes through [`Faults::around`]: it is counted and
//! written to `calls.jsonl`, and the first rule that hits it spoils it before or after its effect. A simulator knows
//! nothing of this.
mod rule;
mod spoil;
#[cfg(test)]
mod tests;

pub use rule::{Call, Fault, What, When};
pub use spoil::Spoilable;

use super::store::Store;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    future::Future,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::sync::watch;

/// One line of `calls.jsonl`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Logged {
    /// Counted from 1 over the life of the state directory's log.
    pub number: u64,
    /// When it was answered (or held), RFC 3339.
    pub at: jiff::Timestamp,
    pub system: String,
    /// `VERB /path`, or the command.
    pub call: String,
    pub write: bool,
    /// Of the how manieth write it is the line, counted from 1; absent for reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth_write: Option<u64>,
    /// The HTTP status or the exit status; absent when no answer was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// How long the sandbox had it, in microseconds: delays of a real system included.
    #[serde(default)]
    pub micros: u64,
    /// What a fault did to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// The rules of a sandbox and its log.
pub struct Faults {
    store: Arc<Store>,
    inner: Mutex<Inner>,
    held: watch::Sender<Option<Logged>>,
    /// Counts how often everything was forgotten.
    epoch: AtomicU64,
}

struct Inner {
    rules: Vec<Fault>,
    log: File,
    calls: u64,
    writes: u64,
}

/// The last answer to each question of one system, for `stale`.
pub struct Previous<R>(Mutex<Remembered<R>>);

struct Remembered<R> {
    epoch: u64,
    answers: BTreeMap<String, R>,
}

impl<R> Default for Previous<R> {
    fn default() -> Self {
        Self(Mutex::new(Remembered { epoch: 0, answers: BTreeMap::new() }))
    }
}

impl<R> Previous<R> {
    /// The answers of this epoch.
    fn of(&self, epoch: u64) -> MutexGuard<'_, Remembered<R>> {
        let mut all = held_open(&self.0);
        if all.epoch != epoch {
            *all = Remembered { epoch, answers: BTreeMap::new() };
        }
        all
    }
}

/// More different questions than this are not remembered.
const MOST_REMEMBERED: usize = 4096;

fn held_open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Faults {
    /// The name of the log in the state directory.
    pub const LOG: &'static str = "calls.jsonl";

    /// With the rules that the directory remembers; numbers go on where its log ends.
    ///
    /// # Errors
    /// When the rules or the log cannot be read or opened.
    pub fn open(store: Arc<Store>) -> Result<Self> {
        let rules = store.load("faults")?.unwrap_or_default();
        let path = store.path(Self::LOG);
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        let last = |of: fn(&Logged) -> Option<u64>| {
            before
                .lines()
                .rev()
                .filter_map(|line| serde_json::from_str(line).ok())
                .find_map(|l: Logged| of(&l))
                .unwrap_or(0)
        };
        let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let log = log.with_context(|| format!("open {}", path.display()))?;
        let inner = Inner { rules, log, calls: last(|l| Some(l.number)), writes: last(|l| l.nth_write) };
        Ok(Self { store, inner: Mutex::new(inner), held: watch::Sender::new(None), epoch: AtomicU64::new(0) })
    }

    /// The rules, with how often each has been met.
    pub fn rules(&self) -> Vec<Fault> {
        held_open(&self.inner).rules.clone()
    }

    /// Replaces all rules.
    ///
    /// # Errors
    /// When they cannot be written down.
    pub fn replace(&self, rules: Vec<Fault>) -> Result<()> {
        let mut inner = held_open(&self.inner);
        inner.rules = rules;
        self.store.save("faults", &inner.rules)
    }

    /// Adds one at the end.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn add(&self, rule: Fault) -> Result<()> {
        let mut inner = held_open(&self.inner);
        inner.rules.push(rule);
        self.store.save("faults", &inner.rules)
    }

    /// Drops all rules and all answers of before, as if nothing had ever been asked.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn forget(&self) -> Result<()> {
        self.epoch.fetch_add(1, Ordering::Relaxed);
        self.replace(vec![])
    }

    /// How many calls, and how many writes among them, were logged.
    pub fn counts(&self) -> (u64, u64) {
        let inner = held_open(&self.inner);
        (inner.calls, inner.writes)
    }

    /// Resolves when a call is held, at once when one was held already; crash tests kill the product then.
    pub async fn wait_for_hold(&self) -> Logged {
        let mut held = self.held.subscribe();
        loop {
            if let Some(logged) = held.borrow_and_update().clone() {
                return logged;
            }
            if held.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Lets one call happen, spoiled or not. `None`: the connection is to be dropped without an answer.
    ///
    /// The effect runs to its end in its own task, even when the caller goes away meanwhile.
    pub async fn around<R: Spoilable>(
        &self,
        call: Call,
        previous: &Previous<R>,
        effect: impl Future<Output = R> + Send + 'static,
    ) -> Option<R> {
        let (began, epoch) = (Instant::now(), self.epoch.load(Ordering::Relaxed));
        let Some((when, what)) = self.next(&call) else {
            let reply = tokio::spawn(effect).await.ok();
            self.log(&call, began, reply.as_ref().map(R::status), None);
            if let Some(reply) = &reply
                && !call.write
            {
                remember(previous, epoch, &call, reply);
            }
            return reply;
        };
        let spoiled = format!("{} {what}", if when == When::Before { "before:" } else { "after:" });
        let spoiled = Some(spoiled.as_str());
        if let What::Delay { ms } = what {
            let wait = tokio::time::sleep(std::time::Duration::from_millis(ms));
            let reply = if when == When::Before {
                wait.await;
                tokio::spawn(effect).await.ok()
            } else {
                let reply = tokio::spawn(effect).await.ok();
                wait.await;
                reply
            };
            self.log(&call, began, reply.as_ref().map(R::status), spoiled);
            return reply;
        }
        if what == What::Stale
            && let Some(old) = previous.of(epoch).answers.get(&call.name).cloned()
        {
            self.log(&call, began, Some(old.status()), spoiled);
            return Some(old);
        }
        let needs_answer = matches!(what, What::EmptyList | What::TruncatedPage | What::Stale);
        let real = if when == When::After || needs_answer { tokio::spawn(effect).await.ok() } else { None };
        let reply = match what {
            What::Hold => {
                let line = self.log(&call, began, None, spoiled);
                self.held.send_replace(Some(line));
                std::future::pending().await
            }
            What::Drop => None,
            What::Status { status, message } => Some(R::failing(status, &message)),
            What::Body { status, content_type, body } => Some(R::raw(status, &content_type, body)),
            What::EmptyList => real.map(R::emptied),
            What::TruncatedPage => real.map(R::truncated),
            What::Stale | What::Delay { .. } => real,
        };
        self.log(&call, began, reply.as_ref().map(R::status), spoiled);
        reply
    }

    /// Counts the call for every rule that it meets; the first whose turn has come decides.
    fn next(&self, call: &Call) -> Option<(When, What)> {
        let mut inner = held_open(&self.inner);
        let (mut met, mut hit) = (false, None);
        for rule in &mut inner.rules {
            if rule.meets(call) {
                met = true;
                rule.seen += 1;
                if hit.is_none() && rule.nth.is_none_or(|nth| nth == rule.seen) {
                    hit = Some((rule.when, rule.what.clone()));
                }
            }
        }
        if met && let Err(e) = self.store.save("faults", &inner.rules) {
            tracing::warn!("the counts of the fault rules were not kept: {e:#}");
        }
        hit
    }

    fn log(&self, call: &Call, began: Instant, status: Option<i32>, fault: Option<&str>) -> Logged {
        let mut inner = held_open(&self.inner);
        inner.calls += 1;
        inner.writes += u64::from(call.write);
        let line = Logged {
            number: inner.calls,
            at: jiff::Timestamp::now(),
            system: call.system.clone(),
            call: call.name.clone(),
            write: call.write,
            nth_write: call.write.then_some(inner.writes),
            status,
            micros: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            fault: fault.map(str::to_owned),
        };
        let written = serde_json::to_vec(&line).map_err(std::io::Error::from).and_then(|mut text| {
            text.push(b'\n');
            inner.log.write_all(&text)
        });
        if let Err(e) = written {
            tracing::warn!("a call was not logged: {e}");
        }
        line
    }
}

fn remember<R: Spoilable>(previous: &Previous<R>, epoch: u64, call: &Call, reply: &R) {
    let answers = &mut previous.of(epoch).answers;
    if answers.len() < MOST_REMEMBERED || answers.contains_key(&call.name) {
        answers.insert(call.name.clone(), reply.clone());
    }
}
