//! The I/O half of a resource; static dispatch, so no boxing here.
use crate::{
    model::{Answer, Inventory, Mark, Observed, Resource},
    providers::Providers,
};
use std::future::Future;

/// Where a resource's writes go. The executor keeps a limit for each, because each has its own budget.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum System {
    Proxmox,
    Nftables,
    Traefik,
    Cloudflare,
    /// Commands and files inside guests.
    Guests,
}

impl System {
    /// How many steps (or batches) may run at once.
    pub fn limit(self) -> usize {
        match self {
            // Most of a step is a task of the node, which is waited for; the client lets few calls through at a time.
            Self::Proxmox => 6,
            // One transaction at a time: the kernel serialises them anyway.
            Self::Nftables => 1,
            Self::Traefik => 4,
            Self::Cloudflare => 3,
            Self::Guests => 4,
        }
    }
}

/// Something that only a few steps may use at once, whatever else there is to do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Lane {
    pub name: String,
    pub width: usize,
}

/// One change about to be made.
#[derive(Debug)]
pub struct Act<'a, R: Resource> {
    pub key: &'a R::Key,
    /// What the object carries from now on.
    pub mark: &'a Mark,
    pub change: &'a R::Change,
    /// What the look right before showed, if the object is there.
    pub seen: Option<&'a R::Live>,
}

/// Observe everything; look at one thing right before a write; write.
pub trait Driver: Resource {
    const SYSTEM: System;
    /// How many ready steps one `apply_all` takes. 1: the resource has no batches.
    const BATCH: usize = 1;
    /// What the calls have to know that no key carries: site id, zone, account, which foreign keys are of interest. Made
    /// from the declarations by a pure function that stands beside the resource in the list of `kinds::registry`.
    type Scope: Send + Sync + 'static;

    /// What this change shares with a few others. A step whose lane is full is not begun, so that it looks when its turn has
    /// come, and what needs other lanes goes on.
    fn lanes(_change: &Self::Change) -> Vec<Lane> {
        vec![]
    }

    /// A failed, truncated or implausible read is `Unavailable`, never an empty inventory.
    fn observe(providers: &Providers, scope: &Self::Scope) -> impl Future<Output = Observed<Self>> + Send;

    /// These objects, fresh, right before a write. What is absent from the answer is proven absent.
    fn look(
        providers: &Providers,
        scope: &Self::Scope,
        keys: &[Self::Key],
    ) -> impl Future<Output = Answer<Inventory<Self>>> + Send;

    /// One change. It must be safe to call it again when its effect has happened already but the reply was lost.
    fn apply(providers: &Providers, scope: &Self::Scope, act: Act<'_, Self>)
    -> impl Future<Output = Answer<()>> + Send;

    /// Many changes in one call of the provider, with an answer for each, in order.
    fn apply_all(
        providers: &Providers,
        scope: &Self::Scope,
        acts: Vec<Act<'_, Self>>,
    ) -> impl Future<Output = Vec<Answer<()>>> + Send {
        async move {
            let mut answers = Vec::with_capacity(acts.len());
            for act in acts {
                answers.push(Self::apply(providers, scope, act).await);
            }
            answers
        }
    }
}
