//! Parameters that the simulator does not act on. Each is refused before its call has any effect, or changes nothing that
//! anybody could see; what is in neither table and was not looked at is refused as well, so that no call is ever kinder than
//! the real one in silence.
use super::{
    given::Given,
    refusal::{Refusal, Result},
    schema::Args,
};

/// A parameter, the endpoints that take it, and why nothing is done with it.
type Row = (&'static str, &'static [&'static str], &'static str);

const LXC_CREATE: &str = "POST /nodes/{node}/lxc";
const LXC_CLONE: &str = "POST /nodes/{node}/lxc/{vmid}/clone";
const LXC_MIGRATE: &str = "POST /nodes/{node}/lxc/{vmid}/migrate";
const LXC_MOVE: &str = "POST /nodes/{node}/lxc/{vmid}/move_volume";
const LXC_REBOOT: &str = "POST /nodes/{node}/lxc/{vmid}/status/reboot";
const LXC_SHUTDOWN: &str = "POST /nodes/{node}/lxc/{vmid}/status/shutdown";
const LXC_START: &str = "POST /nodes/{node}/lxc/{vmid}/status/start";
const LXC_UNSNAP: &str = "DELETE /nodes/{node}/lxc/{vmid}/snapshot/{snapname}";
const VM_CREATE: &str = "POST /nodes/{node}/qemu";
const VM_CLONE: &str = "POST /nodes/{node}/qemu/{vmid}/clone";
const VM_CONFIG: &str = "POST /nodes/{node}/qemu/{vmid}/config";
const VM_MIGRATE: &str = "POST /nodes/{node}/qemu/{vmid}/migrate";
const VM_MOVE: &str = "POST /nodes/{node}/qemu/{vmid}/move_disk";
const VM_REBOOT: &str = "POST /nodes/{node}/qemu/{vmid}/status/reboot";
const VM_SENDKEY: &str = "PUT /nodes/{node}/qemu/{vmid}/sendkey";
const VM_SHUTDOWN: &str = "POST /nodes/{node}/qemu/{vmid}/status/shutdown";
const VM_START: &str = "POST /nodes/{node}/qemu/{vmid}/status/start";
const VM_STOP: &str = "POST /nodes/{node}/qemu/{vmid}/status/stop";
const VM_SUSPEND: &str = "POST /nodes/{node}/qemu/{vmid}/status/suspend";
const VM_UNSNAP: &str = "DELETE /nodes/{node}/qemu/{vmid}/snapshot/{snapname}";
const VOLUME_DELETE: &str = "DELETE /nodes/{node}/storage/{storage}/content/{volume}";
const DOWNLOAD: &str = "POST /nodes/{node}/storage/{storage}/download-url";
const UPLOAD: &str = "POST /nodes/{node}/storage/{storage}/upload";
const PASSWORD: &str = "PUT /access/password";
const TICKET: &str = "POST /access/ticket";
const START_ALL: &str = "POST /nodes/{node}/startall";
const STOP_ALL: &str = "POST /nodes/{node}/stopall";
const CREATES_RULES: &[&str] = &[
    "POST /cluster/firewall/rules",
    "POST /cluster/firewall/groups/{group}",
    "POST /nodes/{node}/firewall/rules",
    "POST /nodes/{node}/lxc/{vmid}/firewall/rules",
    "POST /nodes/{node}/qemu/{vmid}/firewall/rules",
];

/// What would change something, and is answered 501 when it is given and not 0.
const NOT_SIMULATED: &[Row] = &[
    ("compression", &[DOWNLOAD], "no download is unpacked"),
    ("import-working-storage", &[VM_CREATE, VM_CONFIG], "no import is unpacked anywhere"),
    ("live-restore", &[VM_CREATE], "no machine runs while its disks are being made"),
    ("machine", &[VM_START], "no machine type holds for one start"),
    ("statestorage", &[VM_SUSPEND], "the state of a machine takes no volume"),
    ("force-cpu", &[VM_START], MIGRATION),
    ("migratedfrom", &[VM_START, VM_STOP], MIGRATION),
    ("nets-host-mtu", &[VM_START], MIGRATION),
    ("stateuri", &[VM_START], MIGRATION),
    ("targetstorage", &[VM_START], MIGRATION),
];
const MIGRATION: &str = "nodes do not speak to each other when a guest moves";

/// What changes nothing here, and why.
const WITHOUT_EFFECT: &[Row] = &[
    (
        "bwlimit",
        &[LXC_CREATE, LXC_CLONE, LXC_MIGRATE, LXC_MOVE, VM_CREATE, VM_CLONE, VM_MIGRATE, VM_MOVE],
        "it only slows",
    ),
    ("confirmation-password", &[PASSWORD], "root needs none"),
    ("debug", &[LXC_START], "it writes a log on the node"),
    ("delay", &[VOLUME_DELETE], "the caller gets the task at once and waits for it himself"),
    ("delete", &[LXC_MOVE, VM_MOVE], "what goes to another guest is always gone from the first"),
    ("force", &[LXC_CREATE], "it counts when a backup is restored"),
    ("force", &[VM_MIGRATE], "no machine has devices of its node, and none is replicated"),
    ("force", &[LXC_UNSNAP, VM_UNSNAP], "no snapshot fails to go"),
    ("forceStop", &[LXC_SHUTDOWN, VM_SHUTDOWN], OBEYS),
    ("force-stop", &[STOP_ALL], OBEYS),
    ("format", &[VM_MOVE], "a disk that goes to another machine keeps its format"),
    ("keepActive", &[VM_SHUTDOWN, VM_STOP], "no volume is activated or deactivated"),
    ("key", &[VM_SENDKEY], "nothing inside a machine listens"),
    ("max-workers", &[START_ALL, STOP_ALL], "each guest has its task at once"),
    ("migration_network", &[VM_MIGRATE, VM_START], "it is a matter of the way"),
    ("migration_type", &[VM_MIGRATE, VM_START], "it is a matter of the way"),
    ("with-conntrack-state", &[VM_MIGRATE, VM_START], "no connections are tracked"),
    ("new-format", &[TICKET], "every ticket has the new format"),
    ("otp", &[TICKET], "nobody has a second factor"),
    ("password", &[LXC_CREATE], "nobody logs in inside"),
    ("pos", CREATES_RULES, "a new rule is the first, whatever position is asked for"),
    ("target-digest", &[LXC_MOVE, VM_MOVE], "it counts when a disk goes to another guest"),
    ("target-disk", &[VM_MOVE], "it counts when a disk goes to another machine"),
    ("timeout", &[LXC_MIGRATE, LXC_REBOOT, LXC_SHUTDOWN, VM_REBOOT, VM_SHUTDOWN, VM_START, VM_STOP], OBEYS),
    ("tmpfilename", &[UPLOAD], "the proxy puts its own in its place"),
    ("unused[n]", &[LXC_CREATE], "the real one ignores it, and warns in its log"),
    ("verify-certificates", &[DOWNLOAD], "no address has a certificate"),
];
const OBEYS: &str = "a guest does at once what it is told";

/// Demands that nothing is given that the simulator knows it cannot do.
///
/// # Errors
/// 501, before there is any effect.
pub fn simulated(endpoint: &str, args: &Args) -> Result<()> {
    let matters = |name: &str| args.get(name).is_some_and(|v| !v.is_empty() && v != "0");
    match NOT_SIMULATED.iter().find(|(name, of, _)| of.contains(&endpoint) && matters(name)) {
        Some((name, _, why)) => Err(Refusal::not_simulated(format!("{name} of {endpoint}: {why}"))),
        None => Ok(()),
    }
}

/// Demands that a write that succeeds has looked at all that it was given.
///
/// # Errors
/// 501 with the first parameter that nobody has looked at, although the rest of the call has had its effect: better told
/// late than never.
pub fn heeded(endpoint: &str, given: &Given) -> Result<()> {
    let known = |name: &str| {
        let numbered = format!("{}[n]", name.trim_end_matches(|c: char| c.is_ascii_digit()));
        let is = |row: &&Row| (row.0 == name || row.0 == numbered) && row.1.contains(&endpoint);
        NOT_SIMULATED.iter().chain(WITHOUT_EFFECT).any(|row| is(&row))
    };
    match given.unseen().into_iter().find(|name| !known(name)) {
        Some(name) => Err(Refusal::not_simulated(format!("{name} of {endpoint}: nobody has looked at it"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::proxmox::{api, facts::Release};

    /// A row about what is not there any more would hide the next thing of that name.
    #[test]
    fn every_row_is_about_a_parameter_that_is_there() {
        for (name, of, _) in NOT_SIMULATED.iter().chain(WITHOUT_EFFECT) {
            for endpoint in *of {
                let (verb, path) = endpoint.split_once(' ').unwrap();
                let facts = Release::V9_2_11.facts();
                let method = facts.method(verb, path).unwrap_or_else(|| panic!("{endpoint}"));
                assert!(method.parameters.properties.contains_key(*name), "{name} of {endpoint}");
                assert!(api::endpoint(verb, path).is_some(), "{endpoint}");
            }
        }
    }

    #[test]
    fn what_nobody_has_looked_at_is_told() {
        let all = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect::<Args>();
        let given = Given::new(all(&[("vmid", "101"), ("bwlimit", "9"), ("unused3", "x")]), ["vmid".to_string()]);
        heeded(LXC_CREATE, &given).unwrap();
        let why = heeded(LXC_CLONE, &given).unwrap_err().text();
        assert_eq!(why, format!("not simulated: unused3 of {LXC_CLONE}: nobody has looked at it"));
        simulated(DOWNLOAD, &all(&[("verify-certificates", "0")])).unwrap();
        assert!(simulated(DOWNLOAD, &all(&[("compression", "zst")])).is_err());
        simulated(VM_CREATE, &all(&[("live-restore", "0")])).unwrap();
    }
}
