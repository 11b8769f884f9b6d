//! The state with what is needed to change it: the facts, the time, and how long things take.
use super::{
    access::Who,
    config_file,
    facts::{Facts, Format, Method, Release, Schema},
    formats, named,
    refusal::{Refusal, Result},
    state::{Conf, Guest, Kind, Reported, State},
    task::Work,
    timing::{REPORT_EVERY, Timing},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, sync::Arc};

/// The simulated world while it is being asked.
pub struct World {
    pub state: State,
    pub facts: Arc<Facts>,
    pub timing: Timing,
    /// Unix milliseconds.
    pub now: u64,
    /// Set by whatever changes the state.
    pub touched: bool,
    /// Whose task is at work.
    pub at_work: Option<Who>,
    /// The storage whose lock the task that is at work did not get.
    pub locked_out: Option<String>,
}

impl World {
    pub fn new(mut state: State, timing: Timing, now: u64) -> Self {
        if state.access.ticket_key.is_empty() {
            state.access.ticket_key = super::login::secret_sum(&format!("{} {now}", state.booted));
        }
        Self { facts: state.release.facts(), state, timing, now, touched: false, at_work: None, locked_out: None }
    }

    pub fn release(&self) -> Release {
        self.state.release
    }

    /// A guest of this kind on this node.
    ///
    /// # Errors
    /// 500, as when its config file is not there.
    pub fn guest(&self, kind: Kind, node: &str, vmid: u32) -> Result<&Guest> {
        self.state
            .guests
            .get(&vmid)
            .filter(|g| g.kind == kind && g.node == node)
            .ok_or_else(|| missing(kind, node, vmid))
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// 500, as when its config file is not there.
    pub fn guest_mut(&mut self, kind: Kind, node: &str, vmid: u32) -> Result<&mut Guest> {
        self.touched = true;
        self.state
            .guests
            .get_mut(&vmid)
            .filter(|g| g.kind == kind && g.node == node)
            .ok_or_else(|| missing(kind, node, vmid))
    }

    /// A guest wherever it is.
    ///
    /// # Errors
    /// 500, as when its config file is not there.
    pub fn any(&mut self, kind: Kind, vmid: u32) -> Result<&mut Guest> {
        self.touched = true;
        let first = self.state.nodes.keys().next().cloned().unwrap_or_default();
        self.state.guests.get_mut(&vmid).filter(|g| g.kind == kind).ok_or_else(|| missing(kind, &first, vmid))
    }

    /// Writes a guest's config file: values take the form in which they are read back.
    pub fn write(&mut self, vmid: u32) {
        self.touched = true;
        if let Some(guest) = self.state.guests.get_mut(&vmid) {
            config_file::settle(guest);
        }
    }

    /// Removes a guest with its volumes and everything that goes with its config file.
    pub fn forget_guest(&mut self, vmid: u32) {
        self.touched = true;
        if let Some(guest) = self.state.guests.remove(&vmid) {
            for (key, value) in guest.conf.iter().chain(&guest.pending) {
                self.remove_disk_of(vmid, guest.kind, key, value);
            }
        }
        self.state.ha.retain(|sid, _| sid.split(':').nth(1) != Some(&vmid.to_string()));
        self.state.firewalls.remove(&vmid);
        self.state.access.acl.retain(|e| e.path != format!("/vms/{vmid}"));
        for pool in self.state.pools.values_mut() {
            pool.vms.remove(&vmid);
        }
    }

    fn remove_disk_of(&mut self, vmid: u32, kind: Kind, key: &str, value: &str) {
        if !is_disk(kind, key) {
            return;
        }
        let volid = value.split(',').next().unwrap_or_default();
        let storage = volid.split_once(':').and_then(|(s, _)| self.state.storages.get_mut(s));
        if let Some(storage) = storage.filter(|s| s.volumes.get(volid).is_some_and(|v| v.vmid == Some(vmid))) {
            storage.volumes.remove(volid);
        }
    }

    /// The nested schema of a property string in the config of a kind of guest.
    pub fn properties(&self, kind: Kind, key: &str) -> Option<&BTreeMap<String, Schema>> {
        match &self.option(kind, key)?.format {
            Some(Format::Properties(inner)) => Some(inner),
            Some(Format::Named(name)) => named::properties(name),
            None => None,
        }
    }

    /// The schema of an option in the config of a kind of guest.
    pub fn option(&self, kind: Kind, key: &str) -> Option<&Schema> {
        self.config_method(kind)?.parameters.property(key)
    }

    fn config_method(&self, kind: Kind) -> Option<&Method> {
        match kind {
            Kind::Lxc => self.facts.method("PUT", "/nodes/{node}/lxc/{vmid}/config"),
            Kind::Qemu => self.facts.method("PUT", "/nodes/{node}/qemu/{vmid}/config"),
        }
    }

    /// A config's values as GET answers them: whole numbers and truth values as numbers, everything else as text.
    pub fn typed(&self, kind: Kind, conf: &Conf) -> Map<String, Value> {
        conf.iter().map(|(k, v)| (k.clone(), self.typed_value(kind, k, v))).collect()
    }

    /// One value of a config as GET answers it.
    pub fn typed_value(&self, kind: Kind, key: &str, value: &str) -> Value {
        let numeric = match self.option(kind, key) {
            Some(schema) => schema.is("integer") || schema.is("boolean"),
            None => matches!(key, "snaptime" | "template" | "unprivileged" | "running"),
        };
        // Memory of a virtual machine is a property string, which prints as text; so does a number with a plus sign.
        match value.parse::<i64>() {
            Ok(number) if numeric && !value.starts_with('+') => json!(number),
            _ => json!(value),
        }
    }

    /// A number that no other draw gave: for addresses, ids and keys. The same world draws the same.
    pub fn draw(&mut self) -> [u8; 32] {
        self.state.drawn += 1;
        self.touched = true;
        Sha256::digest(format!("trueup {} {}", self.state.booted, self.state.drawn)).into()
    }

    /// A new MAC address with the prefix of the datacenter.
    pub fn mac(&mut self) -> String {
        let prefix = self.state.options.get("mac_prefix").cloned().unwrap_or_else(|| "BC:24:11".into());
        let have = prefix.trim_end_matches(':').split(':').count();
        let drawn = self.draw();
        let rest: Vec<String> = drawn[..6usize.saturating_sub(have)].iter().map(|b| format!("{b:02X}")).collect();
        format!("{}:{}", prefix.trim_end_matches(':').to_uppercase(), rest.join(":"))
    }

    /// A new uuid.
    pub fn uuid(&mut self) -> String {
        let hex: String = self.draw()[..16].iter().map(|b| format!("{b:02x}")).collect();
        format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
    }

    /// What is known of a guest's state where pvestatd is asked. Where nothing takes time, that is the present.
    pub fn seen(&self, vmid: u32, guest: &Guest) -> Option<Reported> {
        match self.timing {
            Timing::Fast => Some(self.reported(vmid, guest, self.now)),
            Timing::Real => self.state.reported.get(&vmid).cloned(),
        }
    }

    /// Lets pvestatd report whenever it was due up to a time.
    pub fn report_up_to(&mut self, until: u64) {
        if self.timing == Timing::Fast {
            return;
        }
        if self.state.next_report == 0 {
            self.state.next_report = until + REPORT_EVERY;
            return self.report(until);
        }
        if self.state.next_report <= until {
            let missed = (until - self.state.next_report) / REPORT_EVERY;
            let last = self.state.next_report + missed * REPORT_EVERY;
            self.state.next_report = last + REPORT_EVERY;
            self.report(last);
        }
    }

    fn report(&mut self, at: u64) {
        let seen: Vec<(u32, Reported)> =
            self.state.guests.iter().map(|(vmid, guest)| (*vmid, self.reported(*vmid, guest, at))).collect();
        for (vmid, _) in &seen {
            self.state.first_reported.entry(*vmid).or_insert(at);
        }
        // The figures of a guest that is gone stay for a while: a new one of its number shows them at first.
        self.state.reported.extend(seen);
    }

    /// What pvestatd says of a guest.
    pub fn reported(&self, vmid: u32, guest: &Guest, at: u64) -> Reported {
        let number = |key: &str| guest.conf.get(key).and_then(|v| v.trim().parse::<u64>().ok());
        let cpus = self.state.nodes.get(&guest.node).map_or(2, |n| u64::from(n.cpus));
        let (name, cpus, memory) = match guest.kind {
            Kind::Lxc => {
                let name = guest.conf.get("hostname").cloned().unwrap_or_else(|| format!("CT{vmid}"));
                let memory = guest.conf.get("memory").map_or(512, |_| number("memory").unwrap_or(0));
                let limit = guest.conf.get("cpulimit").filter(|limit| *limit != "0");
                let cpus = match (number("cores"), limit) {
                    (Some(cores), _) => json!(cores),
                    (None, Some(limit)) => json!(limit),
                    (None, None) => json!(cpus),
                };
                (name.split_whitespace().collect(), cpus, memory)
            }
            Kind::Qemu => {
                let name = guest.conf.get("name").cloned().unwrap_or_else(|| format!("VM {vmid}"));
                let cores = number("cores").unwrap_or(1) * number("sockets").unwrap_or(1);
                (name, json!(cores), number("memory").unwrap_or(512))
            }
        };
        Reported {
            name,
            running: guest.running.is_some(),
            cpus,
            memory: memory << 20,
            disk: self.root_size(guest),
            uptime: guest.running.as_ref().map_or(0, |r| at.saturating_sub(r.since) / 1000),
            template: guest.is_template(),
        }
    }

    /// The size of the root disk, in bytes.
    pub fn root_size(&self, guest: &Guest) -> u64 {
        match guest.kind {
            Kind::Lxc => guest.conf.get("rootfs").and_then(|v| size_in(v)).unwrap_or(4 << 30),
            Kind::Qemu => {
                let boot = guest.conf.get("boot").and_then(|b| b.strip_prefix("order=")).unwrap_or_default();
                boot.split(';').find_map(|d| size_in(guest.conf.get(d)?)).unwrap_or(0)
            }
        }
    }

    /// Does what a task was started for.
    pub fn perform(&mut self, work: Work, log: &mut Vec<String>) -> Result<()> {
        super::api::work::perform(self, work, log)
    }
}

/// What `size=` of a disk says, in bytes.
pub fn size_in(disk: &str) -> Option<u64> {
    disk.split(',').find_map(|part| formats::bytes(part.strip_prefix("size=")?))
}

/// Whether a key of a config names a disk.
pub fn is_disk(kind: Kind, key: &str) -> bool {
    let stem = key.trim_end_matches(|c: char| c.is_ascii_digit());
    match kind {
        Kind::Lxc => key == "rootfs" || (stem != key && matches!(stem, "mp" | "unused")),
        Kind::Qemu => {
            stem != key && matches!(stem, "scsi" | "virtio" | "sata" | "ide" | "unused" | "efidisk" | "tpmstate")
        }
    }
}

/// 500 of a config file that is not there.
pub fn missing(kind: Kind, node: &str, vmid: u32) -> Refusal {
    Refusal::die(format!("Configuration file 'nodes/{node}/{}/{vmid}.conf' does not exist", kind.folder()))
}
