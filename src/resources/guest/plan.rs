//! What has to be done to a guest. Pure.
use super::{
    Body, Change, Desired, Live, Restarts, container,
    difference::Differences,
    machine::{self, Machine},
    option::{self, Takes},
    settings,
};
use crate::{
    model::{Disruption, Draft, Field, Sides, Verb, Wish},
    providers::proxmox::GuestType,
};
use std::collections::BTreeMap;

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

/// Options that a token may set, and those that only root's own session may.
type Parted = (BTreeMap<String, String>, BTreeMap<String, String>);

fn part(desired: &Desired, live: Option<&Live>, all: BTreeMap<String, String>) -> Parted {
    all.into_iter().partition(|(key, value)| !for_root(desired, live, key, Some(value)))
}

fn for_root(desired: &Desired, live: Option<&Live>, key: &str, value: Option<&str>) -> bool {
    match &desired.body {
        Body::Container(body) => {
            let unprivileged = live.map_or(body.unprivileged.unwrap_or(true), container::settings::unprivileged);
            container::for_root(live, unprivileged, key, value)
        }
        Body::Machine(_) => false,
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
    let (parameters, set) = part(desired, None, settings::parameters(desired));
    let change = Change::Create { kind: desired.kind(), node: desired.node.clone(), parameters, ssh_keys, password };
    let mut drafts = vec![Draft::new(Verb::Create, change).unsettles().fields(fields)];
    if !set.is_empty() {
        drafts.push(Draft::new(Verb::Update, Change::SetAsRoot { set, delete: vec![] }));
    }
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
    if desired.kind() != live.kind {
        return vec![];
    }
    let mut drafts = vec![];
    let found = settings::differences(desired, live, marked);
    let written = found.written();
    let waits = waits_for_start(desired, live, &found);
    for (disk, bytes, field) in found.grow {
        drafts.push(Draft::new(Verb::Update, Change::Grow { disk, bytes }).fields([field]));
    }
    let (set, set_by_root) = part(desired, Some(live), found.set);
    let (delete_by_root, delete): (Vec<String>, Vec<String>) =
        found.delete.into_iter().partition(|key| for_root(desired, Some(live), key, None));
    let mut fields = found.fields;
    let by_root = set_by_root.len() + delete_by_root.len();
    if written.len() > by_root || found.notes.is_some() || stale_mark {
        let (ssh_keys, password, notes) = (found.ssh_keys, found.password, found.notes);
        let change = Change::Set { set, delete, ssh_keys, password, notes, mark: stale_mark };
        let mut draft = Draft::new(Verb::Update, change).fields(std::mem::take(&mut fields));
        if stale_mark {
            draft.fields.extend(Field::differs("mark", None::<&str>, Some("written anew")));
        }
        if found.network {
            draft = draft.unsettles();
        }
        if found.network && live.running {
            draft = draft.disrupts(Disruption::Interruption);
        }
        drafts.push(draft);
    }
    if !set_by_root.is_empty() || !delete_by_root.is_empty() {
        let change = Change::SetAsRoot { set: set_by_root, delete: delete_by_root };
        drafts.push(Draft::new(Verb::Update, change).fields(fields));
    }
    if let Some(pool) = desired.pool.as_ref().filter(|pool| live.pool.as_ref() != Some(pool)) {
        let field = Field::differs("pool", live.pool.as_ref(), Some(pool));
        drafts.push(Draft::new(Verb::Update, Change::Join { pool: pool.clone() }).fields(field));
    }
    drafts.extend(power(desired, live, &waits, &written));
    drafts.extend(anew(desired, live));
    drafts
}

/// Starts, stops or restarts it.
fn power(desired: &Desired, live: &Live, waits: &[String], written: &[String]) -> Option<Draft<Change>> {
    match (live.running, desired.running) {
        (false, true) if live.template => None,
        (false, true) => Some(start(desired)),
        (true, false) => Some(Draft::new(Verb::Update, Change::Stop).disrupts(Disruption::Interruption)),
        (true, true) if !waits.is_empty() && desired.restarts != Restarts::Never => {
            let window = match &desired.restarts {
                Restarts::Never | Restarts::WhenNeeded => None,
                Restarts::Within(window) => Some(window.clone()),
            };
            let field = Field::differs("pending", None::<&str>, Some(waits.join(", ")));
            let draft = Draft::new(Verb::Restart, Change::Restart).disrupts(Disruption::Restart).fields(field);
            let draft = draft.within(window);
            Some(if leases(desired) { draft.unsettles() } else { draft })
        }
        // A start writes it anyway.
        (true, true) if has_old_drive(desired, live) || written.iter().any(|key| is_inside(live, key)) => {
            let field = Field::differs("cloudInit", None::<&str>, Some("as it is in the configuration"));
            Some(Draft::new(Verb::Update, Change::RewriteDrive).fields(field))
        }
        _ => None,
    }
}

/// Destroys it and makes it anew, where a difference leaves no other way: only with consent, and never one that has something
/// to keep.
fn anew(desired: &Desired, live: &Live) -> Vec<Draft<Change>> {
    let Body::Container(body) = &desired.body else { return vec![] };
    let fields = container::replacement(body, live);
    if fields.is_empty() || container::kept(body).is_some() {
        return vec![];
    }
    let mut body = body.clone();
    for (n, there) in live.interfaces() {
        // The cards keep their addresses.
        if let Some(card) = body.networks.get_mut(&n) {
            card.mac = card.mac.take().or(there.mac);
        }
    }
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let why = format!("{} cannot be changed in place: it is destroyed with its disks and made anew", names.join(", "));
    let destroy =
        Draft::new(Verb::Delete, Change::Destroy).disrupts(Disruption::Data).needs_consent(why).fields(fields);
    let made = create(&Desired { body: Body::Container(body), ..desired.clone() });
    std::iter::once(destroy).chain(made).collect()
}

/// Settings of a running guest that wait for its next start: now, or once these keys are written.
fn waits_for_start(desired: &Desired, live: &Live, found: &Differences) -> Vec<String> {
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
    if has_old_drive(desired, live) {
        all.push("cloud-init".into());
    }
    all.sort();
    all.dedup();
    all
}

/// Whether its drive holds other values for cloud-init than its configuration, and the manifest speaks of that.
fn has_old_drive(desired: &Desired, live: &Live) -> bool {
    live.machine.stale_drive && matches!(&desired.body, Body::Machine(machine) if machine.drive.is_some())
}

/// Whether a value is one that cloud-init hands to the guest.
fn is_inside(live: &Live, key: &str) -> bool {
    option::of(live.kind, key).is_some_and(|option| option.takes == Takes::Inside)
}

/// Disks that are to be smaller than they are. Neither LXC nor QEMU shrinks them.
pub fn shrunk(desired: &Desired, live: &Live) -> Vec<Wish> {
    match &desired.body {
        _ if desired.kind() != live.kind => vec![],
        Body::Container(container) => container::shrunk(container, live),
        Body::Machine(machine) => machine::shrunk(machine, live),
    }
}

/// Differences that no step makes go away.
pub fn remark(desired: &Desired, live: &Live) -> Option<String> {
    if desired.kind() != live.kind {
        return Some(format!(
            "it is a {}, and the manifest wants a {}: it is left as it is",
            live.kind,
            desired.kind()
        ));
    }
    let mut said = match &desired.body {
        Body::Container(container) => container::remarks(container, live),
        Body::Machine(machine) => machine::remarks(machine, live),
    };
    if live.template && desired.running {
        said.push("it is a template, which cannot be started".into());
    }
    if desired.running && desired.restarts == Restarts::Never {
        let found = settings::differences(desired, live, false);
        let waits = waits_for_start(desired, live, &found);
        if !waits.is_empty() {
            said.push(format!("needs a restart for {}", waits.join(", ")));
        }
    }
    (!said.is_empty()).then(|| said.join("; "))
}
