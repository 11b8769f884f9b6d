//! The command line: one file per command, output and exit codes. Nothing is decided here.
//!
//! What people read goes to standard output; progress and warnings to standard error. Exit codes are those of
//! [`crate::report::Exit`], and 70 after a defect in this program.
mod access;
mod arguments;
mod busy;
mod check;
mod completions;
mod coverage;
mod defect;
mod doctor;
mod format;
mod import;
mod interrupt;
mod lines;
mod loaded;
mod lock;
mod logging;
mod man;
mod origin;
mod past;
mod prepare;
mod progress;
mod reach;
mod reconcile;
mod sandbox;
mod schema;
mod screen;
mod settle;
mod setup;
mod shown;
mod status;
mod trouble;
mod without;

use crate::report::Exit;
use anyhow::Context;
use arguments::{Arguments, Command};
use clap::{CommandFactory, Parser};
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
        if let Command::InternalFetch = arguments.command {
            return crate::source::internal_fetch();
        }
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
        Command::Check(check) => check.run(screen),
        Command::Reconcile(reconcile) => reconcile.run(screen),
        Command::Status(status) => status.run(screen),
        Command::Coverage(coverage) => coverage.run(screen),
        Command::Import(import) => import.run(screen),
        Command::Lock(lock) => lock.run(screen),
        Command::Doctor(doctor) => doctor.run(screen),
        Command::Setup(setup) => setup.run(screen),
        Command::Schema(schema) => schema.run(screen),
        Command::Completions(completions) => completions.run(Arguments::command(), screen),
        Command::Man(man) => man.run(Arguments::command()),
        Command::Sandbox(sandbox) => sandbox.run(screen),
        Command::InternalFetch => Ok(Exit::Nothing),
    }
}

/// What runs the waiting: commands that never leave this machine do without.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")
}
