//! A simulated Proxmox VE, as strict as the real one.
//!
//! Every request goes the way it goes there: pveproxy's rules about verbs and bodies (`front`), the token, the path in the
//! official method tree (`facts`), its `permissions` (`access`), its parameters (`schema`, `formats`, `property`), then the
//! endpoint (`api/…`, one file per family), which is refused when it did not look at all that it was given (`parameters`). Writes that take time answer a UPID and come into effect when their task ends
//! (`task`). What answers look like was taken from recorded exchanges with a real Proxmox VE 9.2.11; what a call accepts,
//! from the facts of 9.2.11 and 8.4.21.
mod access;
mod accounts;
mod api;
mod calendar;
mod call;
mod clock;
mod config_file;
mod cpu_models;
mod ext4;
mod facts;
mod form;
mod formats;
mod front;
mod given;
mod interfaces;
mod login;
mod named;
mod parameters;
mod property;
pub mod pveum;
mod refusal;
mod roles;
mod schema;
mod section;
mod seed;
mod simulator;
pub mod state;
mod storage_lock;
mod task;
mod timing;
mod vm_work;
mod world;

pub use clock::Clock;
pub use facts::Release;
pub use login::secret_sum;
pub use roles::privileges;
pub use seed::{Seed, SeedGuest, SeedNode, SeedStorage, SeedToken};
pub use simulator::{GuestView, NetworkView, Simulator};
pub use state::{Bridge, Conf, Guest, Kind, Lack, Page, Running, State};
pub use task::Task;
pub use timing::Timing;

#[cfg(test)]
mod tests;
