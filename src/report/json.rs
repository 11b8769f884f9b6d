//! The same for programs: one JSON object a line, each with `event`.
use super::{Exit, View, summary::done};
use crate::engine::{Event, Outcome, Report};
use serde_json::{Map, Value, json};

/// `{"event":"plan", …}`: the whole plan, what is withheld, and the refusal if a guard made one.
pub fn plan_json(view: &View<'_>) -> Value {
    let why: Map<String, Value> = view
        .why
        .iter()
        .map(|(object, why)| (object.to_string(), serde_json::to_value(why).unwrap_or(Value::Null)))
        .collect();
    let withheld: Vec<Value> =
        view.withheld.iter().map(|(id, why)| json!({ "step": id.to_string(), "reason": why })).collect();
    json!({
        "event": "plan",
        "plan": view.plan,
        "inTrue": view.plan.in_true(),
        "withheld": withheld,
        "refusal": view.refusal,
        "why": why,
    })
}

/// What happens while a pass runs.
pub fn event_json(event: &Event<'_>) -> Value {
    match event {
        Event::Observing { wave } => json!({ "event": "observing", "wave": wave }),
        Event::Observed { wave, took } => json!({ "event": "observed", "wave": wave, "ms": took.as_millis() }),
        Event::Applying { wave, steps, .. } => json!({ "event": "applying", "wave": wave, "steps": steps }),
        Event::Started { step } => {
            json!({ "event": "started", "step": step.id, "verb": step.verb, "declared": step.declared })
        }
        Event::Ended { step, outcome } => {
            let mut value = json!({ "event": "ended", "step": step.id, "verb": step.verb, "declared": step.declared });
            let more = match outcome {
                Outcome::Done { took, remarks } if remarks.is_empty() => {
                    json!({ "outcome": "done", "ms": took.as_millis() })
                }
                Outcome::Done { took, remarks } => {
                    json!({ "outcome": "done", "ms": took.as_millis(), "remarks": remarks })
                }
                Outcome::Failed { took, failure } => {
                    json!({ "outcome": "failed", "ms": took.as_millis(), "failure": failure })
                }
                Outcome::Blocked { by } => json!({ "outcome": "blocked", "by": by }),
            };
            if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
                value.extend(more);
            }
            value
        }
    }
}

/// The last line: totals, what is left, the exit code.
pub fn summary_json(report: &Report, exit: Exit) -> Value {
    let failed = report.outcomes().filter(|(_, outcome)| matches!(outcome, Outcome::Failed { .. })).count();
    let blocked = report.outcomes().filter(|(_, outcome)| matches!(outcome, Outcome::Blocked { .. })).count();
    let done: Map<String, Value> = done(report).into_iter().map(|(verb, n)| (verb.to_string(), n.into())).collect();
    json!({
        "event": "summary",
        "exit": exit as u8,
        "inTrue": report.rest.in_true(),
        "done": done,
        "failed": failed,
        "blocked": blocked,
        "refused": report.refusal.is_some(),
        "left": {
            "steps": report.rest.steps.len(),
            "later": report.rest.later.len(),
            "conflicts": report.rest.conflicts.len(),
            "impossible": report.rest.impossible.len(),
            "unseen": report.rest.unseen.len(),
            "orphans": report.rest.orphans.len(),
        },
        "waves": report.waves.len(),
        "ms": report.took.as_millis(),
    })
}
