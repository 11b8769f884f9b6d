//! The time of the simulated cluster.
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// Where a simulator takes the time from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The present, as it passes.
    System {
        /// Unix milliseconds at `since`.
        base: u64,
        since: Instant,
        /// Milliseconds that pass here in each of the runtime's.
        speed: u32,
    },
    /// A time that only moves when somebody waits: whoever waits is there at once. Unix milliseconds.
    Virtual(Arc<AtomicU64>),
}

impl Clock {
    /// The present.
    pub fn system() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::passing_from(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }

    /// A time that passes as the runtime's does, and begins at these Unix milliseconds.
    pub fn passing_from(base: u64) -> Self {
        Self::System { base, since: Instant::now(), speed: 1 }
    }

    /// A time in which everything takes as long as it does, and that passes so many times faster than the runtime's.
    pub fn hurried(speed: u32) -> Self {
        match Self::system() {
            Self::System { base, since, .. } => Self::System { base, since, speed: speed.max(1) },
            own @ Self::Virtual(_) => own,
        }
    }

    /// A time of one's own that begins at these Unix milliseconds.
    pub fn starting_at(now: u64) -> Self {
        Self::Virtual(Arc::new(AtomicU64::new(now)))
    }

    /// Unix milliseconds.
    pub fn now(&self) -> u64 {
        match self {
            Self::System { base, since, speed } => {
                let passed = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
                base + passed.saturating_mul((*speed).into()) / 1000
            }
            Self::Virtual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Waits until a time.
    pub async fn until(&self, time: u64) {
        match self {
            Self::System { speed, .. } => {
                tokio::time::sleep(Duration::from_millis(time.saturating_sub(self.now())) / *speed).await;
            }
            Self::Virtual(now) => {
                now.fetch_max(time, Ordering::SeqCst);
            }
        }
    }

    /// Waits for a number of milliseconds.
    pub async fn wait(&self, milliseconds: u64) {
        self.until(self.now() + milliseconds).await;
    }
}
