//! One change, as calls. Thin.
use super::{Change, Guest, Live, Scope, bridges, machine, observe, root};
use crate::{
    model::{Answer, Class, Failure, Mark, Reference},
    providers::{
        Providers,
        proxmox::{
            At, Config, GuestType, Parameters, Proxmox,
            notes::{self, Stamp},
            ssh_keys, tags,
        },
    },
    resources::Act,
};
use secrecy::ExposeSecret;
use std::time::Duration;

/// How long a guest may take to shut down before it is stopped hard.
const SHUTDOWN: Duration = Duration::from_secs(60);

pub async fn apply(providers: &Providers, _: &Scope, act: Act<'_, Guest>) -> Answer<()> {
    let pve = observe::client(providers)?;
    let vmid = act.key.get();
    match (act.change, act.seen) {
        (Change::Create { kind, node, parameters, ssh_keys, password }, None) => {
            let mut parameters = parameters.clone();
            hand_over(providers, *kind, ssh_keys.as_ref(), password.as_ref(), &mut parameters).await?;
            create(pve, &At { kind: *kind, node: node.clone(), vmid }, act.mark, parameters).await
        }
        (Change::Clone { node, of }, None) => {
            let stamp = Stamp { mark: act.mark.clone(), vmid, from: None };
            let at = At { kind: GuestType::Qemu, node: of.target.as_ref().unwrap_or(node).clone(), vmid };
            taken(pve, &at, act.mark, pve.clone_qemu(node, vmid, of, &notes::stamped("", &stamp)).await).await
        }
        (Change::Adopt { tags: own }, Some(live)) => {
            let mut set = mark(live, act.mark, vmid);
            let mut all = tags::parse(live.config.get("tags").unwrap_or_default());
            all.extend(own.iter().cloned());
            set.insert("tags".into(), tags::print(&all));
            write(pve, live, vmid, &set, &[]).await
        }
        (Change::Set { set, delete, ssh_keys, password, notes, mark: stale }, Some(live)) => {
            let mut set = set.clone();
            hand_over(providers, live.kind, ssh_keys.as_ref(), password.as_ref(), &mut set).await?;
            if *stale || notes.is_some() {
                set.extend(mark(live, act.mark, vmid));
            }
            if let Some(prose) = notes {
                let stamp = Stamp { mark: act.mark.clone(), vmid, from: live.made_from.clone() };
                set.insert("description".into(), notes::stamped(prose, &stamp));
            }
            write(pve, live, vmid, &set, delete).await
        }
        (Change::SetAsRoot { set, delete }, Some(live)) => {
            let host = providers.host.as_ref().ok_or_else(|| {
                let why = "Proxmox grants it to root@pam alone, and the Site has no host on which it could be done";
                Failure::new(Class::Denied, format!("change {}", live.at(vmid)), why).hint("give the Site a `host`")
            })?;
            root::set(host, &live.at(vmid), set, delete, &live.config.digest).await
        }
        (Change::Join { pool }, Some(live)) => pve.join_pool(&live.at(vmid), pool).await,
        (Change::Grow { disk, bytes }, Some(live)) => pve.resize(&live.at(vmid), disk, *bytes).await,
        (Change::RewriteDrive, Some(live)) => pve.rewrite_cloud_init(&live.at(vmid)).await,
        (Change::Start, Some(live)) => start(pve, live, vmid).await,
        (Change::Stop, Some(live)) => pve.shutdown(&live.at(vmid), SHUTDOWN).await,
        (Change::Restart, Some(live)) => {
            // Not the API's own reboot: that one fails where a guest does not shut down in time.
            pve.shutdown(&live.at(vmid), SHUTDOWN).await?;
            start(pve, live, vmid).await
        }
        (Change::Destroy, Some(live)) => destroy(pve, live, vmid, act.mark).await,
        (change, seen) => {
            let there = if seen.is_some() { "a guest is there" } else { "no guest is there" };
            Err(Failure::new(Class::Conflict, format!("{change} (guest {vmid})"), there))
        }
    }
}

async fn create(pve: &Proxmox, at: &At, mark: &Mark, mut all: Parameters) -> Answer<()> {
    let stamp = Stamp { mark: mark.clone(), vmid: at.vmid, from: all.get("ostemplate").cloned() };
    let prose = all.remove("description").unwrap_or_default();
    all.insert("description".into(), notes::stamped(&prose, &stamp));
    let created = pve.create(at, &all).await;
    taken(pve, at, mark, created).await
}

