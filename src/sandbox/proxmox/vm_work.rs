//! What tasks about virtual machines do.
use super::state::Conf;
use serde::{Deserialize, Serialize};

/// The work of one task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum VmWork {
    Create(CreateVm),
    Restore(RestoreVm),
    Configure(Configure),
    Start,
    /// Stop, shutdown and what comes down to them.
    Stop,
    Reboot,
    Reset,
    /// To memory, or with its state written to a disk.
    Suspend {
        to_disk: bool,
    },
    Resume,
    Resize {
        disk: String,
        size: String,
        digest: Option<String>,
    },
    Move {
        disk: String,
        storage: String,
        format: Option<String>,
        delete: bool,
    },
    Reassign {
        disk: String,
        target: u32,
        target_disk: String,
    },
    Clone(CloneVm),
    Template {
        disk: Option<String>,
    },
    Snapshot {
        name: String,
        description: Option<String>,
        memory: bool,
    },
    Rollback {
        name: String,
        start: bool,
    },
    DeleteSnapshot {
        name: String,
    },
}

/// A machine to be made of a backup.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RestoreVm {
    /// What goes in the place of the backed-up config.
    pub conf: Conf,
    pub archive: String,
    /// Where its disks are made; none: where they were.
    pub storage: Option<String>,
    pub pool: Option<String>,
    pub start: bool,
    /// Whether addresses and ids are made anew.
    pub unique: bool,
    /// Whether it becomes a resource of the cluster's high availability.
    pub ha: bool,
    /// What the caller lacks for this backup, as the task says it.
    pub denied: Option<String>,
}

/// A machine to be made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CreateVm {
    pub conf: Conf,
    pub pool: Option<String>,
    pub start: bool,
    /// Whether it becomes a resource of the cluster's high availability.
    pub ha: bool,
}

/// A change of a config.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Configure {
    pub set: Conf,
    pub delete: Vec<String>,
    pub revert: Vec<String>,
    /// Detached disks are removed.
    pub force: bool,
    /// What the task's log says first.
    pub said: String,
}

/// A machine to be copied.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CloneVm {
    pub newid: u32,
    pub full: bool,
    pub storage: Option<String>,
    pub format: Option<String>,
    pub snapshot: Option<String>,
    pub target: Option<String>,
    pub pool: Option<String>,
    /// The config that is copied.
    pub conf: Conf,
    /// What the log says of what was copied before the task began.
    pub begun: Vec<String>,
}
