//! Ctrl-C, and the SIGTERM of whoever stops a service.
use super::screen::Screen;
use crate::engine::Stop;
use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell gives to a program that Ctrl-C ended.
const EXIT: i32 = 130;

/// Does `work`. The first Ctrl-C asks `stop`, unless nothing was begun yet; then, and at the second one, the program ends.
///
/// # Errors
/// When signals cannot be waited for.
pub(super) async fn minded<T>(
    screen: &Screen,
    stop: &Stop,
    begun: &AtomicBool,
    work: impl Future<Output = T>,
) -> std::io::Result<T> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            () = either(&mut interrupt, &mut terminate) => {
                if !begun.load(Ordering::Relaxed) {
                    screen.draw(None);
                    screen.warn("stopped: nothing was changed");
                    std::process::exit(EXIT);
                }
                if stop.is_asked() {
                    screen.draw(None);
                    screen.warn("stopped in the middle: the next pass looks at what is there and goes on");
                    std::process::exit(EXIT);
                }
                stop.ask();
                screen.warn("stopping: what runs is waited for, nothing new is started (Ctrl-C again ends at once)");
            }
        }
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

/// Waits for `asked`, Ctrl-C or SIGTERM.
///
/// # Errors
/// When signals cannot be waited for.
pub(super) async fn until_asked(asked: impl Future<Output = ()>) -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        () = asked => {}
        () = either(&mut interrupt, &mut terminate) => {}
    }
    Ok(())
}
