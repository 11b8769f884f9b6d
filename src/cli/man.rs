//! `trueup man --out DIR`, for packagers.
use crate::report::Exit;
use anyhow::Context;
use clap::{Args, Command};
use std::path::PathBuf;

/// Write the manual pages, one for each command
#[derive(Args, Debug)]
pub(super) struct Man {
    /// The directory to write them into
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Man {
    /// `trueup`: the whole command line.
    pub fn run(self, trueup: Command) -> anyhow::Result<Exit> {
        let place = self.out.display().to_string();
        std::fs::create_dir_all(&self.out).with_context(|| format!("make the directory {place}"))?;
        clap_mangen::generate_to(trueup, &self.out).with_context(|| format!("write manual pages into {place}"))?;
        Ok(Exit::Done)
    }
}
