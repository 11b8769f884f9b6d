//! The pure vocabulary: names, uids, marks, steps, plans, inventories, failures. No I/O, no clock, no randomness.
mod failure;
mod inventory;
mod mark;
mod object;
mod resource;
mod step;
mod values;
mod wanted;
mod wants;

pub use failure::{Answer, Class, Failure};
pub use inventory::{Foreign, Found, Observation, Ours};
pub use mark::{Deletion, Mark};
pub use object::{DeclarationId, ObjectId, Revision, Uid};
pub use resource::{Inventory, Observed, Resource, Sides};
pub use step::{
    Disruption, Draft, Effect, Expect, Field, Impossible, Later, Loss, Note, Plan, Step, StepId, Verb, Wish,
};
pub(crate) use values::spelled;
pub use values::*;
pub use wanted::{Mode, Ready, Waiting, Wanted};
pub use wants::Wants;
