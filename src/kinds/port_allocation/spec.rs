//! What a person writes to give a guest public ports.
use crate::{
    kinds::declared::{Declarations, Declared, Spec},
    model::{Auto, Deletion, Name, Network, Port, PortTarget},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A block of the Gateway's public ports for a guest. Without `forwards`, the first port leads to the guest's 22/tcp, the
/// four after it to 10001/tcp to 10004/tcp, and the others to 10005/udp and up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "PortAllocation")]
pub struct PortAllocation {
    /// The guest: the name of a Container.
    pub guest: Name,
    /// The first port of the block: `auto`, which the lock file remembers, or a port of the Gateway's range at which a
    /// block begins.
    #[serde(default)]
    pub base: Auto<Port>,
    /// Where single ports lead to, instead of the default layout. Ports that are not listed lead nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwards: Option<Vec<Forward>>,
    /// Who may connect, for forwards with no list of their own. Empty: everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Network>,
}

/// One public port and where it leads.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Forward {
    /// Which port of the block, counted from 0.
    pub port: u16,
    /// The port of the guest, with the protocol.
    pub to: PortTarget,
    /// Who may connect. Empty: as the allocation says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Network>,
}

impl Spec for PortAllocation {
    const KIND: &'static str = "PortAllocation";
    const DELETION: Deletion = Deletion::Delete;
    const EXAMPLE: &'static str = include_str!("example.yaml");
    fn of(declarations: &Declarations) -> &BTreeMap<Name, Declared<Self>> {
        &declarations.port_allocations
    }
    fn of_mut(declarations: &mut Declarations) -> &mut BTreeMap<Name, Declared<Self>> {
        &mut declarations.port_allocations
    }
}
