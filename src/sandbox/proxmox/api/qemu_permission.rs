//! What one must be allowed to in order to set or delete each option of a machine (`check_vm_modify_config_perm` and the
//! checks around it).
use super::{
    lxc_create::enabled,
    lxc_volume::new_disk,
    qemu_drive::{file, is_cdrom, is_cloud_init, is_drive, is_numbered, parse},
    storage,
};
use crate::sandbox::proxmox::{
    access::Who,
    refusal::{Refusal, Result},
    state::Conf,
    world::World,
};

/// Which privilege an option needs. What is not here is for root's own session.
const NEEDED: &[(&str, &[&str])] = &[
    ("VM.Config.CPU", &["cores", "cpu", "cpulimit", "cpuunits", "numa", "smp", "sockets", "vcpus"]),
    ("VM.Config.Memory", &["memory", "balloon", "shares", "allow-ksm"]),
    (
        "VM.Config.HWType",
        &["acpi", "hotplug", "kvm", "machine", "scsihw", "smbios1", "tablet", "vga", "watchdog", "audio0", "rng0"],
    ),
    (
        "VM.Config.Options",
        &[
            "agent",
            "autostart",
            "bios",
            "description",
            "keyboard",
            "localtime",
            "migrate_downtime",
            "migrate_speed",
            "name",
            "onboot",
            "ostype",
            "protection",
            "reboot",
            "startdate",
            "startup",
            "tdf",
            "template",
        ],
    ),
    ("VM.PowerMgmt", &["freeze"]),
    ("VM.Config.Disk", &["boot", "bootdisk", "vmstatestorage"]),
];
const CLOUD_INIT: &[&str] =
    &["cicustom", "cipassword", "citype", "ciuser", "ciupgrade", "nameserver", "searchdomain", "sshkeys"];

/// Who changes which machine.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    pub who: &'a Who,
    pub vmid: u32,
    /// The pool that a new machine joins.
    pub pool: Option<&'a str>,
}

