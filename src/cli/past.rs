//! The history of a site, as far as there is one: why things differ, and the record of what was done.
//!
//! No plan depends on it. A history that is broken is a warning; only one that a newer trueup wrote, or that is something
//! else, is for a person to settle.
use super::screen::Screen;
use crate::{
    engine::{self, Outcome, Report},
    history::{Began, Ended, Event, History, HistoryError, PassId, Totals, Warning},
    model::{ObjectId, Plan, Revision, Verb},
    report::{Exit, Why},
    resources::Change,
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

/// The name of the database in the state directory.
const FILE: &str = "history.db";

/// Where history and clones are kept: `--state-dir`; with a sandbox in its directory, because that is another world; else
/// what the XDG base directory specification says.
pub(super) fn directory(chosen: Option<&Path>, sandbox: Option<&Path>) -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
    let state = || std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    match (chosen, sandbox) {
        (Some(chosen), _) => chosen.to_owned(),
        (None, Some(sandbox)) => sandbox.join("trueup"),
        (None, None) => state().or_else(home).map_or_else(|| "/var/lib/trueup".into(), |base| base.join("trueup")),
    }
}

/// The history during one command.
pub(super) struct Past<'a> {
    screen: &'a Screen,
    history: Option<History>,
    site: String,
    commit: Option<String>,
    pass: Option<PassId>,
}

impl<'a> Past<'a> {
    /// For reading alone; nothing is made.
    ///
    /// # Errors
    /// When the file is not for this version, or not ours at all.
    pub fn read(
        screen: &'a Screen,
        directory: &Path,
        site: &str,
        commit: Option<String>,
    ) -> Result<Self, HistoryError> {
        let (history, warnings) = History::open_to_read(&directory.join(FILE))?;
        warn(screen, &warnings);
        Ok(Self { screen, history, site: site.into(), commit, pass: None })
    }

    /// For a pass, which is recorded as begun.
    ///
    /// # Errors
    /// When the file is not for this version, or not ours at all.
    pub fn begin(screen: &'a Screen, directory: &Path, began: Began) -> Result<Self, HistoryError> {
        let history = match History::open(&directory.join(FILE), began.at) {
            Ok((history, warnings)) => {
                warn(screen, &warnings);
                Some(history)
            }
            Err(error @ HistoryError::Storage { .. }) => {
                screen.warn(&format!("warning: {error}; this pass is not recorded"));
                None
            }
            Err(error) => return Err(error),
        };
        let (site, commit) = (began.site.clone(), began.commit.clone());
        let mut past = Self { screen, history, site, commit, pass: None };
        past.pass = past.attempt(|history| history.begin(&began));
        Ok(past)
    }

    /// Why the objects of a plan differ, where it is known: what is desired has changed since it was last so, or not.
    pub fn why(&self, plan: &Plan<Change>, desired: &BTreeMap<ObjectId, Revision>) -> BTreeMap<ObjectId, Why> {
        let objects: BTreeSet<&ObjectId> = plan.steps.iter().map(|step| &step.id.object).collect();
        let before = self.attempt(|history| history.desired_before(&self.site, objects)).unwrap_or_default();
        let commit = self.commit.as_ref().map(|commit| commit.chars().take(8).collect::<String>());
        let why = |(object, before): (ObjectId, crate::history::Before)| {
            let why = match desired.get(&object)? == &before.digest {
                true => Why::Drifted,
                false => Why::Changed { commit: commit.clone() },
            };
            Some((object, why))
        };
        before.into_iter().filter_map(why).collect()
    }

    /// Records what happened to an object.
    pub fn record(&self, event: &engine::Event<'_>) {
        let (Some(pass), engine::Event::Ended { step, outcome }) = (self.pass, event) else { return };
        let (word, took, message) = match outcome {
            Outcome::Done { took, .. } => ("done", *took, step.change.to_string()),
            Outcome::Failed { took, failure } => ("failed", *took, failure.to_string()),
            Outcome::Blocked { by } => ("blocked", Duration::ZERO, format!("held up by {by}")),
        };
        let (object, declared, verb) = (step.id.object.clone(), step.declared.clone(), step.verb);
        let event = Event { object, declared, verb, outcome: word.into(), took, message };
        self.attempt(|history| history.event(pass, Timestamp::now(), &event));
    }

    /// Records how the pass ended.
    pub fn finish(&self, report: &Report, exit: Exit) {
        let Some(pass) = self.pass else { return };
        let rest = &report.rest;
        let open = rest.steps.iter().map(|step| &step.id.object);
        let open = open.chain(rest.later.iter().map(|later| &later.object));
        let open: BTreeSet<&ObjectId> = open.chain(rest.conflicts.iter().map(|note| &note.object)).collect();
        let unseen: BTreeSet<&str> = rest.unseen.iter().map(|note| &*note.object.resource).collect();
        let mut settled = report.desired.clone();
        settled.retain(|object, _| !open.contains(object) && !unseen.contains(&*object.resource));
        let steps = report.waves.iter().flat_map(|wave| wave.plan.steps.iter().map(move |step| (wave, step)));
        let done = steps.filter(|(wave, step)| wave.outcomes.get(&step.id).is_some_and(Outcome::is_done));
        let gone = done.filter(|(_, step)| step.verb == Verb::Delete && !settled.contains_key(&step.id.object));
        let gone = gone.map(|(_, step)| step.id.object.clone()).collect();
        let applied = exit == Exit::Done;
        let ended = Ended {
            at: Timestamp::now(),
            exit_code: exit as u8,
            totals: totals(report),
            settled: &settled,
            gone: &gone,
            applied,
        };
        self.attempt(|history| history.finish(pass, &ended));
    }

    /// The last passes of the site, the youngest first.
    pub fn passes(&self, count: u32) -> Vec<crate::history::Pass> {
        let mut all = self.attempt(|history| history.last_passes(count)).unwrap_or_default();
        all.retain(|pass| pass.began.site == self.site);
        all
    }

    fn attempt<T>(&self, what: impl FnOnce(&History) -> Result<T, HistoryError>) -> Option<T> {
        match what(self.history.as_ref()?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.screen.warn(&format!("warning: {error}"));
                None
            }
        }
    }
}

fn warn(screen: &Screen, warnings: &[Warning]) {
    for warning in warnings {
        screen.warn(&format!("warning: {warning}"));
    }
}

fn totals(report: &Report) -> Totals {
    let count = |wanted: fn(&Outcome) -> bool| {
        u32::try_from(report.outcomes().filter(|(_, outcome)| wanted(outcome)).count()).unwrap_or(u32::MAX)
    };
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Totals {
        done: count(Outcome::is_done),
        failed: count(|outcome| matches!(outcome, Outcome::Failed { .. })),
        blocked: count(|outcome| matches!(outcome, Outcome::Blocked { .. })),
        withheld: number(report.waves.last().map_or(0, |wave| wave.withheld.len())),
        waiting: number(report.rest.later.len()),
        unchanged: number(report.rest.unchanged.values().sum()),
    }
}
