//! Identity travels with every write: a fresh look right before it, once, for all resources.
use super::{Act, Driver};
use crate::{
    model::{Answer, Class, Expect, Failure, Found, Inventory, Resource, Step, StepId, Verb},
    providers::Providers,
};
use std::{collections::BTreeMap, time::Duration};

/// Pauses before the second and the third attempt at something that may work soon.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(2)];

/// What the look allows.
enum Go<'a, L> {
    /// Write; this is what is there.
    Write(Option<&'a L>),
    /// The effect is there already: a reply was lost, or someone else removed it.
    Done,
}

fn admit<'a, R: Driver>(step: &Step<R::Change>, found: Option<&'a Found<R::Live>>) -> Answer<Go<'a, R::Live>> {
    let expected = match (&step.expect, found) {
        (Expect::Ours(_) | Expect::AsLeft, None) if step.verb == Verb::Delete => return Ok(Go::Done),
        (Expect::Absent, None) => return Ok(Go::Write(None)),
        (Expect::AsLeft, None) if step.verb == Verb::Create => return Ok(Go::Write(None)),
        (Expect::Absent | Expect::AsLeft, Some(Found::Ours(o)))
            if step.verb == Verb::Create && o.mark.same_owner(&step.mark) =>
        {
            return Ok(Go::Done);
        }
        (Expect::Ours(revision), Some(Found::Ours(o))) if o.mark.same_owner(&step.mark) && o.revision == *revision => {
            return Ok(Go::Write(Some(&o.live)));
        }
        (Expect::AsLeft, Some(Found::Ours(o))) if o.mark.same_owner(&step.mark) => return Ok(Go::Write(Some(&o.live))),
        (Expect::Foreign(revision), Some(Found::Foreign(f))) if f.revision == *revision => {
            return Ok(Go::Write(Some(&f.live)));
        }
        (Expect::Foreign(_), Some(Found::Ours(o))) if o.mark.same_owner(&step.mark) => return Ok(Go::Done),
        (Expect::Absent, _) => "nothing there",
        (Expect::Ours(_), _) => "our object as it was planned from",
        (Expect::Foreign(_), _) => "the object to adopt as it was planned from",
        (Expect::AsLeft, _) => "our object as the step before left it",
    };
    let there = match found {
        None => "nothing is there".to_string(),
        Some(Found::Ours(o)) if !o.mark.same_owner(&step.mark) => {
            format!("it belongs to {} of site {}", o.mark.uid, o.mark.site)
        }
        Some(Found::Ours(_)) => "it has changed since".to_string(),
        Some(Found::Foreign(f)) => format!("it is held by {}", f.holder),
        Some(Found::Duplicates(all)) => format!("there are several: {}", all.join(", ")),
    };
    Err(Failure::new(
        Class::Conflict,
        format!("{} {}", step.verb, step.id.object),
        format!("expected {expected}, but {there}"),
    )
    .hint("plan again; if it stays, see what else writes to it"))
}

/// Steps whose call gave no clear answer, with their keys and what was said instead.
type Unknown<R> = BTreeMap<StepId, (<R as Resource>::Key, Step<<R as Resource>::Change>, Failure)>;

/// Runs a batch of steps of one resource (one step is a batch of one), each after a fresh look. A failure that may pass
/// is tried again after a pause, with a fresh look; a lost reply is resolved by looking.
pub async fn perform<R: Driver>(
    providers: &Providers,
    scope: &R::Scope,
    steps: Vec<(R::Key, Step<R::Change>)>,
) -> Vec<(StepId, Answer<()>)> {
    let mut open = steps;
    let mut answers = Vec::with_capacity(open.len());
    for attempt in 0..=PAUSES.len() {
        if attempt > 0 {
            tokio::time::sleep(PAUSES[attempt - 1]).await;
        }
        let last = attempt == PAUSES.len();
        let keys: Vec<R::Key> = open.iter().map(|(key, _)| key.clone()).collect();
        let found: Inventory<R> = match R::look(providers, scope, &keys).await {
            Ok(found) => found,
            Err(failure) if failure.class.may_retry() && !last => continue,
            Err(failure) => {
                answers.extend(open.into_iter().map(|(_, step)| (step.id, Err(failure.clone()))));
                return answers;
            }
        };
        let mut acts = vec![];
        let mut acting = vec![];
        for (key, step) in open.drain(..) {
            match admit::<R>(&step, found.get(&key)) {
                Ok(Go::Done) => answers.push((step.id, Ok(()))),
                Ok(Go::Write(seen)) => acting.push((key, step, seen)),
                Err(failure) => answers.push((step.id, Err(failure))),
            }
        }
        for (key, step, seen) in &acting {
            acts.push(Act { key, mark: &step.mark, change: &step.change, seen: *seen });
        }
        let results = match acts.len() {
            0 => vec![],
            1 if R::BATCH == 1 => match acts.pop() {
                Some(act) => vec![R::apply(providers, scope, act).await],
                None => vec![],
            },
            _ => R::apply_all(providers, scope, acts).await,
        };
        let short = || {
            Err(Failure::new(
                Class::UnknownOutcome,
                "learn the outcome",
                "the provider gave fewer answers than changes",
            ))
        };
        let mut results = results.into_iter();
        let mut unknown = BTreeMap::new();
        let mut retry = vec![];
        for (key, step, _) in acting {
            match results.next().unwrap_or_else(short) {
                Err(failure) if failure.class.may_retry() && !last => retry.push((key, step)),
                Err(failure) if failure.class == Class::UnknownOutcome => {
                    unknown.insert(step.id.clone(), (key, step, failure));
                }
                answer => answers.push((step.id, answer)),
            }
        }
        answers.extend(resolve_unknown::<R>(providers, scope, unknown).await);
        if retry.is_empty() {
            return answers;
        }
        open = retry;
    }
    answers
}

/// A create whose reply was lost is found by its mark; a delete whose reply was lost is found by its absence. Anything
/// else stays unknown: the next wave looks again.
async fn resolve_unknown<R: Driver>(
    providers: &Providers,
    scope: &R::Scope,
    unknown: Unknown<R>,
) -> Vec<(StepId, Answer<()>)> {
    if unknown.is_empty() {
        return vec![];
    }
    let keys: Vec<R::Key> = unknown.values().map(|(key, ..)| key.clone()).collect();
    let found = R::look(providers, scope, &keys).await;
    unknown
        .into_iter()
        .map(|(id, (key, step, failure))| {
            let happened = match (&found, step.verb) {
                (Ok(found), Verb::Create | Verb::Adopt) => {
                    found.get(&key).and_then(Found::ours).is_some_and(|o| o.mark.same_owner(&step.mark))
                }
                (Ok(found), Verb::Delete) => !found.contains_key(&key),
                _ => false,
            };
            (id, if happened { Ok(()) } else { Err(failure) })
        })
        .collect()
}