impl Change<'_> {
    fn demand(&self, world: &World, privileges: &[&str]) -> Result<()> {
        world.state.demand_guest(self.who, self.vmid, self.pool, privileges)
    }

    fn demand_any(&self, world: &World, privileges: &[&str]) -> Result<()> {
        if self.pool.is_some_and(|p| world.state.may(self.who, &format!("/pool/{p}"), privileges, true)) {
            return Ok(());
        }
        world.state.demand_any(self.who, &format!("/vms/{}", self.vmid), privileges)
    }

    /// Checks options by their names alone.
    ///
    /// # Errors
    /// 403, or 500 for what only root may set.
    pub fn options<'k>(&self, world: &World, keys: impl Iterator<Item = &'k str>) -> Result<()> {
        if self.who.is_root() {
            return Ok(());
        }
        for key in keys {
            let by_value = ["unused", "serial", "usb", "hostpci", "virtiofs"].iter().any(|s| is_numbered(key, s));
            if by_value || is_drive(key) || matches!(key, "cdrom" | "tags") {
                continue;
            }
            if let Some((privilege, _)) = NEEDED.iter().find(|(_, keys)| keys.contains(&key)) {
                self.demand(world, &[privilege])?;
                if key == "startup" {
                    world.state.demand(self.who, "/", &["Sys.Modify"])?;
                }
            } else if is_numbered(key, "numa") {
                self.demand(world, &["VM.Config.CPU"])?;
            } else if is_numbered(key, "net") {
                self.demand(world, &["VM.Config.Network"])?;
            } else if CLOUD_INIT.contains(&key) || is_numbered(key, "ipconfig") {
                self.demand_any(world, &["VM.Config.Cloudinit", "VM.Config.Network"])?;
            } else if key == "vmstate" {
                self.demand(world, &["VM.Config.Disk", "VM.PowerMgmt"])?;
            } else {
                return Err(Refusal::die(format!("only root can set '{key}' config")));
            }
        }
        Ok(())
    }

    /// Checks what depends on the value: devices of the host, tags, bridges.
    ///
    /// # Errors
    /// 403, or 500 for what only root may set.
    pub fn values(&self, world: &World, old: Option<&Conf>, set: &Conf) -> Result<()> {
        if self.who.is_root() {
            return Ok(());
        }
        for (key, value) in set {
            self.device(world, key, value)?;
            if key == "tags" {
                let old = old.and_then(|o| o.get(key)).map_or("", String::as_str);
                super::tag_permission::check(world, self.who, self.vmid, old, value)?;
            }
            if is_numbered(key, "net") {
                let before = old.and_then(|o| o.get(key)).map(String::as_str);
                for value in [before, Some(value.as_str())].into_iter().flatten() {
                    self.bridge(world, key, value)?;
                }
            }
        }
        Ok(())
    }

    /// `SDN.Use` on the bridge of a network card.
    ///
    /// # Errors
    /// 403.
    pub fn bridge(&self, world: &World, key: &str, value: &str) -> Result<()> {
        super::vnet_permission::check(world, self.who, &parse(world, key, value))
    }

    /// What a copy takes over of the host's devices must be the caller's to use (`check_mapping_access`).
    ///
    /// # Errors
    /// 403, or 500 for what only root may hand on.
    pub fn mapped_devices(&self, world: &World, conf: &Conf) -> Result<()> {
        let root_only =
            |key: &str, what: &str| Err(Refusal::die(format!("only root can set '{key}' config for {what} devices")));
        if self.who.is_root() {
            return Ok(());
        }
        for (key, value) in conf {
            let parts = parse(world, key, value);
            let (host, mapping) = (parts.get("host"), parts.get("mapping"));
            let path = match key.trim_end_matches(|c: char| c.is_ascii_digit()) {
                "usb" if host.is_some_and(|h| h.eq_ignore_ascii_case("spice")) => continue,
                "usb" if host.is_some() => return root_only(key, "real"),
                "hostpci" if host.is_some() => return root_only(key, "non-mapped"),
                "usb" => mapping.map(|name| format!("usb/{name}")),
                "hostpci" => mapping.map(|name| format!("pci/{name}")),
                "virtiofs" => parts.get("dirid").map(|name| format!("dir/{name}")),
                "rng" if parts.get("source").is_some_and(|s| s == "/dev/hwrng") => Some("hwrng".into()),
                _ => continue,
            };
            let path = path.ok_or_else(|| Refusal::die("either 'host' or 'mapping' must be set."))?;
            world.state.demand(self.who, &format!("/mapping/{path}"), &["Mapping.Use"])?;
        }
        Ok(())
    }

    fn device(&self, world: &World, key: &str, value: &str) -> Result<()> {
        let root_only = |what: &str| Err(Refusal::die(format!("only root can set '{key}' config for {what} devices")));
        let mapped =
            |kind: &str, name: &str| world.state.demand(self.who, &format!("/mapping/{kind}/{name}"), &["Mapping.Use"]);
        let parts = parse(world, key, value);
        if is_numbered(key, "serial") {
            if value != "socket" {
                return root_only("real");
            }
            return self.demand(world, &["VM.Config.HWType"]);
        }
        if is_numbered(key, "usb") {
            self.demand(world, &["VM.Config.HWType"])?;
            return match (parts.get("host"), parts.get("mapping")) {
                (Some(host), _) if host.eq_ignore_ascii_case("spice") => Ok(()),
                (Some(_), _) => root_only("real"),
                (None, Some(name)) => mapped("usb", name),
                _ => Err(Refusal::die("either 'host' or 'mapping' must be set.")),
            };
        }
        if is_numbered(key, "hostpci") {
            match (parts.get("host"), parts.get("mapping")) {
                (Some(_), _) => return root_only("non-mapped"),
                (None, Some(name)) => {
                    mapped("pci", name)?;
                    self.demand(world, &["VM.Config.HWType"])?;
                }
                _ => return Err(Refusal::die("either 'host' or 'mapping' must be set.")),
            }
            // New in qemu-server 9.2.6.
            return match parts.contains_key("romfile") && world.release().is_9() {
                true => Err(Refusal::parameter(key, "only root@pam can set 'romfile' option")),
                false => Ok(()),
            };
        }
        if is_numbered(key, "virtiofs") {
            self.demand(world, &["VM.Config.Disk"])?;
            return mapped("dir", parts.get("dirid").map_or("", String::as_str));
        }
        if key == "rng0" && parts.get("source").is_some_and(|s| s == "/dev/hwrng") {
            return world.state.demand(self.who, "/mapping/hwrng", &["Mapping.Use"]);
        }
        Ok(())
    }

    /// Checks what a drive may be changed from or to.
    ///
    /// # Errors
    /// 403.
    pub fn drive(&self, world: &World, key: &str, value: &str) -> Result<()> {
        let parts = parse(world, key, value);
        if is_cloud_init(&parts) {
            return self.demand(world, &["VM.Config.Cloudinit", "VM.Config.CDROM"]);
        }
        self.demand(world, &[if is_cdrom(&parts) { "VM.Config.CDROM" } else { "VM.Config.Disk" }])
    }

    /// Checks the storages that drives are taken from or made on (`check_storage_access`).
    ///
    /// # Errors
    /// 403, 400 or 500.
    pub fn storages(&self, world: &World, set: &Conf) -> Result<()> {
        for (key, value) in set {
            if is_numbered(key, "unused") {
                storage::may_use(world, self.who, Some(self.vmid), super::qemu_drive::volume(value), "images")?;
            }
            if !is_drive(key) {
                continue;
            }
            let parts = parse(world, key, value);
            let volid = file(&parts);
            match new_disk(volid) {
                _ if volid.is_empty() || volid == "none" || volid.ends_with(":cloudinit") => {}
                _ if volid == "cdrom" => world.state.demand(self.who, "/", &["Sys.Console"])?,
                Some((name, _)) if !is_cdrom(&parts) => {
                    world.state.demand(self.who, &format!("/storage/{name}"), &["Datastore.AllocateSpace"])?;
                    if !storage::of(world, name)?.content.contains("images") {
                        let why = format!("storage '{name}' does not support vm images");
                        return Err(Refusal::parameter("storage", why));
                    }
                    enabled(world, name)?;
                }
                _ => {
                    let wanted = if volid.contains(':') { storage::name_of(world, volid)?.kind } else { "images" };
                    storage::may_use(world, self.who, Some(self.vmid), volid, wanted)?;
                    if !matches!(wanted, "images" | "iso") {
                        return Err(Refusal::parameter(key, "content type needs to be 'images' or 'iso'"));
                    }
                }
            }
            if let Some(source) = parts.get("import-from") {
                self.import(world, key, source)?;
            }
        }
        match set.get("vmstatestorage") {
            Some(name) => world.state.demand(self.who, &format!("/storage/{name}"), &["Datastore.AllocateSpace"]),
            None => Ok(()),
        }
    }

    fn import(&self, world: &World, key: &str, source: &str) -> Result<()> {
        if !source.contains(':') {
            return storage::may_use(world, self.who, Some(self.vmid), source, "images");
        }
        let name = storage::name_of(world, source)?;
        if !matches!(name.kind, "images" | "import") {
            let why = format!("{source} has wrong type '{}' - needs to be 'images' or 'import'", name.kind);
            return Err(Refusal::parameter(key, why));
        }
        match name.owner {
            Some(owner) => world.state.demand(self.who, &format!("/vms/{owner}"), &["VM.Clone"]),
            None => storage::may_use(world, self.who, Some(self.vmid), source, name.kind),
        }
    }
}

