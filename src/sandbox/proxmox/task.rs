//! Tasks: a call answers with a UPID at once, the effect comes when the work ends.
use super::{
    access::Who,
    refusal::{Refusal, Result},
    state::{Conf, Kind, State},
    storage_lock::{Allocation, Turn},
    timing::{LOCK_TIMEOUT, REPORT_EVERY, Timing},
    vm_work::VmWork,
    world::World,
};
use serde::{Deserialize, Serialize};

/// Milliseconds after which a task ends that has nothing to do.
const AT_ONCE: u64 = 40;

/// One task, running or over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    pub upid: String,
    pub node: String,
    pub pid: u32,
    /// Jiffies since the node's start.
    pub pstart: u64,
    /// `vzcreate`, `vzstart` …
    pub kind: String,
    /// The guest or storage that it is about; may be empty.
    pub id: String,
    /// `root@pam!full`.
    pub who: String,
    /// Unix milliseconds.
    pub started: u64,
    /// When the work ends, in Unix milliseconds.
    pub ends: u64,
    /// What is still to be done; `None` once it is over.
    pub work: Option<Work>,
    /// The guest whose lock file it holds while it runs.
    pub holds: Option<u32>,
    /// The storages on which it makes volumes.
    #[serde(default)]
    pub allocates: Vec<Allocation>,
    /// The storage whose lock it waited for in vain.
    #[serde(default)]
    pub locked_out: Option<String>,
    pub log: Vec<String>,
    /// `OK`, `WARNINGS: 1` or the error; set once it is over.
    pub exit: Option<String>,
    /// Whether another task began it.
    #[serde(default)]
    pub within: bool,
}

impl Task {
    /// `root@pam` and `full`.
    pub fn user(&self) -> (&str, Option<&str>) {
        match self.who.split_once('!') {
            Some((user, token)) => (user, Some(token)),
            None => (&self.who, None),
        }
    }

    pub fn is_over(&self) -> bool {
        self.exit.is_some()
    }
}

/// What a task does when it ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Work {
    Create(Box<Create>),
    Start {
        vmid: u32,
    },
    Stop {
        vmid: u32,
    },
    Shutdown {
        vmid: u32,
    },
    Reboot {
        vmid: u32,
    },
    Destroy {
        vmid: u32,
        force: bool,
        purge: bool,
        unreferenced: bool,
    },
    Resize {
        vmid: u32,
        disk: String,
        size: u64,
    },
    Clone(Box<Copy>),
    Move(Move),
    Reassign(Reassign),
    Template {
        vmid: u32,
    },
    Snapshot {
        vmid: u32,
        name: String,
        description: Option<String>,
    },
    Rollback {
        vmid: u32,
        name: String,
        start: bool,
    },
    DeleteSnapshot {
        vmid: u32,
        name: String,
    },
    Vm {
        vmid: u32,
        what: Box<VmWork>,
    },
    Migrate {
        vmid: u32,
        target: String,
        /// Whether a running container is stopped here and started there.
        restart: bool,
        /// Whether the disks of a running machine may move with it.
        #[serde(default)]
        disks: bool,
    },
    /// What the cluster is asked to do with a guest that it runs.
    HaRequest {
        vmid: u32,
        state: String,
        said: String,
    },
    RemoveVolume {
        volid: String,
    },
    StoreVolume {
        volid: String,
        content: String,
        format: String,
        size: u64,
        #[serde(default)]
        sums: Conf,
        note: Vec<String>,
    },
    Fails {
        why: String,
        log: Vec<String>,
    },
    /// Nothing but these lines.
    Logs {
        log: Vec<String>,
    },
    /// Changes of a node's network take effect.
    ApplyInterfaces {
        node: String,
    },
    Backup(Box<Backup>),
    Restore(Box<Restore>),
    /// Guests of a node that are started, or shut down, one after the other.
    Bulk {
        guests: Vec<u32>,
        start: bool,
        /// Seconds that each has to go down.
        timeout: u64,
    },
    /// Guests of a node of which the machines are suspended to disk.
    SuspendAll {
        guests: Vec<u32>,
    },
    /// Backups that a retention does not keep.
    RemoveBackups {
        volids: Vec<String>,
    },
    Nothing,
}

