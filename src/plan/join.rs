//! Joins the parts of all resources and draws the edges between their steps.
//!
//! * build: a step on X needs the steps on what desired X needs. X is blocked when that is neither there nor planned, when
//!   it is in conflict, or when it is about to go; X comes *later* when that comes later.
//! * remove: a delete of Y needs the steps on every X that live X says uses Y; an X without a step goes on using Y, so
//!   the delete is blocked.
//! * unseen: a delete is blocked while a resource that may use it cannot be looked at. So is a create that needs what
//!   cannot be looked at; an object that is there already has what it needs, or had it, and is kept up.
//!
//! A replaced Y (a delete and a create) is not held up by its users: they need it again, and two could swap.
use super::{
    Part,
    edges::{Edges, References},
    topological,
};
use crate::model::{Later, ObjectId, Plan, Step, Verb};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

/// One plan in an order in which it can run.
pub fn join<C: Display>(parts: Vec<Part<C>>) -> Plan<C> {
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
        plan.impossible.extend(part.plan.impossible);
        plan.unchanged.extend(part.plan.unchanged);
        needs.extend(part.needs);
        uses.extend(part.uses);
    }
    postpone(&mut plan, &needs, &uses);
    let edges = Edges::of(&plan, &needs, &uses);
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

/// Moves to *later* what needs something that comes later itself. A replacement stays where the guards count it, and
/// what the manifest's mode keeps back stays withheld.
fn postpone<C: Display>(plan: &mut Plan<C>, needs: &References, uses: &References) {
    let mut coming: BTreeSet<ObjectId> =
        plan.later.iter().map(|later| &later.object).filter(|object| !uses.contains_key(*object)).cloned().collect();
    if coming.is_empty() {
        return;
    }
    let fixed: BTreeSet<&ObjectId> = plan
        .steps
        .iter()
        .filter(|step| step.verb == Verb::Delete || step.withheld.is_some() || step.blocked.is_some())
        .map(|step| &step.id.object)
        .collect();
    let mut open: BTreeSet<&ObjectId> =
        plan.steps.iter().map(|step| &step.id.object).filter(|object| !fixed.contains(object)).collect();
    let mut moved: BTreeMap<ObjectId, ObjectId> = BTreeMap::new();
    loop {
        let found: Vec<(&ObjectId, &ObjectId)> = needs
            .iter()
            .filter(|(x, _)| open.contains(x))
            .filter_map(|(x, targets)| Some((x, targets.iter().find(|y| coming.contains(*y))?)))
            .collect();
        if found.is_empty() {
            break;
        }
        for (x, on) in found {
            open.remove(x);
            moved.insert(x.clone(), on.clone());
            if !uses.contains_key(x) {
                coming.insert(x.clone());
            }
        }
    }
    let (gone, stay): (Vec<Step<C>>, Vec<Step<C>>) =
        std::mem::take(&mut plan.steps).into_iter().partition(|step| moved.contains_key(&step.id.object));
    plan.steps = stay;
    let mut by_object: BTreeMap<ObjectId, Later> = BTreeMap::new();
    for step in gone {
        // Only what a declaration wants has needs, so it has a declaration.
        let (Some(on), Some(declared)) = (moved.get(&step.id.object), step.declared) else { continue };
        by_object
            .entry(step.id.object.clone())
            .and_modify(|later| {
                later.disrupts = later.disrupts.max(step.disrupts);
                later.sketch = format!("{}; {}", later.sketch, step.change);
            })
            .or_insert_with(|| Later {
                object: step.id.object,
                declared,
                verb: step.verb,
                disrupts: step.disrupts,
                on: on.clone(),
                sketch: step.change.to_string(),
            });
    }
    plan.later.extend(by_object.into_values());
}
