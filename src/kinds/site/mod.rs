//! Site: one datacenter, where its systems answer, and what holds for everything in it.
mod spec;
pub use spec::{Cloudflare, Defaults, Fingerprints, Host, Node, Proxmox, Site, SshHost};
