//! Joins the parts of all resources and draws the edges between their steps.
//!
//! * build: a step on X needs the steps on what desired X needs; with no such step and nothing of ours there, X is
//!   blocked.
//! * remove: a delete of Y needs the steps on every X that live X says uses Y; an X without a step goes on using Y, so
//!   the delete is blocked.
//! * unseen: a delete is blocked while a resource that may use it cannot be looked at.
//!
//! A replaced Y (a delete and a create) is not held up by its users: they need it again, and two could swap.
use super::{Part, topological};
use crate::model::{ObjectId, Plan, Step, Verb};
use std::collections::BTreeMap;

/// One plan in an order in which it can run.
pub fn join<C>(parts: Vec<Part<C>>) -> Plan<C> {
    let mut plan = Plan::default();
    let (mut needs, mut uses) = (BTreeMap::new(), BTreeMap::new());
    let mut unseen_users: BTreeMap<&str, &str> = BTreeMap::new();
    for part in parts {
        if !part.plan.unseen.is_empty() {
            unseen_users.extend(part.may_use.iter().map(|used| (*used, part.resource)));
        }
        plan.steps.extend(part.plan.steps);
        plan.later.extend(part.plan.later);
        plan.conflicts.extend(part.plan.conflicts);
        plan.unseen.extend(part.plan.unseen);
        plan.orphans.extend(part.plan.orphans);
        plan.remarks.extend(part.plan.remarks);
        plan.unchanged.extend(part.plan.unchanged);
        needs.extend(part.needs);
        uses.extend(part.uses);
    }
    let edges = Edges::of(&plan.steps, &needs, &uses);
    for (later, earlier) in edges.drawn {
        let id = plan.steps[earlier].id.clone();
        plan.steps[later].needs.insert(id);
    }
    for (i, why) in edges.blocked {
        plan.steps[i].blocked.get_or_insert(why);
    }
    for step in plan.steps.iter_mut().filter(|step| step.verb == Verb::Delete) {
        if let Some(user) = unseen_users.get(&*step.id.object.resource) {
            step.blocked.get_or_insert(format!("{user} cannot be seen and may use it"));
        }
    }
    // A cycle stays as it is: the linter names its members and the plan is refused.
    let order = topological(&plan).unwrap_or_else(|_| (0..plan.steps.len()).collect());
    let mut slots: Vec<Option<Step<C>>> = plan.steps.into_iter().map(Some).collect();
    plan.steps = order.into_iter().filter_map(|i| slots[i].take()).collect();
    plan
}

#[derive(Default)]
struct Edges {
    /// (later, earlier)
    drawn: Vec<(usize, usize)>,
    blocked: Vec<(usize, String)>,
}

impl Edges {
    fn of<C>(
        steps: &[Step<C>],
        needs: &BTreeMap<ObjectId, Vec<ObjectId>>,
        uses: &BTreeMap<ObjectId, Vec<ObjectId>>,
    ) -> Self {
        let mut by_object: BTreeMap<&ObjectId, Vec<usize>> = BTreeMap::new();
        for (i, step) in steps.iter().enumerate() {
            by_object.entry(&step.id.object).or_default().push(i);
        }
        let on = |object: &ObjectId| by_object.get(object).map_or(&[][..], Vec::as_slice);
        let mut edges = Self::default();
        for (x, targets) in needs {
            for y in targets {
                for &i in on(x) {
                    if on(y).is_empty() && !uses.contains_key(y) {
                        edges.blocked.push((i, format!("{y} is not there")));
                    }
                    edges.drawn.extend(on(y).iter().map(|&j| (i, j)));
                }
            }
        }
        for (x, used) in uses {
            for y in used {
                let goes = matches!(on(y), [.., last] if steps[*last].verb == Verb::Delete);
                if !goes {
                    continue;
                }
                for &j in on(y) {
                    if on(x).is_empty() {
                        edges.blocked.push((j, format!("{x} still uses it")));
                    }
                    edges.drawn.extend(on(x).iter().map(|&i| (j, i)));
                }
            }
        }
        edges
    }
}