/// Guests to be backed up.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Backup {
    pub node: String,
    pub guests: Vec<u32>,
    pub storage: String,
    /// `mode`, `compress`, `notes-template` …
    pub options: Conf,
    /// The guest that is locked for it already.
    pub locked: Option<u32>,
    /// When it began, in Unix milliseconds.
    pub at: u64,
    /// What is logged before the first guest.
    pub log: Vec<String>,
}

/// A container to be made of a backup.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Restore {
    pub vmid: u32,
    /// What goes before the backed-up config.
    pub conf: Conf,
    /// Disks that were given; none: those of the backup, on `storage`.
    pub disks: Conf,
    pub archive: String,
    pub storage: String,
    pub pool: Option<String>,
    pub start: bool,
    /// Whether it becomes a resource of the cluster's high availability.
    #[serde(default)]
    pub ha: bool,
    /// Whether hardware addresses are made anew.
    pub unique: bool,
    /// Whether there was no container of this number before.
    pub fresh: bool,
    /// Whether the firewall of the backup is left out.
    pub keeps_firewall: bool,
    /// Whether a privileged container may come of it.
    pub privileges: bool,
    pub unprivileged: Option<bool>,
}

/// A container to be made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Create {
    pub vmid: u32,
    pub conf: Conf,
    pub disks: Conf,
    pub template: String,
    pub pool: Option<String>,
    pub start: bool,
    /// Whether it becomes a resource of the cluster's high availability.
    #[serde(default)]
    pub ha: bool,
    /// Whether it is made of what came out of its template, although something did not.
    #[serde(default)]
    pub lenient: bool,
}

/// A guest to be copied.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Copy {
    pub vmid: u32,
    pub newid: u32,
    pub full: bool,
    pub storage: Option<String>,
    /// The mount points of the source.
    pub disks: Conf,
    pub pool: Option<String>,
    /// Another node, where the copy ends up.
    #[serde(default)]
    pub target: Option<String>,
}

/// A container's volume that goes to another storage.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Move {
    pub vmid: u32,
    /// `rootfs`, `mp0` …
    pub key: String,
    pub storage: String,
    /// Whether the old volume is removed; it is unused otherwise.
    pub delete: bool,
}

/// A container's volume that goes to another container.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Reassign {
    pub vmid: u32,
    pub key: String,
    pub target: u32,
    /// What it is there.
    pub to: String,
}

/// Demands that a text is a UPID.
///
/// # Errors
/// 400 when it is none.
pub fn is_upid(upid: &str) -> Result<()> {
    let bad = || Refusal::parameter("upid", "unable to parse worker upid");
    let parts: Vec<&str> = upid.split(':').collect();
    let hex = |s: &str, lengths: &[usize]| lengths.contains(&s.len()) && s.bytes().all(|b| b.is_ascii_hexdigit());
    match parts.as_slice() {
        ["UPID", _, pid, pstart, start, kind, _, who, ""]
            if hex(pid, &[8]) && hex(pstart, &[8, 9]) && hex(start, &[8]) && !kind.is_empty() && who.contains('@') =>
        {
            Ok(())
        }
        _ => Err(bad()),
    }
}

impl State {
    /// Until when the lock file of a guest is held by a task.
    pub fn held(&self, vmid: u32) -> Option<u64> {
        let tasks = self.tasks.iter().filter(|t| !t.is_over() && t.holds == Some(vmid)).map(|t| t.ends);
        tasks.chain(self.held.get(&vmid).copied()).max()
    }
}

impl World {
    /// Demands the lock file of a guest, for a write that does not fork.
    ///
    /// # Errors
    /// Held by a task: the call is to be tried again when that is over.
    pub fn lock(&self, vmid: u32) -> Result<()> {
        match self.state.held(vmid).filter(|until| *until > self.now) {
            Some(until) => Err(Refusal::Held { vmid, until }),
            None => Ok(()),
        }
    }

