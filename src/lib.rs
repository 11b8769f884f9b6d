//! Trueup keeps a Proxmox site true to a git repository.
//!
//! The modules, in the order in which data flows; each may import only those below it (`tests/architecture.rs`).
#![forbid(unsafe_code)]

pub mod cli; // one file per command; output and exit codes; nothing decides here
pub mod controller; // the long-running loop
pub mod engine; // waves; the only code that runs steps; knows no kind
pub mod history; // the embedded database: passes, events; cache only
pub mod kinds; // what people declare; the one list of resources
pub mod ledger; // trueup.lock: allocations that git remembers
pub mod manifest; // documents with positions, diagnostics
pub mod model;
pub mod plan; // ownership, edges, guards, linter: pure
pub mod providers; // one folder per system: typed nouns and verbs, no policy
pub mod report; // a plan or a pass as text or JSON
pub mod resources; // what exists and can be changed on its own
pub mod sandbox; // a simulated site: stateful simulators of each provider behind real HTTPS
pub mod source; // git and directories: where manifests come from // the vocabulary: names, uids, steps, plans, inventories, failures
