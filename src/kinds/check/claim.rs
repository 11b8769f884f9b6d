//! What may be given only once.
use crate::manifest::{Diagnostic, Spot};

/// Somebody's claim on something that may be given only once.
pub(super) struct Claim<K> {
    /// Two claims with one key exclude each other.
    pub key: K,
    pub spot: Spot,
    /// Who claims it: `Container web`.
    pub by: String,
}

/// Reports all claims on one thing but the first in the order of the files. `what` is said of the key: `the vmid 101`.
pub(super) fn exclusive<K: Ord>(
    code: &'static str,
    what: impl Fn(&K) -> String,
    mut claims: Vec<Claim<K>>,
    found: &mut Vec<Diagnostic>,
) {
    claims.sort_by(|a, b| {
        let file = || a.spot.file.path().cmp(b.spot.file.path());
        a.key.cmp(&b.key).then_with(file).then_with(|| a.spot.span.start.cmp(&b.spot.span.start))
    });
    for group in claims.chunk_by(|a, b| a.key == b.key) {
        let Some((first, again)) = group.split_first() else { continue };
        for claim in again {
            let message = format!("{} is given twice: to {} and to {}", what(&claim.key), first.by, claim.by);
            let mistake = Diagnostic::error(code, claim.spot.clone(), message).label("again here");
            found.push(mistake.other(first.spot.clone(), "first here"));
        }
    }
}
