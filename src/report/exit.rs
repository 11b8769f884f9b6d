//! Exit codes that scripts can rely on.
use crate::engine::{Outcome, Report};

/// How a command ended. When several hold: refused, partly, nothing, changes, done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// In true or done, also when something is only waiting or withheld.
    Done = 0,
    /// Nothing could be done: usage, manifests, nothing reachable.
    Nothing = 1,
    /// A dry run with `--detailed-exitcode` found changes pending.
    Changes = 2,
    /// A guard refused the plan.
    Refused = 3,
    /// Something failed, was blocked, is in conflict, asks for what cannot be, or could not be looked at.
    Partly = 4,
}

impl Exit {
    /// As the commands that make or apply a plan explain them.
    pub const CODES: &str = "\
Exit codes:
  0   in true, or done; also when something is only waiting or kept back
  1   nothing could be done: usage, manifests, credentials, nothing reachable
  2   changes are pending (--dry-run --detailed-exitcode)
  3   a guard refused the plan
  4   done in part: something failed, was blocked, is in conflict, asks for what cannot be, or could not be looked at
  70  a defect in trueup
  130 ended by Ctrl-C before anything was changed";

    /// Of a pass, or of a dry run (`detailed`: with `--detailed-exitcode`).
    pub fn of(report: &Report, dry_run: bool, detailed: bool) -> Self {
        if report.refusal.is_some() {
            return Self::Refused;
        }
        // What a person left out (`--without`) is named, and is no failure.
        let unseen = report.rest.unseen.iter().any(|note| !report.left_out.contains(&*note.object.resource));
        let nothing_seen =
            unseen && report.rest.steps.is_empty() && report.rest.unchanged.is_empty() && report.waves.is_empty();
        if nothing_seen {
            return Self::Nothing;
        }
        let bad = report.outcomes().any(|(_, outcome)| !matches!(outcome, Outcome::Done { .. }));
        let blocked = report.rest.steps.iter().any(|step| step.blocked.is_some());
        if bad || blocked || !report.rest.conflicts.is_empty() || !report.rest.impossible.is_empty() || unseen {
            return Self::Partly;
        }
        if dry_run {
            let pending = !report.rest.steps.is_empty() || !report.rest.later.is_empty();
            return if detailed && pending { Self::Changes } else { Self::Done };
        }
        // What is left must be withheld or waiting; a difference that comes back after its step is a defect somewhere.
        let withheld: std::collections::BTreeSet<_> =
            report.waves.iter().flat_map(|wave| &wave.withheld).map(|(id, _)| &id.object).collect();
        let stuck = report.rest.steps.iter().any(|step| !withheld.contains(&step.id.object));
        if stuck { Self::Partly } else { Self::Done }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
