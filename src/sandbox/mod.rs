//! A simulated site in one process, as strict as the real one.
pub mod authority;
pub mod cloudflare;
pub mod control;
pub mod drift;
pub mod faults;
pub mod guests;
pub mod host;
pub mod https;
pub mod net;
pub mod nft_simulated;
pub mod proxmox;
pub mod replay;
pub mod seed;
pub mod serve;
pub mod site;
pub mod store;
pub mod systemd;
#[cfg(test)]
mod tests;
pub mod traefik;
mod view;
pub mod wire;
