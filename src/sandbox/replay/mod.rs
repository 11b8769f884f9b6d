//! How far the simulated Proxmox VE is to be trusted: recorded exchanges with a real one are sent to it, and its answers
//! are held against theirs.
//!
//! `recording` reads them, `start` makes the state in which they begin, `request` and `connection` send them through the
//! sandbox's own HTTP front, `run` keeps the time, `circumstances` finds what else had a part, `names` knows which value of theirs stands for which of ours, `values`
//! says which may differ and how far, `compare` finds what does, `report` tells.
mod circumstances;
mod compare;
mod connection;
mod names;
pub mod recording;
pub mod report;
mod request;
mod run;
mod start;
#[cfg(test)]
mod tests;
mod values;

pub use run::{Outcome, Verdict, replay};
pub use start::Start;
