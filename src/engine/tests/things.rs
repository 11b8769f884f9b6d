//! Four resources of one shape, in building order. A `pipe` leads to the address of a room, which it has only when started;
//! a `line` leads into a room and gets its id from the site; a `sign` shows the id of a line.
use super::site::{Site, Write};
use crate::{
    model::{Answer, Disruption, Draft, Inventory, ObjectId, Observation, Observed, Resource, Sides, Verb},
    providers::Providers,
    resources::{Act, Driver, Lane, System},
};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

pub const SITE: &str = "test";

pub struct Thing<const N: usize>;
pub type Room = Thing<0>;
pub type Pipe = Thing<1>;
pub type Line = Thing<2>;
pub type Sign = Thing<3>;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Desired {
    pub content: String,
    pub links: Vec<ObjectId>,
    /// Cannot be changed in place.
    pub matter: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Live {
    pub content: String,
    pub links: Vec<ObjectId>,
    pub matter: u32,
    /// What others read: the address of a room, the id of a line.
    pub output: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Change {
    Make { content: String, links: Vec<ObjectId>, matter: u32 },
    Start,
    Set { content: String, links: Vec<ObjectId> },
    Mark,
    Remove,
}

impl Change {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Make { .. } => "make",
            Self::Start => "start",
            Self::Set { .. } => "set",
            Self::Mark => "mark",
            Self::Remove => "remove",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

fn make(wanted: &Desired) -> Change {
    Change::Make { content: wanted.content.clone(), links: wanted.links.clone(), matter: wanted.matter }
}

fn set(wanted: &Desired, live: &Live) -> Option<Draft<Change>> {
    let differs = wanted.content != live.content || wanted.links != live.links;
    let change = || Change::Set { content: wanted.content.clone(), links: wanted.links.clone() };
    differs.then(|| Draft::new(Verb::Update, change()).disrupts(Disruption::Interruption))
}

impl<const N: usize> Resource for Thing<N> {
    const NAME: &'static str = ["room", "pipe", "line", "sign"][N];
    const USES: &'static [&'static str] = match N {
        0 => &[],
        3 => &["line"],
        _ => &["room"],
    };
    const ONE_PER_UID: bool = N == 0;
    type Key = String;
    type Desired = Desired;
    type Live = Live;
    type Change = Change;

    fn diff(_: &String, sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
        let start = || Draft::new(Verb::Update, Change::Start).unsettles();
        let build = |wanted| {
            let made = Draft::new(Verb::Create, make(wanted)).unsettles();
            if N == 0 { vec![made, start()] } else { vec![made] }
        };
        let remove = || Draft::new(Verb::Delete, Change::Remove).disrupts(Disruption::Data);
        match sides {
            Sides::OnlyDesired(wanted) => build(wanted),
            Sides::OnlyLive(_) => vec![remove()],
            Sides::Both { desired, live, .. } if desired.matter != live.matter => {
                std::iter::once(remove()).chain(build(desired)).collect()
            }
            Sides::Both { desired, live, stale_mark } => {
                let mut drafts: Vec<_> = set(desired, live).into_iter().collect();
                if N == 0 && live.output.is_none() {
                    drafts.push(start());
                }
                if stale_mark && drafts.is_empty() {
                    drafts.push(Draft::new(Verb::Update, Change::Mark));
                }
                drafts
            }
            Sides::Adopt { desired, live } => {
                std::iter::once(Draft::new(Verb::Adopt, Change::Mark)).chain(set(desired, live)).collect()
            }
        }
    }

    fn needs(desired: &Desired) -> Vec<ObjectId> {
        desired.links.clone()
    }

    fn uses(live: &Live) -> Vec<ObjectId> {
        live.links.clone()
    }
}

fn write<const N: usize>(act: Act<'_, Thing<N>>) -> Write {
    Write { key: act.key.clone(), mark: act.mark.clone(), change: act.change.clone(), seen: act.seen.cloned() }
}

impl<const N: usize> Driver for Thing<N> {
    const SYSTEM: System = [System::Proxmox, System::Nftables, System::Cloudflare, System::Cloudflare][N];
    const BATCH: usize = [1, 8, 1, 4][N];
    type Scope = Arc<Site>;

    /// What goes through the narrow door goes one at a time.
    fn lanes(change: &Change) -> Vec<Lane> {
        match change {
            Change::Make { content, .. } if content == "narrow" => vec![Lane { name: "door".into(), width: 1 }],
            _ => vec![],
        }
    }

    async fn observe(_: &Providers, site: &Arc<Site>) -> Observed<Self> {
        *site.state().looks.entry(Self::NAME).or_default() += 1;
        assert!(!site.state().broken.contains(Self::NAME), "on purpose: looking at {}", Self::NAME);
        match site.read(Self::NAME) {
            Ok(all) => Observation::Complete(all),
            Err(failure) => Observation::unavailable(failure.to_string()),
        }
    }

    async fn look(_: &Providers, site: &Arc<Site>, keys: &[String]) -> Answer<Inventory<Self>> {
        site.look(Self::NAME, keys)
    }

    async fn apply(_: &Providers, site: &Arc<Site>, act: Act<'_, Self>) -> Answer<()> {
        site.call(Self::NAME, vec![write(act)]).await.remove(0)
    }

    async fn apply_all(_: &Providers, site: &Arc<Site>, acts: Vec<Act<'_, Self>>) -> Vec<Answer<()>> {
        site.call(Self::NAME, acts.into_iter().map(write).collect()).await
    }
}
