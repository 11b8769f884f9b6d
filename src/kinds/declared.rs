//! What people declared, by kind and name.
use super::{
    KINDS, container::Container, dns_slug::DnsSlug, gateway::Gateway, port_allocation::PortAllocation, site::Site,
    sync_schedule::SyncSchedule, template::Template, tunnel::Tunnel, virtual_machine::VirtualMachine,
};
use crate::{
    ledger::{Block, Lock},
    manifest::{Document, Metadata, Place, Segment, Spot},
    model::{DeclarationId, Deletion, Mac, Mark, Name, Slug, Uid, Vmid},
};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// The spec of a kind: what a person writes under `spec`.
pub trait Spec: Serialize + DeserializeOwned + JsonSchema + Clone + PartialEq + fmt::Debug + 'static {
    /// The kind, as manifests write it.
    const KIND: &'static str;
    /// What happens to the object when its manifest is gone, unless an annotation says otherwise.
    const DELETION: Deletion;
    /// A whole manifest that is right: shown in the reference, and put in the place of wrong parts while looking for further mistakes.
    const EXAMPLE: &'static str;
    /// All declared objects of the kind.
    fn of(declarations: &Declarations) -> &BTreeMap<Name, Declared<Self>>;
    /// All declared objects of the kind, to be added to.
    fn of_mut(declarations: &mut Declarations) -> &mut BTreeMap<Name, Declared<Self>>;
}

/// What people declared, by kind and name. Checked: references lead somewhere, nothing is given twice.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Declarations {
    pub sites: BTreeMap<Name, Declared<Site>>,
    pub gateways: BTreeMap<Name, Declared<Gateway>>,
    pub templates: BTreeMap<Name, Declared<Template>>,
    pub containers: BTreeMap<Name, Declared<Container>>,
    pub virtual_machines: BTreeMap<Name, Declared<VirtualMachine>>,
    pub port_allocations: BTreeMap<Name, Declared<PortAllocation>>,
    pub dns_slugs: BTreeMap<Name, Declared<DnsSlug>>,
    pub tunnels: BTreeMap<Name, Declared<Tunnel>>,
    pub sync_schedules: BTreeMap<Name, Declared<SyncSchedule>>,
    /// What git remembers of them; empty before [`crate::kinds::allocation::fill`].
    pub lock: Lock,
}

impl Declarations {
    /// The one Site. It is missing only where loading reported an error.
    pub fn site(&self) -> Option<&Declared<Site>> {
        self.sites.values().next()
    }

    /// The one Gateway, if there is one.
    pub fn gateway(&self) -> Option<&Declared<Gateway>> {
        self.gateways.values().next()
    }
}

impl Declarations {
    /// Where a field of an object's `spec` stands, `rootfs.size`, or what is nearest to it where it is not written.
    pub fn spot(&self, object: &DeclarationId, field: &str) -> Option<Spot> {
        let kind = KINDS.iter().find(|kind| kind.name == object.kind)?;
        let document = (kind.document)(self, &object.name)?;
        Some(document.value_spot(&Segment::path(&format!("spec.{field}"))))
    }
}

/// What the lock says of declared objects. `None` before the lock was read into them.
impl Declarations {
    /// The ownership mark of what a declaration yields. `serves`: the uid of what the object is for, where it has one.
    pub fn mark<S: Spec>(&self, declared: &Declared<S>, serves: Option<Uid>) -> Option<Mark> {
        Some(Mark {
            site: self.site()?.meta.name.to_string(),
            uid: declared.uid.clone()?,
            serves,
            deletion: declared.meta.deletion,
            declared: Some(declared.id()),
        })
    }

    /// The id of a guest.
    pub fn vmid<S: Spec>(&self, declared: &Declared<S>) -> Option<Vmid> {
        Vmid::try_from(self.lock.objects.get(&declared.id())?.vmid?).ok()
    }

    /// What `hwaddr: auto` of an interface became. `None` also for what is adopted: it keeps the address that it has.
    pub fn mac<S: Spec>(&self, declared: &Declared<S>, interface: &str) -> Option<Mac> {
        self.lock.objects.get(&declared.id())?.macs.get(interface).copied()
    }

    /// The ports of an allocation.
    pub fn block(&self, declared: &Declared<PortAllocation>) -> Option<&Block> {
        self.lock.objects.get(&declared.id())?.block.as_ref()
    }

    /// The slug of a guest's public name.
    pub fn slug(&self, declared: &Declared<DnsSlug>) -> Option<&Slug> {
        self.lock.objects.get(&declared.id())?.slug.as_ref()
    }
}

/// One declared object.
#[derive(Clone, PartialEq, Debug)]
pub struct Declared<S> {
    pub meta: Metadata,
    pub spec: S,
    /// Where its name stands.
    pub place: Place,
    /// Its identity; filled in from the lock file, nothing before.
    pub uid: Option<Uid>,
    pub origin: Origin,
}

impl<S: Spec> Declared<S> {
    /// `Container/web`.
    pub fn id(&self) -> DeclarationId {
        DeclarationId::new(S::KIND, self.meta.name.as_str())
    }

    /// Where a field stands, or what is nearest to it where it is not written: `spec.rootfs.size`.
    pub fn place_of(&self, path: &str) -> Place {
        self.origin.0.as_ref().map_or_else(|| self.place.clone(), |document| document.place(path))
    }
}

/// The document that an object was read from. Says where things stand, not what they are: all origins are equal.
#[derive(Clone, Default)]
pub struct Origin(pub Option<Arc<Document>>);

impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Origin")
    }
}
