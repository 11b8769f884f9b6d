//! Why something that was attempted on a foreign system did not work.
use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Display},
    time::Duration,
};

/// What a caller may do about a failure. Texts of an API are matched only inside its provider; everyone else reads this.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The object is proven absent.
    NotFound,
    /// It is not as the caller expected (digest, name taken, held by someone else).
    Conflict,
    /// Locked by another task; the same call may work soon.
    Busy,
    /// A rate budget is used up.
    Throttled,
    /// It failed for a passing reason and had no effect.
    Transient,
    /// Credentials or privileges are missing.
    Denied,
    /// The request itself is wrong; sending it again is of no use.
    Invalid,
    /// No connection, or the system behind the front does not answer; nothing was executed.
    Unreachable,
    /// The request may or may not have been executed: look before doing anything else.
    UnknownOutcome,
}

impl Class {
    /// Whether the very same call may be sent again after a pause.
    pub fn may_retry(self) -> bool {
        matches!(self, Self::Busy | Self::Throttled | Self::Transient | Self::Unreachable)
    }
}

impl Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::Busy => "busy",
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Unreachable => "unreachable",
            Self::UnknownOutcome => "unknown outcome",
        })
    }
}

/// What was attempted, on what, why it failed, and what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
pub struct Failure {
    pub class: Class,
    /// A verb phrase that follows "could not": `create container 101 on pve1`.
    pub attempted: String,
    /// The words of the system, without secrets.
    pub reason: String,
    /// What a person can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// How long the system asked us to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
}

impl Failure {
    pub fn new(class: Class, attempted: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { class, attempted: attempted.into(), reason: reason.into(), hint: None, retry_after: None }
    }
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.attempted, self.reason)?;
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

/// The result of asking a foreign system for something.
pub type Answer<T> = Result<T, Failure>;
