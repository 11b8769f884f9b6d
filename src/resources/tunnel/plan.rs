//! What has to be done to a tunnel. Pure.
use crate::model::{Disruption, Draft, Field, Sides, Verb};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};

/// A tunnel with nothing left to choose: all that there is to it is the mark, and the configuration is a resource of its
/// own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Desired;

/// A tunnel as Cloudflare shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Live {
    /// UUID.
    pub id: String,
    pub name: String,
    /// Whether the configuration at Cloudflare counts; if not, that of the connector does.
    pub remote: bool,
}

/// One change. The name that is written follows from the mark, which travels with the step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Create,
    /// Gives it our name. History keeps the one that it had.
    Adopt {
        was: String,
    },
    /// The manifest was renamed, or its policy changed.
    Rename {
        was: String,
    },
    /// Ends its connections and deletes it.
    Delete {
        id: String,
    },
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create => f.write_str("with its configuration at Cloudflare"),
            Self::Adopt { was } => write!(f, "name `{was}` becomes ours"),
            Self::Rename { was } => write!(f, "no longer named `{was}`"),
            Self::Delete { id } => write!(f, "{id}, with its connections"),
        }
    }
}

pub fn diff(sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
    match sides {
        // Its id is what names and connectors wait for.
        Sides::OnlyDesired(Desired) => vec![Draft::new(Verb::Create, Change::Create).unsettles()],
        Sides::OnlyLive(live) => vec![
            Draft::new(Verb::Delete, Change::Delete { id: live.id.clone() })
                .disrupts(Disruption::Interruption)
                .needs_consent("deleting a tunnel cuts off everything that is reached through it"),
        ],
        Sides::Both { live, stale_mark: true, .. } => {
            let field =
                Field { name: "name".into(), from: Some(live.name.clone()), to: Some("our mark".into()), effect: None };
            vec![Draft::new(Verb::Update, Change::Rename { was: live.name.clone() }).fields([field])]
        }
        Sides::Both { .. } => vec![],
        Sides::Adopt { live, .. } => {
            let field =
                Field { name: "name".into(), from: Some(live.name.clone()), to: Some("our mark".into()), effect: None };
            vec![Draft::new(Verb::Adopt, Change::Adopt { was: live.name.clone() }).fields([field])]
        }
    }
}
