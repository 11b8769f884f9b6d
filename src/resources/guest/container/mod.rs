//! What only a container has: its settings, and where they differ.
mod desired;
mod features;
mod networks;
mod remarks;
mod replacement;
mod root;
pub mod settings;
mod volumes;
pub use desired::{Container, Device, Disk, MountPoint, Origin};
pub use remarks::remarks;
pub use replacement::{kept, replacement};
pub use root::for_root;
pub use volumes::{mounts, shrunk};
