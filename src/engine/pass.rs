//! One pass: plan what can be said, apply, observe, plan again; the last look verifies.
use super::{Estate, Outcome, Stop, estate::Planned, execute};
use crate::{
    model::{ObjectId, Plan, Revision, Step, StepId},
    plan::{Consent, Guards, Refusal, Shown, review},
    resources::Change,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// A chain of things that each wait for the one before is at most as long as the list of resources.
const MOST_WAVES: usize = 12;

/// What a person allows beyond the guards, and how they end a pass early.
#[derive(Clone, Default, Debug)]
pub struct Options {
    pub consent: Consent,
    pub stop: Stop,
    /// The moment by which times of the week are judged; that of the clock unless given.
    pub now: Option<jiff::Timestamp>,
}

/// What happens while a pass runs, for progress and for history.
#[derive(Debug)]
pub enum Event<'a> {
    Observing {
        wave: usize,
    },
    Observed {
        wave: usize,
        took: Duration,
    },
    /// A plan was made and approved; its steps start now.
    Applying {
        wave: usize,
        plan: &'a Plan<Change>,
        /// As [`Report::desired`].
        desired: &'a BTreeMap<ObjectId, Revision>,
        steps: usize,
    },
    Started {
        step: &'a Step<Change>,
    },
    Ended {
        step: &'a Step<Change>,
        outcome: &'a Outcome,
    },
}

/// One turn of a pass.
pub struct Wave {
    pub plan: Plan<Change>,
    pub outcomes: BTreeMap<StepId, Outcome>,
    /// Kept back by policy or for want of consent, with the reason.
    pub withheld: Vec<(StepId, String)>,
    /// Could not run, with the reason.
    pub blocked: Vec<(StepId, String)>,
}

/// What came of a pass.
pub struct Report {
    /// The plan that was shown first.
    pub first: Plan<Change>,
    /// Digests of what is desired of each object, by which history tells a change in git from drift.
    pub desired: BTreeMap<ObjectId, Revision>,
    pub waves: Vec<Wave>,
    /// What is left after the last look; of a dry run and of a refused plan: the plan itself.
    pub rest: Plan<Change>,
    pub refusal: Option<Refusal>,
    /// What the review keeps back of a plan that was only shown.
    pub withheld: Vec<(StepId, String)>,
    /// Resources that were not looked at because a person said so (`--without`).
    pub left_out: BTreeSet<String>,
    pub took: Duration,
}

impl Report {
    /// The last word on every step that was tried or blocked. What was blocked in one wave may be done in a later one, or no
    /// longer be needed, and is then not blocked any more.
    pub fn outcomes(&self) -> impl Iterator<Item = (&StepId, &Outcome)> {
        let left: BTreeSet<&ObjectId> = self.rest.steps.iter().map(|step| &step.id.object).collect();
        let last: BTreeMap<&StepId, &Outcome> = self.waves.iter().flat_map(|wave| &wave.outcomes).collect();
        last.into_iter()
            .filter(move |(id, outcome)| !matches!(outcome, Outcome::Blocked { .. }) || left.contains(&id.object))
    }
}

fn guards(planned: &Planned, options: &Options) -> Guards {
    Guards {
        populations: planned.populations.clone(),
        precious: planned.precious.clone(),
        consent: options.consent.clone(),
        shown: None,
        consented: false,
        now: Some(options.now.unwrap_or_else(jiff::Timestamp::now)),
    }
}

