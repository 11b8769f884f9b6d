//! `trueup status`: what is out of true, and what the last passes did.
use super::{
    busy,
    format::Format,
    lines::Lines,
    origin,
    past::{self, Past},
    prepare::Prepare,
    progress::Progress,
    reach::Reach,
    screen::Screen,
};
use crate::{
    engine::{self, Options, Report},
    history::Pass,
    model::{ObjectId, Plan},
    report::{Exit, Why, event_json},
    resources::Change,
};
use clap::Args;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::PathBuf,
};

/// How many passes are shown.
const PASSES: u32 = 5;

/// Show what is out of true, and what the last passes did; write nothing
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 in true or only out of it, 1 when nothing could be said, 4 when something could not be looked at or is in conflict."
)]
pub(super) struct Status {
    #[command(flatten)]
    origin: origin::Chosen,
    #[command(flatten)]
    reach: Reach,
    /// For people, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    /// Where history is kept
    #[arg(long, value_name = "DIR", env = "TRUEUP_STATE_DIR")]
    state_dir: Option<PathBuf>,
}

impl Status {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        let lines = Lines::open(screen, self.output, None)?;
        busy::run(screen, &lines, async |progress, _| self.look(screen, &lines, progress).await)
    }

    async fn look(&self, screen: &Screen, lines: &Lines<'_>, progress: &Progress<'_>) -> anyhow::Result<Exit> {
        let sandbox = self.reach.connection()?;
        progress.say(&format!("reading {}", self.origin));
        let mut origin = self.origin.open(None).await?;
        let sandbox = sandbox.as_ref();
        let prepare = Prepare { screen, lines, progress, reach: &self.reach, sandbox, offline: true, writes: false };
        let Some(ready) = prepare.ready(&mut origin).await? else { return Ok(Exit::Nothing) };
        let estate = &ready.reached.estate;
        let site = estate.declarations.site().map(|site| site.meta.name.to_string()).unwrap_or_default();
        let state = past::directory(self.state_dir.as_deref(), self.reach.sandbox.as_deref());
        let past = Past::read(screen, &state, &site, origin.commit())?;
        let tell = |event: engine::Event<'_>| {
            lines.emit(|| event_json(&event));
            progress.tell(&event);
        };
        let report = engine::dry_run(estate, &Options::default(), &tell).await;
        let why = past.why(&report.rest, &report.desired);
        let passes = past.passes(PASSES);
        progress.end();
        let exit = Exit::of(&report, true, false);
        lines.emit(|| event(&site, &report, &why, &passes));
        if !lines.own_the_screen() {
            screen.print(&text(&site, &report, &why, &passes)?);
        }
        // A status has nothing to refuse.
        Ok(if exit == Exit::Refused { Exit::Done } else { exit })
    }
}

/// Objects that differ, and those that do not yet exist because something else does not.
fn out_of_true(plan: &Plan<Change>) -> BTreeSet<&ObjectId> {
    let steps = plan.steps.iter().map(|step| &step.id.object);
    steps.chain(plan.later.iter().map(|later| &later.object)).collect()
}

fn text(
    site: &str,
    report: &Report,
    why: &BTreeMap<ObjectId, Why>,
    passes: &[Pass],
) -> Result<String, std::fmt::Error> {
    let (plan, mut out) = (&report.rest, String::new());
    let open = out_of_true(plan);
    let objects = |n: usize| if n == 1 { "1 object".to_owned() } else { format!("{n} objects") };
    let fine = objects(plan.unchanged.values().sum());
    match open.len() {
        0 if plan.in_true() => writeln!(out, "{site} is in true: {fine}")?,
        0 => writeln!(out, "{site}: {fine} in true, nothing that was looked at is not")?,
        n => writeln!(out, "{site} is out of true: {}; {fine} in true", objects(n))?,
    }
    let mut shown = BTreeSet::new();
    for step in plan.steps.iter().filter(|step| shown.insert(&step.id.object)) {
        let declared = step.declared.as_ref().map(|declared| format!(" ({declared})")).unwrap_or_default();
        let why = why.get(&step.id.object).map(|why| format!(" [{why}]")).unwrap_or_default();
        writeln!(out, "  {} {}{declared} {}{why}", step.verb.sign(), step.id.object, step.change)?;
    }
    for later in &plan.later {
        writeln!(out, "  {} {} ({}) waits for {}", later.verb.sign(), later.object, later.declared, later.on)?;
    }
    for (sign, notes) in [('!', &plan.conflicts), ('?', &plan.unseen), ('o', &plan.orphans)] {
        for note in notes {
            writeln!(out, "  {sign} {} {}", note.object, note.text)?;
        }
    }
    for impossible in &plan.impossible {
        writeln!(out, "  ! {} {}", impossible.object, impossible.wish.text)?;
    }
    if !passes.is_empty() {
        writeln!(out, "\nLast passes")?;
    }
    for pass in passes {
        let commit = pass.began.commit.as_ref().map(|id| format!(" {}", &id[..id.len().min(8)])).unwrap_or_default();
        let at = pass.began.at.strftime("%Y-%m-%d %H:%M:%S UTC");
        writeln!(out, "  {at}{commit}  {}", came_of(pass))?;
    }
    Ok(out)
}

fn came_of(pass: &Pass) -> String {
    let Some(code) = pass.exit_code else { return "did not end (killed, or still running)".into() };
    let totals = pass.totals;
    let counts = [
        (totals.done, "steps done"),
        (totals.failed, "failed"),
        (totals.blocked, "held up"),
        (totals.waiting, "waiting"),
    ];
    let counts: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    let counts = if counts.is_empty() { "no changes".into() } else { counts.join(", ") };
    match code {
        0 => counts,
        3 => "refused by a guard".into(),
        code => format!("{counts} (exit code {code})"),
    }
}

fn event(site: &str, report: &Report, why: &BTreeMap<ObjectId, Why>, passes: &[Pass]) -> Value {
    let plan = &report.rest;
    let objects: Vec<Value> = out_of_true(plan)
        .into_iter()
        .map(|object| json!({ "object": object.to_string(), "why": why.get(object) }))
        .collect();
    let passes: Vec<Value> = passes
        .iter()
        .map(|pass| {
            json!({
                "began": pass.began.at, "ended": pass.ended, "commit": pass.began.commit, "exit": pass.exit_code,
                "done": pass.totals.done, "failed": pass.totals.failed, "blocked": pass.totals.blocked,
            })
        })
        .collect();
    json!({
        "event": "status", "site": site, "inTrue": plan.in_true(), "outOfTrue": objects, "conflicts": plan.conflicts, "impossible": plan.impossible,
        "unseen": plan.unseen, "orphans": plan.orphans, "unchanged": plan.unchanged, "passes": passes,
    })
}
