//! That something is going on: a bar on a terminal, a line now and then elsewhere.
use super::screen::Screen;
use crate::{
    engine::Event,
    model::{ObjectId, Verb},
    report::span,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How often a line is written where nobody watches.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The progress of one command.
pub(super) struct Progress<'a> {
    screen: &'a Screen,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bar: Option<ProgressBar>,
    doing: String,
    steps: usize,
    ended: usize,
    running: BTreeMap<ObjectId, Verb>,
}

impl<'a> Progress<'a> {
    /// Nothing is shown before the first word.
    pub fn new(screen: &'a Screen) -> Self {
        Self { screen, began: Instant::now(), state: Mutex::default() }
    }

    /// Says what is being done now, at once: a person sees something within the first tenth of a second.
    pub fn say(&self, doing: &str) {
        let mut state = self.state();
        state.doing = doing.to_owned();
        if !self.screen.is_watched() {
            return self.screen.warn(&format!("{doing} …"));
        }
        self.bar(&mut state, "{spinner} {msg} ({elapsed})", None).set_message(doing.to_owned());
    }

    /// Takes in what a pass tells.
    pub fn tell(&self, event: &Event<'_>) {
        let mut state = self.state();
        match event {
            Event::Observing { wave: 0 } => {}
            Event::Observing { .. } => {
                state.doing = "looking again at what was changed".into();
                if self.screen.is_watched() {
                    self.bar(&mut state, "{spinner} {msg} ({elapsed})", None).set_message("looking again");
                }
            }
            Event::Observed { .. } => {}
            Event::Applying { steps, .. } => {
                state.doing = "applying".into();
                (state.steps, state.ended) = (*steps, 0);
                if self.screen.is_watched() {
                    self.bar(&mut state, "{bar:30} {pos}/{len} {wide_msg}", Some(*steps));
                }
            }
            Event::Started { step } => {
                state.running.insert(step.id.object.clone(), step.verb);
                Self::advance(&state);
            }
            Event::Ended { step, .. } => {
                state.running.remove(&step.id.object);
                state.ended += 1;
                Self::advance(&state);
            }
        }
    }

    /// Does `work`, with a heartbeat where nobody watches.
    pub async fn beside<T>(&self, work: impl Future<Output = T>) -> T {
        let mut beats = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = beats.tick(), if !self.screen.is_watched() => self.beat(),
            }
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.screen.draw(None);
        if let Some(bar) = self.state().bar.take() {
            bar.finish_and_clear();
        }
    }

    fn beat(&self) {
        let state = self.state();
        let count = if state.steps > 0 { format!(" {} of {} steps", state.ended, state.steps) } else { String::new() };
        let running = match running(&state) {
            words if words.is_empty() => words,
            words => format!(": {words}"),
        };
        self.screen.warn(&format!("… {}{count}{running} ({})", state.doing, span(self.began.elapsed())));
    }

    fn advance(state: &State) {
        if let Some(bar) = &state.bar {
            bar.set_position(u64::try_from(state.ended).unwrap_or(u64::MAX));
            bar.set_message(running(state));
        }
    }

    /// The bar in this style; with a number of steps it counts, without it turns.
    fn bar(&self, state: &mut State, style: &str, steps: Option<usize>) -> ProgressBar {
        if let Some(old) = state.bar.take() {
            old.finish_and_clear();
        }
        let steps = steps.and_then(|steps| u64::try_from(steps).ok());
        let bar = ProgressBar::with_draw_target(steps, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style.progress_chars("━━ "));
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        self.screen.draw(Some(bar.clone()));
        state.bar = Some(bar.clone());
        bar
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `create guest/101, update dns-record/… and 3 more`.
fn running(state: &State) -> String {
    let shown: Vec<String> = state.running.iter().take(2).map(|(object, verb)| format!("{verb} {object}")).collect();
    let more = state.running.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
