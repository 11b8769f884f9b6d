//! The volume that a template is.
use super::Template;
use crate::{
    kinds::{
        any_guest::AnyGuest,
        container::TemplateSource,
        declared::{Declarations, Declared},
        virtual_machine::ImageSource,
    },
    model::{Observed, Ready, Wanted, Wants},
    resources::{
        World,
        template_volume::{Desired, Scope, TemplateVolume},
    },
};
use std::collections::BTreeSet;

/// What an observation of volumes has to know. `None` without a Site.
pub fn scope(declarations: &Declarations) -> Option<Scope> {
    declarations.site()?;
    let mut scope = Scope::default();
    for declared in declarations.templates.values() {
        if let (Some(volume), Some(mark)) = (declared.spec.volume(), declarations.mark(declared, None)) {
            scope.wanted.insert(volume, (mark, nodes(declarations, declared)));
        }
    }
    Some(scope)
}

/// The volumes of all templates.
pub fn volume(declarations: &Declarations, _: &Observed<TemplateVolume>, _: &World) -> Wants<TemplateVolume> {
    let mut wants = Wants::default();
    for declared in declarations.templates.values() {
        let source = declared.spec.origin().and_then(super::Origin::source);
        // What is not whole here is a mistake that the check of the manifests reports; without a lock nothing is planned.
        let (Some(volume), Some(source), Some(mark)) =
            (declared.spec.volume(), source, declarations.mark(declared, None))
        else {
            continue;
        };
        let desired = Desired { nodes: nodes(declarations, declared), source };
        wants.add(volume, Wanted::Ready(Ready { mark, adopt: false, mode: declared.meta.mode, desired }));
    }
    wants
}

/// Where it is needed: where its manifest says, and where guests are made from it.
fn nodes(declarations: &Declarations, template: &Declared<Template>) -> BTreeSet<String> {
    let default = declarations.site().and_then(|site| site.spec.proxmox.defaults.node.clone());
    let name = &template.meta.name;
    let mut nodes: BTreeSet<String> = template.spec.nodes.iter().map(ToString::to_string).collect();
    for guest in declarations.containers.values() {
        if guest.spec.template == Some(TemplateSource::Declared(name.clone())) {
            nodes.extend(declarations.node(AnyGuest::Container(guest)));
        }
    }
    for guest in declarations.virtual_machines.values() {
        let image = Some(ImageSource::Declared(name.clone()));
        if guest.spec.disks.iter().any(|disk| disk.image == image) {
            nodes.extend(declarations.node(AnyGuest::Machine(guest)));
        }
    }
    if nodes.is_empty() {
        nodes.extend(default.map(|node| node.to_string()));
    }
    nodes
}
