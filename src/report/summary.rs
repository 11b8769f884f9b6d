//! What came of a pass, in a few lines at its end.
use super::words::{BAD, CHANGE, DIM, count, span};
use crate::{
    engine::{Outcome, Report},
    model::{ObjectId, StepId, Verb},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// Failures with what they held up, what was kept back, and one line of totals with the time.
pub fn summary_text(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_summary(&mut out, report);
    out
}

fn write_summary(out: &mut String, report: &Report) -> std::fmt::Result {
    let mut held_up: BTreeMap<&StepId, BTreeSet<&ObjectId>> = BTreeMap::new();
    for (id, outcome) in report.outcomes() {
        if let Outcome::Blocked { by } = outcome {
            held_up.entry(by).or_default().insert(&id.object);
        }
    }
    for wave in &report.waves {
        for step in &wave.plan.steps {
            if let Some(Outcome::Done { remarks, .. }) = wave.outcomes.get(&step.id) {
                for remark in remarks {
                    writeln!(
                        out,
                        "{CHANGE}done with a warning:{CHANGE:#} {} {}\n  {remark}",
                        step.verb, step.id.object
                    )?;
                }
            }
            let Some(Outcome::Failed { failure, .. }) = wave.outcomes.get(&step.id) else { continue };
            writeln!(out, "{BAD}failed:{BAD:#} {} {}", step.verb, step.id.object)?;
            let mut plain = failure.clone();
            let hint = plain.hint.take();
            writeln!(out, "  {plain}")?;
            if let Some(hint) = hint {
                writeln!(out, "  hint: {hint}")?;
            }
            if let Some(others) = held_up.get(&step.id) {
                let names: Vec<String> = others.iter().take(5).map(ToString::to_string).collect();
                let more = if others.len() > 5 { format!(" and {} more", others.len() - 5) } else { String::new() };
                writeln!(out, "  held up by it: {}{more}", names.join(", "))?;
            }
        }
    }
    if let Some(last) = report.waves.last() {
        for (id, why) in &last.withheld {
            writeln!(out, "{CHANGE}kept back:{CHANGE:#} {} {why}", id.object)?;
        }
        for (id, why) in &last.blocked {
            writeln!(out, "{BAD}blocked:{BAD:#} {} {why}", id.object)?;
        }
    }
    writeln!(out, "{}", last_line(report))
}

/// The verbs that were done, each object counted once.
pub(super) fn done(report: &Report) -> BTreeMap<Verb, usize> {
    let mut objects: BTreeMap<&ObjectId, Verb> = BTreeMap::new();
    for wave in &report.waves {
        for step in &wave.plan.steps {
            if wave.outcomes.get(&step.id).is_some_and(Outcome::is_done) {
                objects.entry(&step.id.object).or_insert(step.verb);
            }
        }
    }
    let mut out = BTreeMap::new();
    for verb in objects.into_values() {
        *out.entry(verb).or_default() += 1;
    }
    out
}

fn last_line(report: &Report) -> String {
    let took = span(report.took);
    let done = done(report);
    let mut parts: Vec<String> = vec![];
    for (verb, word) in [
        (Verb::Create, "created"),
        (Verb::Adopt, "adopted"),
        (Verb::Update, "changed"),
        (Verb::Restart, "restarted"),
        (Verb::Delete, "destroyed"),
    ] {
        if let Some(n) = done.get(&verb) {
            parts.push(format!("{n} {word}"));
        }
    }
    let failed = report.outcomes().filter(|(_, outcome)| matches!(outcome, Outcome::Failed { .. })).count();
    let blocked = report.outcomes().filter(|(_, outcome)| matches!(outcome, Outcome::Blocked { .. })).count();
    let mut state: Vec<String> = vec![];
    if failed > 0 {
        state.push(format!("{} failed", count(failed, "step")));
    }
    if blocked > 0 {
        state.push(format!("{} held up", count(blocked, "step")));
    }
    let rest = &report.rest;
    if !rest.conflicts.is_empty() {
        state.push(format!("{} in conflict", rest.conflicts.len()));
    }
    if !rest.impossible.is_empty() {
        state.push(format!("{} refused", count(rest.impossible.len(), "value")));
    }
    if !rest.unseen.is_empty() {
        state.push(format!("{} not looked at", rest.unseen.len()));
    }
    if !rest.later.is_empty() {
        state.push(format!("{} waiting", rest.later.len()));
    }
    let left: BTreeSet<&ObjectId> = rest.steps.iter().map(|step| &step.id.object).collect();
    if !left.is_empty() {
        state.push(format!("{} out of true", count(left.len(), "object")));
    }
    let head = match (parts.is_empty(), report.waves.is_empty()) {
        (true, true) => "No changes".to_string(),
        (true, false) => "Nothing done".to_string(),
        (false, _) => format!("Done: {}", parts.join(", ")),
    };
    let verdict = if state.is_empty() { "in true".to_string() } else { state.join(", ") };
    format!("{head}; {verdict} {DIM}({took}){DIM:#}.")
}
