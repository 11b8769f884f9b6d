//! What has to be done to a guest. Pure.
use super::{Body, Change, Desired, Live, Restarts, container, option, settings};
use crate::model::{Disruption, Draft, Field, Sides, Verb};

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
    let (fields, ssh_keys) = match &desired.body {
        Body::Container(container) => {
            let mut fields = vec![size("memory", container.memory), size("rootfs.size", container.rootfs.size)];
            fields.extend(container.networks.values().map(|i| Field {
                name: format!("networks.{}.address", i.name),
                from: None,
                to: i.ip.clone().or(i.ip6.clone()),
                effect: None,
            }));
            (fields, container.ssh_keys.clone())
        }
    };
    let change = Change::Create {
        kind: desired.kind(),
        node: desired.node.clone(),
        parameters: settings::parameters(desired),
        ssh_keys,
    };
    let mut drafts = vec![Draft::new(Verb::Create, change).unsettles().fields(fields)];
    if desired.running {
        drafts.push(start(desired));
    }
    drafts
}

fn start(desired: &Desired) -> Draft<Change> {
    let draft = Draft::new(Verb::Update, Change::Start);
    if leases(desired) { draft.unsettles() } else { draft }
}

/// Whether an address is known only while the guest runs.
fn leases(desired: &Desired) -> bool {
    match &desired.body {
        Body::Container(container) => container.leases(),
    }
}

/// `marked`: a step before this one writes the mark.
fn update(desired: &Desired, live: &Live, stale_mark: bool, marked: bool) -> Vec<Draft<Change>> {
    let mut drafts = vec![];
    let found = settings::differences(desired, live, marked);
    let written = found.written();
    for (disk, bytes, field) in found.grow {
        drafts.push(Draft::new(Verb::Update, Change::Grow { disk, bytes }).fields([field]));
    }
    if !written.is_empty() || stale_mark {
        let mut draft =
            Draft::new(Verb::Update, Change::Set { set: found.set, delete: found.delete, mark: stale_mark });
        draft = draft.fields(found.fields);
        if stale_mark {
            draft.fields.push(Field { name: "mark".into(), from: None, to: Some("written anew".into()), effect: None });
        }
        if found.network {
            draft = draft.disrupts(Disruption::Interruption).unsettles();
        }
        drafts.push(draft);
    }
    let waits = waits_for_start(live, &written);
    match (live.running, desired.running) {
        (false, true) if live.template => {}
        (false, true) => drafts.push(start(desired)),
        (true, false) => drafts.push(Draft::new(Verb::Update, Change::Stop).disrupts(Disruption::Interruption)),
        (true, true) if !waits.is_empty() && desired.restarts == Restarts::WhenNeeded => {
            let field = Field { name: "pending".into(), from: None, to: Some(waits.join(", ")), effect: None };
            let draft = Draft::new(Verb::Restart, Change::Restart).disrupts(Disruption::Restart).fields([field]);
            drafts.push(if leases(desired) { draft.unsettles() } else { draft });
        }
        _ => {}
    }
    drafts
}

/// Settings of a running guest that wait for its next start: now, or once these keys are written.
fn waits_for_start(live: &Live, written: &[String]) -> Vec<String> {
    if !live.running {
        return vec![];
    }
    let soon = written.iter().filter(|key| option::waits(live, key));
    // What is written anew replaces what is pending.
    let now = live.config.pending.iter().filter(|key| !written.contains(key));
    let mut all: Vec<String> = soon.chain(now).cloned().collect();
    all.sort();
    all.dedup();
    all
}

/// Differences that no step makes go away.
pub fn remark(desired: &Desired, live: &Live) -> Option<String> {
    let mut said = match &desired.body {
        Body::Container(container) => container::remarks(container, live),
    };
    if live.template && desired.running {
        said.push("it is a template, which cannot be started".into());
    }
    if desired.running && desired.restarts == Restarts::Never {
        let found = settings::differences(desired, live, false);
        let written = found.written();
        let waits = waits_for_start(live, &written);
        if !waits.is_empty() {
            said.push(format!("needs a restart for {}", waits.join(", ")));
        }
    }
    (!said.is_empty()).then(|| said.join("; "))
}
