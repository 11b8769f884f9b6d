//! Tasks: what a call that answered `200` really did is known when its task has stopped.
use super::{Proxmox, encode, strange, values};
use crate::{
    model::{Answer, Class, Failure},
    providers::remarks::remark,
};
use serde_json::Value;
use std::fmt::{self, Display};
use tokio::time::Instant;

/// How many lines of a failed task's log are shown.
const LOG_LINES: usize = 8;
/// After how many looks in a row that failed it is asked whether the node is still there.
const BLIND: u32 = 3;

/// A UPID: `UPID:node:pid:pstart:start:type:id:user@realm!token:`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskId(String);

impl TaskId {
    /// `None` for anything else, such as the null of a call that starts no task.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let starts = parts.next() == Some("UPID");
        let node = parts.next().is_some_and(|n| !n.is_empty());
        (starts && node && parts.count() >= 6).then(|| Self(text.to_owned()))
    }
    /// The node that runs it.
    pub fn node(&self) -> &str {
        self.part(1)
    }
    /// `user@realm!token`, who started it.
    pub fn who(&self) -> &str {
        self.part(7)
    }
    /// When it was started, in seconds since 1970 by the node's clock.
    pub fn started(&self) -> u64 {
        u64::from_str_radix(self.part(4), 16).unwrap_or_default()
    }
    /// Whether it is of this type, about this guest.
    pub fn is_about(&self, kind: &str, id: &str) -> bool {
        (self.part(5), self.part(6)) == (kind, id)
    }
    /// Whether it only notes down what the high availability of the cluster is to do, and ends before that is done
    /// (pve-ha-manager 5).
    pub fn is_request(&self) -> bool {
        matches!(self.part(5), "hastart" | "hastop")
    }
    fn part(&self, nth: usize) -> &str {
        self.0.split(':').nth(nth).unwrap_or_default()
    }
}

impl Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Proxmox {
    /// Waits for the task that a call answered with.
    pub(super) async fn finish(&self, attempted: &str, answer: &Value) -> Answer<()> {
        match answer.as_str().map(TaskId::parse) {
            Some(Some(task)) => self.await_task(attempted, &task).await,
            _ if answer.is_null() => Ok(()),
            _ => Err(Failure { class: Class::UnknownOutcome, ..strange(attempted, "no task id") }),
        }
    }

    /// Waits until a task has stopped. `OK` and `WARNINGS: n` are success.
    ///
    /// # Errors
    /// With the task's own text and the last lines of its log; `UnknownOutcome` when it did not end in time, its node is
    /// gone, or it can no longer be asked about.
    pub async fn await_task(&self, attempted: &str, task: &TaskId) -> Answer<()> {
        let path = format!("/nodes/{}/tasks/{}", encode::segment(task.node()), encode::segment(&task.0));
        let unknown = |reason: String| Failure::new(Class::UnknownOutcome, attempted, reason);
        let deadline = Instant::now() + self.patience.task;
        let mut pause = self.patience.first_look;
        let mut blind = 0;
        loop {
            let status = self.wire.get(attempted, &format!("{path}/status"), &[]).await;
            match status {
                Ok(status) if status.get("status").and_then(Value::as_str) == Some("stopped") => {
                    let exit = status.get("exitstatus").and_then(values::text).unwrap_or_default();
                    return self.judge(attempted, &path, &exit).await;
                }
                Ok(_) => blind = 0,
                // The task goes on without us: an interrupted view of it is no reason to give up.
                Err(f) if matches!(f.class, Class::Transient | Class::Unreachable | Class::Busy) => {
                    blind += 1;
                    if Instant::now() + pause >= deadline {
                        return Err(unknown(format!("task {task} can no longer be followed: {}", f.reason)));
                    }
                    if blind % BLIND == 0 && self.is_offline(task.node()).await {
                        let why = format!("task {task} was lost: the node {} has gone offline", task.node());
                        return Err(
                            unknown(why).hint("when the node is back, the next pass finds what the task has left")
                        );
                    }
                }
                Err(f) => return Err(unknown(format!("task {task} cannot be followed: {}", f.reason))),
            }
            if Instant::now() + pause >= deadline {
                return Err(unknown(format!("task {task} has not ended after {:?}", self.patience.task)));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.patience.last_look);
        }
    }

    async fn judge(&self, attempted: &str, path: &str, exit: &str) -> Answer<()> {
        let warned = exit.strip_prefix("WARNINGS: ").is_some_and(|n| n.parse::<u32>().is_ok());
        if exit == "OK" {
            return Ok(());
        }
        // The log is for people; without it the text of the status has to do.
        let log = self.wire.get(attempted, &format!("{path}/log"), &[("limit", "0")]).await.unwrap_or(Value::Null);
        let lines: Vec<&str> =
            log.as_array().into_iter().flatten().filter_map(|l| l.get("t").and_then(Value::as_str)).collect();
        if warned {
            let said =
                lines.iter().filter_map(|line| line.trim().strip_prefix("WARN: ")).collect::<Vec<_>>().join(" / ");
            remark(if said.is_empty() { format!("{attempted}: {exit}") } else { format!("{attempted}: {said}") });
            return Ok(());
        }
        let tail: Vec<&str> = lines[lines.len().saturating_sub(LOG_LINES)..]
            .iter()
            .map(|l| l.trim())
            .filter(|l| !l.is_empty() && *l != format!("TASK ERROR: {exit}"))
            .collect();
        let mut reason = if exit.is_empty() { "the task ended without saying how".to_owned() } else { exit.to_owned() };
        if !tail.is_empty() {
            reason = format!("{reason} (task log: {})", tail.join(" / "));
        }
        Err(Failure::new(class(exit), attempted, reason))
    }
}

impl Proxmox {
    /// Whether the cluster itself says that a node is away. Not knowing is not saying so.
    async fn is_offline(&self, node: &str) -> bool {
        let listed = self.wire.get("list the nodes", "/nodes", &[]).await.unwrap_or(Value::Null);
        let found = listed.as_array().into_iter().flatten().find(|line| line.get("node") == Some(&node.into()));
        found.and_then(|line| line.get("status")?.as_str()).is_some_and(|status| status == "offline")
    }
}

/// Checks that other versions or other calls make before the task starts are made inside it here.
fn class(exit: &str) -> Class {
    if exit.contains("got timeout") || exit.contains("is locked (") {
        Class::Busy
    } else if exit.contains("Configuration file '") && exit.contains("does not exist") {
        Class::NotFound
    } else if exit.contains("already exists") || exit.contains("checksum mismatch (file change") {
        Class::Conflict
    } else if exit == "unexpected status" || exit.is_empty() {
        Class::UnknownOutcome
    } else {
        Class::Invalid
    }
}
