//! One folder per foreign system: typed nouns and verbs, typed failures, no policy.
pub mod cloudflare;
pub mod host;
pub mod http;
pub mod nftables;
pub mod proxmox;
pub mod sandbox_connection;
pub mod traefik;
