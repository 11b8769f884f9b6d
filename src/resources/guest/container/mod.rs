//! What only a container has: its settings, and where they differ.
mod desired;
mod remarks;
pub mod settings;
pub use desired::{Container, Disk, MountPoint};
pub use remarks::remarks;
