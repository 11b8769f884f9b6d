//! DnsSlug: the short public name of a guest.
mod spec;
pub use spec::{DnsSlug, Tls};
