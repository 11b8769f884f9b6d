//! Tunnel: host names that reach services of the site through Cloudflare, without a public address.
pub mod cname;
pub mod configuration;
pub mod connector;
mod service;
mod spec;
#[cfg(test)]
mod tests;
#[allow(clippy::module_inception)]
pub mod tunnel;
pub use service::TunnelService;
pub use spec::{Connector, Ingress, Tunnel, TunnelMode};
