//! Where a file is to be.
use super::encode;

/// A storage as one node sees it, a type of content and a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place<'a> {
    pub node: &'a str,
    pub storage: &'a str,
    /// `vztmpl`, `iso`, `import`.
    pub content: &'a str,
    pub file: &'a str,
}

impl Place<'_> {
    pub(super) fn below(&self, verb: &str) -> String {
        format!("/nodes/{}/storage/{}/{verb}", encode::segment(self.node), encode::segment(self.storage))
    }
}
