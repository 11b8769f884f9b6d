//! DnsSlug: the short public name of a guest.
pub mod record;
pub mod route;
mod spec;
pub use spec::{DnsSlug, Tls};
