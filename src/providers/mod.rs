//! One folder per foreign system: typed nouns and verbs, typed failures, no policy.
pub mod cloudflare;
pub mod host;
pub mod http;
pub mod nftables;
pub mod one_look;
pub mod proxmox;
pub mod remarks;
pub mod sandbox_connection;
pub mod secrets;
pub mod traefik;

use crate::model::{Answer, Class, Failure};

/// The systems that one site reaches. What it does not declare, or what cannot be connected to by configuration, is
/// `None`; a driver that finds `None` answers `Unavailable`, never an empty inventory.
#[derive(Clone, Default)]
pub struct Providers {
    pub proxmox: Option<proxmox::Proxmox>,
    /// The node, and through it the insides of its guests.
    pub host: Option<host::Host>,
    pub traefik: Option<traefik::Traefik>,
    pub secrets: secrets::Secrets,
    pub cloudflare: Option<cloudflare::Cloudflare>,
    /// Readings that are shared while one look at the site lasts; see [`Providers::for_one_look`].
    pub one_look: one_look::OneLook,
}

impl Providers {
    /// The same systems for one look at all of the site: what two resources read of them is read once.
    #[must_use]
    pub fn for_one_look(&self) -> Self {
        Self { one_look: one_look::OneLook::begun(), ..self.clone() }
    }

    /// The client of Cloudflare, or why there is none.
    ///
    /// # Errors
    /// `Unreachable` when the site declares no usable access to it.
    pub fn cloudflare(&self) -> Answer<&cloudflare::Cloudflare> {
        let why = "this site declares no usable access to it";
        self.cloudflare.as_ref().ok_or_else(|| Failure::new(Class::Unreachable, "reach Cloudflare", why))
    }
}
