//! How long things take. The figures are medians of recorded exchanges with a real installation of two busy cores.
use serde::{Deserialize, Serialize};

/// Whether the simulator is as slow as the real thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Timing {
    /// Answers and tasks take as long as they did; pvestatd reports every ten seconds.
    #[default]
    Real,
    /// Nothing takes time: a task is over when it is next asked for, and lists are fresh.
    Fast,
}

/// How long the first failed login of a connection is made to wait.
pub const LOGIN_DELAY: u64 = 3000;
/// How often pvestatd reports, in milliseconds.
pub const REPORT_EVERY: u64 = 10_000;
/// How long a write waits for a guest's lock file before it gives up.
pub const LOCK_TIMEOUT: u64 = 10_000;
/// How many requests are handled at once.
pub const WORKERS: usize = 3;

impl Timing {
    /// Milliseconds that a call takes before its effect.
    pub fn of_call(self, verb: &str, template: &str) -> u64 {
        if self == Self::Fast {
            return 0;
        }
        match (verb, template) {
            ("GET", "/version" | "/access/permissions") => 4,
            ("GET", "/cluster/resources" | "/cluster/nextid") => 6,
            ("GET", t) if t.ends_with("/config") || t.ends_with("/pending") => 6,
            ("GET", t) if t.contains("/tasks") => 12,
            ("GET", t) if t.ends_with("/status/current") => 33,
            ("GET", t) if t.ends_with("/interfaces") => 96,
            ("GET", t) if t.ends_with("/content") => 62,
            ("GET", _) => 12,
            ("PUT", t) if t.ends_with("/resize") => 119,
            ("PUT", t) if t.ends_with("/config") => 71,
            ("POST", "/nodes/{node}/lxc" | "/nodes/{node}/qemu") => 84,
            ("POST", t) if t.ends_with("/clone") => 36,
            ("DELETE", t) if t.ends_with("/{vmid}") => 45,
            ("POST", t) if t.contains("/status/") => 48,
            _ => 15,
        }
    }

    /// Milliseconds for which a new volume holds the lock of its storage: not recorded, a guess at `lvcreate` and `zfs create`.
    pub fn of_allocation(self) -> u64 {
        if self == Self::Fast { 0 } else { 300 }
    }

    /// Milliseconds that a task of this type works.
    pub fn of_task(self, kind: &str) -> u64 {
        if self == Self::Fast {
            return 0;
        }
        match kind {
            "vzcreate" | "vzrestore" | "qmrestore" => 2400,
            "vzdestroy" | "qmdestroy" => 150,
            "vzstart" | "vzstop" | "qmstart" | "qmstop" => 1800,
            "vzshutdown" | "qmshutdown" => 2100,
            "vzreboot" | "qmreboot" => 4000,
            "vzclone" | "qmclone" | "move_volume" => 3000,
            "resize" => 800,
            "vzdump" => 500,
            "qmcreate" => 600,
            "vztemplate" | "qmtemplate" => 20,
            _ => 200,
        }
    }
}
