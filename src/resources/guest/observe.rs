//! From the API to an inventory. Thin: reads, and what a reading means.
use super::{Guest, Live, Scope, machine};
use crate::{
    model::{
        Answer, Class, Deletion, Failure, Foreign, Found, Inventory, Mark, Observation, Observed, Ours, Reference,
        Revision, Vmid,
    },
    providers::{
        Providers,
        proxmox::{
            self, Address, At, GuestType, Heard, Power, Proxmox, network::Interface, notes, property::Properties,
            ssh_keys,
        },
        secrets::Secrets,
    },
};
use secrecy::ExposeSecret;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};
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
        let guests = listed(providers).await?;
        let of_interest = |g: &proxmox::Guest| g.tags.contains(notes::TAG) || is_wanted(scope, g);
        read(providers, scope, guests.into_iter().filter(of_interest).collect()).await
    };
    match seen.await {
        Ok(inventory) => Observation::Complete(inventory),
        Err(failure) => Observation::unavailable(failure.to_string()),
    }
}

/// All guests of the cluster as the listing shows them, whoever they belong to.
///
/// # Errors
/// `Denied` when the token may not see all of them, and all that any read may bring.
pub async fn listed(providers: &Providers) -> Answer<Vec<proxmox::Guest>> {
    let pve = client(providers)?;
    let read = async {
        let guests = pve.guests().await?;
        prove_complete(pve).await?;
        Ok(guests)
    };
    providers.one_look.guests.or(read).await
}

/// What these of them are, read all at once.
///
/// # Errors
/// All that any read may bring.
pub async fn of_list(providers: &Providers, scope: &Scope, guests: Vec<proxmox::Guest>) -> Answer<Inventory<Guest>> {
    read(providers, scope, guests).await
}

/// These guests, fresh. A guest is asked for at the node where it was last seen: its configuration there proves that
/// it exists, and whose it is. That an id is free is asked of the cluster, which knows all ids. Only what is neither is
/// looked up in the list of the cluster, because a missing guest and one that may not be seen answer alike; absence
/// from that list needs the proof that all may be seen.
pub async fn look(providers: &Providers, scope: &Scope, keys: &[Vmid]) -> Answer<Inventory<Guest>> {
    let pve = client(providers)?;
    let mut inventory = Inventory::<Guest>::new();
    let mut unclear: BTreeSet<u32> = BTreeSet::new();
    for key in keys {
        match at_home(pve, scope, key.get()).await? {
            Some((guest, live)) => _ = inventory.insert(*key, found(scope, &guest, live)),
            None if pve.is_free_id(key.get()).await? => {}
            None => _ = unclear.insert(key.get()),
        }
    }
    if !unclear.is_empty() {
        let guests: Vec<_> = pve.guests().await?.into_iter().filter(|g| unclear.contains(&g.vmid)).collect();
        if guests.len() < unclear.len() {
            prove_complete(pve).await?;
        }
        inventory.extend(read(providers, scope, guests).await?);
    }
    Ok(inventory)
}

