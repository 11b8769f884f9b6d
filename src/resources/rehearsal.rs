//! For tests: one resource on its own, from what is wanted to what is done.
use super::{Driver, perform::perform};
use crate::{
    model::{Answer, Mark, Mode, Observation, Observed, Ready, Step, StepId, Wanted, Wants},
    plan::{Part, compare},
    providers::Providers,
};
use std::fmt::Write;

/// What is wanted, ready and to be reconciled.
pub fn ready<D>(mark: Mark, desired: D) -> Wanted<D> {
    Wanted::Ready(Ready { mark, adopt: false, mode: Mode::Reconcile, desired })
}

/// The plan of one resource.
pub fn planned<R: Driver>(
    wanted: impl IntoIterator<Item = (R::Key, Wanted<R::Desired>)>,
    observed: &Observed<R>,
) -> Part<R::Change> {
    let mut wants = Wants::<R>::default();
    for (key, wanted) in wanted {
        wants.add(key, wanted);
    }
    compare::<R, _>(wants, observed, Clone::clone)
}

/// A plan as lines: sign, object, change, fields; then what is in the way.
pub fn shown<C: std::fmt::Display>(part: &Part<C>) -> String {
    let mut out = String::new();
    for step in &part.plan.steps {
        let _ = writeln!(out, "{} {} {} ({})", step.verb.sign(), step.id.object, step.change, step.disrupts);
        for field in &step.fields {
            let side = |s: &Option<String>| s.clone().unwrap_or_else(|| "-".into());
            let _ = writeln!(out, "    {}: {} -> {}", field.name, side(&field.from), side(&field.to));
        }
    }
    for note in part.plan.conflicts.iter().chain(&part.plan.orphans).chain(&part.plan.unseen).chain(&part.plan.remarks)
    {
        let _ = writeln!(out, "# {}: {}", note.object, note.text);
    }
    out
}

/// Observes, plans, does. Hands back the plan and what became of each step.
pub async fn pass<R: Driver>(
    providers: &Providers,
    scope: &R::Scope,
    wanted: impl IntoIterator<Item = (R::Key, Wanted<R::Desired>)>,
) -> (String, Vec<(StepId, Answer<()>)>) {
    let observed = R::observe(providers, scope).await;
    assert!(matches!(observed, Observation::Complete(_)), "{observed:?}");
    let part = planned::<R>(wanted, &observed);
    let text = shown(&part);
    let key = |step: &Step<R::Change>| step.id.object.key.parse::<R::Key>().ok();
    let steps = part.plan.steps.into_iter().filter_map(|step| Some((key(&step)?, step))).collect();
    (text, perform::<R>(providers, scope, steps).await)
}
