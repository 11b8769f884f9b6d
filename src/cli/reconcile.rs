//! `trueup reconcile`: one pass.
use super::{
    busy::{self, Ending},
    format::Format,
    lines::Lines,
    loaded::{self, Shown},
    origin::{self, Origin},
    past::{self, Past},
    prepare::Prepare,
    progress::Progress,
    reach::Reach,
    screen::Screen,
    shown::Showing,
};
use crate::{
    engine::{self, Options},
    history::{Began, HistoryError},
    kinds::Declarations,
    plan::Consent,
    report::Exit,
};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Make a site true to its manifests: look, show the difference, make it go away, look again
#[derive(Args, Debug)]
#[command(after_help = Exit::CODES)]
pub(super) struct Reconcile {
    #[command(flatten)]
    origin: origin::Chosen,
    /// Look and show what would be done; write nothing at all
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: exit with 2 when something would be done
    #[arg(long, requires = "dry_run")]
    detailed_exitcode: bool,
    /// Allow exactly the losses whose digest a refused plan has shown
    #[arg(long, value_name = "DIGEST")]
    consent: Option<String>,
    #[command(flatten)]
    reach: Reach,
    /// Give new objects their ids, addresses and ports without looking what the live site carries for them already
    #[arg(long)]
    offline: bool,
    /// For people, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    /// Write the JSON events into this file as well
    #[arg(long, value_name = "FILE")]
    json_into: Option<PathBuf>,
    /// Where history and clones are kept
    #[arg(long, value_name = "DIR", env = "TRUEUP_STATE_DIR")]
    state_dir: Option<PathBuf>,
}

impl Reconcile {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        let lines = Lines::open(screen, self.output, self.json_into.as_deref())?;
        busy::run(screen, &lines, async |progress, ending| self.pass(screen, &lines, progress, ending).await)
    }

    async fn pass(
        &self,
        screen: &Screen,
        lines: &Lines<'_>,
        progress: &Progress<'_>,
        ending: &Ending,
    ) -> anyhow::Result<Exit> {
        let sandbox = self.reach.connection()?;
        progress.say(&format!("reading {}", self.origin));
        let state = past::directory(self.state_dir.as_deref(), self.reach.sandbox.as_deref());
        let mut origin = self.origin.open((!self.dry_run).then_some(&*state)).await?;
        lines.emit(|| json!({ "event": "begin", "version": env!("CARGO_PKG_VERSION"), "origin": origin.described() }));
        let (writes, offline, sandbox) = (!self.dry_run, self.offline, sandbox.as_ref());
        let prepare = Prepare { screen, lines, progress, reach: &self.reach, sandbox, offline, writes };
        let Some(ready) = prepare.ready(&mut origin).await? else { return Ok(Exit::Nothing) };
        let estate = &ready.reached.estate;
        let past = self.past(screen, &state, &origin, &estate.declarations)?;
        let consent = Consent { digest: self.consent.clone(), named: origin.consented() };
        let options = Options { consent, stop: ending.stop.clone(), now: None };
        let showing = Showing::new(screen, lines, progress, &ending.begun, &past, ready.at_lock);
        let tell = |event: engine::Event<'_>| showing.tell(&event);
        let report = match self.dry_run {
            true => engine::dry_run(estate, &options, &tell).await,
            false => engine::pass(estate, &options, &tell).await,
        };
        let exit = Exit::of(&report, self.dry_run, self.detailed_exitcode);
        past.finish(&report, exit);
        progress.end();
        loaded::show(&loaded::impossible(&estate.declarations, &report.rest), screen, lines, Shown::AsReason);
        showing.end(&report, exit);
        Ok(exit)
    }

    /// The history: recorded in for a pass, read only for a dry run.
    fn past<'a>(
        &self,
        screen: &'a Screen,
        state: &Path,
        origin: &Origin,
        declarations: &Declarations,
    ) -> Result<Past<'a>, HistoryError> {
        let site = declarations.site().map(|site| site.meta.name.to_string()).unwrap_or_default();
        if self.dry_run {
            return Past::read(screen, state, &site, origin.commit());
        }
        let (source, commit) = (origin.shown.clone(), origin.commit());
        let (at, trigger) = (jiff::Timestamp::now(), "command".to_owned());
        Past::begin(screen, state, Began { site, at, trigger, source, commit, dry_run: false })
    }
}
