//! Which values change from run to run, and what they must be nevertheless.
use super::names::Class;
use regex::Regex;
use serde_json::{Map, Value};
use std::{borrow::Cow, sync::LazyLock};

/// How a value that is not equal is held against ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// Unix seconds: as far from the line's time as theirs, but for the slack.
    Time,
    /// Seconds since something began: as theirs, but for the slack; about zero where theirs is zero.
    Elapsed,
    /// A load, a share, a rate: a number that is not negative.
    Measure,
    /// Bytes and counts that grow while something runs: zero where theirs is zero.
    Counter,
    /// A size of the storage or the node: not zero where theirs is not.
    Size,
    /// Made anew each run, and the same wherever it is shown again.
    Named(Class),
    /// A list in no order, as Perl's hashes come out.
    Unordered,
}

/// A rule for a key, where the object has the second key beside it (any object when that is empty).
const RULES: &[(&str, &str, Rule)] = &[
    ("starttime", "", Rule::Time),
    ("endtime", "", Rule::Time),
    ("ctime", "", Rule::Time),
    ("snaptime", "", Rule::Time),
    ("time", "", Rule::Time),
    ("localtime", "", Rule::Time),
    ("uptime", "", Rule::Elapsed),
    ("pid", "", Rule::Named(Class::Pid)),
    ("pstart", "", Rule::Counter),
    ("cpu", "", Rule::Measure),
    ("wait", "", Rule::Measure),
    ("idle", "", Rule::Measure),
    ("loadavg", "", Rule::Measure),
    ("pressurecpufull", "", Rule::Measure),
    ("pressurecpusome", "", Rule::Measure),
    ("pressureiofull", "", Rule::Measure),
    ("pressureiosome", "", Rule::Measure),
    ("pressurememoryfull", "", Rule::Measure),
    ("pressurememorysome", "", Rule::Measure),
    ("mem", "", Rule::Counter),
    ("memhost", "", Rule::Counter),
    ("memused", "", Rule::Size),
    ("memavailable", "", Rule::Size),
    ("rootused", "", Rule::Size),
    ("swapused", "", Rule::Counter),
    ("iowait", "", Rule::Measure),
    ("disk", "vmid", Rule::Counter),
    ("disk", "", Rule::Size),
    // Whether a guest that runs has said something yet is chance in its first seconds.
    ("netin", "pid", Rule::Measure),
    ("netout", "pid", Rule::Measure),
    ("netin", "", Rule::Counter),
    ("netout", "", Rule::Counter),
    ("diskread", "", Rule::Counter),
    ("diskwrite", "", Rule::Counter),
    ("used", "", Rule::Size),
    ("avail", "", Rule::Size),
    ("free", "", Rule::Size),
    ("available", "", Rule::Size),
    ("used_fraction", "", Rule::Measure),
    ("total", "avail", Rule::Size),
    // Only backups have these beside: how well one was packed is not known here.
    ("size", "subtype", Rule::Size),
    ("size", "protected", Rule::Size),
    ("total", "free", Rule::Size),
    ("maxdisk", "plugintype", Rule::Size),
    ("maxdisk", "level", Rule::Size),
    ("maxmem", "level", Rule::Size),
    ("content", "", Rule::Unordered),
    ("privs", "", Rule::Unordered),
    ("ticket", "", Rule::Named(Class::Secret)),
    ("CSRFPreventionToken", "", Rule::Named(Class::Secret)),
    ("ssl_fingerprint", "", Rule::Named(Class::Secret)),
];

/// The rule for a key of an object of theirs.
pub fn rule(key: &str, beside: &Map<String, Value>) -> Option<Rule> {
    let fits = |(name, next, _): &&(&str, &str, Rule)| *name == key && (next.is_empty() || beside.contains_key(*next));
    RULES.iter().find(fits).map(|(_, _, rule)| *rule)
}

/// What in a text may differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece {
    /// Each stands for one of ours.
    Named(Class),
    /// Ours has a piece of this kind at its place.
    Measured,
}

