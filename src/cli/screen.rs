//! Standard output and standard error.
//!
//! Colours are written by whoever makes a text and taken out here where they are not wanted: anywhere but on a terminal, and
//! with `NO_COLOR`. When the reader of standard output has gone (`trueup … | head`), what is written is dropped and the work
//! goes on: a pass must not stop halfway because nobody reads about it.
use indicatif::ProgressBar;
use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Where people read.
#[derive(Default)]
pub(super) struct Screen {
    /// Standard output cannot be written to any more.
    deaf: AtomicBool,
    /// The bar that is being drawn, which has to make way for other lines.
    bar: Mutex<Option<ProgressBar>>,
}

impl Screen {
    /// Writes to standard output as it stands; a line break belongs to the text.
    pub fn print(&self, text: &str) {
        self.aside(|| {
            if self.deaf.load(Ordering::Relaxed) {
                return;
            }
            let mut out = anstream::stdout().lock();
            if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
                self.deaf.store(true, Ordering::Relaxed);
            }
        });
    }

    /// Writes a line to standard error, or several.
    pub fn warn(&self, line: &str) {
        // When even standard error cannot be written to, there is nobody left to tell.
        self.aside(|| _ = writeln!(anstream::stderr().lock(), "{line}"));
    }

    /// The columns of the terminal; 100 where there is none.
    pub fn width(&self) -> usize {
        terminal_size::terminal_size().map_or(100, |(width, _)| width.0.into())
    }

    /// Whether a person watches standard error.
    pub fn is_watched(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// Draws this bar from now on, or none.
    pub fn draw(&self, bar: Option<ProgressBar>) {
        *self.bar() = bar;
    }

    fn aside(&self, write: impl FnOnce()) {
        let bar = self.bar().clone();
        match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
