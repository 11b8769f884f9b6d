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

/// What somebody else does right before the nth question (from 1), counted over all looks.
pub type Deed = (usize, Box<dyn FnOnce(&mut State) + Send>);

/// One change of one object, with what the look before it showed.
pub struct Write {
    pub key: String,
    pub mark: Mark,
    pub change: Change,
    pub seen: Option<Live>,
}

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
    pub deed: Option<Deed>,
    /// Looks that were tried, at a whole resource or at some of it.
    asked: BTreeMap<&'static str, usize>,
    /// This look (from 1) at this resource shows what the one before it showed.
    pub stale: Option<(&'static str, usize)>,
    /// What the last look at each resource could see; a stale one is answered from it.
    pub past: BTreeMap<&'static str, BTreeMap<String, Found<Live>>>,
    /// Stale answers that were not what is there.
    pub misled: usize,
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
        let objects = std::mem::take(&mut state.objects);
        let past = std::mem::take(&mut state.past);
        *state = State { objects, past, next: state.next, ..State::default() };
    }

    pub fn fault(&self, at: At, when: When, how: How) {
        self.state().faults.push((at, when, how));
    }

    pub fn keys(&self, resource: &str) -> Vec<String> {
        self.state().objects.keys().filter(|(name, _)| *name == resource).map(|(_, key)| key.clone()).collect()
    }

    pub fn read(&self, resource: &'static str) -> Answer<BTreeMap<String, Found<Live>>> {
        self.state().answer(resource, &format!("read {resource}"))
    }

    pub fn look(&self, resource: &'static str, keys: &[String]) -> Answer<BTreeMap<String, Found<Live>>> {
        let mut all = self.state().answer(resource, &format!("look at {resource}"))?;
        all.retain(|key, _| keys.contains(key));
        Ok(all)
    }

    /// One call of a provider takes ten milliseconds.
    pub async fn call(&self, resource: &'static str, writes: Vec<Write>) -> Vec<Answer<()>> {
        {
            let mut state = self.state();
            state.calls.push((resource, writes.len()));
            let flying = state.flying.entry(resource).or_default();
            *flying += 1;
            let flying = *flying;
            let peak = state.peak.entry(resource).or_default();
            *peak = flying.max(*peak);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        let answers = writes.into_iter().map(|write| self.write(resource, write)).collect();
        if let Some(flying) = self.state().flying.get_mut(resource) {
            *flying -= 1;
        }
        answers
    }

    fn write(&self, resource: &'static str, write: Write) -> Answer<()> {
        let mut state = self.state();
        let line = format!("{resource}/{} {}", write.key, write.change.word());
        if state.dead {
            return Err(failure(Class::Unreachable, &line));
        }
        state.tried.push(line.clone());
        if let Some((_, meddle)) = state.meddling.take_if(|(at, _)| line.starts_with(&*at)) {
            meddle(&mut state);
        }
        state.suffer(When::Before, &line)?;
        state.effect(resource, write)?;
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
    /// What a look at a resource shows: what is there, or what was there.
    fn answer(&mut self, resource: &'static str, attempted: &str) -> Answer<BTreeMap<String, Found<Live>>> {
        *self.asked.entry(resource).or_default() += 1;
        let (all, nth) = (self.asked.values().sum::<usize>(), self.asked[resource]);
        if let Some((_, deed)) = self.deed.take_if(|(nth, _)| *nth == all) {
            deed(self);
        }
        if self.dead || self.blind.contains(resource) {
            return Err(failure(Class::Unreachable, attempted));
        }
        let of = self.objects.iter().filter(|((name, _), _)| *name == resource);
        let now: BTreeMap<_, _> = of.map(|((_, key), stored)| (key.clone(), found(stored))).collect();
        match self.past.insert(resource, now.clone()) {
            Some(before) if self.stale == Some((resource, nth)) => {
                self.misled += usize::from(before != now);
                Ok(before)
            }
            _ => Ok(now),
        }
    }

    /// Puts something there that is not ours, in place of what is there.
    pub fn foreign(&mut self, resource: &'static str, key: &str) -> Stored {
        let live = Live { content: "theirs".into(), links: vec![], matter: 7, output: Some("theirs".into()) };
        let stored = Stored { mark: None, live, revision: 1 };
        self.objects.insert((resource, key.into()), stored.clone());
        stored
    }

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

    /// A write says what it was made for, as one with a digest does: where something else is there, it is refused.
    fn effect(&mut self, resource: &'static str, write: Write) -> Answer<()> {
        let Write { key, mark, change, seen } = write;
        let place = (resource, key.clone());
        self.next += 1;
        let fresh = format!("{resource}-{}", self.next);
        let there = self.objects.get_mut(&place);
        match (change, there) {
            (Change::Make { .. }, Some(_)) => return Err(failure(Class::Conflict, &key)),
            (_, Some(stored)) if seen.is_some_and(|seen| seen != stored.live) => {
                return Err(failure(Class::Conflict, &key));
            }
            (Change::Make { content, links, matter }, None) => {
                // A line has its id at once; a room gets its address when it starts.
                let output = (resource == "line").then_some(fresh);
                let live = Live { content, links, matter, output };
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
                stored.live.links = links;
                stored.mark = Some(mark);
                stored.revision += 1;
            }
            (_, None) => return Err(failure(Class::NotFound, &key)),
        }
        Ok(())
    }
}
