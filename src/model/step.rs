//! Plans as data: what is previewed is what runs.
use super::{DeclarationId, Mark, ObjectId, Revision, Uid, Window};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display},
};

/// What a step does to its object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Create,
    /// Take ownership of something that exists: writes the mark and nothing else.
    Adopt,
    Update,
    Restart,
    Delete,
}

impl Verb {
    /// `+ = ~ ! -`, as plans show it.
    pub fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Adopt => '=',
            Self::Update => '~',
            Self::Restart => '!',
            Self::Delete => '-',
        }
    }
}

impl Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Adopt => "adopt",
            Self::Update => "update",
            Self::Restart => "restart",
            Self::Delete => "delete",
        })
    }
}

/// What people notice while a step runs, from the mildest to the worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disruption {
    Nothing,
    /// The guest or service is restarted.
    Restart,
    /// Something stops being reachable.
    Interruption,
    /// Data is destroyed.
    Data,
}

impl Display for Disruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Restart => "a restart",
            Self::Interruption => "an interruption",
            Self::Data => "loss of data",
        })
    }
}

/// One field that differs, as text for people: secrets never get this far.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    /// What is live; `None`: not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What is desired; `None`: to be unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// When the change takes effect, where that is known of every single field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}

/// When the change of a field takes effect, and what it costs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// At once, in what runs.
    InPlace,
    /// It waits for the next start.
    AtRestart,
    /// At once, and there is no way back.
    GrowOnly,
    /// By destroying the object and making it anew.
    Replace,
}

impl Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InPlace => "in place",
            Self::AtRestart => "after a restart",
            Self::GrowOnly => "cannot shrink again",
            Self::Replace => "made anew",
        })
    }
}

impl Field {
    /// The field, if the two sides differ.
    pub fn differs(name: &str, from: Option<impl Display>, to: Option<impl Display>) -> Option<Self> {
        let (from, to) = (from.map(|v| v.to_string()), to.map(|v| v.to_string()));
        (from != to).then(|| Self { name: name.into(), from, to, effect: None })
    }
}

/// What people lose when a step has run: the guest, the owner of ports, the host name. Guards count these, not calls.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Loss {
    /// `guest`, `host name`, `owner of ports` …: a resource's name or a word for its part.
    pub what: String,
    pub name: String,
    pub uid: Uid,
}

/// What a resource says about one step; [`crate::plan::compare`] adds identity, expectation and order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft<C> {
    pub verb: Verb,
    pub disrupts: Disruption,
    /// What others read from this object (an address, an id) is not known before this step has run.
    pub unsettles: bool,
    /// What differs, for people.
    pub fields: Vec<Field>,
    /// Beyond the object itself (a delete always loses that): parts of it that people know by name.
    pub loses: Vec<Loss>,
    /// A reason to keep this step back unless a person consents to its object by name.
    pub needs_consent: Option<String>,
    /// It may run in this time of the week and in no other.
    pub within: Option<Window>,
    pub change: C,
}

impl<C> Draft<C> {
    /// A draft that disrupts nothing and loses nothing.
    pub fn new(verb: Verb, change: C) -> Self {
        Self {
            verb,
            disrupts: Disruption::Nothing,
            unsettles: false,
            fields: vec![],
            loses: vec![],
            needs_consent: None,
            within: None,
            change,
        }
    }
    pub fn disrupts(mut self, disruption: Disruption) -> Self {
        self.disrupts = disruption;
        self
    }
    pub fn unsettles(mut self) -> Self {
        self.unsettles = true;
        self
    }
    pub fn fields(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.fields.extend(fields);
        self
    }
    pub fn needs_consent(mut self, why: impl Into<String>) -> Self {
        self.needs_consent = Some(why.into());
        self
    }
    pub fn within(mut self, window: Option<Window>) -> Self {
        self.within = window;
        self
    }
}

/// `guest/101#0`: stable, so that two plans can be compared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct StepId {
    pub object: ObjectId,
    pub nth: u8,
}

impl Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.object, self.nth)
    }
}

