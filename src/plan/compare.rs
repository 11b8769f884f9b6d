//! Ownership, absence and identity: decided here, once, for all resources.
use crate::model::{
    DeclarationId, Draft, Expect, Found, Impossible, Inventory, Loss, Mark, Mode, Note, ObjectId, Observation,
    Observed, Ours, Plan, Ready, Resource, Revision, Sides, Step, StepId, Uid, Verb, Wanted, Wants,
};
use crate::model::{Deletion, Disruption, Later};
use std::collections::{BTreeMap, BTreeSet};

/// The steps and the references of one resource, gathered before the order is drawn.
pub struct Part<C> {
    pub resource: &'static str,
    /// [`Resource::USES`].
    pub may_use: &'static [&'static str],
    /// [`Resource::PRECIOUS`].
    pub precious: bool,
    pub plan: Plan<C>,
    /// What each wanted object needs.
    pub needs: BTreeMap<ObjectId, Vec<ObjectId>>,
    /// What each live object of ours uses.
    pub uses: BTreeMap<ObjectId, Vec<ObjectId>>,
    /// Objects of ours that are live: what a guard counts against.
    pub population: usize,
    /// A digest of what is desired of each object, by which history tells a change in git from drift.
    pub desired: BTreeMap<ObjectId, Revision>,
}

/// What is settled about one key before the resource is asked for drafts.
struct Case<'a> {
    mark: &'a Mark,
    declared: Option<&'a DeclarationId>,
    expect: Expect,
    mode: Mode,
}
/// A case and the sides that the resource is asked about.
type Asked<'a, R> = (Case<'a>, Sides<'a, <R as Resource>::Desired, <R as Resource>::Live>);

/// The plan of one resource. `erase` turns its typed changes into what a joined plan holds.
pub fn compare<R: Resource, C>(wants: Wants<R>, observed: &Observed<R>, erase: impl Fn(&R::Change) -> C) -> Part<C> {
    let mut part = Part {
        resource: R::NAME,
        may_use: R::USES,
        precious: R::PRECIOUS,
        plan: Plan { conflicts: wants.conflicts, ..Plan::default() },
        needs: BTreeMap::new(),
        uses: BTreeMap::new(),
        population: 0,
        desired: BTreeMap::new(),
    };
    let live = match observed {
        Observation::Complete(live) => live,
        Observation::Unavailable { reason } => {
            let object = ObjectId { resource: R::NAME.into(), key: "*".into() };
            let text = format!("could not look: {reason}");
            part.plan.unseen.push(Note { object, declared: None, text, hint: None });
            return part;
        }
    };
    part.population = live.values().filter(|found| !matches!(found, Found::Foreign(_))).count();
    let stray = strays::<R>(&wants.wanted, live);
    // Wanted by two declarations: whichever came first was chosen by the alphabet, so neither is followed.
    let contested: BTreeSet<ObjectId> = part.plan.conflicts.iter().map(|note| note.object.clone()).collect();
    let keys: BTreeSet<&R::Key> = wants.wanted.keys().chain(live.keys()).collect();
    for key in keys {
        let id = R::id(key);
        let wanted = wants.wanted.get(key);
        let found = live.get(key);
        if let Some(Wanted::Ready(ready)) = wanted {
            let mut needs = R::needs(&ready.desired);
            if found.is_none() {
                needs.extend(R::made_from(&ready.desired));
            }
            part.needs.insert(id.clone(), needs);
            part.desired.insert(id.clone(), Revision::of(&ready.desired));
        }
        if let Some(ours) = found.and_then(Found::ours) {
            part.uses.insert(id.clone(), R::uses(&ours.live));
        }
        if let Some(note) = stray.get(key) {
            part.plan.conflicts.push(note.clone());
            continue;
        }
        if contested.contains(&id) {
            continue;
        }
        let Some((case, sides)) = case::<R, C>(&id, wanted, found, &mut part.plan) else { continue };
        if case.mode == Mode::Paused {
            continue;
        }
        let declared = case.declared.cloned();
        if let Sides::Both { desired, live, .. } = &sides
            && let Some(text) = R::remark(desired, live)
        {
            part.plan.remarks.push(Note { object: id.clone(), declared: declared.clone(), text, hint: None });
        }
        if let Sides::Both { desired, live, .. } | Sides::Adopt { desired, live } = &sides {
            let impossible = |wish| Impossible { object: id.clone(), declared: declared.clone(), wish };
            part.plan.impossible.extend(R::impossible(desired, live).into_iter().map(impossible));
        }
        let drafts = R::diff(key, sides);
        if drafts.is_empty() {
            *part.plan.unchanged.entry(R::NAME.into()).or_default() += 1;
        }
        push::<R, C>(&mut part.plan, id, case, drafts, &erase);
    }
    part
}

