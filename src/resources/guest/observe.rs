//! From the API to an inventory. Thin: reads, and what a reading means.
use super::{Guest, Live, Scope};
use crate::{
    model::{Answer, Class, Deletion, Failure, Foreign, Found, Inventory, Observation, Observed, Ours, Revision, Vmid},
    providers::{
        Providers,
        proxmox::{self, Address, GuestType, Power, Proxmox, network::Interface, notes},
    },
};
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::JoinSet;

/// What holds for every guest below `/vms`; without it a list is silently shorter.
const SEES: (&str, &str) = ("VM.Audit", "/vms");

/// The client, or why there is none.
///
/// # Errors
/// `Unreachable` when the site has none.
pub fn client(providers: &Providers) -> Answer<&Proxmox> {
    providers.proxmox.as_ref().ok_or_else(|| {
        Failure::new(Class::Unreachable, "reach Proxmox VE", "this site declares no usable access to it")
    })
}

pub async fn observe(providers: &Providers, scope: &Scope) -> Observed<Guest> {
    let seen = async {
        let pve = client(providers)?;
        let guests = pve.guests().await?;
        prove_complete(pve).await?;
        let of_interest = |g: &proxmox::Guest| g.tags.contains(notes::TAG) || is_wanted(scope, g);
        read(pve, scope, guests.into_iter().filter(of_interest).collect()).await
    };
    match seen.await {
        Ok(inventory) => Observation::Complete(inventory),
        Err(failure) => Observation::unavailable(failure.to_string()),
    }
}

/// These guests, fresh. Existence is taken from the list of the cluster, because a missing guest and one that may not be
/// seen answer alike; absence needs the proof that all may be seen.
pub async fn look(providers: &Providers, scope: &Scope, keys: &[Vmid]) -> Answer<Inventory<Guest>> {
    let pve = client(providers)?;
    let keys: BTreeSet<u32> = keys.iter().map(|k| k.get()).collect();
    let guests: Vec<_> = pve.guests().await?.into_iter().filter(|g| keys.contains(&g.vmid)).collect();
    if guests.len() < keys.len() {
        prove_complete(pve).await?;
    }
    read(pve, scope, guests).await
}

/// That no guest is hidden from the token.
///
/// # Errors
/// `Denied`, with the privilege that is missing.
pub async fn prove_complete(pve: &Proxmox) -> Answer<()> {
    let (privilege, path) = SEES;
    if pve.permissions().await?.proves(privilege, path) {
        return Ok(());
    }
    let why = format!("the token does not hold {privilege} on all of {path}, so a list may leave guests out");
    Err(Failure::new(Class::Denied, "see all guests", why)
        .hint(format!("give the token and its user a role with {privilege} on {path}, passed on to everything below")))
}

fn is_wanted(scope: &Scope, guest: &proxmox::Guest) -> bool {
    Vmid::try_from(guest.vmid).is_ok_and(|id| scope.wanted.contains(&id))
}

/// The client bounds how many calls are in flight.
async fn read(pve: &Proxmox, scope: &Scope, guests: Vec<proxmox::Guest>) -> Answer<Inventory<Guest>> {
    let mut reading = JoinSet::new();
    for guest in guests {
        let pve = pve.clone();
        reading.spawn(async move {
            let live = live(&pve, &guest).await;
            (guest, live)
        });
    }
    let mut inventory = BTreeMap::new();
    while let Some(one) = reading.join_next().await {
        let lost = |e: tokio::task::JoinError| Failure::new(Class::Transient, "read a guest", e.to_string());
        let (guest, live) = one.map_err(lost)?;
        let Some(live) = live? else { continue };
        let Ok(id) = Vmid::try_from(guest.vmid) else { continue };
        inventory.insert(id, found(scope, &guest, live));
    }
    Ok(inventory)
}

/// `None`: it has gone since it was listed.
async fn live(pve: &Proxmox, guest: &proxmox::Guest) -> Answer<Option<Live>> {
    let at = guest.at();
    let mut live = Live { kind: guest.kind, node: guest.node.clone(), template: guest.template, ..Live::default() };
    // While it is being made its configuration holds nothing but a lock: not even our mark.
    live.config = match pve.config_when_made(&at).await {
        Err(gone) if gone.class == Class::NotFound => return Ok(None),
        config => config?,
    };
    live.running = match pve.power_of(guest).await {
        Err(gone) if gone.class == Class::NotFound => return Ok(None),
        power => power? == Power::Running,
    };
    live.addresses = addresses(pve, guest, &live).await?;
    Ok(Some(live))
}

/// Configured addresses as they are written; what a lease brought where they come from elsewhere.
async fn addresses(pve: &Proxmox, guest: &proxmox::Guest, live: &Live) -> Answer<Vec<Address>> {
    if guest.kind == GuestType::Qemu {
        // Only its agent knows them, and only of one of ours are they of use.
        let asks = live.running && live.notes().contains(notes::TAG);
        return if asks { pve.interfaces(&guest.at()).await } else { Ok(vec![]) };
    }
    let interfaces = live.interfaces();
    let fixed = |i: &Interface| {
        let both = [i.ip.as_deref(), i.ip6.as_deref()].into_iter().flatten();
        let both = both.filter_map(|a| a.split('/').next()?.parse().ok());
        both.map(|ip| Address { interface: i.name.clone(), ip }).collect::<Vec<_>>()
    };
    let leased = |i: &Interface| [&i.ip, &i.ip6].into_iter().flatten().any(|a| matches!(a.as_str(), "dhcp" | "auto"));
    let real = match live.running && interfaces.values().any(leased) {
        true => pve.interfaces(&guest.at()).await?,
        false => vec![],
    };
    let mut all = vec![];
    for interface in interfaces.values() {
        all.extend(fixed(interface));
        for address in real.iter().filter(|a| leased(interface) && a.interface == interface.name) {
            if !all.contains(address) {
                all.push(address.clone());
            }
        }
    }
    Ok(all)
}

fn found(scope: &Scope, guest: &proxmox::Guest, live: Live) -> Found<Live> {
    let revision = revision(&live);
    match notes::stamp(live.notes()) {
        Some(stamp) if stamp.mark.site == scope.site => {
            let mut mark = stamp.mark;
            if stamp.vmid != guest.vmid {
                // A clone, or a restore under another id: it carries the mark of its origin, whose policy is not its own.
                mark.deletion = Deletion::Retain;
            }
            Found::Ours(Ours { mark, revision, live })
        }
        other => {
            let name = guest.name.as_deref().unwrap_or("without a name");
            let owner = match other {
                Some(stamp) => format!(" of site {}", stamp.mark.site),
                None if live.config.lock() == Some("create") => ", which is still being made".into(),
                None => String::new(),
            };
            let holder = format!("{} {} ({name}){owner}", guest.kind, guest.vmid);
            Found::Foreign(Foreign { holder, revision, live })
        }
    }
}

/// Of the configuration alone: power and locks come and go without anybody having changed the guest.
fn revision(live: &Live) -> Revision {
    let config: Vec<_> = live.config.values.iter().filter(|(key, _)| *key != "lock").collect();
    Revision::of(&(&live.node, config, &live.config.pending))
}
