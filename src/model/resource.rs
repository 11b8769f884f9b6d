//! The pure half of what exists: what differs, what it needs, what it uses.
use super::{Draft, Found, ObjectId, Observation, Wish};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::{Debug, Display},
    str::FromStr,
};

/// All live objects of a resource under the keys that matter: ours, and the foreign ones that hold a wanted key.
pub type Inventory<R> = BTreeMap<<R as Resource>::Key, Found<<R as Resource>::Live>>;
/// An inventory, or the reason why it could not be looked at.
pub type Observed<R> = Observation<Inventory<R>>;

/// The pure half. No clock, randomness, I/O, logging: the same input gives the same bytes.
pub trait Resource: Sized + Send + Sync + 'static {
    /// `guest`, `dns-record`: how plans and commands name it.
    const NAME: &'static str;
    /// Resources whose objects this one may use ([`Resource::uses`]): while this resource cannot be seen, none of
    /// theirs is deleted.
    const USES: &'static [&'static str] = &[];
    /// Losing any of these is refused without consent, however few they are.
    const PRECIOUS: bool = false;
    /// One uid stands for one object, so a second object with the same uid is a copy that somebody made (a clone keeps
    /// its notes): it is reported and never changed or deleted.
    const ONE_PER_UID: bool = false;

    /// The smallest thing that the provider changes on its own. Its `Display` and `FromStr` round-trip.
    type Key: Clone + Ord + Display + FromStr<Err: Display> + Debug + Send + Sync;
    /// Everything filled in; nothing left to choose.
    type Desired: Clone + Eq + Debug + Send + Sync;
    /// In the same units and spelling as `Desired`.
    type Live: Clone + Eq + Debug + Send + Sync;
    /// One change as data, carrying every value that it writes. `Display` is one line for people. Maps in it have
    /// string keys (it is stored as JSON).
    type Change: Clone + Eq + Debug + Display + Serialize + DeserializeOwned + Send + Sync;

    /// The steps that make one object as desired, in order; none when nothing differs. They are chained: each runs only
    /// when the one before it is done.
    fn diff(key: &Self::Key, sides: Sides<'_, Self::Desired, Self::Live>) -> Vec<Draft<Self::Change>>;

    /// What must be there before this can be (order of building). A static reference belongs here rather than into
    /// `Waiting`: edges order both in one wave, and the step is blocked if the other one is neither there nor planned.
    fn needs(_desired: &Self::Desired) -> Vec<ObjectId> {
        vec![]
    }

    /// What must be there for this to be made, and not any more afterwards: the template of a guest. An object that is there
    /// goes on without it.
    fn made_from(_desired: &Self::Desired) -> Vec<ObjectId> {
        vec![]
    }

    /// What this live object uses, from its mark or content alone: those must outlive it (order of removal).
    fn uses(_live: &Self::Live) -> Vec<ObjectId> {
        vec![]
    }

    /// Something worth saying about an object that stays as it is: a difference that policy leaves, a restart due.
    fn remark(_desired: &Self::Desired, _live: &Self::Live) -> Option<String> {
        None
    }

    /// What is asked for and can never be.
    fn impossible(_desired: &Self::Desired, _live: &Self::Live) -> Vec<Wish> {
        vec![]
    }

    /// The object's name in plans and edges.
    fn id(key: &Self::Key) -> ObjectId {
        ObjectId { resource: Cow::Borrowed(Self::NAME), key: key.to_string() }
    }
}

/// Which sides of an object there are.
#[derive(Debug)]
pub enum Sides<'a, D, L> {
    /// To be created: first draft `Create`.
    OnlyDesired(&'a D),
    /// Ours and no longer wanted, and its mark allows deletion: drafts end in `Delete`; usually one.
    OnlyLive(&'a L),
    /// Ours and wanted. `stale_mark`: the mark must be written anew (its policy or what it serves has changed), so there
    /// must be at least one draft.
    Both { desired: &'a D, live: &'a L, stale_mark: bool },
    /// Foreign, and the manifest says `trueup/adopt`: first draft `Adopt`, which writes the mark alone; further drafts
    /// bring what differs.
    Adopt { desired: &'a D, live: &'a L },
}
