//! Systems that a person leaves out: `--without host`.
use crate::resources::System;
use clap::ValueEnum;
use std::collections::BTreeMap;

/// What can be left out, as people think of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Without {
    /// The node: nftables, Traefik's files and the insides of guests
    Host,
    /// Proxmox VE
    Proxmox,
    /// Cloudflare
    Cloudflare,
}

impl Without {
    fn systems(self) -> &'static [System] {
        match self {
            Self::Host => &[System::Nftables, System::Traefik, System::Guests],
            Self::Proxmox => &[System::Proxmox],
            Self::Cloudflare => &[System::Cloudflare],
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Proxmox => "proxmox",
            Self::Cloudflare => "cloudflare",
        }
    }
}

/// The words that stand beside everything that was left out.
pub(super) fn words(all: &[Without]) -> BTreeMap<System, String> {
    let each = |without: &Without| {
        let words = format!("left out (--without {})", without.word());
        without.systems().iter().map(move |system| (*system, words.clone())).collect::<Vec<_>>()
    };
    all.iter().flat_map(each).collect()
}
