//! The inventories of all resources, each under its own type.
use crate::model::{Inventory, Observation, Observed, Resource, Wants};
use std::{any::Any, collections::BTreeMap};

/// What declarations want of one resource. Pure. Reads the declarations (with their lock), the resource's own inventory,
/// and the settled inventories of what is built before it.
pub type From<R, D> = fn(&D, &Observed<R>, earlier: &World) -> Wants<R>;

/// Inventories by resource. What `plan` hands to a resource holds the *settled* inventories of those before it: without
/// objects that the same plan deletes, or whose outputs it is about to change.
#[derive(Default)]
pub struct World(BTreeMap<&'static str, Box<dyn Any + Send + Sync>>);

impl World {
    pub fn insert<R: Resource>(&mut self, observed: Observed<R>) {
        self.0.insert(R::NAME, Box::new(observed));
    }

    pub(super) fn insert_erased(&mut self, name: &'static str, observed: Box<dyn Any + Send + Sync>) {
        self.0.insert(name, observed);
    }

    /// What is known of a resource; `None` when it has not been observed or planned yet.
    pub fn observed<R: Resource>(&self) -> Option<&Observed<R>> {
        self.0.get(R::NAME).and_then(|observed| observed.downcast_ref())
    }

    /// The complete inventory, if there is one.
    pub fn seen<R: Resource>(&self) -> Option<&Inventory<R>> {
        self.observed::<R>().and_then(Observation::complete)
    }

    /// The live side of one object of ours.
    pub fn ours<R: Resource>(&self, key: &R::Key) -> Option<&R::Live> {
        Some(&self.seen::<R>()?.get(key)?.ours()?.live)
    }
}
