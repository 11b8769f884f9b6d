//! The command line: one file per command, output and exit codes. Nothing is decided here.
//!
//! What people read goes to standard output; progress and warnings to standard error. Exit codes are those of
//! [`crate::report::Exit`], and 70 after a defect in this program.
mod arguments;
mod completions;
mod defect;
mod lines;
mod logging;
mod man;
mod schema;
mod screen;
mod trouble;

use crate::report::Exit;
use arguments::{Arguments, Command};
use clap::Parser;
use screen::Screen;
use std::process::ExitCode;

/// Parses the arguments, runs the command and says how it ended.
pub fn main() -> ExitCode {
    defect::caught(|| {
        let arguments = match Arguments::try_parse() {
            Ok(arguments) => arguments,
            Err(error) => {
                // A closed pipe is no reason to complain about.
                let _ = error.print();
                // clap's own code for wrong usage, 2, means "changes pending" here.
                return if error.use_stderr() { Exit::Nothing.into() } else { Exit::Done.into() };
            }
        };
        logging::start();
        let screen = Screen::default();
        match run(arguments.command, &screen) {
            Ok(exit) => exit.into(),
            Err(error) => {
                screen.warn(&trouble::text(&error));
                Exit::Nothing.into()
            }
        }
    })
}

fn run(command: Command, screen: &Screen) -> anyhow::Result<Exit> {
    match command {
        Command::Schema(schema) => schema.run(screen),
        Command::Completions(completions) => completions.run(screen),
        Command::Man(man) => man.run(screen),
    }
}
