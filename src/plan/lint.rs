//! Invariants of any plan; run by `review` and after every planner test.
use super::topological;
use crate::model::{Expect, Plan, StepId, Verb};
use std::collections::BTreeSet;

/// What does not hold together; empty for a sound plan.
pub fn lint<C>(plan: &Plan<C>) -> Vec<String> {
    let mut out = vec![];
    let ids: BTreeSet<&StepId> = plan.steps.iter().map(|step| &step.id).collect();
    if ids.len() != plan.steps.len() {
        out.push("two steps have one id".into());
    }
    let unseen: BTreeSet<&str> = plan.unseen.iter().map(|note| &*note.object.resource).collect();
    let conflicts: BTreeSet<_> = plan.conflicts.iter().map(|note| &note.object).collect();
    let deleted: BTreeSet<_> =
        plan.steps.iter().filter(|step| step.verb == Verb::Delete).map(|step| &step.id.object).collect();
    for step in &plan.steps {
        for need in step.needs.iter().filter(|need| !ids.contains(need)) {
            out.push(format!("{} waits for {need}, which is not in the plan", step.id));
        }
        let fits = matches!(
            (step.verb, &step.expect),
            (Verb::Create, Expect::Absent | Expect::AsLeft)
                | (Verb::Adopt, Expect::Foreign(_))
                | (Verb::Update | Verb::Restart, Expect::Ours(_) | Expect::AsLeft)
                | (Verb::Delete, Expect::Ours(_) | Expect::AsLeft)
        );
        if !fits || (step.id.nth == 0 && step.expect == Expect::AsLeft) {
            out.push(format!("{}: {} cannot expect {:?}", step.id, step.verb, step.expect));
        }
        if let Some(before) = step.id.nth.checked_sub(1)
            && !step.needs.contains(&StepId { object: step.id.object.clone(), nth: before })
        {
            out.push(format!("{} does not follow the step before it", step.id));
        }
        if step.verb == Verb::Create && step.expect == Expect::AsLeft && !deleted.contains(&step.id.object) {
            out.push(format!("{} creates what nothing has deleted", step.id));
        }
        if unseen.contains(&*step.id.object.resource) {
            out.push(format!("{} acts on a resource that could not be looked at", step.id));
        }
        if conflicts.contains(&step.id.object) {
            out.push(format!("{} acts on a conflict", step.id));
        }
        if step.verb == Verb::Delete && step.loses.is_empty() {
            out.push(format!("{} deletes and says no loss", step.id));
        }
    }
    if let Err(cycle) = topological(plan) {
        let members: Vec<String> = cycle.iter().map(ToString::to_string).collect();
        out.push(format!("a cycle among {}", members.join(", ")));
    }
    out
}
