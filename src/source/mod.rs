//! Git and directories: where manifests come from.
//!
//! A [`Tree`] is what one directory, or one commit, says. Where it could not be read whole there is none: "could not look" is
//! never "nothing wanted".
mod child;
mod choose;
mod commit;
mod directory;
mod fetch;
mod git;
mod tree;

pub use choose::is_candidate;
pub use commit::{Commit, CommitId};
pub use directory::directory;
pub use fetch::{Remote, fetch, internal_fetch};
pub use git::Checkout;
pub use tree::Tree;

#[cfg(test)]
mod tests;
