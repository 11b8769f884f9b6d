//! `trueup completions SHELL`
use super::screen::Screen;
use crate::report::Exit;
use clap::{Args, Command};
use clap_complete::Shell;

/// Print the completions of a shell, to be sourced or installed
#[derive(Args, Debug)]
#[command(after_help = "For example: trueup completions bash > /etc/bash_completion.d/trueup")]
pub(super) struct Completions {
    shell: Shell,
}

impl Completions {
    /// `trueup`: the whole command line.
    pub fn run(self, mut trueup: Command, screen: &Screen) -> anyhow::Result<Exit> {
        let mut text = vec![];
        clap_complete::generate(self.shell, &mut trueup, "trueup", &mut text);
        screen.print(&String::from_utf8(text)?);
        Ok(Exit::Done)
    }
}