/// What comes from files is read right before it is sent.
async fn hand_over(
    providers: &Providers,
    kind: GuestType,
    ssh_keys: Option<&String>,
    password: Option<&Reference>,
    parameters: &mut Parameters,
) -> Answer<()> {
    if let Some(file) = ssh_keys {
        let keys = providers.secrets.read(&Reference::File(file.clone())).await?;
        let (key, value) = match kind {
            GuestType::Lxc => ("ssh-public-keys", keys.expose_secret().to_owned()),
            GuestType::Qemu => ("sshkeys", ssh_keys::value(keys.expose_secret())),
        };
        parameters.insert(key.into(), value);
    }
    if let Some(reference) = password {
        let password = providers.secrets.read(reference).await?;
        parameters.insert("cipassword".into(), password.expose_secret().trim_end_matches(['\r', '\n']).to_owned());
    }
    Ok(())
}

async fn taken(pve: &Proxmox, at: &At, mark: &Mark, made: Answer<()>) -> Answer<()> {
    match made {
        // Somebody was faster; perhaps an earlier try of ours whose reply was lost.
        Err(taken) if taken.class == Class::Conflict => match pve.config_when_made(at).await {
            Ok(config) if is_of(&config, mark) => Ok(()),
            _ => Err(taken),
        },
        other => other,
    }
}

async fn start(pve: &Proxmox, live: &Live, vmid: u32) -> Answer<()> {
    pve.start(&live.at(vmid)).await?;
    if live.kind == GuestType::Qemu {
        if machine::settings::leases(live) {
            let macs: Vec<String> = live.cards().into_values().filter_map(|card| card.mac).collect();
            pve.await_agent(&live.at(vmid), |i| i.mac.as_ref().is_some_and(|mac| macs.contains(mac))).await?;
        }
        return Ok(());
    }
    let leases = live.interfaces().into_values().filter(|i| i.ip.as_deref() == Some("dhcp"));
    for interface in leases {
        // Forwards and records are made of the lease. Without one in time they wait for the next pass.
        pve.await_address(&live.at(vmid), &interface.name).await?;
    }
    Ok(())
}

/// The mark is proven once more after the shutdown, which may have taken a minute.
async fn destroy(pve: &Proxmox, live: &Live, vmid: u32, mark: &Mark) -> Answer<()> {
    if live.running {
        pve.shutdown(&live.at(vmid), SHUTDOWN).await?;
    }
    match pve.config(&live.at(vmid)).await {
        Ok(config) if is_of(&config, mark) => pve.destroy(&live.at(vmid)).await,
        Ok(_) => {
            let why = "it does not carry our mark any more";
            Err(Failure::new(Class::Conflict, format!("destroy {}", live.at(vmid)), why))
        }
        Err(gone) if gone.class == Class::NotFound => Ok(()),
        Err(other) => Err(other),
    }
}

/// Writes against the configuration that was seen. A lock that came or went in between changes the digest and nothing
/// else: then once more with the new one.
async fn write(pve: &Proxmox, live: &Live, vmid: u32, set: &Parameters, delete: &[String]) -> Answer<()> {
    bridges::demand(pve, live, vmid, set).await?;
    let seen = match live.config.lock() {
        Some(_) => pve.config_when_free(&live.at(vmid)).await?,
        None => live.config.clone(),
    };
    let put = async |config: &Config| {
        let (revert, delete): (Vec<String>, Vec<String>) =
            delete.iter().cloned().partition(|key| config.only_pending.contains(key));
        pve.update(&live.at(vmid), set, &delete, &revert, &config.digest).await
    };
    if !same(&seen, &live.config) {
        return Err(Failure::new(Class::Conflict, format!("change {}", live.at(vmid)), "it was changed meanwhile"));
    }
    match put(&seen).await {
        Err(moved) if moved.class == Class::Conflict => {
            let again = pve.config_when_free(&live.at(vmid)).await?;
            if same(&again, &live.config) { put(&again).await } else { Err(moved) }
        }
        other => other,
    }
}

fn same(a: &Config, b: &Config) -> bool {
    let of = |c: &Config| {
        let mut values = c.values.clone();
        values.remove("lock");
        (values, c.pending.clone())
    };
    of(a) == of(b)
}

/// Our stamp in the notes that are there.
fn mark(live: &Live, mark: &Mark, vmid: u32) -> Parameters {
    let stamp = Stamp { mark: mark.clone(), vmid, from: live.made_from.clone() };
    [("description".into(), notes::stamped(live.notes(), &stamp))].into()
}

fn is_of(config: &Config, mark: &Mark) -> bool {
    notes::stamp(config.get("description").unwrap_or_default()).is_some_and(|s| s.mark.same_owner(mark))
}
