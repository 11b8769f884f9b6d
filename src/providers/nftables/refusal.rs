//! What nft says when it does not do what it was told. Its texts are matched here and nowhere else.
use super::transaction::Transaction;
use crate::{
    model::{Class, Failure},
    providers::host::Output,
};
use std::{collections::BTreeSet, fmt};

/// A transaction that nft refused; nothing of it has happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub failure: Failure,
    /// The parts of the transaction that nft named. Empty: it could not be said.
    pub parts: BTreeSet<usize>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { failure, parts: BTreeSet::new() }
    }
}

/// `/dev/stdin:3:40-64: Error: Could not process rule: File exists`, or without a place.
struct Complaint<'a> {
    line: Option<usize>,
    text: &'a str,
}

fn complaints(stderr: &str) -> impl Iterator<Item = Complaint<'_>> {
    stderr.lines().filter_map(|line| {
        let (place, text) = line.split_once("Error: ")?;
        let line = place.split(':').nth(1).and_then(|n| n.trim().parse().ok());
        Some(Complaint { line, text: text.trim() })
    })
}

/// Whether a listing says that there is no such table. nft 1.0.6: status 1 and `Error: No such file or directory`.
pub fn says_absent(output: &Output) -> bool {
    let text = output.complaint();
    output.status == 1 && complaints(&text).next().is_some_and(|c| c.text.starts_with("No such file or directory"))
}

/// What a failed call means.
pub fn failure(attempted: &str, output: &Output) -> Failure {
    let text = output.complaint();
    let all: Vec<Complaint<'_>> = complaints(&text).collect();
    let said = |words: &str| all.iter().any(|c| c.text.contains(words)) || (all.is_empty() && text.contains(words));
    let reason = match all.as_slice() {
        [] if text.is_empty() => format!("nft ended with status {} and said nothing", output.status),
        [] => text.clone(),
        [first] => first.text.to_owned(),
        [first, rest @ ..] => format!("{} (and {} more)", first.text, rest.len()),
    };
    if said("Operation not permitted") || said("Permission denied") {
        return Failure::new(Class::Denied, attempted, reason).hint("nft needs root, or CAP_NET_ADMIN");
    }
    if said("Interrupted system call") || said("Resource temporarily unavailable") {
        return Failure::new(Class::Busy, attempted, reason);
    }
    let clashes = ["File exists", "No such file or directory", "Operation not supported", "Device or resource busy"];
    if clashes.into_iter().any(said) {
        return Failure::new(Class::Conflict, attempted, reason).hint("the table changed meanwhile: look again");
    }
    if said("Cannot allocate memory") || said("No buffer space") {
        return Failure::new(Class::Transient, attempted, reason);
    }
    if output.status > 128 {
        return Failure::new(Class::UnknownOutcome, attempted, format!("{reason}; a signal ended nft"));
    }
    Failure::new(Class::Invalid, attempted, reason)
}

/// The same for a transaction, with the parts that were named.
pub fn refusal(attempted: &str, output: &Output, transaction: &Transaction) -> Refusal {
    let text = output.complaint();
    let parts = complaints(&text).filter_map(|c| transaction.part_of_line(c.line?)).collect();
    Refusal { failure: failure(attempted, output), parts }
}
