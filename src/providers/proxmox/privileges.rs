//! THE list of privileges: what each is needed for, and in which role it is. `trueup setup token` makes these roles, `trueup
//! doctor` asks for them, `docs/reference/privileges.md` is written from them, and `tests/access` takes each away and
//! watches what no longer works.
//!
//! A role is granted on the path where it is needed and nowhere else. Its names do not begin with `PVE`, which Proxmox
//! keeps for its own.
use super::release::{Feature, Release};
use std::{
    collections::BTreeSet,
    fmt::{self, Display},
};

/// A role that `trueup setup token` makes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// On `/vms`: to see all guests, and to make, change, switch and destroy ours.
    Guests,
    /// On `/vms`: what virtual machines need beyond that.
    Machines,
    /// On each storage with disks of guests.
    Disks,
    /// On each storage with templates.
    Templates,
    /// On each storage to which a Template is brought.
    Deliveries,
    /// On each node that downloads a Template from an address.
    Downloads,
    /// On each bridge, as Proxmox sees it: a part of the zone `localnetwork`.
    Network,
}

/// All of them.
pub const ROLES: &[Role] =
    &[Role::Guests, Role::Machines, Role::Disks, Role::Templates, Role::Deliveries, Role::Downloads, Role::Network];

/// One privilege in one role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Privilege {
    pub role: Role,
    pub name: &'static str,
    /// What cannot be done without it.
    pub for_what: &'static str,
    /// Releases without this feature do not have it; `None`: all have it.
    pub since: Option<Feature>,
    /// Releases with this feature do not have it any more.
    pub until: Option<Feature>,
}

const fn of(role: Role, name: &'static str, for_what: &'static str) -> Privilege {
    Privilege { role, name, for_what, since: None, until: None }
}

/// The same right by its two names.
const AGENT: Privilege =
    of(Role::Machines, "VM.GuestAgent.Audit", "addresses of a virtual machine, from its guest agent");

/// The list. Which call needs which privilege: `permissions` in the schemas of 9.2.11 and 8.4.21, and
/// `check_ct_modify_config_perm` in pve-container.
pub const PRIVILEGES: &[Privilege] = &[
    of(Role::Guests, "VM.Allocate", "making and destroying guests; the feature `nesting`"),
    of(
        Role::Guests,
        "VM.Audit",
        "seeing all guests: without it on all of `/vms`, a list may leave guests out, and nothing is written",
    ),
    of(Role::Guests, "VM.Config.CPU", "`cores`"),
    of(Role::Guests, "VM.Config.Disk", "the root disk and mount points: adding and growing them"),
    of(Role::Guests, "VM.Config.Memory", "`memory` and `swap`"),
    of(Role::Guests, "VM.Config.Network", "network devices, host name, name servers"),
    of(Role::Guests, "VM.Config.Options", "notes and tags, where our mark is; start on boot, start order, protection"),
    of(Role::Guests, "VM.PowerMgmt", "starting and stopping"),
    of(Role::Machines, "VM.Clone", "making a virtual machine from a template that is one"),
    of(Role::Machines, "VM.Config.CDROM", "the drive of cloud-init"),
    of(Role::Machines, "VM.Config.Cloudinit", "user, keys, addresses and name servers by cloud-init"),
    of(Role::Machines, "VM.Config.HWType", "machine type, firmware, display, controllers"),
    Privilege { since: Some(Feature::GuestAgentPrivileges), ..AGENT },
    Privilege { name: "VM.Monitor", until: Some(Feature::GuestAgentPrivileges), ..AGENT },
    of(Role::Disks, "Datastore.AllocateSpace", "making disks on this storage"),
    of(Role::Templates, "Datastore.Audit", "reading templates on this storage"),
    of(Role::Deliveries, "Datastore.AllocateTemplate", "bringing a `Template` to this storage"),
    of(Role::Downloads, "Sys.AccessNetwork", "letting this node download a `Template` from its `url`"),
    of(Role::Network, "SDN.Use", "putting network devices on this bridge"),
];

impl Privilege {
    /// Whether a release has it.
    pub fn is_in(&self, release: Release) -> bool {
        self.since.is_none_or(|feature| release.knows(feature))
            && !self.until.is_some_and(|feature| release.knows(feature))
    }
}

impl Role {
    /// Its name at Proxmox.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guests => "TrueupGuests",
            Self::Machines => "TrueupMachines",
            Self::Disks => "TrueupDisks",
            Self::Templates => "TrueupTemplates",
            Self::Deliveries => "TrueupDeliveries",
            Self::Downloads => "TrueupDownloads",
            Self::Network => "TrueupNetwork",
        }
    }

    /// What it holds in a release.
    pub fn privileges(self, release: Release) -> BTreeSet<&'static str> {
        PRIVILEGES.iter().filter(|p| p.role == self && p.is_in(release)).map(|p| p.name).collect()
    }

    /// The path on which it is granted where it holds for all that Proxmox has.
    pub const fn whole(self) -> &'static str {
        match self {
            Self::Guests | Self::Machines => "/vms",
            Self::Disks | Self::Templates | Self::Deliveries => "/storage",
            Self::Downloads => "/nodes",
            Self::Network => "/sdn/zones/localnetwork",
        }
    }
}

impl Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A role on a path, passed on to everything below.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Grant {
    pub path: String,
    pub role: Role,
}

impl Grant {
    /// A role on what this name stands for: a storage, a bridge.
    pub fn on(role: Role, name: &str) -> Self {
        Self { path: format!("{}/{name}", role.whole()), role }
    }
    /// A role on all that Proxmox has of it.
    pub fn whole(role: Role) -> Self {
        Self { path: role.whole().into(), role }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_something_and_nothing_twice() {
        for version in ["8.4", "9.2"] {
            let release: Release = version.parse().unwrap();
            for role in ROLES {
                assert!(!role.privileges(release).is_empty(), "{role} in {version}");
                assert!(!role.name().to_ascii_uppercase().starts_with("PVE"));
            }
        }
        let all: BTreeSet<_> = PRIVILEGES.iter().map(|p| (p.role, p.name)).collect();
        assert_eq!(all.len(), PRIVILEGES.len());
    }

    #[test]
    fn what_a_release_does_not_have_is_not_asked_of_it() {
        for (version, release) in [("8.4", crate::sandbox::proxmox::Release::V8_4_21), ("9.2", Default::default())] {
            let known = crate::sandbox::proxmox::privileges(release);
            for role in ROLES {
                for name in role.privileges(version.parse().unwrap()) {
                    assert!(known.contains(name), "{name} in {version}");
                }
            }
        }
    }
}
