//! Template: what guests are made from.
mod spec;
pub use spec::{ContainerTemplate, Template};
