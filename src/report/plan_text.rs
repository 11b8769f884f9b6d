//! A plan as a person likes to read it: what is destroyed first, what is unchanged not at all, one line of totals.
use super::words::{ADD, BAD, CHANGE, DIM, HEAD, LOSE, TAKE, Why};
use crate::{
    model::{Disruption, Effect, Later, Note, ObjectId, Plan, Step, StepId, Verb},
    plan::Refusal,
    resources::Change,
};
use anstyle::Style;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// A plan and what the review said of it.
pub struct View<'a> {
    pub plan: &'a Plan<Change>,
    /// Kept back, with the reason.
    pub withheld: &'a [(StepId, String)],
    pub refusal: Option<&'a Refusal>,
    /// Why objects differ, where it is known.
    pub why: &'a BTreeMap<ObjectId, Why>,
}

/// The whole plan, ending in one line of totals.
pub fn plan_text(view: &View<'_>) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_plan(&mut out, view);
    out
}

fn write_plan(out: &mut String, view: &View<'_>) -> std::fmt::Result {
    let goes: BTreeSet<&ObjectId> =
        view.plan.steps.iter().filter(|step| step.verb == Verb::Delete).map(|step| &step.id.object).collect();
    let (lost, rest): (Vec<_>, Vec<_>) =
        view.plan.steps.iter().partition(|step| goes.contains(&step.id.object) || !step.loses.is_empty());
    section(out, "Will be destroyed", &lost, view)?;
    section(out, "Will be made true", &rest, view)?;
    if !view.plan.later.is_empty() {
        writeln!(out, "{HEAD}Later, when what they wait for is there{HEAD:#}")?;
        for later in &view.plan.later {
            let Later { object, declared, verb, on, sketch, .. } = later;
            let style = style(*verb);
            let sign = verb.sign();
            writeln!(out, "  {style}{sign}{style:#} {object} {DIM}({declared}){DIM:#} {sketch}, after {on}")?;
        }
        writeln!(out)?;
    }
    notes(out, "In conflict: left as they are", BAD, '!', &view.plan.conflicts)?;
    notes(out, "Could not be looked at: nothing is written there", BAD, '?', &view.plan.unseen)?;
    notes(out, "Ours, and no manifest wants them", CHANGE, 'o', &view.plan.orphans)?;
    notes(out, "Remarks", DIM, '*', &view.plan.remarks)?;
    if let Some(refusal) = view.refusal {
        writeln!(out, "{LOSE}Refused: nothing of this is done{LOSE:#}")?;
        for reason in &refusal.reasons {
            writeln!(out, "  {reason}")?;
        }
        for loss in &refusal.losses {
            writeln!(out, "  {LOSE}-{LOSE:#} {} {} {DIM}{}{DIM:#}", loss.what, loss.name, loss.uid)?;
        }
        if let Some(digest) = &refusal.digest {
            writeln!(out, "  To allow exactly these losses: --consent {digest}")?;
            writeln!(out, "  or, in the commit that removes them: Trueup-Consent: KIND/NAME")?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{}", totals(view.plan))
}

fn section(out: &mut String, title: &str, steps: &[&Step<Change>], view: &View<'_>) -> std::fmt::Result {
    if steps.is_empty() {
        return Ok(());
    }
    writeln!(out, "{HEAD}{title}{HEAD:#}")?;
    for step in steps {
        write_step(out, step, view)?;
    }
    writeln!(out)
}

fn write_step(out: &mut String, step: &Step<Change>, view: &View<'_>) -> std::fmt::Result {
    let (style, sign, object) = (style(step.verb), step.verb.sign(), &step.id.object);
    write!(out, "  {style}{sign} {object}{style:#} ")?;
    if let Some(declared) = &step.declared {
        write!(out, "{DIM}({declared}){DIM:#} ")?;
    }
    write!(out, "{}", step.change)?;
    let mut remarks = vec![];
    if step.disrupts > Disruption::Nothing {
        remarks.push(step.disrupts.to_string());
    }
    if step.id.nth == 0
        && let Some(why) = view.why.get(object)
        && matches!(step.verb, Verb::Update | Verb::Restart)
    {
        remarks.push(why.to_string());
    }
    if !remarks.is_empty() {
        write!(out, " {DIM}[{}]{DIM:#}", remarks.join("; "))?;
    }
    writeln!(out)?;
    let width = step.fields.iter().map(|field| field.name.chars().count()).max().unwrap_or(0);
    for field in &step.fields {
        let name = &field.name;
        match (&field.from, &field.to) {
            (Some(from), Some(to)) => {
                write!(out, "      {name:width$}  {from} {CHANGE}->{CHANGE:#} {to}")?;
            }
            (None, Some(to)) => write!(out, "      {name:width$}  {ADD}{to}{ADD:#}")?,
            (Some(from), None) => write!(out, "      {name:width$}  {from} {CHANGE}->{CHANGE:#} {DIM}unset{DIM:#}")?,
            (None, None) => continue,
        }
        match field.effect {
            None | Some(Effect::InPlace) => writeln!(out)?,
            Some(effect) => writeln!(out, " {DIM}({effect}){DIM:#}")?,
        }
    }
    if let Some(why) = &step.blocked {
        writeln!(out, "      {BAD}blocked:{BAD:#} {why}")?;
    }
    if let Some((_, why)) = view.withheld.iter().find(|(id, _)| *id == step.id) {
        writeln!(out, "      {CHANGE}kept back:{CHANGE:#} {why}")?;
    }
    Ok(())
}

fn notes(out: &mut String, title: &str, style: Style, sign: char, notes: &[Note]) -> std::fmt::Result {
    if notes.is_empty() {
        return Ok(());
    }
    writeln!(out, "{HEAD}{title}{HEAD:#}")?;
    for note in notes {
        let object = match &*note.object.key {
            "*" => note.object.resource.to_string(),
            _ => note.object.to_string(),
        };
        write!(out, "  {style}{sign} {object}{style:#} ")?;
        if let Some(declared) = &note.declared {
            write!(out, "{DIM}({declared}){DIM:#} ")?;
        }
        writeln!(out, "{}", note.text)?;
        if let Some(hint) = &note.hint {
            writeln!(out, "      {hint}")?;
        }
    }
    writeln!(out)
}

fn style(verb: Verb) -> Style {
    match verb {
        Verb::Create => ADD,
        Verb::Adopt => TAKE,
        Verb::Update | Verb::Restart => CHANGE,
        Verb::Delete => LOSE,
    }
}

/// `Plan: 3 to create, 1 to change, 1 to destroy; 2 later; 14 unchanged.` or `No changes: …`.
pub(super) fn totals(plan: &Plan<Change>) -> String {
    let mut objects: BTreeMap<&ObjectId, Verb> = BTreeMap::new();
    for step in &plan.steps {
        let verb = match step.verb {
            Verb::Restart => Verb::Update,
            verb => verb,
        };
        // An object is counted once: what is made or adopted as that, whatever else is done to it; else by the worst.
        let made = |verb: Verb| matches!(verb, Verb::Create | Verb::Adopt);
        let first = |known: &mut Verb| *known = if made(*known) { *known } else { (*known).max(verb) };
        objects.entry(&step.id.object).and_modify(first).or_insert(verb);
    }
    let of = |verb: Verb| objects.values().filter(|v| **v == verb).count();
    let unchanged: usize = plan.unchanged.values().sum();
    let mut parts: Vec<String> = vec![];
    for (verb, word) in [
        (Verb::Create, "to create"),
        (Verb::Adopt, "to adopt"),
        (Verb::Update, "to change"),
        (Verb::Delete, "to destroy"),
    ] {
        let n = of(verb);
        if n > 0 {
            parts.push(format!("{n} {word}"));
        }
    }
    let mut more: Vec<String> = vec![];
    let mut also = |n: usize, word: &str| {
        if n > 0 {
            more.push(format!("{n} {word}"));
        }
    };
    also(plan.later.len(), "later");
    also(plan.conflicts.len(), "in conflict");
    also(plan.impossible.len(), "refused");
    also(plan.unseen.len(), "not looked at");
    also(plan.orphans.len(), "orphaned");
    also(unchanged, "unchanged");
    let head = if parts.is_empty() { "No changes".to_string() } else { format!("Plan: {}", parts.join(", ")) };
    if more.is_empty() { format!("{head}.") } else { format!("{head}; {}.", more.join(", ")) }
}
