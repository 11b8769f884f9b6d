//! VirtualMachine: a QEMU guest.
pub mod guest;
mod image;
mod slot;
mod spec;
#[cfg(test)]
mod tests;
pub use image::ImageSource;
pub use slot::{CardSlot, DiskSlot};
pub use spec::{
    Agent, Bios, Cache, Card, CloneSource, CloudInit, CloudInitType, Cpu, Disk, EfiDisk, Format, Model, Snippets, Tpm,
    VirtualMachine,
};
