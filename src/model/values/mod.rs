//! Values as people write them: a name, a size with a unit, an address with its prefix.
//!
//! Each is checked when it is read, is written back in one canonical spelling, and describes itself to editors.
//! Anything that holds one of these needs no further look at its shape.
mod auto;
mod checksum;
mod cidr;
mod host_name;
mod http_url;
mod mac;
mod name;
mod period;
mod port;
mod rate;
mod reference;
mod site_id;
mod size;
mod slug;
mod spelled;
mod vmid;
mod window;
mod word;

pub use auto::Auto;
pub use checksum::Checksum;
pub use cidr::{Cidr4, Cidr6, Network};
pub use host_name::{HostName, HostPattern};
pub use http_url::HttpUrl;
pub use mac::Mac;
pub use name::Name;
pub use period::Period;
pub use port::{Port, PortRange, PortTarget, Transport};
pub use rate::Rate;
pub use reference::{FileReference, Reference};
pub use site_id::SiteId;
pub use size::Size;
pub use slug::Slug;
pub(crate) use spelled::spelled;
pub use vmid::Vmid;
pub use window::Window;
pub use word::{AbsolutePath, Identifier};

#[cfg(test)]
mod tests;
