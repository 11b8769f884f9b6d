//! Ownership, order and guards, written once for all resources. Pure: no clock, randomness, I/O or logging.
//!
//! `compare` turns desired and live into the steps of one resource; `join` draws the edges between all steps; `lint`
//! checks that a plan holds together; `review` is the only way to something that may be executed.
mod compare;
mod consent;
mod edges;
mod join;
mod lint;
mod order;
mod review;
mod shown;

pub use compare::{Part, compare, settled};
pub use consent::{Consent, digest};
pub use join::join;
pub use lint::lint;
pub use order::topological;
pub use review::{Approved, Guards, Refusal, review};
pub use shown::Shown;

#[cfg(test)]
mod tests;
