//! What a person may allow, and for exactly what.
use crate::model::{DeclarationId, Loss, Step};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The digest of a list of losses (kind, name, uid; sorted): twelve hexadecimal digits. Consent to it covers that list
/// and nothing else.
pub fn digest(losses: &BTreeSet<&Loss>) -> String {
    let mut hash = Sha256::new();
    for loss in losses {
        hash.update(format!("{}\t{}\t{}\n", loss.what, loss.name, loss.uid));
    }
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// What a person has allowed.
#[derive(Clone, Default, Debug)]
pub struct Consent {
    /// `--consent DIGEST`.
    pub digest: Option<String>,
    /// Commit trailers `Trueup-Consent: KIND/NAME`.
    pub named: BTreeSet<DeclarationId>,
}

impl Consent {
    pub(super) fn names<C>(&self, step: &Step<C>) -> bool {
        step.declared.as_ref().is_some_and(|declared| self.named.contains(declared))
    }
}
