//! Random small worlds, each from its seed, and what is looked for in them.
use super::{
    declared::{Specs, foreign, run},
    site::{Site, State},
};
use std::sync::Arc;

pub const WORLDS: u64 = 1_200;

/// A generator of Marsaglia (xorshift); the seed is spread first so that neighbours differ.
pub struct Chance(u64);

impl Chance {
    pub fn of(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// Says which seed it was when a test breaks.
pub struct Seed(pub u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the world of seed {}", self.0);
        }
    }
}

pub fn specs(chance: &mut Chance) -> Specs {
    let mut specs = Specs::default();
    for key in ["101", "102", "103", "104"] {
        if chance.below(3) > 0 {
            let content = chance.one(&["plain", "fancy"]);
            specs.rooms.insert(key.into(), (content.into(), chance.below(2) as u32));
        }
    }
    let rooms: Vec<String> = specs.rooms.keys().cloned().collect();
    for key in ["a", "b", "c"] {
        if !rooms.is_empty() && chance.below(3) > 0 {
            specs.pipes.insert(key.into(), rooms[chance.below(rooms.len())].clone());
        }
        if !rooms.is_empty() && chance.below(2) > 0 {
            specs.lines.insert(key.into(), rooms[chance.below(rooms.len())].clone());
        }
    }
    let lines: Vec<String> = specs.lines.keys().cloned().collect();
    for key in ["www", "api", "git"] {
        if !lines.is_empty() && chance.below(3) > 0 {
            specs.signs.insert(key.into(), lines[chance.below(lines.len())].clone());
        }
    }
    specs
}

/// Nothing that is published leads to something that is gone, or to what used to be there.
pub fn dangling(state: &State) -> Vec<String> {
    let mut out = vec![];
    for ((resource, key), stored) in &state.objects {
        for link in &stored.live.links {
            let target = state.objects.iter().find(|((name, key), _)| *name == link.resource && *key == link.key);
            match target {
                None => out.push(format!("{resource}/{key} leads to {link}, which is gone")),
                Some((_, target)) if matches!(*resource, "pipe" | "sign") => {
                    if target.live.output.as_ref() != Some(&stored.live.content) {
                        out.push(format!("{resource}/{key} leads to what {link} was"));
                    }
                }
                Some(_) => {}
            }
        }
    }
    out
}

/// A world that has converged once, with things in it that are not ours.
pub async fn grown(chance: &mut Chance) -> (Arc<Site>, Vec<(&'static str, &'static str)>) {
    let site = Arc::new(Site::default());
    let theirs = [("room", "999"), ("pipe", "theirs"), ("line", "theirs"), ("sign", "theirs")];
    for (resource, key) in theirs {
        foreign(&site, resource, key);
    }
    let report = run(&site, &specs(chance)).await;
    assert!(report.rest.in_true(), "{:?}", report.rest);
    site.heal();
    (site, theirs.to_vec())
}

pub fn foreign_untouched(site: &Site, theirs: &[(&'static str, &'static str)]) {
    for (resource, key) in theirs {
        let state = site.state();
        let stored = state.objects.get(&(*resource, key.to_string())).expect("foreign objects stay");
        assert!(stored.revision == 1 && stored.mark.is_none(), "{resource}/{key} was written to");
    }
}