    /// Starts a task and answers its UPID. A task that needs a guest's lock file waits for it, ten seconds at most.
    pub fn fork(&mut self, node: &str, kind: &str, id: &str, who: &Who, work: Work, holds: Option<u32>) -> String {
        let now = self.now;
        let free = holds.and_then(|v| self.state.held(v)).unwrap_or(now).max(now);
        let waits = if free > now { vec!["trying to acquire lock...".to_string()] } else { Vec::new() };
        let (work, holds, ends) = if free > now + LOCK_TIMEOUT {
            let why = Refusal::Held { vmid: holds.unwrap_or_default(), until: free }.text();
            (Work::Fails { why, log: Vec::new() }, None, now + LOCK_TIMEOUT)
        } else {
            let takes = if free == now && self.fails_at_once(&work) { AT_ONCE } else { self.timing.of_task(kind) };
            (work, holds, free + takes.min(self.timing.of_task(kind)))
        };
        let acquired = (holds.is_some() && free > now).then(|| " OK".to_string());
        let Turn { ends, allocates, locked_out } = self.stand_in_line(&work, ends);
        let pid = self.state.next_pid;
        self.state.next_pid = if pid >= 4_194_303 { 1000 } else { pid + 1 };
        let pstart = now.saturating_sub(self.state.booted) / 10;
        let who = who.id();
        let upid = format!("UPID:{node}:{pid:08X}:{pstart:08X}:{:08X}:{kind}:{id}:{who}:", now / 1000);
        self.state.tasks.push(Task {
            upid: upid.clone(),
            node: node.into(),
            pid,
            pstart,
            kind: kind.into(),
            id: id.into(),
            who,
            started: now,
            ends,
            work: Some(work),
            holds,
            allocates,
            locked_out,
            log: waits.into_iter().chain(acquired).collect(),
            exit: None,
            within: false,
        });
        self.forget_old_tasks();
        upid
    }

    /// Starts a guest in a task of its own, from within another task: of whoever began that one.
    pub fn fork_start(&mut self, vmid: u32) {
        self.fork_within(vmid, ("vzstart", Work::Start { vmid }), ("qmstart", VmWork::Start));
    }

    /// The same, to shut it down.
    pub fn fork_shutdown(&mut self, vmid: u32) {
        self.fork_within(vmid, ("vzshutdown", Work::Shutdown { vmid }), ("qmshutdown", VmWork::Stop));
    }

    /// The same, to suspend a machine to disk.
    pub fn fork_suspend(&mut self, vmid: u32) {
        self.fork_within(vmid, ("", Work::Nothing), ("qmsuspend", VmWork::Suspend { to_disk: true }));
    }

    fn fork_within(&mut self, vmid: u32, container: (&str, Work), machine: (&str, VmWork)) {
        let Some(guest) = self.state.guests.get(&vmid) else { return };
        let (node, kind) = (guest.node.clone(), guest.kind);
        let who = self.at_work.clone().unwrap_or_else(|| Who { user: "root@pam".into(), token: None });
        let (task, work) = match kind {
            Kind::Lxc => container,
            Kind::Qemu => (machine.0, Work::Vm { vmid, what: Box::new(machine.1) }),
        };
        self.fork(&node, task, &vmid.to_string(), &who, work, Some(vmid));
        if let Some(task) = self.state.tasks.last_mut() {
            task.within = true;
        }
    }

    /// Whether the archive of tasks has one that is over. Nobody waits for the end of a task that another began: it is noticed
    /// when the next one is begun, or by pvestatd.
    pub fn is_archived(&self, task: &Task) -> bool {
        let later = |other: &Task| !other.within && other.node == task.node && other.started >= task.ends;
        let noticed = || self.state.next_report >= task.ends + REPORT_EVERY || self.state.tasks.iter().any(later);
        task.is_over() && (!task.within || self.timing == Timing::Fast || noticed())
    }

    /// Whether a task ends with an error as soon as it has the guest's lock file, as the world is now.
    fn fails_at_once(&self, work: &Work) -> bool {
        let (vmid, running) = match work {
            Work::Start { vmid } => (*vmid, false),
            Work::Stop { vmid } | Work::Shutdown { vmid } => (*vmid, true),
            Work::Fails { .. } => return true,
            Work::Restore(restore) => return super::api::storage::volume(self, &restore.archive).is_err(),
            _ => return false,
        };
        let ready = self.state.guests.get(&vmid).filter(|g| !g.is_template() && g.running.is_some() == running);
        ready.is_none_or(|g| g.conf.get("lock").is_some_and(|lock| !lock.trim().is_empty()))
    }

