//! Tunnel: host names that reach services of the site through Cloudflare, without a public address.
mod service;
mod spec;
pub use service::TunnelService;
pub use spec::{Connector, Ingress, Tunnel, TunnelMode};
