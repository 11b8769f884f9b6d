//! What exists and can be changed on its own. One folder per resource; this file is the contract that they fill.
//!
//! A resource has a pure half ([`Resource`], defined in `model` because `plan` reads it: what differs, what it needs,
//! what it uses) and an I/O half ([`Driver`]: observe, look, apply). Ownership, absence, identity, order and guards are decided once for all of them, in
//! [`crate::plan`]; which declarations want which objects is said in [`crate::kinds`].
pub mod dns_record;
mod driver;
mod erased;
pub mod forwards;
pub mod gateway_table;
pub mod guest;
pub mod guest_unit;
mod perform;
#[cfg(test)]
mod rehearsal;
pub mod template_volume;
pub mod traefik_file;
pub mod tunnel;
pub mod tunnel_configuration;
mod world;

pub use crate::model::{Inventory, Observed, Resource, Sides, Wants};
pub use driver::{Act, Driver, Lane, System};
pub use erased::{AnyResource, Change, Of};
pub use world::{From, World};
