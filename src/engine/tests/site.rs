//! The site: what exists, who looked, what was written, and what goes wrong.
use super::things::{Change, Live, SITE};
use crate::model::{Answer, Class, Failure, Foreign, Found, Mark, Ours, Revision};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

/// `room`, `101`.
pub type Place = (&'static str, String);

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    pub mark: Option<Mark>,
    pub live: Live,
    pub revision: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    Before,
    After,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// The call answers with a failure of this class.
    Fail(Class),
    /// From now on nothing answers: the process has been killed.
    Die,
    Panic,
}

/// Goes wrong at the nth write, or at each write whose line in the log begins so, at most so many times.
#[derive(Clone, Debug)]
pub enum At {
    Nth(usize),
    Line(&'static str, usize),
}

type Meddling = (String, fn(&mut State));

#[derive(Default)]
pub struct State {
    pub objects: BTreeMap<Place, Stored>,
    /// Writes that took effect: `room/101 make`.
    pub log: Vec<String>,
    /// Writes that were tried.
    pub tried: Vec<String>,
    /// Calls of the provider, with how many changes each carried.
    pub calls: Vec<(&'static str, usize)>,
    /// How often each resource was looked at as a whole.
    pub looks: BTreeMap<&'static str, usize>,
    pub blind: BTreeSet<&'static str>,
    /// Looking at it panics.
    pub broken: BTreeSet<&'static str>,
    pub faults: Vec<(At, When, How)>,
    pub dead: bool,
    /// Somebody else acts right before this write.
    pub meddling: Option<Meddling>,
    flying: BTreeMap<&'static str, usize>,
    pub peak: BTreeMap<&'static str, usize>,
    next: usize,
}

#[derive(Default)]
pub struct Site(Mutex<State>);

fn failure(class: Class, line: &str) -> Failure {
    Failure::new(class, line, "injected")
}

impl Site {
    pub fn state(&self) -> MutexGuard<'_, State> {
        // A driver that panics on purpose must not poison the rest of its test.
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// All is well again; what exists stays.
    pub fn heal(&self) {
        let mut state = self.state();
        *state = State { objects: std::mem::take(&mut state.objects), next: state.next, ..State::default() };
    }

    pub fn fault(&self, at: At, when: When, how: How) {
        self.state().faults.push((at, when, how));
    }

    pub fn keys(&self, resource: &str) -> Vec<String> {
        self.state().objects.keys().filter(|(name, _)| *name == resource).map(|(_, key)| key.clone()).collect()
    }

    pub fn read(&self, resource: &'static str) -> Answer<BTreeMap<String, Found<Live>>> {
        let state = self.state();
        if state.dead || state.blind.contains(resource) {
            return Err(failure(Class::Unreachable, &format!("read {resource}")));
        }
        let of = state.objects.iter().filter(|((name, _), _)| *name == resource);
        Ok(of.map(|((_, key), stored)| (key.clone(), found(stored))).collect())
    }

    pub fn look(&self, resource: &'static str, keys: &[String]) -> Answer<BTreeMap<String, Found<Live>>> {
        let state = self.state();
        if state.dead || state.blind.contains(resource) {
            return Err(failure(Class::Unreachable, &format!("look at {resource}")));
        }
        let there = keys.iter().filter_map(|key| Some((key, state.objects.get(&(resource, key.clone()))?)));
        Ok(there.map(|(key, stored)| (key.clone(), found(stored))).collect())
    }

    /// One call of a provider takes ten milliseconds.
    pub async fn call(&self, resource: &'static str, acts: Vec<(String, Mark, Change)>) -> Vec<Answer<()>> {
        {
            let mut state = self.state();
            state.calls.push((resource, acts.len()));
            let flying = state.flying.entry(resource).or_default();
            *flying += 1;
            let flying = *flying;
            let peak = state.peak.entry(resource).or_default();
            *peak = flying.max(*peak);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        let answers = acts.into_iter().map(|(key, mark, change)| self.write(resource, &key, mark, &change)).collect();
        if let Some(flying) = self.state().flying.get_mut(resource) {
            *flying -= 1;
        }
        answers
    }

    fn write(&self, resource: &'static str, key: &str, mark: Mark, change: &Change) -> Answer<()> {
        let mut state = self.state();
        let line = format!("{resource}/{key} {}", change.word());
        if state.dead {
            return Err(failure(Class::Unreachable, &line));
        }
        state.tried.push(line.clone());
        if let Some((_, meddle)) = state.meddling.take_if(|(at, _)| line.starts_with(&*at)) {
            meddle(&mut state);
        }
        state.suffer(When::Before, &line)?;
        state.effect(resource, key, mark, change)?;
        state.log.push(line.clone());
        state.suffer(When::After, &line)
    }
}

fn found(stored: &Stored) -> Found<Live> {
    let revision = Revision(stored.revision.to_string());
    let live = stored.live.clone();
    match &stored.mark {
        Some(mark) if mark.site == SITE => Found::Ours(Ours { mark: mark.clone(), revision, live }),
        _ => Found::Foreign(Foreign { holder: "somebody".into(), revision, live }),
    }
}

impl State {
    fn suffer(&mut self, when: When, line: &str) -> Answer<()> {
        let nth = self.tried.len();
        let hit = self.faults.iter_mut().find_map(|(at, at_when, how)| {
            let hit = *at_when == when
                && match at {
                    At::Nth(n) => *n == nth,
                    At::Line(head, times) => {
                        line.starts_with(*head) && times.checked_sub(1).map(|n| *times = n).is_some()
                    }
                };
            hit.then_some(*how)
        });
        match hit {
            None => Ok(()),
            Some(How::Fail(class)) => Err(failure(class, line)),
            Some(How::Die) => {
                self.dead = true;
                Err(failure(Class::Unreachable, line))
            }
            Some(How::Panic) => panic!("on purpose: {line}"),
        }
    }

    fn effect(&mut self, resource: &'static str, key: &str, mark: Mark, change: &Change) -> Answer<()> {
        let place = (resource, key.to_string());
        self.next += 1;
        let fresh = format!("{resource}-{}", self.next);
        let there = self.objects.get_mut(&place);
        let absent = || failure(Class::NotFound, key);
        match (change, there) {
            (Change::Make { .. }, Some(_)) => return Err(failure(Class::Conflict, key)),
            (Change::Make { content, links, matter }, None) => {
                // A line has its id at once; a room gets its address when it starts.
                let output = (resource == "line").then_some(fresh);
                let live = Live { content: content.clone(), links: links.clone(), matter: *matter, output };
                self.objects.insert(place, Stored { mark: Some(mark), live, revision: 1 });
            }
            (Change::Remove, Some(_)) => {
                self.objects.remove(&place);
            }
            (Change::Start, Some(stored)) => {
                stored.live.output = Some(fresh);
                stored.revision += 1;
            }
            (Change::Mark, Some(stored)) => {
                stored.mark = Some(mark);
                stored.revision += 1;
            }
            (Change::Set { content, links }, Some(stored)) => {
                // A moody object spells everything in its own way.
                let moody = if content == "moody" { "!" } else { "" };
                stored.live.content = format!("{content}{moody}");
                stored.live.links = links.clone();
                stored.mark = Some(mark);
                stored.revision += 1;
            }
            (_, None) => return Err(absent()),
        }
        Ok(())
    }
}
