//! Waves of observe, plan, review, apply, until nothing new can be done; then the last look is the verification. The only
//! code that runs steps. It knows no kind and no provider.
mod estate;
mod execute;
mod graph;
mod pass;
mod stop;

pub use estate::Estate;
pub use execute::{Outcome, execute};
pub use pass::{Event, Options, Report, Wave, dry_run, pass};
pub use stop::Stop;

#[cfg(test)]
mod tests;
