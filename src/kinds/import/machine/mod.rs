//! A virtual machine as a spec: field by field what the live one has.
//!
//! What a manifest has no word for is named and left. Cards are all said or none: one that a manifest with cards does not name
//! is taken away.
mod cloud;
mod devices;

use super::reading::{Reading, Said, storage_of};
use crate::{
    kinds::{
        container::{RestartPolicy, State},
        declared::Declarations,
        virtual_machine::{Agent, Bios, Cpu, EfiDisk, Tpm, VirtualMachine},
    },
    model::{Auto, Identifier, Size, Vmid},
    providers::proxmox::{property::Properties, values::is_true},
    resources::guest::{Live, machine::options},
};

/// Settings that say nothing about how the guest should be, or that cannot be changed.
const QUIET: [&str; 9] =
    ["digest", "description", "lock", "parent", "snaptime", "snapstate", "template", "meta", "vmgenid"];

/// The spec of a virtual machine that is there.
///
/// # Errors
/// Why no manifest could say what it is.
pub fn said(vmid: Vmid, live: &Live, declared: &Declarations) -> Result<Said<VirtualMachine>, String> {
    let defaults = declared.site().map(|site| site.spec.proxmox.defaults.clone()).unwrap_or_default();
    let root = declared.site().is_some_and(|site| site.spec.host.is_some());
    let mut of = Reading::new(live, root);
    // It may have no name, and then keeps none.
    let hostname = of.text("name").map(str::parse).transpose();
    let hostname = hostname.map_err(|why| format!("its name cannot be written: {why}"))?;
    let node: Identifier = live.node.parse().map_err(|why| format!("its node cannot be written: {why}"))?;
    let cloud_init = of.cloud_init(defaults.storage.as_ref());
    let memory = of.memory();
    let bios = of.bios();
    of.identity();
    let spec = VirtualMachine {
        vmid: Auto::Pinned(vmid),
        hostname,
        node: Some(node).filter(|node| defaults.node.as_ref() != Some(node)),
        placement: None,
        clone: None,
        cores: of.within("cores", 1..=128),
        sockets: of.within("sockets", 1..=4),
        cpu: of.cpu(),
        memory,
        balloon: of.balloon(memory),
        disks: of.disks(defaults.storage.as_ref()),
        networks: of.cards(cloud_init.is_some(), defaults.bridge.as_ref()),
        dns: cloud_init.as_ref().and_then(|_| of.dns()),
        cloud_init,
        agent: of.agent(),
        boot: of.boot(),
        machine: of.word("machine", "type"),
        bios,
        efi_disk: of.efi_disk(bios, defaults.storage.as_ref()),
        tpm: of.tpm(defaults.storage.as_ref()),
        scsi_controller: of.word("scsihw", ""),
        os_type: of.word("ostype", ""),
        display: of.word("vga", "type"),
        serial_console: of.serial_console(),
        start_on_boot: of.flag("onboot"),
        startup: of.startup(),
        protection: of.flag("protection"),
        tags: of.tags(),
        pool: live.pool.as_ref().and_then(|pool| pool.parse().ok()),
        state: if live.running { State::Running } else { State::Stopped },
        restart_policy: RestartPolicy::Never,
    };
    Ok(Said { spec, left: of.left(&QUIET) })
}

