//! A simulated site in one process, as strict as the real one.
pub mod authority;
pub mod cloudflare;
pub mod faults;
pub mod https;
pub mod proxmox;
pub mod store;
pub mod wire;
