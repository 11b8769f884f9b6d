//! What a person writes to name a template.
use crate::{
    kinds::declared::{Declarations, Declared, Spec},
    model::{Deletion, Identifier, Name},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A template from which guests are made. It has to be on the storage already; downloading one is not supported yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Template")]
pub struct Template {
    /// The storage that holds it.
    pub storage: Identifier,
    /// A template of containers.
    pub container: ContainerTemplate,
}

impl Template {
    /// The volume as Proxmox names it: `local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst`.
    pub fn volume(&self) -> String {
        format!("{}:vztmpl/{}", self.storage, self.container.file)
    }
}

/// A template of containers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerTemplate {
    /// The file's name on the storage, as in Proxmox's appliance index.
    pub file: Identifier,
}

impl Spec for Template {
    const KIND: &'static str = "Template";
    const DELETION: Deletion = Deletion::Delete;
    const EXAMPLE: &'static str = include_str!("example.yaml");
    fn of(declarations: &Declarations) -> &BTreeMap<Name, Declared<Self>> {
        &declarations.templates
    }
    fn of_mut(declarations: &mut Declarations) -> &mut BTreeMap<Name, Declared<Self>> {
        &mut declarations.templates
    }
}
