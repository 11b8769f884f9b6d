//! What has to be done to a guest. Pure.
use super::{
    Body, Change, Desired, Live, Restarts, container,
    machine::{self, Machine},
    option::{self, Takes},
    settings,
};
use crate::{
    model::{Disruption, Draft, Field, Sides, Verb},
    providers::proxmox::GuestType,
};

pub fn diff(sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
    match sides {
        Sides::OnlyDesired(desired) => create(desired),
        Sides::OnlyLive(_) => vec![Draft::new(Verb::Delete, Change::Destroy).disrupts(Disruption::Data)],
        Sides::Adopt { desired, live } => {
            let mut drafts = vec![Draft::new(Verb::Adopt, Change::Adopt { tags: settings::own(desired).collect() })];
            drafts.extend(update(desired, live, false, true));
            drafts
        }
        Sides::Both { desired, live, stale_mark } => update(desired, live, stale_mark, false),
    }
}

fn create(desired: &Desired) -> Vec<Draft<Change>> {
    let size = |name: &str, size: crate::model::Size| Field {
        name: name.into(),
        from: None,
        to: Some(size.to_string()),
        effect: None,
    };
    let (fields, ssh_keys, password) = match &desired.body {
        Body::Container(container) => {
            let mut fields = vec![size("memory", container.memory), size("rootfs.size", container.rootfs.size)];
            fields.extend(container.networks.values().map(|i| Field {
                name: format!("networks.{}.address", i.name),
                from: None,
                to: i.ip.clone().or(i.ip6.clone()),
                effect: None,
            }));
            (fields, container.ssh_keys.clone(), None)
        }
        Body::Machine(machine) => {
            if let Some(origin) = &machine.origin {
                // What the copy brings along is known when it is there; so its settings, and its start, come then.
                let change = Change::Clone { node: origin.node.clone(), of: origin.of.clone() };
                return vec![Draft::new(Verb::Create, change).unsettles().fields(machine_fields(machine))];
            }
            (machine_fields(machine), machine.ssh_keys.clone(), machine.password.clone())
        }
    };
    let change = Change::Create {
        kind: desired.kind(),
        node: desired.node.clone(),
        parameters: settings::parameters(desired),
        ssh_keys,
        password,
    };
    let mut drafts = vec![Draft::new(Verb::Create, change).unsettles().fields(fields)];
    // An imported disk grows before the first start, when cloud-init looks at its size.
    let grows = |machine: &Machine| machine.disks.values().any(|disk| disk.image.is_some() && disk.size.is_some());
    if desired.running && !matches!(&desired.body, Body::Machine(machine) if grows(machine)) {
        drafts.push(start(desired));
    }
    drafts
}

/// What people want to see of a machine that is to be.
fn machine_fields(machine: &Machine) -> Vec<Field> {
    let shown = |name: String, to: &str| Field { name, from: None, to: Some(to.to_owned()), effect: None };
    let options = ["cores", "memory"].into_iter().filter_map(|key| Some((key, machine.options.get(key)?)));
    let mut fields: Vec<Field> = options.map(|(key, value)| shown(key.to_owned(), value)).collect();
    for (slot, disk) in &machine.disks {
        fields.extend(disk.size.map(|size| shown(format!("disks.{slot}.size"), &size.to_string())));
        fields.extend(disk.image.as_ref().map(|image| shown(format!("disks.{slot}.image"), image)));
    }
    let addresses = machine.options.iter().filter(|(key, _)| key.starts_with("ipconfig"));
    fields.extend(addresses.map(|(key, value)| shown(format!("networks.{}", key.replace("ipconfig", "net")), value)));
    fields
}

fn start(desired: &Desired) -> Draft<Change> {
    let draft = Draft::new(Verb::Update, Change::Start);
    if leases(desired) { draft.unsettles() } else { draft }
}

/// Whether an address is known only while the guest runs.
fn leases(desired: &Desired) -> bool {
    match &desired.body {
        Body::Container(container) => container.leases(),
        Body::Machine(machine) => machine.leased,
    }
}

