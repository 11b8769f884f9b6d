//! Template: what guests are made from.
mod spec;
#[cfg(test)]
mod tests;
pub mod volume;
pub use spec::{Origin, Template};
