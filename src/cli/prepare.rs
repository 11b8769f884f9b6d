//! From manifests to a site that can be looked at: checked, its lock complete, its systems connected.
use super::{
    lines::Lines,
    loaded::{self, Shown},
    origin::Origin,
    progress::Progress,
    reach::{Reach, Reached},
    screen::Screen,
    settle,
};
use crate::{
    kinds::{
        Declarations,
        allocation::{Allocated, Carried, fill},
    },
    ledger,
    manifest::Diagnostic,
    providers::sandbox_connection::Connection,
};
use std::collections::BTreeSet;

/// What is needed for it.
pub(super) struct Prepare<'a> {
    pub screen: &'a Screen,
    pub lines: &'a Lines<'a>,
    pub progress: &'a Progress<'a>,
    pub reach: &'a Reach,
    pub sandbox: Option<&'a Connection>,
    /// New objects get their ids, addresses and ports without a look at what the live site carries.
    pub offline: bool,
    /// Whether the lock file may be written.
    pub writes: bool,
}

/// What has come of it.
pub(super) struct Ready {
    pub reached: Reached,
    /// Values that only the lock will settle, as long as it is not written.
    pub at_lock: BTreeSet<String>,
}

struct Settled {
    done: Allocated,
    /// The site, where it had to be looked at.
    reached: Option<Reached>,
}

impl Prepare<'_> {
    /// Does it. Nothing comes back after mistakes in the manifests, which have been shown.
    ///
    /// # Errors
    /// What is no mistake in the manifests: a lock file that cannot be read or written, a site that could not be looked at.
    pub async fn ready(&self, origin: &mut Origin) -> anyhow::Result<Option<Ready>> {
        let (mut declarations, found) = loaded::read(&mut origin.tree, self.screen, self.lines, Shown::AsReason);
        if found.errors > 0 {
            return Ok(self.nothing(found));
        }
        self.progress.say("looking at the site");
        let settled = match self.settle(origin, &declarations).await? {
            Ok(settled) => settled,
            Err(problems) => return Ok(self.refused(&problems)),
        };
        let at_lock = if self.writes { BTreeSet::new() } else { settled.done.unsettled };
        let missing = fill(&mut declarations, settled.done.lock);
        if !missing.is_empty() {
            return Ok(self.refused(&missing));
        }
        let reached = match settled.reached {
            Some(reached) => reached.with(declarations)?,
            None => match self.reach.open(declarations, &origin.tree, self.sandbox).await {
                Ok(reached) => reached,
                Err(problems) => return Ok(self.refused(&problems)),
            },
        };
        Ok(Some(Ready { reached, at_lock }))
    }

    /// Completes the lock, and writes it where that may be: not in a dry run, and not into somebody's repository.
    async fn settle(
        &self,
        origin: &Origin,
        declarations: &Declarations,
    ) -> anyhow::Result<Result<Settled, Vec<Diagnostic>>> {
        let writable = origin.directory().filter(|_| self.writes);
        let _held = writable.map(settle::hold).transpose()?;
        let lock = settle::read(&origin.tree)?;
        let mut done = settle::complete(declarations, &lock, &Carried::default());
        let short = settle::is_short(&lock, &done);
        if short && origin.directory().is_none() {
            let open = done.unplaced.iter().map(|guest| guest.message.clone());
            let missing: Vec<String> = done.made.iter().cloned().chain(open).collect();
            let text = format!("{} in the repository does not say it all: {}", ledger::FILE, missing.join("; "));
            let problem = Diagnostic::general("lock-out-of-date", text);
            return Ok(Err(vec![problem.hint("run `trueup lock`, commit the file and push it")]));
        }
        let mut reached = None;
        if short && !self.offline {
            match self.reach.open(declarations.clone(), &origin.tree, self.sandbox).await {
                Ok(open) => {
                    let (carried, unseen) = settle::look(&open.estate).await;
                    settle::refuse_blind(&lock, &unseen)?;
                    done = settle::complete(declarations, &lock, &carried);
                    reached = Some(open);
                }
                Err(problems) => return Ok(Err(problems)),
            }
        }
        if done.problems.iter().any(Diagnostic::is_error) {
            return Ok(Err(done.problems));
        }
        loaded::show(&done.problems, self.screen, self.lines, Shown::AsReason);
        // A guest without a node is a conflict in the plan; here is why nobody could choose one.
        if reached.is_some() {
            loaded::show(&done.unplaced, self.screen, self.lines, Shown::AsReason);
        }
        if let Some(directory) = writable
            && settle::write(directory, &done.lock)?
        {
            let path = directory.join(ledger::FILE);
            self.screen.warn(&format!("wrote {}: commit it with the manifests", path.display()));
        }
        Ok(Ok(Settled { done, reached }))
    }

    fn refused(&self, problems: &[Diagnostic]) -> Option<Ready> {
        let found = loaded::show(problems, self.screen, self.lines, Shown::AsReason);
        self.nothing(found)
    }

    fn nothing(&self, found: loaded::Found) -> Option<Ready> {
        self.screen.warn(&format!("nothing was done: {}", loaded::count(found)));
        None
    }
}
