//! What a person saw: a later wave may do only that.
use crate::model::{Disruption, ObjectId, Plan, Step, Verb};
use std::collections::BTreeMap;

/// Per object, whether it goes, and the worst disruption that was shown.
#[derive(Clone, Debug, Default)]
pub struct Shown(BTreeMap<ObjectId, (bool, Disruption)>);

impl Shown {
    pub fn of<C>(plan: &Plan<C>) -> Self {
        let mut seen = BTreeMap::new();
        let now = plan.steps.iter().map(|step| (&step.id.object, step.verb == Verb::Delete, step.disrupts));
        let later = plan.later.iter().map(|later| (&later.object, false, later.disrupts));
        for (object, goes, disrupts) in now.chain(later) {
            let entry = seen.entry(object.clone()).or_insert((false, Disruption::Nothing));
            *entry = (entry.0 || goes, entry.1.max(disrupts));
        }
        Self(seen)
    }

    /// Same object, no worse disruption, no delete that was not shown.
    pub fn covers<C>(&self, step: &Step<C>) -> bool {
        self.0
            .get(&step.id.object)
            .is_some_and(|(goes, worst)| step.disrupts <= *worst && (*goes || step.verb != Verb::Delete))
    }
}