/// Pieces of texts, the first that fits taken. Measured ones stand in the logs of tasks.
const PIECES: &[(Piece, &str)] = &[
    (Piece::Named(Class::Upid), r"UPID:[^\s'\x22,]*:"),
    (Piece::Named(Class::Uuid), r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"),
    (Piece::Named(Class::LinkLocal), r"\bfe80::[0-9a-f:]+"),
    (Piece::Named(Class::Mac), r"(?i)\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b"),
    (Piece::Named(Class::Digest), r"\b[0-9a-f]{40}\b"),
    (Piece::Named(Class::Sum), r"\b[0-9a-f]{64}\b"),
    (Piece::Named(Class::Stamp), r"\b\d{4}_\d\d_\d\d-\d\d_\d\d_\d\d\b"),
    (Piece::Measured, r"\bpveupload-[0-9a-f]{32}\b"),
    // Host keys, which each container makes for itself, in the order of a Perl hash.
    (Piece::Measured, r"\bssh_host_(?:rsa|dsa|ecdsa|ed25519)_key\b"),
    (Piece::Measured, r"SHA256:\S+"),
    (Piece::Measured, r"\bctime=\d+"),
    (Piece::Measured, r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?"),
    (Piece::Measured, r"/dev/loop\d+"),
    (Piece::Measured, r"\b\d+(?:\.\d+)? ?[KMG]i?B/s"),
    // What rsync counts of the files that a template holds.
    (Piece::Measured, r"\b\d{1,3}(?:,\d{3})+(?:\.\d+)?\b"),
    (Piece::Measured, r"\bspeedup is [\d.]+"),
    // How much a backup is, and how long it took.
    (Piece::Measured, r"\bTotal bytes (?:read|written): \d+ \([\d.]+[KMG]iB"),
    (Piece::Measured, r"\btransferred [\d.]+[KMG]? bytes in \d+s"),
    (Piece::Measured, r"\barchive file size: [\d.]+[KMG]?B"),
    (Piece::Measured, r"\bonline again after <?\d+ seconds"),
    (Piece::Measured, r"\(\d\d:\d\d:\d\d\)"),
    (Piece::Measured, r"/proc/\d+/"),
    // What a file system holds after a template was unpacked.
    (Piece::Measured, r"\b\d+/\d+ files \([\d.]+% non-contiguous\), \d+/\d+ blocks"),
];

/// All of them in one, each in a group of its own.
static PIECE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let groups: Vec<String> = PIECES.iter().map(|(_, pattern)| format!("({pattern})")).collect();
    Regex::new(&groups.join("|")).ok()
});

/// What Perl writes in the order of a hash, in the order of its names: the options of a backup's command, the parts of a
/// property string that are wrong.
pub fn ordered(text: &str) -> Cow<'_, str> {
    if let Some(wrong) = text.strip_prefix("invalid format - format error\n") {
        let mut lines: Vec<&str> = wrong.lines().collect();
        lines.sort_unstable();
        return Cow::Owned(lines.join("\n"));
    }
    let Some(start) = text.find(": vzdump ").map(|at| at + 2) else { return Cow::Borrowed(text) };
    let mut parts: Vec<&str> = text[start..].split(" --").collect();
    parts[1..].sort_unstable();
    Cow::Owned(format!("{}{}", &text[..start], parts.join(" --")))
}

/// A text taken apart: what must be equal, and the pieces between.
pub struct Taken<'a> {
    pub fixed: Vec<&'a str>,
    pub pieces: Vec<(Piece, &'a str)>,
}

/// Takes a text apart.
pub fn take_apart(text: &str) -> Taken<'_> {
    let (mut fixed, mut pieces, mut at) = (Vec::new(), Vec::new(), 0);
    for found in PIECE.iter().flat_map(|pattern| pattern.captures_iter(text)) {
        let group = (1..=PIECES.len()).find_map(|g| found.get(g).map(|m| (PIECES[g - 1].0, m)));
        if let Some((piece, place)) = group {
            fixed.push(&text[at..place.start()]);
            pieces.push((piece, place.as_str()));
            at = place.end();
        }
    }
    fixed.push(&text[at..]);
    Taken { fixed, pieces }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_found() {
        let text = "UPID:a:1:2:3:vzstart:101:r@pam!t: 3ce0d7bd-5fa3-4000-a000-000000000000 fe80::1 BC:24:11:00:00:01 \
                    da39a3ee5e6b4b0d3255bfef95601890afd80709 \
                    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 \
                    pveupload-d41d8cd98f00b204e9800998ecf8427e ssh_host_rsa_key SHA256:abc/+ ctime=12 2026-11-21T13:52:15Z \
                    /dev/loop3 1.5GiB/s 12,345.67 speedup is 1.02 \
                    2026_11_21-14_38_31 Total bytes read: 2088960 (2.0MiB transferred 2.03M bytes in 0s \
                    archive file size: 1MB online again after <1 seconds (00:01:21) /proc/235/ \
                    12/65536 files (0.0% non-contiguous), 8536/262144 blocks end";
        let taken = take_apart(text);
        assert_eq!(taken.pieces.len(), PIECES.len(), "{:?}", taken.pieces);
        assert_eq!(taken.fixed.last(), Some(&" end"));
    }
}
