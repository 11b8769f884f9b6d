//! Loading as a whole.
use super::*;
use crate::manifest::{SourceFile, render};

/// The examples are what wrong parts are replaced by, so they must be right.
#[test]
fn examples_are_right() {
    for kind in KINDS {
        let (_, found) = load(vec![SourceFile::new(kind.name, kind.example)]);
        let own: Vec<_> = found.iter().filter(|d| !d.code.starts_with("reference") && d.code != "no-site").collect();
        assert!(own.is_empty(), "{}", render(&found, false, 120));
    }
}
