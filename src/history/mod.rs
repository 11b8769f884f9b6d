//! The embedded database: which passes ran, what each did to which object, and what was desired when. History and cache
//! only: marks in the world and files in git are the truth, and no plan reads it. It is given the time and only texts, so no
//! secret gets in.
mod events;
mod open;
mod passes;
mod schema;

pub use events::{Event, Recorded};
pub use open::{History, HistoryError, Warning};
pub use passes::{Applied, Before, Began, Ended, Pass, PassId, Totals};

#[cfg(test)]
mod tests;
