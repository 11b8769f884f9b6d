//! Trueup keeps a Proxmox site true to a git repository.
//!
//! The modules, from the command line down to the vocabulary; each may import only those below it (`tests/architecture.rs`):
//!
//! * [`cli`]: one file per command; output and exit codes. Nothing is decided here.
//! * [`sandbox`]: a simulated site, stateful simulators of each provider behind real HTTPS.
//! * [`source`]: git and directories, where manifests come from.
//! * [`report`]: a plan or a pass as text or JSON.
//! * [`engine`]: waves, and the only code that runs steps. Knows no kind.
//! * [`kinds`]: what people declare, and the one list of resources.
//! * [`resources`]: what exists and can be changed on its own.
//! * [`providers`]: one folder per system, typed nouns and verbs, no policy.
//! * [`history`]: the embedded database of passes and events. A cache only.
//! * [`ledger`]: `trueup.lock`, the allocations that git remembers.
//! * [`manifest`]: documents with positions, and diagnostics.
//! * [`plan`]: ownership, edges, guards, linter. Pure.
//! * [`model`]: the vocabulary of names, uids, steps, plans, inventories and failures.
#![forbid(unsafe_code)]

pub mod cli;
pub mod engine;
pub mod history;
pub mod kinds;
pub mod ledger;
pub mod manifest;
pub mod model;
pub mod plan;
pub mod providers;
pub mod report;
pub mod resources;
pub mod sandbox;
pub mod source;
