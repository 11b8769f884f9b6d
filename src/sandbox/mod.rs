//! A simulated site in one process, as strict as the real one.
pub mod cloudflare;
pub mod proxmox;
pub mod wire;
