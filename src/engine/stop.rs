//! A wish to end early.
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Asks a pass to start no further step. Those that run end; then a last look says what is left. All clones are one.
#[derive(Clone, Default, Debug)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks for it.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