/// `marked`: a step before this one writes the mark.
fn update(desired: &Desired, live: &Live, stale_mark: bool, marked: bool) -> Vec<Draft<Change>> {
    let mut drafts = vec![];
    let found = settings::differences(desired, live, marked);
    let written = found.written();
    let waits = waits_for_start(live, &found);
    for (disk, bytes, field) in found.grow {
        drafts.push(Draft::new(Verb::Update, Change::Grow { disk, bytes }).fields([field]));
    }
    if !written.is_empty() || stale_mark {
        let (ssh_keys, password) = (found.ssh_keys, found.password);
        let change = Change::Set { set: found.set, delete: found.delete, ssh_keys, password, mark: stale_mark };
        let mut draft = Draft::new(Verb::Update, change);
        draft = draft.fields(found.fields);
        if stale_mark {
            draft.fields.push(Field { name: "mark".into(), from: None, to: Some("written anew".into()), effect: None });
        }
        if found.network {
            draft = draft.unsettles();
        }
        if found.network && live.running {
            draft = draft.disrupts(Disruption::Interruption);
        }
        drafts.push(draft);
    }
    match (live.running, desired.running) {
        (false, true) if live.template => {}
        (false, true) => drafts.push(start(desired)),
        (true, false) => drafts.push(Draft::new(Verb::Update, Change::Stop).disrupts(Disruption::Interruption)),
        (true, true) if !waits.is_empty() && desired.restarts == Restarts::WhenNeeded => {
            let field = Field { name: "pending".into(), from: None, to: Some(waits.join(", ")), effect: None };
            let draft = Draft::new(Verb::Restart, Change::Restart).disrupts(Disruption::Restart).fields([field]);
            drafts.push(if leases(desired) { draft.unsettles() } else { draft });
        }
        // A start writes it anyway.
        (true, true) if live.machine.stale_drive || written.iter().any(|key| is_inside(live, key)) => {
            let field = Field {
                name: "cloudInit".into(),
                from: None,
                to: Some("as it is in the configuration".into()),
                effect: None,
            };
            drafts.push(Draft::new(Verb::Update, Change::RewriteDrive).fields([field]));
        }
        _ => {}
    }
    drafts
}

/// Settings of a running guest that wait for its next start: now, or once these keys are written.
fn waits_for_start(live: &Live, found: &settings::Differences) -> Vec<String> {
    if !live.running {
        return vec![];
    }
    let written = found.written();
    // A disk on these buses is taken out while the machine runs.
    let unplugged = |key: &String| {
        let bus = key.trim_end_matches(|c: char| c.is_ascii_digit());
        live.kind == GuestType::Qemu && matches!(bus, "scsi" | "virtio") && found.delete.contains(key)
    };
    let soon = written.iter().filter(|key| option::waits(live, key) && !unplugged(key));
    // What is written anew replaces what is pending.
    let now = live.config.pending.iter().filter(|key| !written.contains(key));
    let mut all: Vec<String> = soon.chain(now).cloned().collect();
    if live.machine.stale_drive {
        all.push("cloud-init".into());
    }
    all.sort();
    all.dedup();
    all
}

/// Whether a value is one that cloud-init hands to the guest.
fn is_inside(live: &Live, key: &str) -> bool {
    option::of(live.kind, key).is_some_and(|option| option.takes == Takes::Inside)
}

/// Differences that no step makes go away.
pub fn remark(desired: &Desired, live: &Live) -> Option<String> {
    let mut said = match &desired.body {
        Body::Container(container) => container::remarks(container, live),
        Body::Machine(machine) => machine::remarks(machine, live),
    };
    if live.template && desired.running {
        said.push("it is a template, which cannot be started".into());
    }
    if desired.running && desired.restarts == Restarts::Never {
        let found = settings::differences(desired, live, false);
        let waits = waits_for_start(live, &found);
        if !waits.is_empty() {
            said.push(format!("needs a restart for {}", waits.join(", ")));
        }
    }
    (!said.is_empty()).then(|| said.join("; "))
}
