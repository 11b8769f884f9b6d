//! A simulated site in one process, as strict as the real one.
pub mod authority;
pub mod cloudflare;
pub mod faults;
pub mod guests;
pub mod host;
pub mod https;
pub mod net;
pub mod nft_simulated;
pub mod proxmox;
pub mod store;
pub mod systemd;
pub mod traefik;
pub mod wire;
