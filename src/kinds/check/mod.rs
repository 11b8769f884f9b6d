//! Mistakes that show only when all manifests are read: each with both places.
use super::{Declarations, load::Named};
use crate::manifest::{Diagnostic, Document};
use std::sync::Arc;

/// All that was read.
pub(super) struct Whole<'a> {
    pub declarations: &'a Declarations,
    /// All that was named, also in documents that have mistakes.
    pub named: &'a Named,
    pub documents: &'a [Arc<Document>],
}

/// Everything that is wrong between the manifests.
pub(super) fn all(_whole: &Whole<'_>, _found: &mut Vec<Diagnostic>) {}
