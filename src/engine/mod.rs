//! Waves of observe, plan, review, apply, until nothing new can be done; then the last look is the verification. The only
//! code that runs steps. It knows no kind and no provider.
mod estate;
mod execute;
mod graph;
mod pass;

pub use estate::Estate;
pub use execute::{Outcome, execute};
pub use pass::{Event, Options, Report, Wave, dry_run, pass};

#[cfg(test)]
mod tests;
