//! What of a pass is shown, and when: the plan before it runs, what became sayable later, the summary.
use super::{lines::Lines, past::Past, progress::Progress, screen::Screen};
use crate::{
    engine::{Event, Report},
    model::{Plan, StepId},
    report::{Exit, View, event_json, plan_json, plan_text, summary_json, summary_text},
};
use regex::Regex;
use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// The telling of one pass.
pub(super) struct Showing<'a> {
    screen: &'a Screen,
    lines: &'a Lines<'a>,
    progress: &'a Progress<'a>,
    /// Set when the first step starts.
    begun: &'a AtomicBool,
    /// Values that follow from identities which only the lock will settle.
    unsettled: Option<Regex>,
    at_lock: Vec<String>,
    /// Steps that a plan has shown.
    shown: Mutex<BTreeSet<StepId>>,
    past: &'a Past<'a>,
}

impl<'a> Showing<'a> {
    pub fn new(
        screen: &'a Screen,
        lines: &'a Lines<'a>,
        progress: &'a Progress<'a>,
        begun: &'a AtomicBool,
        past: &'a Past<'a>,
        at_lock: BTreeSet<String>,
    ) -> Self {
        let any: Vec<String> = at_lock.iter().map(|value| regex::escape(value)).collect();
        let unsettled = if any.is_empty() { None } else { Regex::new(&any.join("|")).ok() };
        let (at_lock, shown) = (at_lock.into_iter().collect(), Mutex::default());
        Self { screen, lines, progress, begun, unsettled, at_lock, shown, past }
    }

    /// Takes in what a pass tells.
    pub fn tell(&self, event: &Event<'_>) {
        if let Event::Applying { wave, plan, desired, .. } = event {
            self.begun.store(true, Ordering::Relaxed);
            let why = self.past.why(plan, desired);
            match wave {
                0 => self.plan(&View { plan, withheld: &[], refusal: None, why: &why }),
                _ => self.more(&View { plan, withheld: &[], refusal: None, why: &why }),
            }
        }
        self.past.record(event);
        self.lines.emit(|| event_json(event));
        self.progress.tell(event);
    }

    /// Shows how it ended: the plan where nothing of it ran, else the summary.
    pub fn end(&self, report: &Report, exit: Exit) {
        let applied = self.begun.load(Ordering::Relaxed);
        if !applied || report.refusal.is_some() {
            let withheld = report.waves.last().map_or(&report.withheld, |wave| &wave.withheld);
            let why = self.past.why(&report.rest, &report.desired);
            self.plan(&View { plan: &report.rest, withheld, refusal: report.refusal.as_ref(), why: &why });
        }
        self.lines.emit(|| summary_json(report, exit));
        if applied && !self.lines.own_the_screen() {
            self.screen.print(&summary_text(report));
        }
    }

    fn plan(&self, view: &View<'_>) {
        self.shown().extend(view.plan.steps.iter().map(|step| step.id.clone()));
        self.lines.emit(|| {
            let mut event = plan_json(view);
            event["atLock"] = self.at_lock.clone().into();
            event
        });
        if !self.lines.own_the_screen() {
            self.screen.print(&self.unsaid(plan_text(view)));
        }
    }

    /// Shows steps that an earlier plan could only announce.
    fn more(&self, view: &View<'_>) {
        self.lines.emit(|| plan_json(view));
        let mut shown = self.shown();
        let steps: Vec<_> = view.plan.steps.iter().filter(|step| !shown.contains(&step.id)).cloned().collect();
        shown.extend(steps.iter().map(|step| step.id.clone()));
        if !steps.is_empty() && !self.lines.own_the_screen() {
            let plan = Plan { steps, ..Plan::default() };
            let text = plan_text(&View { plan: &plan, ..*view });
            self.screen.print(&format!("\n{text}"));
        }
    }

    /// What another run would choose otherwise is no value yet.
    fn unsaid(&self, text: String) -> String {
        match &self.unsettled {
            // Of `web on pve2` only the node is open.
            Some(values) => values
                .replace_all(&text, |found: &regex::Captures<'_>| match found[0].rsplit_once(" on ") {
                    Some((guest, _)) => format!("{guest} on (at lock)"),
                    None => "(at lock)".to_owned(),
                })
                .into_owned(),
            None => text,
        }
    }

    fn shown(&self) -> MutexGuard<'_, BTreeSet<StepId>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
