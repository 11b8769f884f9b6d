//! Container: an LXC guest.
mod address;
mod cpu_limit;
pub mod guest;
mod hostname;
mod os_type;
mod placement;
mod reach;
mod spec;
mod template;
#[cfg(test)]
pub(super) mod tests;
pub use address::{Address4, Address6};
pub use cpu_limit::CpuLimit;
pub use hostname::Hostname;
pub use os_type::OsType;
pub use placement::Placement;
pub use reach::Reach;
pub use spec::{
    Console, ConsoleMode, Container, Device, Dns, Feature, MountPoint, NetworkDevice, RestartPolicy, RootFs, Startup,
    State, Tag,
};
pub use template::TemplateSource;
