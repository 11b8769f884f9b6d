//! Mistakes that show only when a whole manifest, or all of them, are read: each with all places that have to do with it.
//!
//! Nothing here looks outside: no files, no network, no environment.
mod address;
mod claim;
mod container;
mod host_name;
mod placeholder;
mod placement;
mod port;
mod reference;
mod root_only;
mod schedule;
mod site;
mod template;
mod unsupported;
mod virtual_machine;

use super::{AnyGuest, Declarations, Declared, Spec, declared::Origin};
use crate::manifest::{Diagnostic, Document, Segment, SourceFile, Spot};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// All that was named, also in documents that have mistakes: a reference to one of them leads somewhere.
pub(super) type Named = BTreeMap<&'static str, BTreeSet<String>>;

/// All that was read.
pub(super) struct Whole<'a> {
    /// What could be read without a mistake.
    pub declarations: &'a Declarations,
    /// All that was named, also in documents that have mistakes.
    pub named: &'a Named,
    pub documents: &'a [Arc<Document>],
}

/// Everything that is wrong.
pub(super) fn all(whole: &Whole<'_>, found: &mut Vec<Diagnostic>) {
    placeholder::check(whole.documents, found);
    site::check(whole, found);
    reference::check(whole, found);
    template::check(whole.declarations, found);
    container::check(whole.declarations, found);
    placement::check(whole.declarations, found);
    virtual_machine::check(whole.declarations, found);
    address::check(whole.declarations, found);
    port::check(whole, found);
    host_name::check(whole.declarations, found);
    schedule::check(whole.declarations, found);
    root_only::check(whole.declarations, found);
    unsupported::check(whole.declarations, found);
}

impl Whole<'_> {
    /// Whether an object of the kind is there, even one that has mistakes.
    fn has(&self, kind: &str) -> bool {
        self.named.get(kind).is_some_and(|names| !names.is_empty())
    }
}

/// Where a field of a declared object stands: `spec.networks.0.address`.
fn spot<S: Spec>(declared: &Declared<S>, path: &str) -> Spot {
    spot_in(&declared.origin, declared.place.file.as_str(), path)
}

/// The same of a guest of either kind.
fn guest_spot(guest: AnyGuest<'_>, path: &str) -> Spot {
    spot_in(guest.origin(), guest.file(), path)
}

fn spot_in(origin: &Origin, file: &str, path: &str) -> Spot {
    match &origin.0 {
        Some(document) => document.value_spot(&Segment::path(path)),
        None => Spot { file: Arc::new(SourceFile::new(file, "")), span: 0..0 },
    }
}

/// Where the key of a field stands.
fn key_spot<S: Spec>(declared: &Declared<S>, path: &str) -> Spot {
    key_spot_in(&declared.origin, declared.place.file.as_str(), path)
}

/// The same of a guest of either kind.
fn guest_key_spot(guest: AnyGuest<'_>, path: &str) -> Spot {
    key_spot_in(guest.origin(), guest.file(), path)
}

fn key_spot_in(origin: &Origin, file: &str, path: &str) -> Spot {
    match &origin.0 {
        Some(document) => document.name_spot(&Segment::path(path)),
        None => spot_in(origin, file, path),
    }
}
