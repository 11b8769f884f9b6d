//! How a command reaches the site: really, or the sandbox in its place.
use super::{
    access,
    without::{self, Without},
};
use crate::{
    engine::Estate,
    kinds::{Declarations, RESOURCES},
    manifest::Diagnostic,
    model::Answer,
    providers::sandbox_connection::Connection,
    source::Tree,
};
use anyhow::Context;
use clap::Args;
use std::{path::PathBuf, sync::Arc};

/// Options of all commands that look at a site.
#[derive(Args, Debug)]
pub(super) struct Reach {
    /// Use the sandbox that runs in this directory: its endpoints, its credentials, its host
    #[arg(long, value_name = "DIR")]
    pub sandbox: Option<PathBuf>,
    /// Leave a system out: nothing of it is looked at or changed, and the output names what that is
    #[arg(long, value_name = "SYSTEM", value_enum)]
    pub without: Vec<Without>,
}

/// A site that can be looked at and changed.
pub(super) struct Reached {
    pub estate: Arc<Estate<Declarations>>,
    /// Sockets and keys of ssh, which go when this does.
    _room: Option<tempfile::TempDir>,
}

impl Reach {
    /// The connection of the sandbox, if one is wanted.
    ///
    /// # Errors
    /// When none runs there; the hint says how to start it.
    pub fn connection(&self) -> Answer<Option<Connection>> {
        self.sandbox.as_deref().map(Connection::read).transpose()
    }

    /// Connects the systems of the Site.
    ///
    /// # Errors
    /// All credentials that are missing, each at its place.
    pub async fn open(
        &self,
        declarations: Declarations,
        tree: &Tree,
        sandbox: Option<&Connection>,
    ) -> Result<Reached, Vec<Diagnostic>> {
        let access = access::open(&declarations, tree, sandbox, &self.without).await?;
        let without = without::words(&self.without);
        let estate = Estate { declarations, providers: access.providers, resources: RESOURCES, without };
        Ok(Reached { estate: Arc::new(estate), _room: access.room })
    }
}

impl Reached {
    /// The same systems for these declarations: those whose lock is complete.
    ///
    /// # Errors
    /// When something still works on the old ones, which would be a defect.
    pub fn with(self, declarations: Declarations) -> anyhow::Result<Self> {
        let estate = Arc::into_inner(self.estate).context("take back what the site was looked at with")?;
        Ok(Self { estate: Arc::new(Estate { declarations, ..estate }), _room: self._room })
    }
}
