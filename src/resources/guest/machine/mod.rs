//! What only a virtual machine has: its settings, and where they differ. What nobody speaks of stays.
mod card;
mod desired;
pub mod disk;
pub mod options;
mod remarks;
pub mod settings;
#[cfg(test)]
mod tests;
pub use card::Card;
pub use desired::{Disk, Drive, Machine, Origin, Seen};
pub use disk::is_cloud_drive;
pub use remarks::{remarks, shrunk};
