//! The kernel's packet filter, by the `nft` program: one table of our own, `inet trueup`.
//!
//! Commands go in as text, because nft 1.0.6 refuses its own JSON for maps to `address . port` and JSON restores no
//! counters; the state comes out as JSON. Three argument lists are all that is ever called:
//! `nft -f -`, `nft -c -f -` and `nft -j list table inet trueup`.
mod element;
mod listing;
mod mark;
mod refusal;
mod rules;
mod transaction;
mod value;

#[cfg(test)]
pub(crate) mod kernel_tests;
#[cfg(test)]
mod tests;

pub use element::{Counted, Direction, Element, Entry, Family, Store};
pub use listing::{Table, read};
pub use mark::{GuestMark, OwnerMark, Readings, TableMark};
pub use refusal::Refusal;
pub use rules::{Rules, is_private};
pub use transaction::Transaction;
pub use value::{Comment, Interface, Protocol, PublicPort, Target};

use crate::{
    model::{Answer, Class, Failure},
    providers::host::{Host, Limits},
};
use bytes::Bytes;

/// How our table is listed; what a simulated nft must answer.
pub const LIST: [&str; 6] = ["nft", "-j", "list", "table", "inet", "trueup"];
/// How a transaction is made.
pub const APPLY: [&str; 3] = ["nft", "-f", "-"];
/// How it is tried without effect.
pub const CHECK: [&str; 4] = ["nft", "-c", "-f", "-"];

/// The table of one host.
#[derive(Clone, Debug)]
pub struct Nftables {
    host: Host,
}

impl Nftables {
    pub fn new(host: Host) -> Self {
        Self { host }
    }

    /// The table as it is; `None`: nft itself says that there is none.
    ///
    /// # Errors
    /// When nft could not be run, was cut short, or said something that cannot be read: nothing is known then.
    pub async fn list(&self) -> Answer<Option<Table>> {
        let attempted = "list table inet trueup";
        let output = self.host.run(&LIST, Bytes::new(), Limits::default()).await?;
        if refusal::says_absent(&output) {
            return Ok(None);
        }
        if output.status != 0 {
            return Err(refusal::failure(attempted, &output));
        }
        let unreadable = |why| Failure::new(Class::Invalid, attempted, format!("the listing cannot be read: {why}"));
        read(&output.stdout).map(Some).map_err(unreadable)
    }

    /// Makes all the changes, or none.
    ///
    /// # Errors
    /// A refusal names the parts of the transaction that nft complained of. `UnknownOutcome`: look.
    pub async fn apply(&self, transaction: &Transaction) -> Result<(), Refusal> {
        self.transact(&APPLY, "change table inet trueup", transaction).await
    }

    /// Asks whether nft would accept the changes.
    ///
    /// # Errors
    /// Those of [`Nftables::apply`].
    pub async fn check(&self, transaction: &Transaction) -> Result<(), Refusal> {
        self.transact(&CHECK, "check a change of table inet trueup", transaction).await
    }

    async fn transact(&self, argv: &[&str], attempted: &str, transaction: &Transaction) -> Result<(), Refusal> {
        if transaction.is_empty() {
            return Ok(());
        }
        let stdin = Bytes::copy_from_slice(transaction.text().as_bytes());
        let output = self.host.run(argv, stdin, Limits::default()).await?;
        if output.status == 0 { Ok(()) } else { Err(refusal::refusal(attempted, &output, transaction)) }
    }
}
