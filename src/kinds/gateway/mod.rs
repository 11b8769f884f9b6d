//! Gateway: what the site shows to the world: public addresses, port range, guest networks, proxy.
mod spec;
pub use spec::{Gateway, HostPorts, Ports, Traefik};
