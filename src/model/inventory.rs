//! What is there, and the difference between "nothing there" and "could not look".
use super::{Mark, Revision};

/// One object as a provider shows it. The same type in a listing and in the look right before a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found<L> {
    /// Carries our mark for this site.
    Ours(Ours<L>),
    /// Does not, or carries the mark of another site.
    Foreign(Foreign<L>),
    /// Several objects under one key where only one can be meant; the texts say which.
    Duplicates(Vec<String>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ours<L> {
    pub mark: Mark,
    pub revision: Revision,
    pub live: L,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Foreign<L> {
    /// Who or what holds the key, for the conflict that is shown.
    pub holder: String,
    pub revision: Revision,
    pub live: L,
}

impl<L> Found<L> {
    pub fn ours(&self) -> Option<&Ours<L>> {
        match self {
            Self::Ours(ours) => Some(ours),
            _ => None,
        }
    }
}

/// A complete view, or the reason why there is none. A read that failed, was cut short or is implausibly empty is
/// `Unavailable`: nothing is written to it and nothing that it may use is deleted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Observation<T> {
    Complete(T),
    Unavailable { reason: String },
}

impl<T> Observation<T> {
    pub fn complete(&self) -> Option<&T> {
        match self {
            Self::Complete(view) => Some(view),
            Self::Unavailable { .. } => None,
        }
    }
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into() }
    }
}
