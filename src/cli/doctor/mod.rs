//! `trueup doctor`: whether everything is there that a pass will need. It asks, and writes nothing anywhere.
mod finding;
mod neighbours;
mod proxmox;

use super::{
    busy,
    format::Format,
    lines::Lines,
    loaded::{self, Shown},
    origin,
    progress::Progress,
    reach::Reach,
    screen::Screen,
};
use crate::report::Exit;
use clap::Args;
use finding::{Finding, State};
use serde_json::json;
use std::path::PathBuf;

const NOTES: &str = "\
It proves, by asking: each endpoint of Proxmox VE with its certificate, version and clock; each privilege that the manifests
need; the nodes, storages, bridges and templates that they name; the way to the node; the token and zone at Cloudflare.
What is missing is named with the command that mends it.

Exit codes: 0 when all is there, 1 when nothing could be asked (manifests, credentials), 4 when something is missing.";

/// Prove that a pass will find everything it needs: access, privileges, nodes, storages, bridges
#[derive(Args, Debug)]
#[command(after_help = NOTES)]
pub(super) struct Doctor {
    /// The directory of the manifests [default: `manifests` where it exists, else this one]
    path: Option<PathBuf>,
    #[command(flatten)]
    reach: Reach,
    /// For people, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

impl Doctor {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        let lines = Lines::open(screen, self.output, None)?;
        busy::run(screen, &lines, async |progress, _| self.examine(screen, &lines, progress).await)
    }

    async fn examine(&self, screen: &Screen, lines: &Lines<'_>, progress: &Progress<'_>) -> anyhow::Result<Exit> {
        let sandbox = self.reach.connection()?;
        let mut tree = origin::local(self.path.as_deref())?.tree;
        let (declarations, found) = loaded::read(&mut tree, screen, lines, Shown::AsReason);
        if found.errors > 0 {
            screen.warn(&format!("nothing was asked: {}", loaded::count(found)));
            return Ok(Exit::Nothing);
        }
        let reached = match self.reach.open(declarations, &tree, sandbox.as_ref()).await {
            Ok(reached) => reached,
            Err(problems) => {
                let found = loaded::show(&problems, screen, lines, Shown::AsReason);
                screen.warn(&format!("nothing was asked: {}", loaded::count(found)));
                return Ok(Exit::Nothing);
            }
        };
        progress.say("asking");
        let (declarations, providers) = (&reached.estate.declarations, &reached.estate.providers);
        let (proxmox, neighbours) = tokio::join!(
            proxmox::examine(declarations, providers.proxmox.as_ref()),
            neighbours::examine(declarations, providers)
        );
        progress.end();
        let findings: Vec<Finding> = proxmox.into_iter().chain(neighbours).collect();
        Ok(show(&findings, screen, lines))
    }
}

fn show(findings: &[Finding], screen: &Screen, lines: &Lines<'_>) -> Exit {
    let wrong = findings.iter().filter(|finding| finding.state == State::Wrong).count();
    let doubtful = findings.iter().filter(|finding| finding.state == State::Doubtful).count();
    for finding in findings {
        lines.emit(|| finding.event());
    }
    let exit = if wrong > 0 { Exit::Partly } else { Exit::Done };
    lines.emit(|| json!({ "event": "examined", "checks": findings.len(), "wrong": wrong, "doubtful": doubtful }));
    if !lines.own_the_screen() {
        let mut text: String = findings.iter().map(Finding::text).collect();
        text.push_str(&match (wrong, doubtful) {
            (0, 0) => "All is there.\n".to_owned(),
            (0, n) => format!("All is there; {n} to look at.\n"),
            (n, _) => format!("{n} of {} missing or wrong.\n", findings.len()),
        });
        screen.print(&text);
    }
    exit
}
