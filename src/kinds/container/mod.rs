//! Container: an LXC guest.
mod address;
pub mod guest;
mod hostname;
mod reach;
mod spec;
mod template;
#[cfg(test)]
pub(super) mod tests;
pub use address::{Address4, Address6};
pub use hostname::Hostname;
pub use reach::Reach;
pub use spec::{Container, Dns, Feature, MountPoint, NetworkDevice, RestartPolicy, RootFs, Startup, State, Tag};
pub use template::TemplateSource;
