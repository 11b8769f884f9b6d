//! Resources as small as they can be. A `door` needs and uses rooms; a `gem` is precious; of a `room` there is one per uid.
use crate::model::{Disruption, Draft, Field, ObjectId, Resource, Sides, Verb};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Debug)]
pub struct Toy<const N: usize>;
pub type Room = Toy<0>;
pub type Door = Toy<1>;
pub type Gem = Toy<2>;

pub const NAMES: [&str; 3] = ["room", "door", "gem"];

/// Sizes say what happens: with other hundreds the object is made anew, an 8 at the end asks for consent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Thing {
    pub size: u32,
    /// Of a desired thing: what it needs; of a live one: what it uses.
    pub links: Vec<ObjectId>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Change {
    Size(u32),
    Mark,
    Gone,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => write!(f, "size {size}"),
            Self::Mark => f.write_str("mark"),
            Self::Gone => f.write_str("gone"),
        }
    }
}

impl<const N: usize> Resource for Toy<N> {
    const NAME: &'static str = NAMES[N];
    const USES: &'static [&'static str] = if N == 1 { &["room"] } else { &[] };
    const PRECIOUS: bool = N == 2;
    const ONE_PER_UID: bool = N == 0;
    type Key = u32;
    type Desired = Thing;
    type Live = Thing;
    type Change = Change;

    fn diff(_: &u32, sides: Sides<'_, Thing, Thing>) -> Vec<Draft<Change>> {
        let set = |verb, wanted: &Thing| {
            let draft = Draft::new(verb, Change::Size(wanted.size));
            if wanted.size % 10 == 8 { draft.needs_consent("an 8 is unlucky") } else { draft }
        };
        match sides {
            Sides::OnlyDesired(wanted) => vec![set(Verb::Create, wanted).unsettles()],
            Sides::OnlyLive(_) => vec![Draft::new(Verb::Delete, Change::Gone).disrupts(Disruption::Data)],
            Sides::Both { desired, live, .. } if desired.size / 100 != live.size / 100 => vec![
                Draft::new(Verb::Delete, Change::Gone).disrupts(Disruption::Data),
                set(Verb::Create, desired).unsettles(),
            ],
            Sides::Both { desired, live, .. } if desired != live => {
                vec![set(Verb::Update, desired).fields(Field::differs("size", Some(live.size), Some(desired.size)))]
            }
            Sides::Both { stale_mark: true, .. } => vec![Draft::new(Verb::Update, Change::Mark)],
            Sides::Both { .. } => vec![],
            Sides::Adopt { desired, live } => {
                let mut drafts = vec![Draft::new(Verb::Adopt, Change::Mark)];
                if desired != live {
                    drafts.push(set(Verb::Update, desired));
                }
                drafts
            }
        }
    }

    fn needs(desired: &Thing) -> Vec<ObjectId> {
        desired.links.clone()
    }

    fn uses(live: &Thing) -> Vec<ObjectId> {
        live.links.clone()
    }

    fn remark(_: &Thing, live: &Thing) -> Option<String> {
        (live.size % 10 == 9).then(|| "a 9 is worth a word".into())
    }
}
