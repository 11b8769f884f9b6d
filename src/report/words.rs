//! Words, figures and colours that several parts of a report share.
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::{fmt, time::Duration};

/// Why a difference is there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Why {
    /// The manifests changed since this object was last made true.
    Changed {
        /// Short id of the commit, where manifests come from git.
        #[serde(skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
    },
    /// The manifests did not change: the live side did.
    Drifted,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { commit: Some(commit) } => write!(f, "changed in {commit}"),
            Self::Changed { commit: None } => f.write_str("changed in the manifests"),
            Self::Drifted => f.write_str("drifted"),
        }
    }
}

/// `0.3 s`, `2 min 5 s`.
pub fn span(took: Duration) -> String {
    let seconds = took.as_secs();
    if seconds < 60 {
        format!("{:.1} s", took.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

pub(super) const ADD: Style = AnsiColor::Green.on_default();
pub(super) const CHANGE: Style = AnsiColor::Yellow.on_default();
pub(super) const LOSE: Style = AnsiColor::Red.on_default().bold();
pub(super) const TAKE: Style = AnsiColor::Cyan.on_default();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const HEAD: Style = Style::new().bold();
pub(super) const BAD: Style = AnsiColor::Red.on_default();

/// `1 guest`, `2 guests`.
pub(super) fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}