/// Decides what may be done under one key; `None` when there is nothing to ask the resource.
fn case<'a, R: Resource, C>(
    id: &ObjectId,
    wanted: Option<&'a Wanted<R::Desired>>,
    found: Option<&'a Found<R::Live>>,
    plan: &mut Plan<C>,
) -> Option<Asked<'a, R>> {
    let note = |declared: Option<&DeclarationId>, text: String, hint: Option<String>| Note {
        object: id.clone(),
        declared: declared.cloned(),
        text,
        hint,
    };
    match (wanted, found) {
        (None, None | Some(Found::Foreign(_))) => None,
        (Some(Wanted::Waiting(waiting)), found) => {
            plan.later.push(Later {
                object: id.clone(),
                declared: waiting.declared.clone(),
                verb: if found.is_some() { Verb::Update } else { Verb::Create },
                disrupts: Disruption::Interruption,
                on: waiting.on.clone(),
                sketch: waiting.sketch.clone(),
            });
            None
        }
        (wanted, Some(Found::Duplicates(all))) => {
            let declared = match wanted {
                Some(Wanted::Ready(ready)) => ready.mark.declared.as_ref(),
                _ => None,
            };
            let hint = "remove all but one of them by hand".to_string();
            plan.conflicts.push(note(declared, format!("there are several: {}", all.join(", ")), Some(hint)));
            None
        }
        (Some(Wanted::Ready(ready)), None) => {
            Some(of_ready::<R>(ready, Expect::Absent, Sides::OnlyDesired(&ready.desired)))
        }
        (None, Some(Found::Ours(ours))) => unwanted::<R, C>(ours, plan, note),
        (Some(Wanted::Ready(ready)), Some(Found::Ours(ours))) if ready.mark.same_owner(&ours.mark) => {
            let stale_mark = stale(&ready.mark, &ours.mark);
            let sides = Sides::Both { desired: &ready.desired, live: &ours.live, stale_mark };
            Some(of_ready::<R>(ready, Expect::Ours(ours.revision.clone()), sides))
        }
        (Some(Wanted::Ready(ready)), Some(Found::Ours(ours))) => {
            let owner = ours.mark.declared.as_ref().map_or_else(String::new, |d| format!(" ({d})"));
            let text = format!("carries the uid {}{owner}, but {} is wanted here", ours.mark.uid, ready.mark.uid);
            let hint = "if the manifest was renamed, say `trueup/renamed-from: OLD-NAME` in it".to_string();
            plan.conflicts.push(note(ready.mark.declared.as_ref(), text, Some(hint)));
            None
        }
        (Some(Wanted::Ready(ready)), Some(Found::Foreign(foreign))) if ready.adopt => {
            let sides = Sides::Adopt { desired: &ready.desired, live: &foreign.live };
            Some(of_ready::<R>(ready, Expect::Foreign(foreign.revision.clone()), sides))
        }
        (Some(Wanted::Ready(ready)), Some(Found::Foreign(foreign))) => {
            let hint = format!("to take it over, annotate the manifest with `trueup/adopt: \"{}\"`", id.key);
            let text = format!("is held by {}", foreign.holder);
            plan.conflicts.push(note(ready.mark.declared.as_ref(), text, Some(hint)));
            None
        }
    }
}

fn of_ready<'a, R: Resource>(
    ready: &'a Ready<R::Desired>,
    expect: Expect,
    sides: Sides<'a, R::Desired, R::Live>,
) -> Asked<'a, R> {
    (Case { mark: &ready.mark, declared: ready.mark.declared.as_ref(), expect, mode: ready.mode }, sides)
}

/// Ours, and no manifest wants it: what its mark says, because the manifest can no longer say anything.
fn unwanted<'a, R: Resource, C>(
    ours: &'a Ours<R::Live>,
    plan: &mut Plan<C>,
    note: impl Fn(Option<&DeclarationId>, String, Option<String>) -> Note,
) -> Option<Asked<'a, R>> {
    let declared = ours.mark.declared.as_ref();
    match ours.mark.deletion {
        Deletion::Delete => {
            let expect = Expect::Ours(ours.revision.clone());
            Some((Case { mark: &ours.mark, declared, expect, mode: Mode::Reconcile }, Sides::OnlyLive(&ours.live)))
        }
        Deletion::Retain => {
            let hint = "to have it removed, bring the manifest back with `trueup/deletion: delete`, reconcile, and \
                        remove it again";
            plan.orphans.push(note(declared, "no manifest wants it; kept (policy retain)".into(), Some(hint.into())));
            None
        }
        Deletion::Forbid => {
            let hint = "bring the manifest back, or change its `trueup/deletion` first";
            let text = "no manifest wants it, and its mark forbids deletion";
            plan.conflicts.push(note(declared, text.into(), Some(hint.into())));
            None
        }
    }
}

/// Whether the mark must be written anew. A mark without room for a name never differs by it.
fn stale(wanted: &Mark, live: &Mark) -> bool {
    wanted.deletion != live.deletion
        || wanted.serves != live.serves
        || live.declared.as_ref().is_some_and(|declared| Some(declared) != wanted.declared.as_ref())
}

