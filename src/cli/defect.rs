//! What happens when this program has a mistake of its own.
use std::{
    io::Write,
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

/// `EX_SOFTWARE` of sysexits.h: none of the codes that mean something about the site.
pub(super) const EXIT: u8 = 70;

const ADVICE: &str = "This is a defect in trueup, not a mistake of yours. Please report it with these lines, the command and \
the version. Running the command again is safe: every pass looks before it writes.";

/// Runs the program; a panic anywhere is reported as what it is, and one in this thread ends it with [`EXIT`].
pub(super) fn caught(run: impl FnOnce() -> ExitCode) -> ExitCode {
    panic::set_hook(Box::new(|panic| {
        let why = panic.payload_as_str().unwrap_or("(no words)");
        let place = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
        let version = env!("CARGO_PKG_VERSION");
        let _ = writeln!(std::io::stderr(), "error: trueup {version} broke off{place}: {why}\n  {ADVICE}");
    }));
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or(ExitCode::from(EXIT))
}
