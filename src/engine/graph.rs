//! Who waits for whom, by index. Rescanning a list of ready steps is quadratic; counting what each still waits for is not.
use crate::model::{Step, StepId};
use std::collections::HashMap;

pub(super) struct Graph {
    waits: Vec<usize>,
    next: Vec<Vec<usize>>,
    /// The root cause for steps that can no longer run.
    blocked: Vec<Option<StepId>>,
}

#[derive(Default)]
pub(super) struct Freed {
    pub ready: Vec<usize>,
    pub blocked: Vec<(usize, StepId)>,
}

impl Graph {
    pub fn new<C>(steps: &[Step<C>]) -> Self {
        let index: HashMap<&StepId, usize> = steps.iter().enumerate().map(|(i, step)| (&step.id, i)).collect();
        let mut graph =
            Self { waits: vec![0; steps.len()], next: vec![vec![]; steps.len()], blocked: vec![None; steps.len()] };
        for (i, step) in steps.iter().enumerate() {
            for id in &step.needs {
                match index.get(id) {
                    Some(&j) => {
                        graph.waits[i] += 1;
                        graph.next[j].push(i);
                    }
                    // It is withheld or blocked, so whoever needs it is blocked.
                    None => {
                        graph.blocked[i].get_or_insert_with(|| id.clone());
                    }
                }
            }
        }
        graph
    }

    /// What can start at once, and what can never.
    pub fn start(&mut self) -> Freed {
        let mut freed = Freed::default();
        let roots: Vec<usize> = (0..self.waits.len()).filter(|i| self.waits[*i] == 0).collect();
        for i in roots {
            match self.blocked[i].clone() {
                None => freed.ready.push(i),
                Some(by) => {
                    freed.blocked.push((i, by.clone()));
                    let more = self.finish(i, Some(&by));
                    freed.blocked.extend(more.blocked);
                    freed.ready.extend(more.ready);
                }
            }
        }
        freed
    }

    /// A step has ended; `bad` is the root cause when it did not succeed.
    pub fn finish(&mut self, i: usize, bad: Option<&StepId>) -> Freed {
        let mut freed = Freed::default();
        let mut todo = vec![(i, bad.cloned())];
        while let Some((i, bad)) = todo.pop() {
            for k in self.next[i].clone() {
                self.waits[k] -= 1;
                if let Some(by) = &bad {
                    self.blocked[k].get_or_insert_with(|| by.clone());
                }
                if self.waits[k] > 0 {
                    continue;
                }
                match self.blocked[k].clone() {
                    Some(by) => {
                        freed.blocked.push((k, by.clone()));
                        todo.push((k, Some(by)));
                    }
                    None => freed.ready.push(k),
                }
            }
        }
        freed
    }
}
