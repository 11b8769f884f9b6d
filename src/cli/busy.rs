//! What every command does that looks at a site: it shows that it is busy, minds Ctrl-C, and tells how it failed.
use super::{interrupt, lines::Lines, progress::Progress, runtime, screen::Screen, trouble};
use crate::{engine::Stop, report::Exit};
use anyhow::Context;
use std::sync::atomic::AtomicBool;

/// How a person ends it early.
#[derive(Default)]
pub(super) struct Ending {
    /// Asked by the first Ctrl-C, once something was begun.
    pub stop: Stop,
    /// Set by the work when it begins to change something.
    pub begun: AtomicBool,
}

/// Does the work of a command.
///
/// # Errors
/// Those of the work, which are told as JSON too, and when there is no runtime or signals cannot be waited for.
pub(super) fn run(
    screen: &Screen,
    lines: &Lines<'_>,
    work: impl AsyncFnOnce(&Progress<'_>, &Ending) -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    let (progress, ending) = (Progress::new(screen), Ending::default());
    let minded = async {
        let work = progress.beside(work(&progress, &ending));
        interrupt::minded(screen, &ending.stop, &ending.begun, work).await.context("wait for signals")?
    };
    let ended = runtime()?.block_on(minded);
    progress.end();
    ended.inspect_err(|error| lines.emit(|| trouble::event(error)))
}
