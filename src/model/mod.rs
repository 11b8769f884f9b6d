//! The pure vocabulary: names, uids, steps, plans, inventories, failures. No I/O, no clock, no randomness.
mod failure;
pub use failure::{Answer, Class, Failure};
mod values;
pub use values::*;
