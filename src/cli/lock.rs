//! `trueup lock [PATH] [--check]`
use super::{
    format::Format,
    lines::Lines,
    loaded::{self, Found, Shown},
    origin,
    progress::Progress,
    reach::Reach,
    runtime,
    screen::Screen,
    settle,
};
use crate::{
    kinds::{
        Declarations,
        allocation::{Allocated, Carried},
    },
    ledger,
    report::Exit,
    source::Tree,
};
use anyhow::Context;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Write trueup.lock: identities of all objects, and what `auto` became
///
/// What has no entry yet takes what the live site already carries for it, so credentials are needed when something is new;
/// `--offline` chooses without looking. Review the file and commit it beside the manifests.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 when the file is up to date or was written, 1 when there are mistakes, or --check found it out of date."
)]
pub(super) struct Lock {
    /// The directory of the manifests [default: `manifests` where it exists, else this one]
    path: Option<PathBuf>,
    /// Write nothing and look at nothing; fail when the file would change
    #[arg(long)]
    check: bool,
    /// Choose without looking at the live site
    #[arg(long, conflicts_with = "check")]
    offline: bool,
    #[command(flatten)]
    reach: Reach,
    /// For people, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

impl Lock {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        let lines = Lines::open(screen, self.output, None)?;
        let mut tree = origin::local(self.path.as_deref())?.tree;
        let directory = tree.directory().map(ToOwned::to_owned).context("find the directory of the manifests")?;
        let _held = if self.check { None } else { Some(settle::hold(&directory)?) };
        let (declarations, found) = loaded::read(&mut tree, screen, &lines, Shown::AsReason);
        if found.errors > 0 {
            return Ok(mistakes(found, screen));
        }
        let lock = settle::read(&tree)?;
        let clashes = if self.check { settle::clashes(&lock) } else { vec![] };
        let mut done = settle::complete(&declarations, &lock, &Carried::default());
        if !self.check && !self.offline && settle::is_short(&lock, &done) {
            match self.looked(declarations, &tree, &lock, screen, &lines)? {
                Ok(better) => done = better,
                Err(found) => return Ok(mistakes(found, screen)),
            }
        }
        let changes = done.lock != lock || !done.unplaced.is_empty();
        if !self.check {
            done.problems.append(&mut done.unplaced);
        }
        done.problems.extend(clashes);
        let found = loaded::show(&done.problems, screen, &lines, Shown::AsReason);
        if found.errors > 0 {
            return Ok(mistakes(found, screen));
        }
        let written = !self.check && settle::write(&directory, &done.lock)?;
        lines.emit(|| json!({ "event": "lock", "upToDate": !changes, "written": written, "changes": done.made }));
        if !lines.own_the_screen() {
            let made: String = done.made.iter().map(|line| format!("  {line}\n")).collect();
            let end = match (changes, self.check) {
                (true, true) => format!("{} is out of date: run `trueup lock` and commit it", ledger::FILE),
                _ if written => format!("wrote {}", directory.join(ledger::FILE).display()),
                _ => format!("{} is up to date", ledger::FILE),
            };
            screen.print(&format!("{made}{end}\n"));
        }
        Ok(if self.check && changes { Exit::Nothing } else { Exit::Done })
    }

    /// The lock with what the live site carries already.
    fn looked(
        &self,
        declarations: Declarations,
        tree: &Tree,
        lock: &ledger::Lock,
        screen: &Screen,
        lines: &Lines<'_>,
    ) -> anyhow::Result<Result<Allocated, Found>> {
        let progress = Progress::new(screen);
        let sandbox = self.reach.connection()?;
        progress.say("looking at the site");
        let look = async {
            let reached = self.reach.open(declarations.clone(), tree, sandbox.as_ref()).await?;
            Ok(settle::look(&reached.estate).await)
        };
        let looked = runtime()?.block_on(progress.beside(look));
        progress.end();
        match looked {
            Ok((carried, unseen)) => {
                settle::refuse_blind(lock, &unseen)?;
                Ok(Ok(settle::complete(&declarations, lock, &carried)))
            }
            Err(problems) => {
                let problems: Vec<crate::manifest::Diagnostic> = problems;
                let found = loaded::show(&problems, screen, lines, Shown::AsReason);
                screen.warn("something is new, and what the site has for it already is to be looked at first; --offline chooses without");
                Ok(Err(found))
            }
        }
    }
}

fn mistakes(found: Found, screen: &Screen) -> Exit {
    screen.warn(&format!("nothing was written: {}", loaded::count(found)));
    Exit::Nothing
}
