//! A mistake, where it is, and what to do about it.
use super::SourceFile;
use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, fmt, ops::Range, sync::Arc};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Nothing is planned while it is there.
    Error,
    /// It is allowed, and probably not meant.
    Warning,
}

/// Where something stands, for people and editors.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Place {
    /// Path of the file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A stretch of a file, with the file: all that is needed to show it.
#[derive(Clone, Debug)]
pub struct Spot {
    pub file: Arc<SourceFile>,
    /// In bytes.
    pub span: Range<usize>,
}

impl Spot {
    /// Where it begins.
    pub fn place(&self) -> Place {
        let (line, column) = self.file.position(self.span.start);
        Place { file: self.file.path().into(), line, column }
    }
}

/// A mistake, where it is, and what to do about it. Complete in itself: it can be shown without anything else at hand.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    pub severity: Severity,
    /// Names the rule that is broken, for filters and searches: `unknown-field`.
    pub code: &'static str,
    /// What is wrong, in one line.
    pub message: String,
    /// Where; nothing when it is about no single file.
    pub spot: Option<Spot>,
    /// Stands beside the mark.
    pub label: String,
    /// Other places that have to do with it, and why.
    pub others: Vec<(Spot, String)>,
    /// What to do.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &'static str, spot: Spot, message: impl Into<String>) -> Self {
        let (message, label) = (message.into(), String::new());
        Self { severity: Severity::Error, code, message, spot: Some(spot), label, others: Vec::new(), hint: None }
    }

    /// A warning at a place.
    pub fn warning(code: &'static str, spot: Spot, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, spot, message) }
    }

    /// An error of the whole tree of manifests.
    pub fn general(code: &'static str, message: impl Into<String>) -> Self {
        let (message, label) = (message.into(), String::new());
        Self { severity: Severity::Error, code, message, spot: None, label, others: Vec::new(), hint: None }
    }

    /// The same with words beside the mark.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The same with another place that has to do with it.
    pub fn other(mut self, spot: Spot, label: impl Into<String>) -> Self {
        self.others.push((spot, label.into()));
        self
    }

    /// The same with advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with advice, if there is any.
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// Whether nothing may be planned while it is there.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The order in which people work through them: by file and place; what has no place first.
    pub fn order(&self, other: &Self) -> Ordering {
        fn key(d: &Diagnostic) -> (Option<(&str, usize, usize)>, Severity, &str, &str) {
            let spot = d.spot.as_ref().map(|s| (s.file.path(), s.span.start, s.span.end));
            (spot, d.severity, d.code, &d.message)
        }
        key(self).cmp(&key(other))
    }
}
