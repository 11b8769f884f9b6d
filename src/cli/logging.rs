//! Logs for whoever looks for a fault: `TRUEUP_LOG`, to standard error.
use std::io::{self, Write};
use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt};

/// Starts logging if `TRUEUP_LOG` asks for it: a level, or a filter such as `trueup=debug,hyper=info`.
pub(super) fn start() {
    let Ok(wanted) = std::env::var("TRUEUP_LOG") else { return };
    if wanted.trim().is_empty() {
        return;
    }
    match EnvFilter::try_new(&wanted) {
        Ok(filter) => {
            let lines = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false);
            // An error means that somebody has started logging before; in one process there is one main.
            let _ = lines.finish().try_init();
        }
        Err(error) => {
            // Nobody is there to be told that nobody is there.
            let _ = writeln!(io::stderr(), "warning: TRUEUP_LOG=`{wanted}` is no filter ({error}); nothing is logged");
        }
    }
}
