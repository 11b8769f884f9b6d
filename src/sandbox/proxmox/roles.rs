//! Privileges and the built-in roles of Proxmox VE 9 and 8.4 (pve-access-control).
use super::facts::Release;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// (privilege, in 9, in 8.4)
const PRIVILEGES: &[(&str, bool, bool)] = &[
    ("Datastore.Allocate", true, true),
    ("Datastore.AllocateSpace", true, true),
    ("Datastore.AllocateTemplate", true, true),
    ("Datastore.Audit", true, true),
    ("Group.Allocate", true, true),
    ("Mapping.Audit", true, true),
    ("Mapping.Modify", true, true),
    ("Mapping.Use", true, true),
    ("Permissions.Modify", true, true),
    ("Pool.Allocate", true, true),
    ("Pool.Audit", true, true),
    ("Realm.Allocate", true, true),
    ("Realm.AllocateUser", true, true),
    ("SDN.Allocate", true, true),
    ("SDN.Audit", true, true),
    ("SDN.Use", true, true),
    ("Sys.AccessNetwork", true, true),
    ("Sys.Audit", true, true),
    ("Sys.Console", true, true),
    ("Sys.Incoming", true, true),
    ("Sys.Modify", true, true),
    ("Sys.PowerMgmt", true, true),
    ("Sys.Syslog", true, true),
    ("User.Modify", true, true),
    ("VM.Allocate", true, true),
    ("VM.Audit", true, true),
    ("VM.Backup", true, true),
    ("VM.Clone", true, true),
    ("VM.Config.CDROM", true, true),
    ("VM.Config.CPU", true, true),
    ("VM.Config.Cloudinit", true, true),
    ("VM.Config.Disk", true, true),
    ("VM.Config.HWType", true, true),
    ("VM.Config.Memory", true, true),
    ("VM.Config.Network", true, true),
    ("VM.Config.Options", true, true),
    ("VM.Console", true, true),
    ("VM.GuestAgent.Audit", true, false),
    ("VM.GuestAgent.FileRead", true, false),
    ("VM.GuestAgent.FileSystemMgmt", true, false),
    ("VM.GuestAgent.FileWrite", true, false),
    ("VM.GuestAgent.Unrestricted", true, false),
    ("VM.Migrate", true, true),
    ("VM.Monitor", false, true),
    ("VM.PowerMgmt", true, true),
    ("VM.Replicate", true, false),
    ("VM.Snapshot", true, true),
    ("VM.Snapshot.Rollback", true, true),
];

/// The names of the built-in roles.
pub const BUILT_IN: &[&str] = &[
    "Administrator",
    "NoAccess",
    "PVEAdmin",
    "PVEAuditor",
    "PVEDatastoreAdmin",
    "PVEDatastoreUser",
    "PVEMappingAdmin",
    "PVEMappingUser",
    "PVEPoolAdmin",
    "PVEPoolUser",
    "PVESDNAdmin",
    "PVESDNUser",
    "PVESysAdmin",
    "PVETemplateUser",
    "PVEUserAdmin",
    "PVEVMAdmin",
    "PVEVMUser",
];

/// Whether some release knows this privilege.
pub fn is_privilege(name: &str) -> bool {
    PRIVILEGES.iter().any(|(n, ..)| *n == name)
}

/// All privileges of a release.
pub fn privileges(release: Release) -> BTreeSet<String> {
    let known = |(_, nine, eight): &&(&str, bool, bool)| if release.is_9() { *nine } else { *eight };
    PRIVILEGES.iter().filter(known).map(|(n, ..)| n.to_string()).collect()
}

/// The privileges of a built-in role; `None` when there is no such role. Every call asks for some: they are made once.
pub fn built_in(role: &str, release: Release) -> Option<&'static BTreeSet<String>> {
    type Roles = BTreeMap<&'static str, BTreeSet<String>>;
    fn all(release: Release) -> Roles {
        BUILT_IN.iter().filter_map(|role| Some((*role, of(role, release)?))).collect()
    }
    static NINE: LazyLock<Roles> = LazyLock::new(|| all(Release::V9_2_11));
    static EIGHT: LazyLock<Roles> = LazyLock::new(|| all(Release::V8_4_21));
    if release.is_9() { &NINE } else { &EIGHT }.get(role)
}

fn of(role: &str, release: Release) -> Option<BTreeSet<String>> {
    let all = privileges(release);
    let starting = |prefixes: &[&str]| -> BTreeSet<String> {
        all.iter().filter(|p| prefixes.iter().any(|x| p.starts_with(x))).cloned().collect()
    };
    let named = |names: &[&str]| -> BTreeSet<String> {
        names.iter().filter(|n| all.contains(**n)).map(|n| n.to_string()).collect()
    };
    // Only root may have these; PVEAdmin is everything else.
    const ROOT: &[&str] = &["Mapping.Modify", "Permissions.Modify", "Realm.Allocate", "Sys.AccessNetwork"];
    const ROOT_SYSTEM: &[&str] = &["Sys.Incoming", "Sys.Modify", "Sys.PowerMgmt"];
    Some(match role {
        "Administrator" => all,
        "NoAccess" => BTreeSet::new(),
        "PVEAdmin" => {
            all.into_iter().filter(|p| !ROOT.contains(&p.as_str()) && !ROOT_SYSTEM.contains(&p.as_str())).collect()
        }
        "PVEAuditor" => named(&[
            "Datastore.Audit",
            "Mapping.Audit",
            "Pool.Audit",
            "SDN.Audit",
            "Sys.Audit",
            "VM.Audit",
            "VM.GuestAgent.Audit",
        ]),
        "PVEDatastoreAdmin" => starting(&["Datastore."]),
        "PVEDatastoreUser" => named(&["Datastore.AllocateSpace", "Datastore.Audit"]),
        "PVEMappingAdmin" => starting(&["Mapping."]),
        "PVEMappingUser" => named(&["Mapping.Audit", "Mapping.Use"]),
        "PVEPoolAdmin" => starting(&["Pool."]),
        "PVEPoolUser" => named(&["Pool.Audit"]),
        "PVESDNAdmin" => starting(&["SDN."]),
        "PVESDNUser" => named(&["SDN.Audit", "SDN.Use"]),
        "PVESysAdmin" => named(&["Sys.Audit", "Sys.Console", "Sys.Syslog"]),
        "PVETemplateUser" => named(&["VM.Audit", "VM.Clone"]),
        "PVEUserAdmin" => named(&["Group.Allocate", "Realm.AllocateUser", "User.Modify"]),
        "PVEVMAdmin" => starting(&["VM."]),
        "PVEVMUser" => named(&[
            "VM.Audit",
            "VM.Backup",
            "VM.Config.CDROM",
            "VM.Config.Cloudinit",
            "VM.Console",
            "VM.GuestAgent.Audit",
            "VM.GuestAgent.FileRead",
            "VM.GuestAgent.FileSystemMgmt",
            "VM.GuestAgent.FileWrite",
            "VM.PowerMgmt",
        ]),
        _ => return None,
    })
}
