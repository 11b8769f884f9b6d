//! Which step waits for which, and which cannot run: drawn from what desired objects need and live objects use.
use crate::model::{ObjectId, Plan, Verb};
use std::collections::{BTreeMap, BTreeSet};

/// What each object needs or uses.
pub(super) type References = BTreeMap<ObjectId, Vec<ObjectId>>;

/// Steps by their place in the plan.
#[derive(Default)]
pub(super) struct Edges {
    /// (later, earlier)
    pub drawn: Vec<(usize, usize)>,
    pub blocked: Vec<(usize, String)>,
}

impl Edges {
    pub fn of<C>(plan: &Plan<C>, needs: &References, uses: &References) -> Self {
        let mut by_object: BTreeMap<&ObjectId, Vec<usize>> = BTreeMap::new();
        for (i, step) in plan.steps.iter().enumerate() {
            by_object.entry(&step.id.object).or_default().push(i);
        }
        let on = |object: &ObjectId| by_object.get(object).map_or(&[][..], Vec::as_slice);
        let goes = |object| matches!(on(object), [.., last] if plan.steps[*last].verb == Verb::Delete);
        let unseen: BTreeSet<&str> = plan.unseen.iter().map(|note| &*note.object.resource).collect();
        let contested: BTreeSet<&ObjectId> = plan.conflicts.iter().map(|note| &note.object).collect();
        let mut edges = Self::default();
        for (x, targets) in needs {
            for y in targets.iter().filter(|y| *y != x) {
                let why = if unseen.contains(&*y.resource) {
                    (!uses.contains_key(x)).then(|| format!("it needs {y}, which cannot be looked at"))
                } else if contested.contains(y) {
                    Some(format!("it needs {y}, which is in conflict"))
                } else if goes(y) {
                    Some(format!("it needs {y}, which no manifest wants"))
                } else if on(y).is_empty() && !uses.contains_key(y) {
                    Some(format!("it needs {y}, which is not there"))
                } else {
                    edges.drawn.extend(on(x).iter().flat_map(|&i| on(y).iter().map(move |&j| (i, j))));
                    None
                };
                if let Some(why) = why {
                    edges.blocked.extend(on(x).iter().map(|&i| (i, why.clone())));
                }
            }
        }
        for (x, used) in uses {
            for y in used.iter().filter(|y| *y != x && goes(y)) {
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
