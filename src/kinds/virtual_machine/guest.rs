//! The guest that a virtual machine is.
use super::{Card, Disk, ImageSource, VirtualMachine};
use crate::{
    kinds::{
        any_guest::AnyGuest,
        container::{Address4, Address6, State},
        declared::{Declarations, Declared},
        guest::{has_units, lacks, restarts},
    },
    model::{
        Auto, Found, Identifier, Note, ObjectId, Observation, Observed, Ready, Resource, Size, Vmid, Wanted, Wants,
    },
    providers::proxmox::{CloneOf, GuestType},
    resources::{
        World,
        guest::{
            Body, Desired, Guest, Live, Startup,
            machine::{self, Drive, Machine, Origin},
        },
        template_volume::TemplateVolume,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// Where the drive for cloud-init is plugged in, unless the manifest says otherwise: as Proxmox's own interface does.
const DRIVE: &str = "ide2";

/// The guests of all virtual machines.
pub fn guest(declarations: &Declarations, observed: &Observed<Guest>, _: &World) -> Wants<Guest> {
    let mut wants = Wants::default();
    for declared in declarations.virtual_machines.values() {
        // Both come from the lock; without it nothing is planned.
        let (Some(vmid), Some(mark)) = (declarations.vmid(declared), declarations.mark(declared, None)) else {
            continue;
        };
        let there = match observed {
            Observation::Complete(all) => all.get(&vmid),
            Observation::Unavailable { .. } => None,
        };
        let live = there.and_then(|found| match found {
            Found::Ours(ours) => Some(&ours.live),
            Found::Foreign(foreign) => Some(&foreign.live),
            Found::Duplicates(_) => None,
        });
        let absent = there.is_none() && matches!(observed, Observation::Complete(_));
        if absent && declared.meta.adopt.is_some() && !declared.spec.has_source() {
            wants.conflicts.push(gone(declared, vmid));
            continue;
        }
        match desired(declarations, declared, live) {
            Ok(desired) => {
                let named = declared.meta.adopt.as_ref().is_some_and(|id| *id == vmid.to_string());
                let adopt = named && live.is_some_and(|live| live.kind == GuestType::Qemu);
                wants.add(vmid, Wanted::Ready(Ready { mark, adopt, mode: declared.meta.mode, desired }));
            }
            Err(missing) => wants.conflicts.push(lacks(AnyGuest::Machine(declared), vmid, missing)),
        }
    }
    wants
}

/// It was adopted, or is to be, and there is none. Disks made anew would be blank.
fn gone(declared: &Declared<VirtualMachine>, vmid: Vmid) -> Note {
    Note {
        object: Guest::id(&vmid),
        declared: Some(declared.id()),
        text: "is not there, and neither a `clone` nor the `image` of a disk says what it is made from".into(),
        hint: Some(
            "name one of them to make it anew, take `trueup/adopt` off to make it with blank disks, or take the manifest out of the tree".into(),
        ),
    }
}

/// `Err` names what neither the manifest nor the Site says.
fn desired(
    declarations: &Declarations,
    declared: &Declared<VirtualMachine>,
    live: Option<&Live>,
) -> Result<Desired, &'static str> {
    let spec = &declared.spec;
    let defaults = declarations.site().map(|site| site.spec.proxmox.defaults.clone()).unwrap_or_default();
    // One that is there stays where it is, whatever is chosen later.
    let node = declarations.node(AnyGuest::Machine(declared)).or_else(|| Some(live?.node.clone())).ok_or("node")?;
    let name = spec.hostname(&declared.meta.name).to_string();
    let storage =
        |own: &Option<Identifier>| own.as_ref().or(defaults.storage.as_ref()).map(ToString::to_string).ok_or("storage");
    let mut made_from: BTreeSet<ObjectId> = BTreeSet::new();
    let mut disks = BTreeMap::new();
    for disk in spec.disks.iter().filter(|disk| !disk.detached) {
        let image = match &disk.image {
            None => None,
            Some(ImageSource::Volume(volume)) => Some(volume.clone()),
            Some(ImageSource::Declared(name)) => {
                let volume = declarations.templates.get(name).and_then(|t| t.spec.volume()).ok_or("template")?;
                made_from.insert(TemplateVolume::id(&volume));
                Some(volume.to_string())
            }
        };
        disks.insert(disk.slot.to_string(), disk_of(disk, storage(&disk.storage)?, image));
    }
    let origin = spec.clone.as_ref().map(|clone| {
        let from = clone.node.as_ref().map_or_else(|| node.clone(), ToString::to_string);
        let declared_source = declarations.guests().any(|guest| guest.vmid(declarations) == Some(clone.from));
        made_from.extend(declared_source.then(|| Guest::id(&clone.from)));
        let of = CloneOf {
            source: clone.from.get(),
            full: clone.full,
            storage: clone.storage.as_ref().map(ToString::to_string),
            snapshot: clone.snapshot.as_ref().map(ToString::to_string),
            target: (from != node).then(|| node.clone()),
            name: name.clone(),
            pool: spec.pool.as_ref().map(ToString::to_string),
        };
        Origin { node: from, of }
    });
    let mut firmware = BTreeMap::new();
    if let Some(efi) = &spec.efi_disk {
        let keys = u8::from(efi.secure_boot);
        let value = format!("{}:1,efitype=4m,pre-enrolled-keys={keys}", storage(&efi.storage)?);
        firmware.insert("efidisk0".to_owned(), value);
    }
    if let Some(tpm) = &spec.tpm {
        firmware.insert("tpmstate0".to_owned(), format!("{}:1,version=v2.0", storage(&tpm.storage)?));
    }
    let cloud = spec.cloud_init.as_ref();
    let drive = match spec.has_cloud_init() {
        true => Some(Drive {
            slot: cloud.and_then(|c| c.slot).map_or_else(|| DRIVE.to_owned(), |slot| slot.to_string()),
            storage: storage(&cloud.and_then(|c| c.storage.clone()))?,
        }),
        false => None,
    };
    // One that has no name keeps none, until its manifest gives it one.
    let is_nameless = |live: &Live| live.config.get("name").is_none_or(|name| name.trim().is_empty());
    let stays_nameless = declared.meta.adopt.is_some() && spec.hostname.is_none() && live.is_some_and(is_nameless);
    let machine = Machine {
        name: Some(name).filter(|_| !stays_nameless),
        origin,
        options: options(spec),
        disks,
        detached: spec.disks.iter().filter(|disk| disk.detached).map(|disk| disk.slot.to_string()).collect(),
        cards: cards(declarations, declared, defaults.bridge.as_ref(), live)?,
        drive,
        firmware,
        password: cloud.and_then(|c| c.password.clone()),
        ssh_keys: cloud.and_then(|c| c.ssh_keys.as_ref()).map(|keys| keys.file.clone()),
        leased: is_leased(spec),
    };
    Ok(Desired {
        node,
        made_from: made_from.into_iter().collect(),
        start_on_boot: spec.start_on_boot,
        startup: spec.startup.as_ref().map(|s| Startup {
            order: s.order,
            up: s.up.map(|p| p.as_seconds()),
            down: s.down.map(|p| p.as_seconds()),
        }),
        protection: spec.protection,
        tags: spec.tags.iter().map(ToString::to_string).collect(),
        pool: spec.pool.as_ref().map(ToString::to_string),
        notes: None,
        running: spec.state == State::Running,
        restarts: restarts(declarations, &spec.restart_policy),
        units: has_units(declarations, &declared.meta.name),
        body: Body::Machine(machine),
    })
}

/// Whether an address of it is known only while it runs.
fn is_leased(spec: &VirtualMachine) -> bool {
    let fixed = |card: &Card| {
        matches!(card.address, Some(Address4::Fixed(_)) | None)
            && matches!(card.address6, Some(Address6::Fixed(_)) | None)
            && (card.address.is_some() || card.address6.is_some())
    };
    spec.agent.as_ref().is_some_and(|agent| agent.enabled) && !spec.networks.iter().all(fixed)
}

fn disk_of(disk: &Disk, storage: String, image: Option<String>) -> machine::Disk {
    let flag = |on: bool| u8::from(on).to_string();
    let settings = [
        ("cache", disk.cache.map(|cache| cache.word().to_owned())),
        ("discard", disk.discard.map(|on| if on { "on" } else { "ignore" }.to_owned())),
        ("ssd", disk.ssd.map(flag)),
        ("iothread", disk.io_thread.map(flag)),
        ("backup", disk.backup.map(flag)),
    ];
    let settings = settings.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    machine::Disk { storage, size: disk.size, image, format: disk.format.map(|f| f.word().to_owned()), settings }
}

fn cards(
    declarations: &Declarations,
    declared: &Declared<VirtualMachine>,
    default: Option<&Identifier>,
    live: Option<&Live>,
) -> Result<Option<BTreeMap<u8, machine::Card>>, &'static str> {
    let spec = &declared.spec;
    if spec.networks.is_empty() {
        return Ok(None);
    }
    let there = live.map(Live::cards).unwrap_or_default();
    let mut cards = BTreeMap::new();
    for card in &spec.networks {
        let n = card.slot.number();
        // A card keeps the address that it has; one from the lock is for a card that is made.
        let chosen = || declarations.mac(declared, &card.slot.to_string()).filter(|_| !there.contains_key(&n));
        let mac = match &card.hwaddr {
            Auto::Pinned(mac) => Some(*mac),
            Auto::Auto => chosen(),
        };
        let bridge = card.bridge.as_ref().or(default).ok_or("bridge")?.to_string();
        let made = machine::Card {
            model: card.model.word().to_owned(),
            mac: mac.map(|mac| mac.to_string()),
            bridge,
            firewall: card.firewall,
            vlan: card.vlan,
            rate: card.rate.map(|rate| rate.megabytes()),
            mtu: card.mtu,
        };
        cards.insert(n, made);
    }
    Ok(Some(cards))
}

