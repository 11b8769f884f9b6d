//! What people declare: one folder per kind, with what a person writes (`spec.rs`) and one pure file per resource that it yields.
pub mod allocation;
pub mod any_guest;
pub mod check;
pub mod cloudflare_scope;
pub mod container;
pub mod coverage;
pub mod declared;
pub mod dns_slug;
pub mod gateway;
mod generated;
pub mod grants;
pub mod guest;
pub mod import;
pub mod kind;
pub mod load;
pub mod port_allocation;
mod reference;
pub mod registry;
mod schema;
pub mod site;
pub mod sync_schedule;
pub mod template;
pub mod tunnel;
pub mod virtual_machine;

pub use any_guest::{AnyGuest, Device};
pub use declared::{Declarations, Declared, Spec};
pub use generated::{reference_files, schema_file, schema_files};
pub use kind::{KINDS, Kind};
pub use load::load;
pub use reference::reference_of;
pub use registry::RESOURCES;
pub use schema::{schema_of, schema_of_all};

#[cfg(test)]
mod tests;
