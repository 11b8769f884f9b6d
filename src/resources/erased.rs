//! A resource with its types hidden: what the engine and the list of `kinds::registry` see.
use super::{Driver, From, Lane, System, World, perform::perform};
use crate::{
    model::{Answer, Class, Failure, Observation, Resource, Step, StepId, Wants},
    plan::{Part, compare, settled},
    providers::Providers,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    any::Any,
    fmt::{self, Display},
    future::Future,
    pin::Pin,
};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A change of any resource: its line for people, and its data. Typed again just before the calls.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    pub text: String,
    pub data: Value,
}

impl Change {
    fn of<R: Resource>(change: &R::Change) -> Self {
        // Only a map with keys that are no strings cannot become JSON; `Resource::Change` forbids those.
        Self { text: change.to_string(), data: serde_json::to_value(change).unwrap_or(Value::Null) }
    }
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One line of the list: the resource, its scope, and the pure functions that say which declarations want what of it.
pub struct Of<R: Driver, D: 'static> {
    /// `None`: the declarations have no such system at all, so there is nothing to look at.
    pub scope: fn(&D) -> Option<R::Scope>,
    pub from: &'static [From<R, D>],
}

/// What the engine asks of a resource.
pub trait AnyResource<D>: Send + Sync {
    fn name(&self) -> &'static str;
    fn system(&self) -> System;
    /// How many ready steps `run` takes at once.
    fn batch(&self) -> usize;
    /// What this change shares with a few others.
    fn lanes(&self, _change: &Change) -> Vec<Lane> {
        vec![]
    }
    fn observe<'a>(&'a self, providers: &'a Providers, declarations: &'a D) -> Boxed<'a, Box<dyn Any + Send + Sync>>;
    /// Keeps what `observe` brought.
    fn remember(&self, world: &mut World, observed: Box<dyn Any + Send + Sync>);
    /// Marks the resource as not looked at, for a reason that a person gave.
    fn unseen(&self, world: &mut World, reason: String);
    /// Plans this resource against its own inventory in `world` and the settled ones in `earlier`, and adds its own
    /// settled view to `earlier`.
    fn plan(&self, declarations: &D, world: &World, earlier: &mut World) -> Part<Change>;
    fn run<'a>(
        &'a self,
        providers: &'a Providers,
        declarations: &'a D,
        steps: Vec<Step<Change>>,
    ) -> Boxed<'a, Vec<(StepId, Answer<()>)>>;
}

impl<R: Driver, D: Sync + 'static> AnyResource<D> for Of<R, D> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn system(&self) -> System {
        R::SYSTEM
    }

    fn batch(&self) -> usize {
        R::BATCH
    }

    fn lanes(&self, change: &Change) -> Vec<Lane> {
        // What cannot be read is refused when it is run.
        R::Change::deserialize(&change.data).map(|change| R::lanes(&change)).unwrap_or_default()
    }

    fn observe<'a>(&'a self, providers: &'a Providers, declarations: &'a D) -> Boxed<'a, Box<dyn Any + Send + Sync>> {
        Box::pin(async move {
            let observed = match (self.scope)(declarations) {
                Some(scope) => R::observe(providers, &scope).await,
                None => Observation::Complete(Default::default()),
            };
            Box::new(observed) as Box<dyn Any + Send + Sync>
        })
    }

    fn remember(&self, world: &mut World, observed: Box<dyn Any + Send + Sync>) {
        world.insert_erased(R::NAME, observed);
    }

    fn unseen(&self, world: &mut World, reason: String) {
        world.insert::<R>(Observation::Unavailable { reason });
    }

    fn plan(&self, declarations: &D, world: &World, earlier: &mut World) -> Part<Change> {
        let never = Observation::unavailable("it was not observed");
        let observed = world.observed::<R>().unwrap_or(&never);
        let mut wants = Wants::<R>::default();
        for from in self.from {
            wants.merge(from(declarations, observed, earlier));
        }
        let part = compare::<R, _>(wants, observed, Change::of::<R>);
        earlier.insert::<R>(settled::<R, _>(observed, &part));
        part
    }

    fn run<'a>(
        &'a self,
        providers: &'a Providers,
        declarations: &'a D,
        steps: Vec<Step<Change>>,
    ) -> Boxed<'a, Vec<(StepId, Answer<()>)>> {
        Box::pin(async move {
            let mut answers = vec![];
            let mut typed = vec![];
            let invalid = |step: &Step<Change>, why: String| {
                Failure::new(Class::Invalid, format!("read the step {} of the plan", step.id), why)
            };
            for step in steps {
                let key = step.id.object.key.parse::<R::Key>().map_err(|e| invalid(&step, e.to_string()));
                let change = R::Change::deserialize(&step.change.data).map_err(|e| invalid(&step, e.to_string()));
                match (key, change) {
                    (Ok(key), Ok(change)) => typed.push((key, step.map(|_| change))),
                    (Err(failure), _) | (_, Err(failure)) => answers.push((step.id, Err(failure))),
                }
            }
            match (self.scope)(declarations) {
                Some(scope) => answers.extend(perform::<R>(providers, &scope, typed).await),
                None => answers.extend(typed.into_iter().map(|(_, step)| {
                    let why = "the site declares no access to this system";
                    (step.id, Err(Failure::new(Class::Invalid, format!("reach {}", R::NAME), why)))
                })),
            }
            answers
        })
    }
}
