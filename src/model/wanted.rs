//! The desired side of one object.
use super::{DeclarationId, Mark, ObjectId};

/// How far an object may be steered (`trueup/mode`).
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Debug,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Differences are made to go away.
    #[default]
    Reconcile,
    /// Differences are shown and nothing is written.
    Observe,
    /// Neither shown as differences nor written.
    Paused,
}

/// `Waiting` is the mirror of `Unavailable`: wanted, but not yet sayable. Never a reason to delete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wanted<D> {
    Ready(Ready<D>),
    Waiting(Waiting),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ready<D> {
    /// What the object is to carry; `mark.declared` is always set on this side.
    pub mark: Mark,
    /// `trueup/adopt` names this object: take it although it is foreign.
    pub adopt: bool,
    pub mode: Mode,
    pub desired: D,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    pub declared: DeclarationId,
    /// What has to be there first.
    pub on: ObjectId,
    /// What will be wanted, as far as it can be said.
    pub sketch: String,
}
