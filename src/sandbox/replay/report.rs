//! What a replay showed, for people and for programs.
use super::run::{Outcome, Verdict};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write};

/// How many exchanges of an area agree, differ and say nothing.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Share {
    pub agrees: usize,
    pub differs: usize,
    pub not_covered: usize,
}

impl Share {
    /// Per cent of what can be compared that agrees; all of it where there is nothing.
    pub fn percent(self) -> f64 {
        match self.agrees + self.differs {
            0 => 100.0,
            compared => 100.0 * self.agrees as f64 / compared as f64,
        }
    }

    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Agrees => self.agrees += 1,
            Outcome::Differs(_) => self.differs += 1,
            Outcome::NotCovered(_) => self.not_covered += 1,
        }
    }
}

/// The shares of all areas, and of everything.
pub fn shares(verdicts: &[Verdict]) -> (BTreeMap<String, Share>, Share) {
    let (mut areas, mut all) = (BTreeMap::<String, Share>::new(), Share::default());
    for verdict in verdicts {
        let area = verdict.scenario.split('/').next().unwrap_or_default();
        areas.entry(area.to_string()).or_default().add(&verdict.outcome);
        all.add(&verdict.outcome);
    }
    (areas, all)
}

/// One exchange, as an object of one line.
pub fn json(verdict: &Verdict) -> Value {
    let (result, difference) = match &verdict.outcome {
        Outcome::Agrees => ("agrees", Value::Null),
        Outcome::Differs(found) => ("differs", json!(found.join("; "))),
        Outcome::NotCovered(why) => ("not-covered", json!(why)),
    };
    json!({
        "scenario": verdict.scenario, "seq": verdict.seq, "result": result, "difference": difference, "call": verdict.call,
    })
}

/// One exchange, as a line; its differences below it.
pub fn text(verdict: &Verdict) -> String {
    let Verdict { scenario, seq, call, outcome } = verdict;
    let word = match outcome {
        Outcome::Agrees => "agrees     ",
        Outcome::Differs(_) => "differs    ",
        Outcome::NotCovered(_) => "not covered",
    };
    let mut out = format!("{word} {scenario}:{seq} {call}\n");
    match outcome {
        Outcome::Agrees => {}
        Outcome::Differs(found) => found.iter().for_each(|f| _ = writeln!(out, "              {f}")),
        Outcome::NotCovered(why) => _ = writeln!(out, "              {why}"),
    }
    out
}

/// The table of shares.
pub fn table(verdicts: &[Verdict]) -> String {
    let (areas, all) = shares(verdicts);
    let width = areas.keys().map(String::len).max().unwrap_or(0).max(4);
    let mut out =
        format!("{:<width$}  {:>6}  {:>7}  {:>11}  {:>7}\n", "area", "agrees", "differs", "not covered", "share");
    for (area, share) in areas.iter().map(|(a, s)| (a.as_str(), s)).chain([("all", &all)]) {
        let Share { agrees, differs, not_covered } = share;
        let _ =
            writeln!(out, "{area:<width$}  {agrees:>6}  {differs:>7}  {not_covered:>11}  {:>5.1} %", share.percent());
    }
    out
}
