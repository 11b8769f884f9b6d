//! What several resources read in one look at a site is read once: a listing of forty thousand forwards costs, and two lists
//! of the same guests, a moment apart, may not agree.
use super::{cloudflare, nftables, proxmox};
use crate::model::Answer;
use std::{future::Future, sync::Arc};
use tokio::sync::OnceCell;

/// The readings of one look at a site, which has one zone and one account. The default shares nothing: whoever looks right before
/// a write reads anew.
#[derive(Clone, Default)]
pub struct OneLook {
    pub guests: Shared<Vec<proxmox::Guest>>,
    pub table: Shared<Option<Arc<nftables::Table>>>,
    pub tunnels: Shared<Vec<cloudflare::Tunnel>>,
    pub records: Shared<Vec<cloudflare::Record>>,
}

impl OneLook {
    pub(super) fn begun() -> Self {
        Self { guests: Shared::begun(), table: Shared::begun(), tunnels: Shared::begun(), records: Shared::begun() }
    }
}

/// One reading, failed or not, for all who ask while the look lasts.
#[derive(Clone)]
pub struct Shared<T>(Option<Arc<OnceCell<Answer<T>>>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Clone> Shared<T> {
    fn begun() -> Self {
        Self(Some(Arc::default()))
    }

    /// What was read, or is being read, in this look; else `read`.
    ///
    /// # Errors
    /// Those of `read`, the same for everybody.
    pub async fn or(&self, read: impl Future<Output = Answer<T>>) -> Answer<T> {
        match &self.0 {
            Some(cell) => cell.get_or_init(|| read).await.clone(),
            None => read.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        model::{Class, Failure},
        providers::Providers,
    };
    use std::cell::Cell;

    #[tokio::test]
    async fn within_a_look_all_get_one_reading_and_beyond_it_each_its_own() {
        let reads = Cell::new(0);
        let read = async || {
            reads.set(reads.get() + 1);
            tokio::task::yield_now().await;
            if reads.get() == 1 { Err(Failure::new(Class::Transient, "list", "a hiccup")) } else { Ok(vec![]) }
        };
        let providers = Providers::default();
        let look = providers.for_one_look();
        let clone = look.clone();
        let (one, other) = tokio::join!(look.one_look.guests.or(read()), clone.one_look.guests.or(read()));
        assert!(one == other && one.is_err() && reads.get() == 1, "{one:?}, {other:?}");

        assert_eq!(providers.for_one_look().one_look.guests.or(read()).await, Ok(vec![]), "the next look is another");
        assert_eq!(reads.get(), 2);
        assert!(
            providers.one_look.guests.or(read()).await.is_ok() && providers.one_look.guests.or(read()).await.is_ok()
        );
        assert_eq!(reads.get(), 4, "without a look nothing is shared");
    }
}