/// A guest, where it is still on the node where it was last seen. What was listed of its name may be old by now, so that is
/// not used.
async fn at_home(pve: &Proxmox, scope: &Scope, vmid: u32) -> Answer<Option<(proxmox::Guest, Live)>> {
    let Some(mut guest) = pve.last_seen(vmid) else { return Ok(None) };
    let Some(mut live) = live(pve, &Claim::on(scope, &guest), &guest).await? else { return Ok(None) };
    live.template = live.config.get("template").is_some_and(|set| set == "1");
    let name = if guest.kind == GuestType::Lxc { "hostname" } else { "name" };
    guest.name = live.config.get(name).map(str::to_owned);
    Ok(Some((guest, live)))
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
async fn read(providers: &Providers, scope: &Scope, mut guests: Vec<proxmox::Guest>) -> Answer<Inventory<Guest>> {
    let pve = client(providers)?;
    pve.ask_power(&mut guests).await?;
    let mut reading = JoinSet::new();
    for guest in guests {
        let (pve, secrets, claim) = (pve.clone(), providers.secrets.clone(), Claim::on(scope, &guest));
        let keys = Vmid::try_from(guest.vmid).ok().and_then(|vmid| scope.keys.get(&vmid).cloned());
        reading.spawn(async move {
            let mut live = live(&pve, &claim, &guest).await;
            if let (Ok(Some(live)), Some(file)) = (&mut live, keys) {
                live.machine.other_keys = has_other_keys(live, &secrets, file).await;
            }
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

/// What this site may say of a guest before it has been looked at. The whole scope knows every guest, and each guest is looked
/// at with a copy.
struct Claim {
    site: String,
    is_wanted: bool,
}

impl Claim {
    fn on(scope: &Scope, guest: &proxmox::Guest) -> Self {
        Self { site: scope.site.clone(), is_wanted: is_wanted(scope, guest) }
    }

    /// By the mark that a guest carries, if it carries one.
    fn whose(&self, mark: Option<Mark>) -> Whose {
        match mark {
            Some(mark) if mark.site == self.site => Whose::Ours,
            Some(_) if !self.is_wanted => Whose::Theirs,
            _ => Whose::ToBeTaken,
        }
    }
}

/// `None`: it has gone since it was listed.
async fn live(pve: &Proxmox, claim: &Claim, guest: &proxmox::Guest) -> Answer<Option<Live>> {
    let at = guest.at();
    let mut live = Live {
        kind: guest.kind,
        node: guest.node.clone(),
        template: guest.template,
        pool: guest.pool.clone(),
        ..Live::default()
    };
    // While it is being made its configuration holds nothing but a lock: not even our mark.
    live.config = match pve.config_when_made(&at).await {
        Err(gone) if gone.class == Class::NotFound => return Ok(None),
        config => config?,
    };
    live.made_from = notes::stamp(live.notes()).and_then(|stamp| stamp.from);
    live.running = match pve.power_of(guest).await {
        Err(gone) if gone.class == Class::NotFound => return Ok(None),
        power => power? == Power::Running,
    };
    if live.kind == GuestType::Lxc {
        live.addresses = addresses(pve, guest, &live).await?;
        return Ok(Some(live));
    }
    let whose = claim.whose(notes::stamp(live.notes()).map(|stamp| stamp.mark));
    match look_at_machine(pve, &at, whose, &mut live).await {
        Err(gone) if gone.class == Class::NotFound => Ok(None),
        looked => looked.map(|()| Some(live)),
    }
}

/// Whose a machine is, as far as it decides what is asked about it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Ours,
    /// Nobody's, or wanted by a manifest: it may be taken over.
    ToBeTaken,
    /// Another site's, and no manifest of ours wants it.
    Theirs,
}

/// Addresses that its manifest fixes, and those that its agent tells: under the slot of the card (`net0`), which its
/// hardware address gives away, and under the name of every interface inside, for a manifest that names one.
async fn look_at_machine(pve: &Proxmox, at: &At, whose: Whose, live: &mut Live) -> Answer<()> {
    let cards = live.cards();
    let mut all: Vec<Address> = vec![];
    let mut add = |interface: String, ip: IpAddr| {
        let address = Address { interface, ip };
        if !all.contains(&address) {
            all.push(address);
        }
    };
    for n in cards.keys() {
        let parts = live.config.get(&format!("ipconfig{n}")).map(Properties::parse).unwrap_or_default();
        let fixed = ["ip", "ip6"].into_iter().filter_map(|key| parts.get(key)?.split('/').next()?.parse().ok());
        fixed.for_each(|ip| add(format!("net{n}"), ip));
    }
    // Only of one of ours are they of use.
    if live.running && whose == Whose::Ours && machine::settings::has_agent(live) {
        match pve.agent_interfaces(at).await? {
            Heard::Silence(why) => live.machine.silent = Some(why),
            Heard::Interfaces(inside) => {
                for (n, card) in &cards {
                    let its = inside.iter().filter(|i| i.mac.is_some() && i.mac == card.mac);
                    its.flat_map(|i| &i.addresses).for_each(|ip| add(format!("net{n}"), *ip));
                }
                let named = inside.iter().flat_map(|i| i.addresses.iter().map(move |ip| (&i.name, ip)));
                named.for_each(|(name, ip)| add(name.clone(), *ip));
            }
        }
    }
    // Of one that is to be taken over too: a pass would write the drive anew.
    if live.running && whose != Whose::Theirs && machine::settings::cloud_drive(live).is_some() {
        live.machine.stale_drive = match pve.cloud_init_is_stale(at).await {
            // Without this look a drive that was left behind goes unnoticed; nothing else does.
            Err(refused) if matches!(refused.class, Class::Invalid | Class::Denied) => false,
            looked => looked?,
        };
    }
    live.addresses = all;
    Ok(())
}

/// A file that cannot be read is told by who needs it.
async fn has_other_keys(live: &Live, secrets: &Secrets, file: String) -> bool {
    match secrets.read(&Reference::File(file)).await {
        Ok(text) => !ssh_keys::are_those_of(live.config.get("sshkeys").unwrap_or_default(), text.expose_secret()),
        Err(_) => false,
    }
}

/// Configured addresses as they are written; what a lease brought where they come from elsewhere.
async fn addresses(pve: &Proxmox, guest: &proxmox::Guest, live: &Live) -> Answer<Vec<Address>> {
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
