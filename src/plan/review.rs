//! The guards: the only way from a plan to something that may be executed.
use super::{Consent, Shown, digest, lint};
use crate::model::{Expect, Loss, Plan, Step, StepId};
use std::collections::{BTreeMap, BTreeSet};

/// What the guards have to know beyond the plan.
#[derive(Clone, Debug, Default)]
pub struct Guards {
    /// Objects of ours that are live, by resource.
    pub populations: BTreeMap<String, usize>,
    /// Resources whose loss always needs consent.
    pub precious: BTreeSet<String>,
    pub consent: Consent,
    /// From the second wave on: what the first plan showed.
    pub shown: Option<Shown>,
    /// From the second wave on: whether the digest of the first plan was consented to.
    pub consented: bool,
    /// The moment by which times of the week are judged; without one, none has come.
    pub now: Option<jiff::Timestamp>,
}

/// Why nothing of a plan may run.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Refusal {
    pub reasons: Vec<String>,
    /// What would be lost, in full.
    pub losses: Vec<Loss>,
    /// `--consent` with this digest allows exactly these losses; `None`: no consent helps.
    pub digest: Option<String>,
}

/// The only thing that `execute` takes. Made by [`review`] alone.
pub struct Approved<C> {
    steps: Vec<Step<C>>,
    withheld: Vec<(StepId, String)>,
    blocked: Vec<(StepId, String)>,
    consented: bool,
}

impl<C> Approved<C> {
    /// The steps that may run, in order. Some may need one that is withheld or blocked; those do not run either.
    pub fn steps(&self) -> &[Step<C>] {
        &self.steps
    }
    /// Kept back by policy or for want of consent.
    pub fn withheld(&self) -> &[(StepId, String)] {
        &self.withheld
    }
    /// Cannot run.
    pub fn blocked(&self) -> &[(StepId, String)] {
        &self.blocked
    }
    /// Whether a person consented to exactly what this plan loses.
    pub fn consented(&self) -> bool {
        self.consented
    }
    pub fn into_steps(self) -> Vec<Step<C>> {
        self.steps
    }
}

/// Up to this many objects of one resource may go without consent, or a tenth of them, whichever is more.
const FEW: usize = 3;

/// Guards count what people lose, not calls. A refused plan runs not at all; a step that only lacks consent of its own
/// is withheld and the rest runs.
pub fn review<C>(plan: Plan<C>, guards: &Guards) -> Result<Approved<C>, Refusal> {
    let complaints = lint(&plan);
    if !complaints.is_empty() {
        let reasons = complaints.into_iter().map(|c| format!("the plan does not hold together: {c}")).collect();
        return Err(Refusal { reasons, losses: vec![], digest: None });
    }
    let losses: BTreeSet<&Loss> =
        plan.steps.iter().filter(|step| step.withheld.is_none()).flat_map(|step| &step.loses).collect();
    // Consent covers the list that it was given for and nothing else, so what needs consent of its own is on the list.
    let asking: Vec<Loss> = plan.steps.iter().filter_map(asks).collect();
    let digest = digest(&losses.iter().copied().chain(&asking).collect());
    let consented = guards.consented || guards.consent.digest.as_deref() == Some(&*digest);
    let open: BTreeSet<&Loss> = plan
        .steps
        .iter()
        .filter(|step| step.withheld.is_none() && !guards.consent.names(step))
        // Without consent of its own it does not run; what is precious is refused all the same.
        .filter(|step| step.needs_consent.is_none() || guards.precious.contains(&*step.id.object.resource))
        .flat_map(|step| &step.loses)
        .collect();
    let reasons = too_much(&open, guards);
    // Only a first wave is judged by numbers: later ones may delete nothing that it did not show, and would be counted
    // against a population that it has already diminished.
    if !consented && guards.shown.is_none() && !reasons.is_empty() {
        return Err(Refusal { reasons, losses: losses.into_iter().cloned().collect(), digest: Some(digest) });
    }
    let mut approved = Approved { steps: vec![], withheld: vec![], blocked: vec![], consented };
    // Objects of which a step is kept back although they are there and stay: the steps after it wait with it, and what other
    // objects need of them is there already.
    let mut staying: BTreeMap<StepId, String> = BTreeMap::new();
    for mut step in plan.steps {
        let before = step.needs.iter().find(|id| id.object == step.id.object).and_then(|id| staying.get(id)).cloned();
        if let Some(why) = before {
            staying.insert(step.id.clone(), why.clone());
            approved.withheld.push((step.id, why));
            continue;
        }
        step.needs.retain(|id| !staying.contains_key(id));
        let stays = step.expect != Expect::Absent && step.withheld.is_none() && step.blocked.is_none();
        let why_not = step.withheld.take().or_else(|| {
            if guards.shown.as_ref().is_some_and(|shown| !shown.covers(&step)) {
                return Some("it was not in the plan that was shown first; the next pass will show it".into());
            }
            if let Some(window) = step.within.as_ref().filter(|w| !guards.now.is_some_and(|now| w.contains(now))) {
                return Some(format!("it waits for {window}"));
            }
            let why = step.needs_consent.clone()?;
            let allowed = consented || guards.consent.names(&step);
            (!allowed).then(|| format!("{why}; `--consent {digest}` allows it"))
        });
        if let Some(why) = why_not.as_ref().filter(|_| stays && guards.shown.as_ref().is_none_or(|s| s.covers(&step))) {
            staying.insert(step.id.clone(), why.clone());
        }
        match (why_not, step.blocked.take()) {
            (_, Some(why)) => approved.blocked.push((step.id, why)),
            (Some(why), None) => approved.withheld.push((step.id, why)),
            (None, None) => approved.steps.push(step),
        }
    }
    Ok(approved)
}

/// What a step asks consent for, in the words of a loss.
fn asks<C>(step: &Step<C>) -> Option<Loss> {
    if step.withheld.is_some() {
        return None;
    }
    step.needs_consent.as_ref()?;
    let name = step.declared.as_ref().map_or_else(|| step.id.object.key.clone(), |declared| declared.name.clone());
    Some(Loss { what: format!("{} {}", step.verb, step.id), name, uid: step.mark.uid.clone() })
}

fn too_much(losses: &BTreeSet<&Loss>, guards: &Guards) -> Vec<String> {
    let mut by_kind: BTreeMap<&str, usize> = BTreeMap::new();
    for loss in losses {
        *by_kind.entry(&loss.what).or_default() += 1;
    }
    let mut reasons = vec![];
    for (what, lost) in by_kind {
        // A part of an object that people know by name (a host name of a tunnel) has no population of its own.
        let population = guards.populations.get(what).copied();
        let limit = FEW.max(population.unwrap_or(0) / 10);
        if guards.precious.contains(what) {
            reasons.push(format!("{lost} {what} would be lost, and losing any is never done without consent"));
            continue;
        }
        match population {
            Some(all) if lost > limit => {
                reasons.push(format!("{lost} of {all} {what} objects would be lost, more than {limit}"));
            }
            Some(all) if lost > 1 && lost >= all => reasons.push(format!("all {all} {what} objects would be lost")),
            None if lost > limit => reasons.push(format!("{lost} {what} would be lost, more than {limit}")),
            _ => {}
        }
    }
    reasons
}
