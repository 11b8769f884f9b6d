//! Values that follow from a uid. A value that is taken gives way to the next of the same row.
use crate::model::{Mac, Period, Slug, Uid};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// How many values of a row are tried; rows are so long that the second is hardly ever needed.
const TRIES: u32 = 1_000;

fn digest(uid: &Uid, what: &str, nth: u32) -> [u8; 32] {
    Sha256::digest(format!("{uid}/{what}/{nth}")).into()
}

/// A MAC address with the prefix of Proxmox (BC:24:11, its own registered block).
pub(super) fn mac(uid: &Uid, interface: &str, taken: &BTreeSet<Mac>) -> Option<Mac> {
    (0..TRIES)
        .filter_map(|nth| {
            let [a, b, c, ..] = digest(uid, interface, nth);
            Mac::new([0xbc, 0x24, 0x11, a, b, c])
        })
        .find(|mac| !taken.contains(mac))
}

/// Six of a-z and 0-9, the first a letter: a name of digits alone confuses people and some resolvers.
pub(super) fn slug(uid: &Uid, taken: &BTreeSet<Slug>) -> Option<Slug> {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
    const ALL: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    (0..TRIES)
        .filter_map(|nth| {
            let bytes = digest(uid, "slug", nth);
            let mut words = bytes.as_chunks::<4>().0.iter().map(|four| u32::from_be_bytes(*four) as usize);
            let mut text = String::new();
            for alphabet in [LETTERS, ALL, ALL, ALL, ALL, ALL] {
                text.push(char::from(alphabet[words.next()? % alphabet.len()]));
            }
            text.parse().ok()
        })
        .find(|slug| !taken.contains(slug))
}

/// A period as a signed duration.
pub(super) fn signed(period: Period) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(period.as_std()).unwrap_or(jiff::SignedDuration::MAX)
}