impl From<StepId> for String {
    fn from(id: StepId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for StepId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let (object, nth) = text.rsplit_once('#').ok_or_else(|| format!("`{text}` has no step number"))?;
        let nth = nth.parse().map_err(|e| format!("`{text}`: {e}"))?;
        Ok(Self { object: object.to_string().try_into()?, nth })
    }
}

/// What the look right before a write must show.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    Absent,
    Ours(Revision),
    Foreign(Revision),
    /// As the previous step on this object left it: ours, at any revision.
    AsLeft,
}

/// One change of one object. `C` is the resource's own change, or its erased form outside the resource.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Step<C> {
    pub id: StepId,
    /// The declaration that wants or wanted it, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<DeclarationId>,
    pub verb: Verb,
    pub disrupts: Disruption,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsettles: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loses: Vec<Loss>,
    /// What the object carries from now on; of a delete: what it carries.
    pub mark: Mark,
    pub expect: Expect,
    /// It cannot run, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<String>,
    /// It may not run: the manifest's mode keeps it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
    /// It may run only with consent to this object, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_consent: Option<String>,
    /// It may run in this time of the week and in no other; until then the object stays as it is, and nothing waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Window>,
    /// Steps that must be done before it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub needs: BTreeSet<StepId>,
    pub change: C,
}

impl<C> Step<C> {
    /// The same step with another form of its change.
    pub fn map<T>(self, f: impl FnOnce(C) -> T) -> Step<T> {
        Step {
            id: self.id,
            declared: self.declared,
            verb: self.verb,
            disrupts: self.disrupts,
            unsettles: self.unsettles,
            fields: self.fields,
            loses: self.loses,
            mark: self.mark,
            expect: self.expect,
            blocked: self.blocked,
            withheld: self.withheld,
            needs_consent: self.needs_consent,
            within: self.within,
            needs: self.needs,
            change: f(self.change),
        }
    }
}

/// Wanted, seen by the person, but not sayable before something else is done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Later {
    pub object: ObjectId,
    pub declared: DeclarationId,
    pub verb: Verb,
    pub disrupts: Disruption,
    pub on: ObjectId,
    pub sketch: String,
}

/// Something to be told about an object that is no step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Note {
    pub object: ObjectId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<DeclarationId>,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What a manifest asks for and the real thing never does, whatever is done: a disk that is to shrink.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Impossible {
    pub object: ObjectId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<DeclarationId>,
    #[serde(flatten)]
    pub wish: Wish,
}

/// One value that cannot be had.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Wish {
    /// Where in `spec` it is asked for: `rootfs.size`, or an entry by its name, `disks.scsi0.size`.
    pub field: String,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub hint: String,
}

/// All that would be done, and all that would not, with the reason. The same input gives the same bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Plan<C> {
    /// In an order in which they can run.
    pub steps: Vec<Step<C>>,
    pub later: Vec<Later>,
    /// A key that is held by something that is not ours, or wanted twice.
    pub conflicts: Vec<Note>,
    /// Inventories that could not be looked at.
    pub unseen: Vec<Note>,
    /// Ours, without a manifest, kept by policy.
    pub orphans: Vec<Note>,
    /// Remarks on objects that stay as they are: a difference that policy leaves, a restart that is due.
    pub remarks: Vec<Note>,
    /// What will never be as it is asked for; everything else of those objects is done.
    #[serde(default)]
    pub impossible: Vec<Impossible>,
    /// How many objects of each resource are as they should be.
    pub unchanged: BTreeMap<String, usize>,
}

impl<C> Default for Plan<C> {
    fn default() -> Self {
        Self {
            steps: vec![],
            later: vec![],
            conflicts: vec![],
            unseen: vec![],
            orphans: vec![],
            remarks: vec![],
            impossible: vec![],
            unchanged: BTreeMap::new(),
        }
    }
}

impl<C> Plan<C> {
    /// Nothing to do, nothing to wait for, nothing in the way.
    pub fn in_true(&self) -> bool {
        self.steps.is_empty()
            && self.later.is_empty()
            && self.conflicts.is_empty()
            && self.unseen.is_empty()
            && self.impossible.is_empty()
    }
}
