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
    /// On `/vms`, where a virtual machine says what it is made of.
    Machines,
    /// On `/vms`, where a virtual machine is made as a copy. Not on the source alone: what is granted there would hide what is
    /// granted above.
    Clones,
    /// On `/vms`, where cloud-init is spoken of.
    CloudInit,
    /// On `/vms`, where a virtual machine has a guest agent.
    Agents,
    /// On each pool that a guest is to be a member of.
    Pools,
    /// On each node among which one is chosen by free memory.
    Placement,
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
    /// On `/` and nothing below, where a virtual machine has a place in the order of starting.
    StartOrder,
    /// On `/` and nothing below, where a container is privileged.
    Privileged,
}

/// All of them.
pub const ROLES: &[Role] = &[
    Role::Guests,
    Role::Machines,
    Role::Clones,
    Role::CloudInit,
    Role::Agents,
    Role::Pools,
    Role::Placement,
    Role::Disks,
    Role::Templates,
    Role::Deliveries,
    Role::Downloads,
    Role::Network,
    Role::StartOrder,
    Role::Privileged,
];

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
    of(Role::Agents, "VM.GuestAgent.Audit", "addresses of a virtual machine, from its guest agent");

/// The list. Which call needs which privilege: `permissions` in the schemas of 9.2.11 and 8.4.21; for what a call looks at
/// itself `check_ct_modify_config_perm` (pve-container), `check_vm_modify_config_perm` and `$check_drive_perms` (qemu-server),
/// `check_volume_access` (pve-storage), and `resources` in PVE/API2/Cluster.pm (pve-manager).
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
    of(Role::Machines, "VM.Config.HWType", "machine type, SCSI controller, display, serial console"),
    of(Role::Clones, "VM.Clone", "making a virtual machine as a copy of another"),
    of(Role::CloudInit, "VM.Config.CDROM", "giving the drive of cloud-init to a machine that is there, such as a copy"),
    of(Role::CloudInit, "VM.Config.Cloudinit", "the same, and writing the drive anew"),
    Privilege { since: Some(Feature::GuestAgentPrivileges), ..AGENT },
    Privilege { name: "VM.Monitor", until: Some(Feature::GuestAgentPrivileges), ..AGENT },
    of(Role::Pools, "Pool.Allocate", "making a guest that is there a member of this pool"),
    of(Role::Pools, "Pool.Audit", "seeing which guests are members"),
    of(Role::Placement, "Sys.Audit", "seeing how much memory of this node is free, by which `placement` chooses"),
    of(Role::Disks, "Datastore.AllocateSpace", "making disks on this storage"),
    of(Role::Templates, "Datastore.Audit", "reading templates on this storage"),
    of(Role::Deliveries, "Datastore.AllocateTemplate", "bringing a `Template` to this storage"),
    of(Role::Downloads, "Sys.AccessNetwork", "letting this node download a `Template` from its `url`"),
    of(Role::Network, "SDN.Use", "putting network devices on this bridge"),
    of(
        Role::StartOrder,
        "Sys.Modify",
        "`startup` of a virtual machine (that of a container needs no more than `TrueupGuests`)",
    ),
    Privilege {
        since: Some(Feature::PrivilegedContainers),
        ..of(Role::Privileged, "Sys.Modify", "making a container with `unprivileged: false`")
    },
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
            Self::Clones => "TrueupClones",
            Self::CloudInit => "TrueupCloudInit",
            Self::Agents => "TrueupAgents",
            Self::Pools => "TrueupPools",
            Self::Placement => "TrueupPlacement",
            Self::Disks => "TrueupDisks",
            Self::Templates => "TrueupTemplates",
            Self::Deliveries => "TrueupDeliveries",
            Self::Downloads => "TrueupDownloads",
            Self::Network => "TrueupNetwork",
            Self::StartOrder => "TrueupStartOrder",
            Self::Privileged => "TrueupPrivileged",
        }
    }

    /// What it holds in a release.
    pub fn privileges(self, release: Release) -> BTreeSet<&'static str> {
        PRIVILEGES.iter().filter(|p| p.role == self && p.is_in(release)).map(|p| p.name).collect()
    }

    /// The path on which it is granted where it holds for all that Proxmox has.
    pub const fn whole(self) -> &'static str {
        match self {
            Self::Guests | Self::Machines | Self::Clones | Self::CloudInit | Self::Agents => "/vms",
            Self::Pools => "/pool",
            Self::Disks | Self::Templates | Self::Deliveries => "/storage",
            Self::Placement | Self::Downloads => "/nodes",
            Self::Network => "/sdn/zones/localnetwork",
            Self::StartOrder | Self::Privileged => "/",
        }
    }

    /// Whether it is passed on to what is below its path. What is needed on `/` alone is not: there it would be a right over
    /// everything.
    pub const fn is_passed_on(self) -> bool {
        !matches!(self, Self::StartOrder | Self::Privileged)
    }

    /// Where it is granted, in words: `/storage/STORAGE`.
    pub fn place(self) -> String {
        let one = match self {
            Self::Pools => "POOL",
            Self::Disks | Self::Templates | Self::Deliveries => "STORAGE",
            Self::Placement | Self::Downloads => "NODE",
            Self::Network => "BRIDGE",
            _ => return self.whole().into(),
        };
        format!("{}/{one}", self.whole())
    }
}

impl Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A role on a path, passed on to everything below but where [`Role::is_passed_on`] says no.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Grant {
    pub path: String,
    pub role: Role,
}

impl Grant {
    /// A role on what this name stands for: a storage, a bridge, a pool.
    pub fn on(role: Role, name: &str) -> Self {
        Self { path: format!("{}/{name}", role.whole()), role }
    }
    /// A role on all that Proxmox has of it.
    pub fn whole(role: Role) -> Self {
        Self { path: role.whole().into(), role }
    }
    /// What it gives in a release.
    pub fn privileges(&self, release: Release) -> BTreeSet<&'static str> {
        self.role.privileges(release)
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
                let is_new = *role == Role::Privileged && version == "8.4";
                assert_eq!(role.privileges(release).is_empty(), is_new, "{role} in {version}");
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
