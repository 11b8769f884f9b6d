//! Gateway: what the site shows to the world: public addresses, port range, guest networks, proxy.
mod guest_address;
mod spec;
pub mod table;
pub use guest_address::{GuestAddress, guest_address4, guest_address6};
pub use spec::{Gateway, HostPorts, Ports, Traefik};