    /// Tasks that waited for a lock file and now see that there is nothing to do for them.
    fn wake(&mut self, vmid: u32) {
        let waiting = |t: &Task| !t.is_over() && t.holds == Some(vmid);
        for index in 0..self.state.tasks.len() {
            let task = &self.state.tasks[index];
            if waiting(task) && task.work.as_ref().is_some_and(|work| self.fails_at_once(work)) {
                let soon = self.now + AT_ONCE;
                self.state.tasks[index].ends = soon.min(self.state.tasks[index].ends);
            }
        }
    }

    /// The archive of the real one is cut at 50,000 lines; here the oldest of 2,000 goes.
    fn forget_old_tasks(&mut self) {
        const KEPT: usize = 2000;
        while self.state.tasks.len() > KEPT {
            match self.state.tasks.iter().position(Task::is_over) {
                Some(oldest) => self.state.tasks.remove(oldest),
                None => return,
            };
        }
    }

    /// Lets every task end whose time has come, and pvestatd report, in the order of time.
    pub fn settle(&mut self, now: u64) {
        loop {
            let due = self.state.tasks.iter().enumerate().filter(|(_, t)| !t.is_over() && t.ends <= now);
            let due = due.min_by_key(|(i, t)| (t.ends, *i)).map(|(i, t)| (i, t.ends));
            let until = due.map_or(now, |(_, ends)| ends);
            self.report_up_to(until);
            match due {
                Some((index, ends)) => {
                    self.now = ends;
                    self.end(index);
                }
                None => break,
            }
        }
        self.now = now;
    }

    fn end(&mut self, index: usize) {
        let Some(work) = self.state.tasks[index].work.take() else { return };
        // The lock file is free from here on.
        let held = self.state.tasks[index].holds.take();
        let upid = self.state.tasks[index].upid.clone();
        let mut log = std::mem::take(&mut self.state.tasks[index].log);
        self.locked_out = self.state.tasks[index].locked_out.clone();
        let (user, token) = self.state.tasks[index].user();
        self.at_work = Some(Who { user: user.into(), token: token.map(str::to_string) });
        let outcome = self.perform(work, &mut log);
        (self.locked_out, self.at_work) = (None, None);
        // What vzdump warns of does not count: it writes its log itself.
        let counts = self.state.tasks[index].kind != "vzdump";
        let warnings = log.iter().filter(|l| counts && l.starts_with("WARN: ")).count();
        let (last, exit) = match outcome {
            Err(refusal) => (format!("TASK ERROR: {}", refusal.text()), refusal.text()),
            Ok(()) if warnings > 0 => (format!("TASK WARNINGS: {warnings}"), format!("WARNINGS: {warnings}")),
            Ok(()) => ("TASK OK".into(), "OK".into()),
        };
        log.push(last);
        if let Some(task) = self.state.tasks.iter_mut().find(|t| t.upid == upid) {
            task.log = log;
            task.exit = Some(exit);
        }
        self.touched = true;
        if let Some(vmid) = held {
            self.wake(vmid);
        }
    }

    /// Ends a running task before its time, without its effect.
    pub fn interrupt(&mut self, upid: &str) {
        let Some(index) = self.state.tasks.iter().position(|t| t.upid == upid && !t.is_over()) else { return };
        let work = self.state.tasks[index].work.take();
        let mut log = Vec::new();
        let why = match &work {
            Some(Work::Create(create)) => super::api::lxc_create::interrupted(self, create, &mut log),
            Some(Work::Backup(backup)) => {
                backup.locked.into_iter().for_each(|vmid| super::api::backup::unlock(self, vmid));
                log.extend(backup.log.iter().cloned());
                "interrupted by signal".to_string()
            }
            Some(Work::Move(change)) => {
                super::api::backup::unlock(self, change.vmid);
                "received interrupt".to_string()
            }
            _ => "received interrupt".to_string(),
        };
        let task = &mut self.state.tasks[index];
        task.work = None;
        task.holds = None;
        task.ends = self.now;
        task.log.append(&mut log);
        task.log.push(format!("TASK ERROR: {why}"));
        task.exit = Some(why);
        self.touched = true;
    }
}
