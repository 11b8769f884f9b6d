//! The list of kinds. A new one costs its folder and a line here.
use super::{
    container::Container,
    declared::{Declarations, Declared, Origin, Spec},
    dns_slug::DnsSlug,
    gateway::Gateway,
    port_allocation::PortAllocation,
    site::Site,
    sync_schedule::SyncSchedule,
    template::Template,
    tunnel::Tunnel,
    virtual_machine::VirtualMachine,
};
use crate::{
    manifest::{Diagnostic, Document, Metadata, Segment, typed},
    model::Deletion,
};
use std::{collections::BTreeMap, sync::Arc};

/// A kind without its type, for what treats all kinds alike.
pub struct Kind {
    /// The kind, as manifests write it.
    pub name: &'static str,
    /// What happens to its objects when their manifest is gone, unless an annotation says otherwise.
    pub deletion: Deletion,
    /// A whole manifest that is right.
    pub example: &'static str,
    /// The schema of its `spec`, definitions collected in the generator.
    pub schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
    /// The document that an object was read from.
    pub(super) document: for<'a> fn(&'a Declarations, &str) -> Option<&'a Arc<Document>>,
    /// Reads `spec` and adds the object to the declarations. The caller has seen to it that the name is free.
    pub(super) read: fn(&Arc<Document>, Option<Metadata>, &mut Declarations, &mut Vec<Diagnostic>),
}

/// All kinds, in the order in which a site is built.
pub const KINDS: &[Kind] = &[
    kind::<Site>(),
    kind::<Gateway>(),
    kind::<Template>(),
    kind::<Container>(),
    kind::<VirtualMachine>(),
    kind::<PortAllocation>(),
    kind::<DnsSlug>(),
    kind::<Tunnel>(),
    kind::<SyncSchedule>(),
];

/// Kinds of the language that are not there yet.
pub(super) const PLANNED: [&str; 4] = ["Route", "DnsRecord", "Service", "ComposeStack"];

const fn kind<S: Spec>() -> Kind {
    Kind {
        name: S::KIND,
        deletion: S::DELETION,
        example: S::EXAMPLE,
        schema: |generator| S::json_schema(generator),
        document: |declarations, name| {
            let named = S::of(declarations).iter().find(|(own, _)| own.as_str() == name);
            named?.1.origin.0.as_ref()
        },
        read: read::<S>,
    }
}

fn read<S: Spec>(
    document: &Arc<Document>,
    meta: Option<Metadata>,
    declarations: &mut Declarations,
    found: &mut Vec<Diagnostic>,
) {
    let Some(spec) = document.value().get("spec").cloned() else { return };
    let path = [Segment::from("spec")];
    let spec: Option<S> = typed(document, &path, spec, example::<S>, found);
    let (Some(meta), Some(spec)) = (meta, spec) else { return };
    let place = document.value_spot(&["metadata".into(), "name".into()]).place();
    let declared = Declared { place, spec, uid: None, origin: Origin(Some(document.clone())), meta };
    S::of_mut(declarations).insert(declared.meta.name.clone(), declared);
}

/// The `spec` of the kind's example.
fn example<S: Spec>() -> serde_yaml::Value {
    let manifest: BTreeMap<String, serde_yaml::Value> = serde_yaml::from_str(S::EXAMPLE).unwrap_or_default();
    manifest.get("spec").cloned().unwrap_or_default()
}
