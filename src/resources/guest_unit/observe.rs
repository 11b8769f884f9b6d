//! From the insides of guests to an inventory. Thin.
use super::{GuestUnit, Live, PREFIX, SECRETS, Scope, SecretSeen, UNITS, UnitKey};
use crate::{
    model::{
        Answer, Class, Failure, Foreign, Found, Inventory, Mark, ObjectId, Observation, Observed, Ours, Reference,
        Resource, Revision, Vmid,
    },
    providers::{
        Providers,
        host::{DirectoryEntry, Host, Limits, Place},
        proxmox::{self, GuestType, Power, Proxmox, notes},
        secrets::Secrets,
    },
    resources::guest::{self, Guest, client},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use secrecy::ExposeSecret;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::{sync::Semaphore, task::JoinSet};

/// How many guests are looked into at once.
const AT_ONCE: usize = 4;

pub fn host(providers: &Providers) -> Answer<&Host> {
    providers.host.as_ref().ok_or_else(|| {
        let why = "this site declares no host through which its guests can be entered";
        Failure::new(Class::Unreachable, "look inside guests", why).hint("give `spec.host` of the Site")
    })
}

pub async fn observe(providers: &Providers, scope: &Scope) -> Observed<GuestUnit> {
    if scope.wanted.is_empty() && providers.host.is_none() {
        return Observation::Complete(Inventory::<GuestUnit>::new());
    }
    match inside(providers, scope, None).await {
        Ok(inventory) => Observation::Complete(inventory),
        Err(failure) => Observation::unavailable(failure.to_string()),
    }
}

pub async fn look(providers: &Providers, scope: &Scope, keys: &[UnitKey]) -> Answer<Inventory<GuestUnit>> {
    let mut found = inside(providers, scope, Some(keys)).await?;
    found.retain(|key, _| keys.contains(key));
    Ok(found)
}

/// Looks into the guests of these units, or into all in which there may be any. A guest that does not run keeps its units
/// to itself: they are looked at when it runs again.
async fn inside(providers: &Providers, scope: &Scope, keys: Option<&[UnitKey]>) -> Answer<Inventory<GuestUnit>> {
    let pve = client(providers)?;
    let guests = if keys.is_none() { guest::listed(providers).await? } else { pve.guests().await? };
    let wanted: BTreeSet<u32> = scope.wanted.keys().map(|key| key.vmid.get()).collect();
    let asked: Option<BTreeSet<u32>> = keys.map(|keys| keys.iter().map(|key| key.vmid.get()).collect());
    let of_interest = |guest: &proxmox::Guest| match &asked {
        Some(asked) => asked.contains(&guest.vmid),
        None => wanted.contains(&guest.vmid) || guest.tags.contains(notes::UNITS_TAG),
    };
    let acting = keys.is_some();
    let mut guests: Vec<_> = guests.into_iter().filter(|g| g.kind == GuestType::Lxc && of_interest(g)).collect();
    // A node that does not answer hides its own guests only: each of them is asked for then, and says so.
    let _ = pve.ask_power(&mut guests).await;
    let (mut looking, slots) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    for guest in guests {
        let Ok(vmid) = Vmid::try_from(guest.vmid) else { continue };
        let eye = Eye {
            pve: pve.clone(),
            host: host(providers)?.clone(),
            secrets: providers.secrets.clone(),
            scope: Scope { wanted: of_guest(scope, vmid), ..scope.clone() },
            vmid,
        };
        let slots = slots.clone();
        looking.spawn(async move {
            let _slot = slots.acquire().await;
            let found = eye.look(&guest, acting).await;
            (eye, found)
        });
    }
    let mut inventory = BTreeMap::new();
    while let Some(one) = looking.join_next().await {
        let lost = |e: tokio::task::JoinError| Failure::new(Class::Transient, "look inside a guest", e.to_string());
        let (eye, found) = one.map_err(lost)?;
        match found {
            Ok(found) => inventory.extend(found),
            // While acting, the failure is the answer. While observing, one guest does not hide all others: what is
            // wanted in it cannot be planned, and says why.
            Err(failure) if keys.is_some() => return Err(failure),
            Err(failure) => {
                let holder = format!("a guest that cannot be looked into ({failure})");
                let unknown = Foreign { holder, revision: Revision(String::new()), live: Live::default() };
                inventory.extend(eye.scope.wanted.into_keys().map(|key| (key, Found::Foreign(unknown.clone()))));
            }
        }
    }
    Ok(inventory)
}

fn of_guest(scope: &Scope, vmid: Vmid) -> BTreeMap<UnitKey, Option<Reference>> {
    scope.wanted.iter().filter(|(key, _)| key.vmid == vmid).map(|(k, r)| (k.clone(), r.clone())).collect()
}

/// Looks into one guest.
struct Eye {
    pve: Proxmox,
    host: Host,
    secrets: Secrets,
    scope: Scope,
    vmid: Vmid,
}

impl Eye {
    async fn look(&self, guest: &proxmox::Guest, acting: bool) -> Answer<Inventory<GuestUnit>> {
        if self.pve.power_of(guest).await? != Power::Running {
            return if acting { Err(self.does_not_run()) } else { Ok(BTreeMap::new()) };
        }
        // Only guests of ours: a clone carries tags and units of its origin, and is its maker's affair.
        let config = self.pve.config(&guest.at()).await?;
        let stamp = notes::stamp(config.get("description").unwrap_or_default());
        if !stamp.is_some_and(|s| s.mark.site == self.scope.site && s.vmid == guest.vmid) {
            return Ok(BTreeMap::new());
        }
        let place = Place::Guest { vmid: guest.vmid };
        let files = self.host.list_directory(place, UNITS, PREFIX).await?;
        let mut by_stem: BTreeMap<String, Vec<DirectoryEntry>> = BTreeMap::new();
        for file in files {
            // `x.timer.d/…` and the like are other people's.
            let unit = [".service", ".timer"].iter().find_map(|end| file.name.strip_suffix(end));
            if let Some(stem) = unit.filter(|stem| !stem.contains('/')) {
                by_stem.entry(stem.to_owned()).or_default().push(file);
            }
        }
        if by_stem.is_empty() {
            return Ok(BTreeMap::new());
        }
        let secrets = match self.host.list_directory(place, SECRETS, PREFIX).await {
            Ok(files) => files,
            Err(none) if none.class == Class::NotFound => vec![],
            Err(other) => return Err(other),
        };
        let names: Vec<&str> = by_stem.values().flatten().map(|file| file.name.as_str()).collect();
        let states = self.states(place, &names).await?;
        let mut inventory = BTreeMap::new();
        for (stem, files) in by_stem {
            let key = UnitKey { vmid: self.vmid, stem };
            let found = self.unit(&key, &files, &states, &secrets).await;
            inventory.insert(key, found);
        }
        Ok(inventory)
    }

    /// What it holds is not proven absent: it cannot be seen.
    fn does_not_run(&self) -> Failure {
        let attempted = format!("look inside guest {}", self.vmid);
        Failure::new(Class::Unreachable, attempted, "it does not run")
            .hint("its units are looked at when it runs again")
    }

    async fn unit(
        &self,
        key: &UnitKey,
        files: &[DirectoryEntry],
        states: &BTreeMap<String, State>,
        secrets: &[DirectoryEntry],
    ) -> Found<Live> {
        let mut live = Live::default();
        let mut marks: Vec<Mark> = vec![];
        for file in files {
            let text = String::from_utf8_lossy(&file.content).into_owned();
            let (mark, text) = split(&text);
            match mark {
                Some(mark) => marks.push(mark),
                None => live.unmarked.push(file.name.clone()),
            }
            live.units.insert(file.name.clone(), text.to_owned());
            let state = states.get(&file.name).cloned().unwrap_or_default();
            if state.enabled {
                live.enabled.push(file.name.clone());
            }
            if state.active {
                live.active.push(file.name.clone());
            }
            live.reload_due |= state.reload_due;
            if file.name.ends_with(".timer") {
                (live.run.last, live.run.next) = (state.last, state.next);
            } else {
                live.run.result = state.result;
            }
        }
        for file in secrets.iter().filter(|file| file.name.rsplit_once('.').is_some_and(|(stem, _)| stem == key.stem)) {
            live.secrets.insert(file.name.clone(), self.secret(key, file).await);
        }
        live.uses = vec![Guest::id(&self.vmid)];
        let revision = Revision::of(&(&live.units, &live.unmarked, &live.secrets));
        match marks.first().cloned() {
            Some(mark) if mark.site == self.scope.site => {
                if marks.iter().any(|other| *other != mark) {
                    live.unmarked.extend(files.iter().map(|file| file.name.clone()));
                }
                if mark.declared.as_ref().is_some_and(|declared| declared.kind == "Tunnel") {
                    live.uses.push(ObjectId { resource: "tunnel".into(), key: mark.uid.to_string() });
                }
                Found::Ours(Ours { mark, revision, live })
            }
            other => {
                let owner = other.map_or_else(|| "without a mark".into(), |mark| format!("of site {}", mark.site));
                Found::Foreign(Foreign { holder: format!("a unit of that name {owner}"), revision, live })
            }
        }
    }

    /// Compares without keeping: what leaves this function is no secret.
    async fn secret(&self, key: &UnitKey, file: &DirectoryEntry) -> SecretSeen {
        if file.mode & 0o077 != 0 {
            return SecretSeen::Open;
        }
        if let Some(Some(reference)) = self.scope.wanted.get(key) {
            return match self.secrets.read(reference).await {
                Ok(wanted) if wanted.expose_secret().as_bytes() == &file.content[..] => SecretSeen::AsReferred,
                Ok(_) => SecretSeen::Other,
                Err(failure) => SecretSeen::Unknown(failure.to_string()),
            };
        }
        match tunnel_of(&file.content) {
            Some(tunnel) => SecretSeen::TunnelToken { tunnel },
            None => SecretSeen::Other,
        }
    }

    async fn states(&self, place: Place, names: &[&str]) -> Answer<BTreeMap<String, State>> {
        const WANTED: &str =
            "--property=Id,ActiveState,UnitFileState,NeedDaemonReload,Result,LastTriggerUSec,NextElapseUSecRealtime";
        let argv: Vec<&str> = ["systemctl", "show", WANTED].into_iter().chain(names.iter().copied()).collect();
        let output = self.host.run_at(place, &argv, Bytes::new(), Limits::default()).await?;
        if output.status != 0 {
            let attempted = format!("ask systemd of {place} for its units");
            return Err(Failure::new(Class::Transient, attempted, output.complaint()));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.split("\n\n").map(State::read).map(|state| (state.id.clone(), state)).collect())
    }
}

/// What `systemctl show` says of one unit.
#[derive(Clone, Default)]
struct State {
    id: String,
    active: bool,
    enabled: bool,
    reload_due: bool,
    result: String,
    last: String,
    next: String,
}

impl State {
    fn read(block: &str) -> Self {
        let of = |key: &str| {
            let value = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            value.unwrap_or_default().to_owned()
        };
        Self {
            id: of("Id"),
            // A service that is just being started or reloaded is not down.
            active: matches!(of("ActiveState").as_str(), "active" | "activating" | "reloading"),
            enabled: of("UnitFileState") == "enabled",
            reload_due: of("NeedDaemonReload") == "yes",
            result: of("Result"),
            last: of("LastTriggerUSec"),
            next: of("NextElapseUSecRealtime"),
        }
    }
}

const HEAD: &str = "# trueup ";

/// The mark at the head of a unit file, and the rest.
pub fn split(text: &str) -> (Option<Mark>, &str) {
    match text.split_once('\n') {
        Some((first, rest)) => match first.strip_prefix(HEAD).and_then(Mark::from_words) {
            Some(mark) => (Some(mark), rest),
            None => (None, text),
        },
        None => (None, text),
    }
}

/// A unit file with its mark.
pub fn marked(mark: &Mark, text: &str) -> String {
    format!("{HEAD}{}\n{text}", mark.to_words())
}

/// The tunnel that a connector's token is for: base64 of `{"a": account, "t": tunnel, "s": secret}` (cloudflared 2026.8).
fn tunnel_of(token: &[u8]) -> Option<String> {
    let json = STANDARD.decode(token.trim_ascii()).ok()?;
    let mut token: serde_json::Value = serde_json::from_slice(&json).ok()?;
    match token.get_mut("t")?.take() {
        serde_json::Value::String(tunnel) => Some(tunnel),
        _ => None,
    }
}
