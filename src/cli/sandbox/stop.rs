//! `trueup sandbox stop`
use super::Which;
use crate::{cli::screen::Screen, report::Exit, sandbox::control::Ask};
use clap::Args;

/// Stop a sandbox; its state stays
#[derive(Args, Debug)]
pub(super) struct Stop {
    #[command(flatten)]
    which: Which,
}

impl Stop {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        self.which.ask(&Ask::Stop)?;
        screen.print(&format!("stopped the sandbox in {}\n", self.which.state.display()));
        Ok(Exit::Done)
    }
}
