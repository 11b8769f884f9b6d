//! A simulated `nft`, for machines where no network namespace can be had.
//!
//! It reads exactly the text that [`crate::providers::nftables`] writes and refuses everything else as a syntax error,
//! so that a change of the renderer that this simulator does not know is noticed here and not on somebody's host.
//! Transactions, refusals and listings are those of nft 1.0.6, which a test compares with the kernel's. No packet
//! passes through it.
mod command;
mod expression;
mod listing;
mod state;
#[cfg(test)]
mod tests;
mod words;

use crate::providers::{
    host::Output,
    nftables::{APPLY, CHECK, LIST, PublicPort, Target, read},
};
use bytes::Bytes;
use command::Complaint;
use serde::{Deserialize, Serialize};
use state::State;
use std::{collections::BTreeMap, fmt::Write};

/// The ruleset of one simulated host; it is stored and restored as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct NftSimulated {
    state: State,
}

impl NftSimulated {
    /// Whether this argument list is nft's at all; another program should answer where it is not.
    pub fn answers(argv: &[&str]) -> bool {
        argv.first().is_some_and(|program| *program == "nft")
    }

    /// Does what `nft` would do.
    pub fn run(&mut self, argv: &[&str], stdin: &[u8]) -> Output {
        match argv {
            a if *a == APPLY => self.transact(stdin, true),
            a if *a == CHECK => self.transact(stdin, false),
            a if *a == LIST => match listing::json(&self.state) {
                Some(text) => Output { status: 0, stdout: Bytes::from(text), stderr: Bytes::new() },
                None => refused("Error: No such file or directory\nlist table inet trueup\n                ^^^^^^\n"),
            },
            other => refused(&format!("Error: the simulated nft knows no `{}`\n", other.join(" "))),
        }
    }

    /// `nft flush ruleset`, as somebody else on the host might do it.
    pub fn flush_ruleset(&mut self) {
        self.state = State::default();
    }

    /// Where connections to public ports would go now.
    pub fn forwards(&self) -> BTreeMap<PublicPort, Target> {
        let table = listing::json(&self.state).and_then(|json| read(json.as_bytes()).ok()).unwrap_or_default();
        let forward = |entry: crate::providers::nftables::Entry| match entry.element {
            crate::providers::nftables::Element::Forward { public, to } => Some((public, to)),
            _ => None,
        };
        table.entries.into_iter().filter_map(forward).collect()
    }

    /// All or nothing: the commands run on a copy, which becomes the state when none of them complains.
    fn transact(&mut self, stdin: &[u8], keep: bool) -> Output {
        let Ok(text) = std::str::from_utf8(stdin) else {
            return refused("/dev/stdin:1:1-1: Error: syntax error, unexpected junk\n");
        };
        let mut next = self.state.clone();
        let mut complaints = String::new();
        let parsed: Result<Vec<_>, (usize, &str, Complaint)> = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(n, line)| Ok((n, line, command::read(line).map_err(|c| (n, line, c))?)))
            .collect();
        match parsed {
            Err((n, line, complaint)) => write_complaint(&mut complaints, n, line, &complaint),
            Ok(commands) => {
                for (n, line, command) in commands {
                    for complaint in next.run(command) {
                        write_complaint(&mut complaints, n, line, &complaint);
                    }
                }
            }
        }
        if !complaints.is_empty() {
            return refused(&complaints);
        }
        if keep {
            self.state = next;
        }
        Output::default()
    }
}

fn refused(stderr: &str) -> Output {
    Output { status: 1, stdout: Bytes::new(), stderr: Bytes::copy_from_slice(stderr.as_bytes()) }
}

/// Place, text, the line, and marks under what is meant, as nft prints them.
fn write_complaint(out: &mut String, n: usize, line: &str, complaint: &Complaint) {
    let (from, to) = (complaint.span.start + 1, complaint.span.end.max(complaint.span.start + 1));
    let marks = "^".repeat(to - complaint.span.start);
    let blanks = " ".repeat(complaint.span.start);
    let _ = writeln!(out, "/dev/stdin:{}:{from}-{to}: Error: {}\n{line}\n{blanks}{marks}", n + 1, complaint.text);
}
