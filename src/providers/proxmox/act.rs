//! One write from its turn to the end of its task.
use super::{
    Grant, Proxmox, Role, TaskId, encode,
    queue::{self, Lane},
    values::Pairs,
};
use crate::model::{Answer, Class, Failure};
use reqwest::Method;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;

/// The longest pause before a write is tried again at a lock.
const LONGEST: Duration = Duration::from_secs(5);

impl Proxmox {
    /// One write, and its task; again while somebody else holds a lock, because then nothing was applied. It waits for its
    /// turn, and gives it up while it waits for a lock.
    pub(super) async fn act(&self, attempted: &str, method: Method, path: &str, pairs: &Pairs) -> Answer<()> {
        self.acted(attempted, method, path, pairs).await.map(|_| ())
    }

    /// The same; gives the task, where the reply named one.
    pub(super) async fn acted(
        &self,
        attempted: &str,
        method: Method,
        path: &str,
        pairs: &Pairs,
    ) -> Answer<Option<TaskId>> {
        let lanes = queue::lanes(&method, path, pairs);
        let deadline = Instant::now() + self.patience.lock;
        let mut pause = self.patience.first_look * 4;
        loop {
            let turn = self.wire.queue.turn(&lanes).await;
            let outcome = self.act_once(attempted, &method, path, pairs).await;
            drop(turn);
            match outcome {
                Err(f) if f.class == Class::Busy && Instant::now() + pause < deadline => {
                    tracing::debug!(attempted, reason = f.reason, "waiting for a lock");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST);
                }
                Err(f) if f.class == Class::Denied => return Err(self.named(f, &lanes).await),
                other => return other,
            }
        }
    }

    async fn named(&self, denied: Failure, lanes: &BTreeSet<Lane>) -> Failure {
        let vmid = lanes.iter().find_map(|lane| match lane {
            Lane::Guest(vmid) => Some(*vmid),
            Lane::Storage(_) => None,
        });
        match vmid {
            Some(vmid) => self.explain(denied, Grant::on(Role::Guests, &vmid.to_string())).await,
            None => denied,
        }
    }

    /// A denial that does not say which privilege is missing (that of a new guest does not, nor that of a download) is
    /// compared with what the role holds that is for such things.
    pub(super) async fn explain(&self, denied: Failure, grant: Grant) -> Failure {
        if denied.class != Class::Denied || denied.reason.contains('(') {
            return denied;
        }
        match self.lacks(&grant).await {
            Ok(Some(lacks)) => denied.hint(lacks),
            _ => denied,
        }
    }

    /// What the token lacks of a role, in words.
    async fn lacks(&self, grant: &Grant) -> Answer<Option<String>> {
        let missing = self.permissions_on(&grant.path).await?.missing(grant, self.version().await?);
        let names = missing.into_iter().collect::<Vec<_>>().join(", ");
        let Grant { path, role } = grant;
        let text = || format!("the token lacks {names} on {path}, of the role {role}: `trueup setup token` gives it");
        Ok((!names.is_empty()).then(text))
    }

    /// Looks whether the token holds a role, where what it does without it would be misleading.
    pub(super) async fn demand(&self, attempted: &str, grant: &Grant) -> Answer<()> {
        match self.lacks(grant).await? {
            Some(lacks) => Err(Failure::new(Class::Denied, attempted, lacks)),
            None => Ok(()),
        }
    }

    async fn act_once(&self, attempted: &str, method: &Method, path: &str, pairs: &Pairs) -> Answer<Option<TaskId>> {
        let began = jiff::Timestamp::now().as_second();
        match self.wire.write(attempted, method.clone(), path, pairs).await {
            Ok(answer) => {
                self.finish(attempted, &answer).await?;
                Ok(answer.as_str().and_then(TaskId::parse))
            }
            Err(lost) if lost.class == Class::UnknownOutcome => {
                // The task may run all the same: then its end is the answer.
                match self.task_of(method, path, pairs, began).await {
                    Some(task) => self.await_task(attempted, &task).await.map(|()| Some(task)),
                    None => Err(lost),
                }
            }
            Err(f) => Err(f),
        }
    }

    /// The task that a write has started whose reply was lost: of our token, of the right type, about this guest, and not
    /// older than the write; of a guest that the cluster runs, the request to it. None is found where the write starts none, or
    /// was never executed.
    async fn task_of(&self, method: &Method, path: &str, pairs: &Pairs, began: i64) -> Option<TaskId> {
        let (node, vmid, kinds) = started(method, path, pairs)?;
        // One second for what both clocks cut off.
        let since = (began + self.wire.ahead()? - 1).to_string();
        let list = format!("/nodes/{}/tasks", encode::segment(node));
        for kind in kinds {
            let query = [("source", "all"), ("vmid", vmid), ("typefilter", kind), ("since", &since)];
            let found = self.wire.get("find the task of a lost reply", &list, &query).await.ok()?;
            let tasks = found.as_array().into_iter().flatten();
            let tasks = tasks.filter_map(|line| TaskId::parse(line.get("upid")?.as_str()?));
            let ours = tasks.filter(|task| Some(task.who()) == self.wire.identity() && task.is_about(kind, vmid));
            if let Some(task) = ours.max_by_key(TaskId::started) {
                return Some(task);
            }
        }
        None
    }
}

/// Which task a write starts: node, guest, and the types that it may have.
fn started<'a>(
    method: &Method,
    path: &'a str,
    pairs: &'a Pairs,
) -> Option<(&'a str, &'a str, &'static [&'static str])> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let pair = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match (method.as_str(), &parts[..]) {
        ("POST", ["nodes", node, "lxc"]) => Some((node, pair("vmid")?, &["vzcreate"])),
        ("POST", ["nodes", node, "qemu"]) => Some((node, pair("vmid")?, &["qmcreate"])),
        ("DELETE", ["nodes", node, "lxc", vmid]) => Some((node, vmid, &["vzdestroy"])),
        ("DELETE", ["nodes", node, "qemu", vmid]) => Some((node, vmid, &["qmdestroy"])),
        ("POST", ["nodes", node, "lxc", vmid, "clone"]) => Some((node, vmid, &["vzclone"])),
        ("POST", ["nodes", node, "qemu", vmid, "clone"]) => Some((node, vmid, &["qmclone"])),
        ("PUT", ["nodes", node, _, vmid, "resize"]) => Some((node, vmid, &["resize"])),
        ("POST", ["nodes", node, kind, vmid, "status", verb]) => {
            // Of a guest that the cluster runs, starting and stopping are requests (pve-ha-manager 5).
            let kinds: &[&str] = match (*verb, *kind) {
                ("start", "lxc") => &["vzstart", "hastart"],
                ("start", _) => &["qmstart", "hastart"],
                ("stop", "lxc") => &["vzstop", "hastop"],
                ("stop", _) => &["qmstop", "hastop"],
                ("shutdown", "lxc") => &["vzshutdown", "hastop"],
                ("shutdown", _) => &["qmshutdown", "hastop"],
                ("reboot", "lxc") => &["vzreboot"],
                ("reboot", _) => &["qmreboot"],
                _ => return None,
            };
            Some((node, vmid, kinds))
        }
        _ => None,
    }
}
