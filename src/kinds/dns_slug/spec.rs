//! What a person writes to give a guest a public name.
use crate::{
    kinds::declared::{Declarations, Declared, Spec},
    model::{Auto, Deletion, Name, Slug},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The short public name of a guest, `{slug}.{site}.{domain}`: DNS records to the Gateway's public addresses, and HTTPS
/// routed to the guest by that name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "DnsSlug")]
pub struct DnsSlug {
    /// The guest: the name of a Container.
    pub guest: Name,
    /// The slug: `auto`, six characters that the lock file remembers, or a DNS label of your own.
    #[serde(default)]
    pub slug: Auto<Slug>,
    /// Whether the guest ends TLS itself.
    #[serde(default)]
    pub tls: Tls,
}

/// Who ends TLS.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Tls {
    /// The guest, with its own certificate; the proxy only reads the name.
    #[default]
    Passthrough,
    /// The proxy. Not supported yet.
    Terminate,
}

impl Spec for DnsSlug {
    const KIND: &'static str = "DnsSlug";
    const DELETION: Deletion = Deletion::Delete;
    const EXAMPLE: &'static str = include_str!("example.yaml");
    fn of(declarations: &Declarations) -> &BTreeMap<Name, Declared<Self>> {
        &declarations.dns_slugs
    }
    fn of_mut(declarations: &mut Declarations) -> &mut BTreeMap<Name, Declared<Self>> {
        &mut declarations.dns_slugs
    }
}
