//! Runs approved steps: each as soon as what it needs is done, within the limit of its system.
use super::{Estate, Event, Stop, graph::Graph};
use crate::{
    model::{Answer, Class, Failure, Step, StepId},
    plan::Approved,
    providers::remarks::hear,
    resources::{Change, Lane, System},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};

/// How a step ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Done {
        took: Duration,
        /// What the system said beside success, such as the warnings of a task.
        remarks: Vec<String>,
    },
    Failed {
        took: Duration,
        failure: Failure,
    },
    /// Something that it needs did not succeed; `by` is the root cause.
    Blocked {
        by: StepId,
    },
}

impl Outcome {
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }
}

/// The answers, how long it took, and what was said meanwhile.
type Ended = (Vec<(StepId, Answer<()>)>, Duration, Vec<String>);

/// One bad step does not stop the rest: what does not need it goes on. What was not begun when `stop` was asked for has no
/// outcome.
pub async fn execute<D: Send + Sync + 'static>(
    estate: &Arc<Estate<D>>,
    approved: Approved<Change>,
    stop: &Stop,
    tell: &(dyn Fn(Event<'_>) + Send + Sync),
) -> BTreeMap<StepId, Outcome> {
    let steps = approved.into_steps();
    let mut run = Run {
        graph: Graph::new(&steps),
        lanes: steps
            .iter()
            .map(|step| estate.resource(step).map(|r| r.lanes(&step.change)).unwrap_or_default())
            .collect(),
        used: BTreeMap::new(),
        index: steps.iter().enumerate().map(|(i, step)| (step.id.clone(), i)).collect(),
        steps,
        ready: BTreeMap::new(),
        awaited: BTreeMap::new(),
        done: BTreeMap::new(),
        outcomes: BTreeMap::new(),
    };
    for step in &run.steps {
        *run.awaited.entry(step.id.object.resource.to_string()).or_default() += 1;
    }
    let freed = run.graph.start();
    run.take(freed, estate, tell);
    let mut flying: JoinSet<Ended> = JoinSet::new();
    let mut busy: HashMap<tokio::task::Id, (System, Vec<usize>)> = HashMap::new();
    let mut load: BTreeMap<System, usize> = BTreeMap::new();
    loop {
        while !stop.is_asked()
            && let Some((system, batch)) = run.next_batch(estate, &load, busy.is_empty())
        {
            let steps: Vec<Step<Change>> = batch.iter().map(|i| run.steps[*i].clone()).collect();
            for step in &steps {
                tell(Event::Started { step });
            }
            let estate = estate.clone();
            let task = flying.spawn(async move {
                let began = Instant::now();
                let (answers, remarks) = hear(estate.run(steps)).await;
                (answers, began.elapsed(), remarks)
            });
            busy.insert(task.id(), (system, batch));
            *load.entry(system).or_default() += 1;
        }
        let Some(joined) = flying.join_next_with_id().await else { break };
        let (task, ended) = match joined {
            Ok((task, ended)) => (task, Ok(ended)),
            Err(error) => (error.id(), Err(error.to_string())),
        };
        let Some((system, batch)) = busy.remove(&task) else { continue };
        *load.entry(system).or_default() -= 1;
        run.settle(batch, ended, estate, tell);
    }
    run.outcomes
}

struct Run {
    steps: Vec<Step<Change>>,
    index: HashMap<StepId, usize>,
    graph: Graph,
    /// What each step shares with a few others, and how many steps that run now use each.
    lanes: Vec<Vec<Lane>>,
    used: BTreeMap<Lane, usize>,
    ready: BTreeMap<System, BTreeSet<usize>>,
    /// By resource: steps that are not ready yet.
    awaited: BTreeMap<String, usize>,
    /// By resource: steps that have ended.
    done: BTreeMap<String, usize>,
    outcomes: BTreeMap<StepId, Outcome>,
}

impl Run {
    /// Ready steps of one resource that fit into one call of a system that has room, as their lanes have. `idle`: nothing
    /// runs.
    fn next_batch<D: Send + Sync + 'static>(
        &mut self,
        estate: &Estate<D>,
        load: &BTreeMap<System, usize>,
        idle: bool,
    ) -> Option<(System, Vec<usize>)> {
        let chosen = self.choose(estate, load, false).or_else(|| idle.then(|| self.choose(estate, load, true))?);
        let (system, batch) = chosen?;
        if let Some(queue) = self.ready.get_mut(&system) {
            batch.iter().for_each(|i| _ = queue.remove(i));
        }
        for lane in batch.iter().flat_map(|i| &self.lanes[*i]) {
            *self.used.entry(lane.clone()).or_default() += 1;
        }
        Some((system, batch.into_iter().collect()))
    }

    /// Whether all lanes of a step have room.
    fn has_room(&self, step: usize) -> bool {
        self.lanes[step].iter().all(|lane| self.used.get(lane).is_none_or(|used| *used < lane.width))
    }

    fn choose<D: Send + Sync + 'static>(
        &self,
        estate: &Estate<D>,
        load: &BTreeMap<System, usize>,
        hurry: bool,
    ) -> Option<(System, BTreeSet<usize>)> {
        let has_room = |system: &System| load.get(system).copied().unwrap_or(0) < system.limit();
        for (system, queue) in self.ready.iter().filter(|(system, _)| has_room(system)) {
            let mut held: BTreeSet<&str> = BTreeSet::new();
            for first in queue {
                let resource = &*self.steps[*first].id.object.resource;
                if held.contains(resource) || !self.has_room(*first) {
                    continue;
                }
                let most = estate.resource(&self.steps[*first]).map_or(1, |resource| resource.batch());
                if most <= 1 {
                    return Some((*system, [*first].into()));
                }
                let same = queue.iter().copied().filter(|i| self.steps[*i].id.object.resource == resource);
                let batch: BTreeSet<usize> = same.take(most).collect();
                if hurry || batch.len() == most || self.is_worth_a_call(resource, batch.len()) {
                    return Some((*system, batch));
                }
                held.insert(resource);
            }
        }
        None
    }

    /// A call for a whole batch lists a whole table or zone, so the number of calls must not grow with the number of
    /// steps that become ready one by one. A batch waits until it is a quarter of what has been done before: a handful
    /// goes at once, a thousand in some thirty calls. It does not wait where no more can come.
    fn is_worth_a_call(&self, resource: &str, ready: usize) -> bool {
        let of = |counts: &BTreeMap<String, usize>| counts.get(resource).copied().unwrap_or(0);
        of(&self.awaited) == 0 || ready > of(&self.done) / 4
    }

    fn settle<D: Send + Sync + 'static>(
        &mut self,
        batch: Vec<usize>,
        ended: Result<Ended, String>,
        estate: &Estate<D>,
        tell: &(dyn Fn(Event<'_>) + Send + Sync),
    ) {
        let (answers, took, mut remarks, silent) = match ended {
            Ok((answers, took, remarks)) => (answers, took, remarks, "no answer came for this step".to_string()),
            Err(panic) => (vec![], Duration::ZERO, vec![], format!("its task broke off (a defect in trueup): {panic}")),
        };
        let mut by_step: BTreeMap<usize, Answer<()>> =
            answers.into_iter().filter_map(|(id, answer)| Some((*self.index.get(&id)?, answer))).collect();
        for i in batch {
            for lane in &self.lanes[i] {
                self.used.entry(lane.clone()).and_modify(|used| *used -= 1);
            }
            let id = self.steps[i].id.clone();
            let answer = by_step.remove(&i).unwrap_or_else(|| {
                Err(Failure::new(Class::UnknownOutcome, format!("run the step {id}"), silent.clone()))
            });
            let outcome = match answer {
                Ok(()) => Outcome::Done { took, remarks: std::mem::take(&mut remarks) },
                Err(failure) => Outcome::Failed { took, failure },
            };
            tell(Event::Ended { step: &self.steps[i], outcome: &outcome });
            let bad = (!outcome.is_done()).then(|| id.clone());
            *self.done.entry(id.object.resource.to_string()).or_default() += 1;
            self.outcomes.insert(id, outcome);
            let freed = self.graph.finish(i, bad.as_ref());
            self.take(freed, estate, tell);
        }
    }

    fn take<D: Send + Sync + 'static>(
        &mut self,
        freed: super::graph::Freed,
        estate: &Estate<D>,
        tell: &(dyn Fn(Event<'_>) + Send + Sync),
    ) {
        for i in freed.blocked.iter().map(|(i, _)| *i).chain(freed.ready.iter().copied()) {
            if let Some(awaited) = self.awaited.get_mut(&*self.steps[i].id.object.resource) {
                *awaited = awaited.saturating_sub(1);
            }
        }
        for (i, by) in freed.blocked {
            let outcome = Outcome::Blocked { by };
            tell(Event::Ended { step: &self.steps[i], outcome: &outcome });
            self.outcomes.insert(self.steps[i].id.clone(), outcome);
        }
        for i in freed.ready {
            let system = estate.resource(&self.steps[i]).map_or(System::Proxmox, |resource| resource.system());
            self.ready.entry(system).or_default().insert(i);
        }
    }
}
