//! THE list: what exists, in building order, and which declarations it comes from.
//!
//! Each resource may read the settled inventories of those above it; the order of the steps comes from `needs` and `uses`
//! alone. A new kind costs a folder and a word or a line here; a new resource one folder more.
use super::{container, declared::Declarations, sync_schedule};
use crate::resources::{
    AnyResource, Of,
    guest::Guest,
    guest_unit::{self, GuestUnit},
};

/// In building order.
pub const RESOURCES: &[&dyn AnyResource<Declarations>] = &[
    &Of::<Guest, _> { scope: container::guest::scope, from: &[container::guest::guest] },
    &Of::<GuestUnit, _> { scope: units, from: &[sync_schedule::timer::timer] },
];

/// What an observation of units has to know, from all kinds that yield any.
fn units(declarations: &Declarations) -> Option<guest_unit::Scope> {
    let site = declarations.site()?;
    let account = site.spec.cloudflare.as_ref().map(|cloudflare| cloudflare.account.clone());
    let mut scope = guest_unit::Scope { site: site.meta.name.to_string(), account, ..Default::default() };
    sync_schedule::timer::extend(&mut scope, declarations);
    Some(scope)
}
