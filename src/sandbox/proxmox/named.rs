//! Property strings whose schema the facts name and do not show (libpve-storage-perl, pve-guest-common and qemu-server 9.2),
//! with what each demands beyond it.
use super::{
    cpu_models,
    facts::Schema,
    property::{self, Properties},
};
use std::{collections::BTreeMap, sync::LazyLock};

const NAMED: &str = include_str!("named.json");

/// The schema of a property string that goes by a name.
pub fn properties(name: &str) -> Option<&'static BTreeMap<String, Schema>> {
    static READ: LazyLock<BTreeMap<String, BTreeMap<String, Schema>>> =
        LazyLock::new(|| serde_json::from_str(NAMED).unwrap_or_default());
    READ.get(name)
}

/// Checks a property string as a whole, once its parts are right.
///
/// # Errors
/// The text that follows `invalid format - `.
pub fn check(name: &str, parts: &Properties) -> Result<(), String> {
    match name {
        "prune-backups" => retention(parts),
        "pve-vm-cpu-conf" => processor(parts),
        _ => Ok(()),
    }
}

/// Who keeps everything keeps no number besides.
fn retention(parts: &Properties) -> Result<(), String> {
    let all = parts.get("keep-all").is_some_and(|all| property::boolean(all) == Some(true));
    let some = parts.iter().any(|(key, n)| key != "keep-all" && n.parse::<u64>().is_ok_and(|n| n > 0));
    match all && some {
        true => Err("keep-all cannot be set together with other options.\n".into()),
        false => Ok(()),
    }
}

/// The processor of one machine: a model that there is, and flags that need no trust. Models of one's own are not simulated,
/// so there is none.
fn processor(parts: &Properties) -> Result<(), String> {
    let Some(model) = parts.get("cputype") else { return Err("CPU is missing cputype\n".into()) };
    if let Some(own) = model.strip_prefix("custom-") {
        return Err(format!("Custom cputype '{own}' not found\n"));
    }
    if !cpu_models::is_known(model) {
        return Err(format!("Built-in cputype '{model}' is not defined (missing 'custom-' prefix?)\n"));
    }
    let known = |flag: &str| cpu_models::FLAGS.iter().any(|(name, _)| flag[1..] == **name);
    if parts.get("flags").is_some_and(|flags| !flags.split(';').all(|f| !f.is_empty() && known(f))) {
        let names: Vec<&str> = cpu_models::FLAGS.iter().map(|(name, _)| *name).collect();
        return Err(format!("VM-specific CPU flags must be a subset of: {}\n", names.join(", ")));
    }
    match parts.contains_key("reported-model") {
        true => Err("Property 'reported-model' not allowed in VM-specific CPU config.\n".into()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::{Errors, check_text};
    use super::*;
    use serde_json::json;

    fn wrong(format: &str, value: &str) -> String {
        let schema: Schema = serde_json::from_value(json!({"type": "string", "format": format})).unwrap();
        let mut errors = Errors::new();
        check_text(value, &schema, "at", &mut errors);
        errors.remove("at").unwrap_or_default()
    }

    #[test]
    fn every_schema_can_be_read() {
        let read: BTreeMap<String, BTreeMap<String, Schema>> = serde_json::from_str(NAMED).unwrap();
        let bad = |s: &&Schema| s.has_pattern() && s.pattern().is_none();
        assert_eq!(read.values().flat_map(BTreeMap::values).filter(bad).count(), 0);
    }

    #[test]
    fn a_machine_s_options_are_refused_in_the_words_of_the_real_one() {
        for (format, value, why) in [
            ("pve-vm-cpu-conf", "host,flags=+aes;-pcid", ""),
            ("pve-vm-cpu-conf", "cputype=x86-64-v2-AES,hidden=1", ""),
            ("pve-vm-cpu-conf", "nosuch", "Built-in cputype 'nosuch' is not defined (missing 'custom-' prefix?)\n"),
            ("pve-vm-cpu-conf", "custom-mine", "Custom cputype 'mine' not found\n"),
            ("pve-vm-cpu-conf", "hidden=1", "CPU is missing cputype\n"),
            (
                "pve-vm-cpu-conf",
                "host,phys-bits=7",
                concat!(
                    "format error\nat.phys-bits: invalid format - ",
                    "value must be an integer between 8 and 64 or 'host'\n\n"
                ),
            ),
            ("pve-qm-boot", "order=scsi0;net0;ide2", ""),
            ("pve-qm-boot", "cdn", ""),
            (
                "pve-qm-boot",
                "order=scsi31",
                "format error\nat.order: invalid format - invalid boot device 'scsi31'\n\n",
            ),
            ("pve-qm-boot", "xyz", "format error\nat.legacy: value does not match the regex pattern\n"),
            ("pve-qm-hostpci", "00:01.0,pcie=1", ""),
            ("pve-qm-hostpci", "1", "format error\nat.host: value does not match the regex pattern\n"),
            ("pve-qm-rng", "max_bytes=1", "format error\nat.source: property is missing and it is not optional\n"),
            ("pve-qm-smbios1", "uuid=7", "format error\nat.uuid: value does not match the regex pattern\n"),
            ("pve-qm-bootdisk", "unused0", "invalid boot disk 'unused0'\n"),
            ("pve-hotplug-features", "disk,network,usb", ""),
            ("pve-hotplug-features", "disk,sound", "invalid hotplug feature 'sound'\n"),
            ("pve-cpuset", "0-3,8", ""),
            ("pve-cpuset", "a", "unable to parse cpuset option\n"),
        ] {
            let want = if why.is_empty() { String::new() } else { format!("invalid format - {why}") };
            assert_eq!(wrong(format, value), want, "{format} {value}");
        }
    }
}
