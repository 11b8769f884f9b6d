//! The order in which steps can run.
use crate::model::{Plan, StepId};
use std::collections::{BTreeMap, BTreeSet};

/// Stable topological order: always the first ready step in the given order. `Err` names the members of a cycle.
pub fn topological<C>(plan: &Plan<C>) -> Result<Vec<usize>, Vec<StepId>> {
    let index: BTreeMap<&StepId, usize> = plan.steps.iter().enumerate().map(|(i, step)| (&step.id, i)).collect();
    let mut waits = vec![0usize; plan.steps.len()];
    let mut frees: Vec<Vec<usize>> = vec![vec![]; plan.steps.len()];
    for (i, step) in plan.steps.iter().enumerate() {
        for j in step.needs.iter().filter_map(|id| index.get(id).copied()) {
            waits[i] += 1;
            frees[j].push(i);
        }
    }
    let mut ready: BTreeSet<usize> = (0..plan.steps.len()).filter(|i| waits[*i] == 0).collect();
    let mut out = Vec::with_capacity(plan.steps.len());
    while let Some(i) = ready.pop_first() {
        out.push(i);
        for &k in &frees[i] {
            waits[k] -= 1;
            if waits[k] == 0 {
                ready.insert(k);
            }
        }
    }
    if out.len() == plan.steps.len() {
        Ok(out)
    } else {
        Err(plan.steps.iter().enumerate().filter(|(i, _)| waits[*i] > 0).map(|(_, step)| step.id.clone()).collect())
    }
}
