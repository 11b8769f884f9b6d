//! DnsSlug: the short public name of a guest.
pub mod record;
mod spec;
pub use spec::{DnsSlug, Tls};
