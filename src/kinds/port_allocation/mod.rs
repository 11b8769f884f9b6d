//! PortAllocation: a block of public ports for a guest.
pub mod forwards;
mod layout;
mod spec;
pub use layout::{Place, default_layout};
pub use spec::{Forward, PortAllocation};