/// Looks and plans; writes nothing.
pub async fn dry_run<D: Send + Sync + 'static>(
    estate: &Arc<Estate<D>>,
    options: &Options,
    tell: &(dyn Fn(Event<'_>) + Send + Sync),
) -> Report {
    let began = Instant::now();
    let planned = look_and_plan(estate, 0, tell).await;
    let (refusal, withheld) = match review(planned.plan.clone(), &guards(&planned, options)) {
        Ok(approved) => (None, approved.withheld().to_vec()),
        Err(refusal) => (Some(refusal), vec![]),
    };
    Report {
        first: planned.plan.clone(),
        desired: planned.desired,
        waves: vec![],
        rest: planned.plan,
        refusal,
        withheld,
        left_out: estate.left_out(),
        took: began.elapsed(),
    }
}

async fn look_and_plan<D: Send + Sync + 'static>(
    estate: &Arc<Estate<D>>,
    wave: usize,
    tell: &(dyn Fn(Event<'_>) + Send + Sync),
) -> Planned {
    let began = Instant::now();
    tell(Event::Observing { wave });
    let world = estate.observe().await;
    tell(Event::Observed { wave, took: began.elapsed() });
    estate.plan(&world)
}

/// Converges as far as can be: every wave does what the first plan showed and what has become sayable since.
pub async fn pass<D: Send + Sync + 'static>(
    estate: &Arc<Estate<D>>,
    options: &Options,
    tell: &(dyn Fn(Event<'_>) + Send + Sync),
) -> Report {
    let began = Instant::now();
    let mut planned = look_and_plan(estate, 0, tell).await;
    let mut guards = guards(&planned, options);
    let first = planned.plan.clone();
    let mut desired = planned.desired.clone();
    let mut waves: Vec<Wave> = vec![];
    // Objects of which a step has failed: they are left alone until the next pass.
    let mut failed: BTreeSet<ObjectId> = BTreeSet::new();
    // Steps that are done: planned again with the same change, they did not help, and would not the next time.
    let mut done: BTreeMap<StepId, Change> = BTreeMap::new();
    let report = |waves, rest, desired, refusal| Report {
        first: first.clone(),
        desired,
        waves,
        rest,
        refusal,
        withheld: vec![],
        left_out: estate.left_out(),
        took: began.elapsed(),
    };
    loop {
        for step in &mut planned.plan.steps {
            if failed.contains(&step.id.object) {
                step.blocked.get_or_insert_with(|| "an earlier step on it failed in this pass".into());
            } else if done.get(&step.id) == Some(&step.change) {
                step.blocked
                    .get_or_insert_with(|| "it was done in this pass, and the difference is still there".into());
            }
        }
        let approved = match review(planned.plan.clone(), &guards) {
            Ok(approved) => approved,
            Err(refusal) => return report(waves, planned.plan, desired, Some(refusal)),
        };
        let (withheld, blocked) = (approved.withheld().to_vec(), approved.blocked().to_vec());
        let steps = approved.steps().len();
        if guards.shown.is_none() {
            guards.shown = Some(Shown::of(&planned.plan));
            guards.consented = approved.consented();
        }
        if steps == 0 || waves.len() == MOST_WAVES {
            if !withheld.is_empty() || !blocked.is_empty() {
                let plan = planned.plan.clone();
                waves.push(Wave { plan, outcomes: BTreeMap::new(), withheld, blocked });
            }
            return report(waves, planned.plan, desired, None);
        }
        tell(Event::Applying { wave: waves.len(), plan: &planned.plan, desired: &planned.desired, steps });
        let outcomes = execute(estate, approved, &options.stop, tell).await;
        let moved = outcomes.values().any(Outcome::is_done);
        failed.extend(
            outcomes
                .iter()
                .filter(|(_, outcome)| matches!(outcome, Outcome::Failed { .. }))
                .map(|(id, _)| id.object.clone()),
        );
        let succeeded = |step: &&Step<Change>| outcomes.get(&step.id).is_some_and(Outcome::is_done);
        done.extend(planned.plan.steps.iter().filter(succeeded).map(|step| (step.id.clone(), step.change.clone())));
        waves.push(Wave { plan: planned.plan, outcomes, withheld, blocked });
        planned = look_and_plan(estate, waves.len(), tell).await;
        desired.extend(planned.desired.clone());
        if !moved || options.stop.is_asked() {
            return report(waves, planned.plan, desired, None);
        }
    }
}
