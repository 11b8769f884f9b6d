//! THE list: what exists, in building order, and which declarations it comes from.
//!
//! Each resource may read the settled inventories of those above it; the order of the steps comes from `needs` and `uses`
//! alone. A new kind costs a folder and a word or a line here; a new resource one folder more.
use super::{container, declared::Declarations};
use crate::resources::{AnyResource, Of, guest::Guest};

/// In building order.
pub const RESOURCES: &[&dyn AnyResource<Declarations>] =
    &[&Of::<Guest, _> { scope: container::guest::scope, from: &[container::guest::guest] }];