/// Live objects that carry a uid which another object stands for: copies, or an object whose key was changed in its
/// manifest. Neither is ever touched.
fn strays<R: Resource>(wanted: &BTreeMap<R::Key, Wanted<R::Desired>>, live: &Inventory<R>) -> BTreeMap<R::Key, Note> {
    let mut out = BTreeMap::new();
    if !R::ONE_PER_UID {
        return out;
    }
    let mut holders: BTreeMap<&Uid, Vec<&R::Key>> = BTreeMap::new();
    for (key, found) in live {
        if let Some(ours) = found.ours() {
            holders.entry(&ours.mark.uid).or_default().push(key);
        }
    }
    let note = |key: &R::Key, declared: Option<&DeclarationId>, text: String, hint: &str| Note {
        object: R::id(key),
        declared: declared.cloned(),
        text,
        hint: Some(hint.into()),
    };
    let mut claimed: BTreeSet<&Uid> = BTreeSet::new();
    for (key, want) in wanted {
        let Wanted::Ready(ready) = want else { continue };
        claimed.insert(&ready.mark.uid);
        let Some(others) = holders.get(&ready.mark.uid) else { continue };
        let is_there = others.contains(&key);
        for other in others.iter().filter(|other| **other != key) {
            let (text, hint) = if is_there {
                (format!("carries the mark of {}: a copy of it", R::id(key)), "remove the stamp from the copy's notes")
            } else {
                let text = format!("is the object of this declaration, which now asks for {}", R::id(key));
                (text, "an id cannot be changed in place: put the old one back")
            };
            out.insert((*other).clone(), note(other, ready.mark.declared.as_ref(), text, hint));
        }
        if !is_there {
            let text = format!(
                "its uid is carried by {}",
                others.iter().map(|o| R::id(o).to_string()).collect::<Vec<_>>().join(", ")
            );
            let hint = "an id cannot be changed in place: put the old one back";
            out.insert(key.clone(), note(key, ready.mark.declared.as_ref(), text, hint));
        }
    }
    for (uid, keys) in holders {
        if keys.len() > 1 && !claimed.contains(uid) {
            for key in keys.iter().copied() {
                let text = "several objects carry one uid, so none is known to be the original".to_string();
                out.insert(key.clone(), note(key, None, text, "remove the stamp from the copies' notes"));
            }
        }
    }
    out
}

fn push<R: Resource, C>(
    plan: &mut Plan<C>,
    id: ObjectId,
    case: Case<'_>,
    drafts: Vec<Draft<R::Change>>,
    erase: &impl Fn(&R::Change) -> C,
) {
    let forbidden = |verb| {
        (verb == Verb::Delete && case.mark.deletion == Deletion::Forbid)
            .then(|| "it would have to be deleted and made anew, and its `trueup/deletion` is `forbid`".to_string())
    };
    let withheld = (case.mode == Mode::Observe).then(|| "the manifest says `trueup/mode: observe`".to_string());
    let mut expect = Some(case.expect);
    let mut previous: Option<StepId> = None;
    for (nth, draft) in (0u8..).zip(drafts) {
        let step = StepId { object: id.clone(), nth };
        let mut loses = draft.loses;
        if draft.verb == Verb::Delete {
            let name = case.declared.map_or_else(|| id.key.clone(), |declared| declared.name.clone());
            loses.insert(0, Loss { what: R::NAME.into(), name, uid: case.mark.uid.clone() });
        }
        plan.steps.push(Step {
            id: step.clone(),
            declared: case.declared.cloned(),
            verb: draft.verb,
            disrupts: draft.disrupts,
            unsettles: draft.unsettles,
            fields: draft.fields,
            loses,
            mark: case.mark.clone(),
            expect: expect.take().unwrap_or(Expect::AsLeft),
            blocked: forbidden(draft.verb),
            withheld: withheld.clone(),
            needs_consent: draft.needs_consent,
            within: draft.within,
            needs: previous.replace(step).into_iter().collect(),
            change: erase(&draft.change),
        });
    }
}

/// Whether a step belongs to making an object anew for which a person has to be asked: until then it stays, and others go on
/// with what it is.
fn makes_anew<C>(part: &Part<C>, step: &Step<C>) -> bool {
    let of_it = || part.plan.steps.iter().filter(|other| other.id.object == step.id.object);
    of_it().any(|s| s.needs_consent.is_some()) && of_it().any(|s| s.verb == Verb::Create)
}

/// What later resources may read of this one: without objects that this plan deletes or whose outputs it changes, and
/// without those that are in conflict. A step that the manifest's mode keeps back moves nothing: what is live stays.
pub fn settled<R: Resource, C>(observed: &Observed<R>, part: &Part<C>) -> Observed<R> {
    let moving: BTreeSet<&ObjectId> = part
        .plan
        .steps
        .iter()
        .filter(|step| step.withheld.is_none() && !makes_anew(part, step))
        .filter(|step| step.unsettles || step.verb == Verb::Delete)
        .map(|step| &step.id.object)
        .chain(part.plan.conflicts.iter().map(|note| &note.object))
        .collect();
    let mut view = observed.clone();
    if let Observation::Complete(all) = &mut view {
        all.retain(|key, _| !moving.contains(&R::id(key)));
    }
    view
}