impl Reading<'_> {
    /// An option with one word, or whose first part is one: `bare` is the name that this part may carry. It is said only where
    /// a pass would find it to be what is there.
    fn word(&mut self, key: &str, bare: &str) -> Option<Identifier> {
        let text = self.text(key)?;
        let value = Properties::parse(text);
        let first = value.get(Properties::BARE).or_else(|| value.get(bare));
        let said: Option<Identifier> = first.and_then(|word| word.parse().ok());
        let said = said.filter(|word| is_read_back(key, text, word.as_str()));
        match said {
            Some(_) => self.rest(key, &value, &[Properties::BARE, bare]),
            None => self.left.push(format!("{key} {text}")),
        }
        said
    }

    fn cpu(&mut self) -> Option<Cpu> {
        let limit = self.number("cpulimit");
        let fits = |limit: &f64| (0.0..=128.0).contains(limit);
        if let Some(limit) = limit.filter(|limit| !fits(limit)) {
            self.left.push(format!("cpulimit {limit}"));
        }
        let cpu = Cpu {
            model: self.word("cpu", "cputype"),
            limit: limit.filter(fits),
            units: self.within("cpuunits", 1..=10_000),
        };
        (cpu != Cpu::default()).then_some(cpu)
    }

    fn memory(&mut self) -> Option<Size> {
        let text = self.text("memory")?;
        let value = Properties::parse(text);
        let number = value.get(Properties::BARE).or_else(|| value.get("current")).and_then(|n| n.parse().ok());
        let Some(mebibytes) = number.filter(|n: &u64| (16..=1 << 30).contains(n)) else {
            self.left.push(format!("memory {text}"));
            return None;
        };
        self.rest("memory", &value, &[Properties::BARE, "current"]);
        is_read_back("memory", text, &mebibytes.to_string()).then(|| Size::mib(mebibytes))
    }

    fn balloon(&mut self, memory: Option<Size>) -> Option<Size> {
        let least = Size::mib(self.number::<u32>("balloon")?.into());
        if memory.is_some_and(|memory| least > memory) {
            self.left.push(format!("balloon {least}"));
            return None;
        }
        Some(least)
    }

    fn agent(&mut self) -> Option<Agent> {
        let text = self.text("agent")?;
        let value = Properties::parse(text);
        let enabled = value.get(Properties::BARE).or_else(|| value.get("enabled")).map(is_true);
        let enabled = enabled.filter(|on| is_read_back("agent", text, if *on { "1" } else { "0" }));
        let Some(enabled) = enabled else {
            self.left.push(format!("agent {text}"));
            return None;
        };
        self.rest("agent", &value, &[Properties::BARE, "enabled"]);
        Some(Agent { enabled, interface: None })
    }

    /// An order of devices; what older releases wrote (`cdn`) is left.
    fn boot(&mut self) -> Option<Vec<Identifier>> {
        let text = self.text("boot")?;
        let order = text.strip_prefix("order=").filter(|order| !order.is_empty());
        let said: Option<Vec<Identifier>> = order.and_then(|order| order.split(';').map(|d| d.parse().ok()).collect());
        if said.is_none() {
            self.left.push(format!("boot {text}"));
        }
        said
    }

    fn bios(&mut self) -> Option<Bios> {
        let text = self.text("bios")?;
        let said = [Bios::Seabios, Bios::Ovmf].into_iter().find(|bios| bios.word() == text);
        if said.is_none() {
            self.left.push(format!("bios {text}"));
        }
        said
    }

    /// Its id for the firmware is nobody's choice; what else stands there is.
    fn identity(&mut self) {
        let value = Properties::parse(self.text("smbios1").unwrap_or_default());
        self.rest("smbios1", &value, &["uuid"]);
    }

    fn serial_console(&mut self) -> Option<bool> {
        let text = self.text("serial0")?;
        if text != "socket" {
            self.left.push(format!("serial0 {text}"));
        }
        (text == "socket").then_some(true)
    }

    fn efi_disk(&mut self, bios: Option<Bios>, default: Option<&Identifier>) -> Option<EfiDisk> {
        let ovmf = bios == Some(Bios::Ovmf);
        // A new one would have 4M; without a word it is one of 2M.
        let (storage, value) = self.firmware("efidisk0", |value| ovmf && value.get("efitype") == Some("4m"))?;
        let secure_boot = value.flag("pre-enrolled-keys");
        self.rest("efidisk0", &value, &[Properties::BARE, "file", "volume", "efitype", "pre-enrolled-keys", "size"]);
        Some(EfiDisk { storage: Some(storage).filter(|own| default != Some(own)), secure_boot })
    }

    fn tpm(&mut self, default: Option<&Identifier>) -> Option<Tpm> {
        let (storage, value) = self.firmware("tpmstate0", |value| value.get("version") == Some("v2.0"))?;
        self.rest("tpmstate0", &value, &[Properties::BARE, "file", "volume", "version", "size"]);
        Some(Tpm { storage: Some(storage).filter(|own| default != Some(own)) })
    }

    /// A volume of the firmware that is as a new one would be; any other is left.
    fn firmware(&mut self, key: &str, is_like_new: impl Fn(&Properties) -> bool) -> Option<(Identifier, Properties)> {
        let value = Properties::parse(self.text(key)?);
        let said = storage_of(&value).filter(|_| is_like_new(&value));
        if said.is_none() {
            self.left.push(key.to_owned());
        }
        Some((said?, value))
    }
}

/// Whether a pass would find what is there to be what is said.
fn is_read_back(key: &str, is: &str, said: &str) -> bool {
    options::managed(key).is_some_and(|row| (row.same)(is, said))
}
