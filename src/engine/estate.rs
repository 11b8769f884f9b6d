//! What one pass works on: the declarations of a site, the systems that it reaches, and the list of resources.
use crate::{
    model::{Answer, Class, Failure, ObjectId, Plan, Revision, Step, StepId},
    plan::{Part, join},
    providers::Providers,
    resources::{AnyResource, Change, System, World},
};
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::JoinSet;

/// `D` is the type of the declarations; the engine only hands it through.
pub struct Estate<D: 'static> {
    pub declarations: D,
    pub providers: Providers,
    /// In building order.
    pub resources: &'static [&'static dyn AnyResource<D>],
    /// Systems that a person left out (`--without host`), with the words to show.
    pub without: BTreeMap<System, String>,
}

/// A joined plan with what the guards and the report have to know beside it.
pub struct Planned {
    pub plan: Plan<Change>,
    pub populations: BTreeMap<String, usize>,
    pub precious: BTreeSet<String>,
    pub desired: BTreeMap<ObjectId, Revision>,
}

impl<D: Send + Sync + 'static> Estate<D> {
    /// Looks at everything, all resources at once.
    pub async fn observe(self: &std::sync::Arc<Self>) -> World {
        let mut world = World::default();
        let providers = self.providers.for_one_look();
        let mut looking = JoinSet::new();
        for (nth, resource) in self.resources.iter().enumerate() {
            match self.without.get(&resource.system()) {
                Some(reason) => resource.unseen(&mut world, reason.clone()),
                None => {
                    let (estate, providers) = (self.clone(), providers.clone());
                    looking.spawn(async move {
                        (nth, estate.resources[nth].observe(&providers, &estate.declarations).await)
                    });
                }
            }
        }
        let mut missing: BTreeSet<usize> = (0..self.resources.len())
            .filter(|nth| !self.without.contains_key(&self.resources[*nth].system()))
            .collect();
        while let Some(joined) = looking.join_next().await {
            // A driver that panicked has not looked: its resource stays in `missing`.
            if let Ok((nth, observed)) = joined {
                missing.remove(&nth);
                self.resources[nth].remember(&mut world, observed);
            }
        }
        for nth in missing {
            self.resources[nth].unseen(&mut world, "the look at it broke off (a defect in trueup)".into());
        }
        world
    }

    /// The resources of systems that a person left out.
    pub fn left_out(&self) -> BTreeSet<String> {
        let left = self.resources.iter().filter(|resource| self.without.contains_key(&resource.system()));
        left.map(|resource| resource.name().to_string()).collect()
    }

    /// Pure: folds over the list in order, each resource reading the settled inventories of those before it.
    pub fn plan(&self, world: &World) -> Planned {
        let mut earlier = World::default();
        let parts: Vec<Part<Change>> =
            self.resources.iter().map(|resource| resource.plan(&self.declarations, world, &mut earlier)).collect();
        let populations = parts.iter().map(|part| (part.resource.to_string(), part.population)).collect();
        let precious = parts.iter().filter(|part| part.precious).map(|part| part.resource.to_string()).collect();
        let desired = parts.iter().flat_map(|part| part.desired.clone()).collect();
        Planned { plan: join(parts), populations, precious, desired }
    }

    pub(super) fn resource(&self, step: &Step<Change>) -> Option<&'static dyn AnyResource<D>> {
        self.resources.iter().copied().find(|resource| resource.name() == step.id.object.resource)
    }

    /// Runs steps of one resource together.
    pub(super) async fn run(&self, steps: Vec<Step<Change>>) -> Vec<(StepId, Answer<()>)> {
        match steps.first().and_then(|step| self.resource(step)) {
            Some(resource) => resource.run(&self.providers, &self.declarations, steps).await,
            None => steps
                .into_iter()
                .map(|step| {
                    let why = "no such resource".to_string();
                    let attempted = format!("run the step {}", step.id);
                    (step.id, Err(Failure::new(Class::Invalid, attempted, why)))
                })
                .collect(),
        }
    }
}