/// The options that are one value each, in the words of Proxmox.
fn options(spec: &VirtualMachine) -> BTreeMap<String, String> {
    let text = |value: &Option<Identifier>| value.as_ref().map(ToString::to_string);
    let number = |value: Option<u32>| value.map(|n| n.to_string());
    let mebibytes = |size: Option<Size>| size.map(|size| (size.bytes() >> 20).to_string());
    let flag = |on: Option<bool>| on.map(|on| u8::from(on).to_string());
    let cpu = spec.cpu.clone().unwrap_or_default();
    let cloud = spec.cloud_init.clone().unwrap_or_default();
    let dns = spec.dns.as_ref();
    let servers = dns.map(|dns| dns.servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    let all = [
        ("cores", number(spec.cores)),
        ("sockets", number(spec.sockets)),
        ("cpu", text(&cpu.model)),
        ("cpulimit", cpu.limit.map(|limit| limit.to_string())),
        ("cpuunits", number(cpu.units)),
        ("memory", mebibytes(spec.memory)),
        ("balloon", mebibytes(spec.balloon)),
        ("agent", spec.agent.as_ref().map(|agent| u8::from(agent.enabled).to_string())),
        ("boot", spec.boot.as_ref().map(|order| boot(order))),
        ("machine", text(&spec.machine)),
        ("bios", spec.bios.map(|bios| bios.word().to_owned())),
        ("scsihw", text(&spec.scsi_controller)),
        ("ostype", text(&spec.os_type)),
        ("vga", text(&spec.display)),
        ("serial0", spec.serial_console.map(|on| if on { "socket" } else { "" }.to_owned())),
        ("ciuser", text(&cloud.user)),
        ("ciupgrade", flag(cloud.upgrade)),
        ("citype", cloud.format.map(|format| format.word().to_owned())),
        ("cicustom", cloud.snippets.as_ref().map(snippets)),
        ("nameserver", servers.filter(|servers| !servers.is_empty())),
        ("searchdomain", dns.and_then(|dns| dns.search.as_ref()).map(ToString::to_string)),
    ];
    let mut out: BTreeMap<String, String> =
        all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    for card in &spec.networks {
        out.extend(addressing(card).map(|value| (format!("ipconfig{}", card.slot.number()), value)));
    }
    out
}

fn boot(order: &[Identifier]) -> String {
    format!("order={}", order.iter().map(Identifier::as_str).collect::<Vec<_>>().join(";"))
}

fn snippets(snippets: &super::Snippets) -> String {
    let all = [
        ("user", &snippets.user),
        ("network", &snippets.network),
        ("meta", &snippets.meta),
        ("vendor", &snippets.vendor),
    ];
    let given = all.into_iter().filter_map(|(key, volume)| Some(format!("{key}={}", volume.as_ref()?)));
    given.collect::<Vec<_>>().join(",")
}

/// What cloud-init does with a card. `manual`: nothing.
pub(in crate::kinds) fn addressing(card: &Card) -> Option<String> {
    let four = card.address.filter(|address| *address != Address4::Manual);
    let six = card.address6.filter(|address| *address != Address6::Manual);
    let parts = [
        ("ip", four.map(|address| address.to_string())),
        ("gw", card.gateway.map(|gateway| gateway.to_string())),
        ("ip6", six.map(|address| address.to_string())),
        ("gw6", card.gateway6.map(|gateway| gateway.to_string())),
    ];
    let given: Vec<String> = parts.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", value?))).collect();
    (!given.is_empty()).then(|| given.join(","))
}