/// Checks drives as parameters, before anything else is looked at (`check_drive_param`).
///
/// # Errors
/// 400, or 500 for a volume whose name cannot be read.
pub fn drive_parameters(world: &World, set: &Conf) -> Result<()> {
    for (key, value) in set.iter().filter(|(k, _)| is_drive(k)) {
        let parts = parse(world, key, value);
        let volid = file(&parts);
        if parts.contains_key("import-from") {
            if new_disk(volid).is_none_or(|(_, size)| size != 0) {
                let why = "'import-from' requires special syntax - use <storage ID>:0,import-from=<source>";
                return Err(Refusal::parameter(key, why));
            }
            let needed: &[&str] = match key.as_str() {
                "efidisk0" => &["efitype", "pre-enrolled-keys"],
                "tpmstate0" => &["version"],
                _ => &[],
            };
            if let Some(missing) = needed.iter().find(|n| !parts.contains_key(**n)) {
                let why = format!("need to specify '{missing}' when using 'import-from'");
                return Err(Refusal::parameter(key, why));
            }
        }
        if volid.contains(':') && new_disk(volid).is_none() && !volid.ends_with(":cloudinit") {
            let kind = storage::name_of(world, volid)?.kind;
            if kind == "iso" && !is_cdrom(&parts) {
                return Err(Refusal::parameter(key, "explicit 'media=cdrom' is required for iso images"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_option_is_named_twice() {
        let mut all: Vec<&str> = NEEDED.iter().flat_map(|(_, keys)| keys.iter().copied()).collect();
        all.extend(CLOUD_INIT);
        all.sort_unstable();
        let before = all.len();
        all.dedup();
        assert_eq!(all.len(), before);
    }
}
