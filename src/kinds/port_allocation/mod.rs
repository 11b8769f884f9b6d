//! PortAllocation: a block of public ports for a guest.
mod spec;
pub use spec::{Forward, PortAllocation};
