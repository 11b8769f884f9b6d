//! `trueup check [PATH]`
use super::{
    format::Format,
    lines::Lines,
    loaded::{self, Shown, count},
    origin,
    screen::Screen,
    settle,
};
use crate::{kinds::allocation::Carried, report::Exit};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Check manifests and their lock file, without network and without credentials
///
/// All mistakes of all files are reported in one run, each with its place, the line, and what to do about it.
#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0 without a mistake (warnings may be there), 1 with one.")]
pub(super) struct Check {
    /// The directory of the manifests [default: `manifests` where it exists, else this one]
    path: Option<PathBuf>,
    /// For people, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

impl Check {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        let lines = Lines::open(screen, self.output, None)?;
        let mut tree = origin::local(self.path.as_deref())?.tree;
        let files = tree.manifests.len();
        let (declarations, mut found) = loaded::read(&mut tree, screen, &lines, Shown::AsResult);
        let (mut objects, mut locked) = (0, true);
        if found.errors == 0 {
            let lock = settle::read(&tree)?;
            let clashes = settle::clashes(&lock);
            let done = settle::complete(&declarations, &lock, &Carried::default());
            let problems = if clashes.is_empty() { &done.problems } else { &clashes };
            found = found.and(loaded::show(problems, screen, &lines, Shown::AsResult));
            (objects, locked) = (done.lock.objects.len(), done.lock == lock && done.unplaced.is_empty());
        }
        lines.emit(|| {
            json!({
                "event": "checked", "files": files, "objects": objects, "errors": found.errors,
                "warnings": found.warnings, "lockUpToDate": locked,
            })
        });
        if !lines.own_the_screen() {
            let files = if files == 1 { "1 file".into() } else { format!("{files} files") };
            let objects = if objects == 1 { "1 object".into() } else { format!("{objects} objects") };
            screen.print(&match found.errors {
                0 => format!("{objects} in {files}: {}\n", count(found)),
                _ => format!("{} in {files}\n", count(found)),
            });
            if !locked && found.errors == 0 {
                screen.warn("note: trueup.lock does not say it all yet; `trueup lock` writes what is missing");
            }
        }
        Ok(if found.errors == 0 { Exit::Done } else { Exit::Nothing })
    }
}
