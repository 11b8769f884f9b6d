//! The parts of a running sandbox, and how they follow each other: a guest that starts gets its addresses, one that is
//! destroyed loses its insides, a connector that runs is connected.
use super::{
    cloudflare,
    faults::Faults,
    guests::{Inhabitant, Street},
    host::{Ground, Node},
    net::{Net, Simulated},
    proxmox::{self, Kind},
    seed::Seed,
    store::Store,
    systemd::{UnitFile, program},
    traefik::Traefik,
};
use anyhow::Result;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fs,
    path::Path,
    sync::Arc,
};
use tokio::sync::{Mutex, watch};

/// Everything that is simulated.
pub struct Site {
    pub seed: Seed,
    pub store: Arc<Store>,
    pub faults: Arc<Faults>,
    pub proxmox: Arc<proxmox::Simulator>,
    pub cloudflare: Arc<cloudflare::Simulator>,
    pub traefik: Arc<Traefik>,
    pub node: Arc<Node>,
    pub ground: Arc<dyn Ground>,
    pub network: Network,
    /// Counts what was done on the node and in guests.
    pub touched: watch::Sender<u64>,
    /// Connector id to its token.
    pub(super) connected: Mutex<BTreeMap<String, String>>,
    pub(super) settled: Mutex<Settled>,
}

/// What was found when everything was last brought in line: what has not changed since is not looked at again.
#[derive(Default)]
pub(super) struct Settled {
    touched: u64,
    /// Containers: name, and whether they run.
    insides: BTreeMap<u32, (String, bool)>,
    /// Of those that run: connector id to its token.
    connectors: BTreeMap<u32, BTreeMap<String, String>>,
}

/// With packets or without.
pub enum Network {
    Namespaces { net: Arc<Net>, street: Street },
    Simulated(Arc<Simulated>),
}

/// Names of files in the state directory.
pub(super) const PROXMOX: &str = "proxmox";
pub(super) const CLOUDFLARE: &str = "cloudflare";
const NFT: &str = "nft";

impl Settled {
    /// Of a sandbox that starts: these guests have insides, of which nothing is known.
    pub(super) fn unknown(inhabited: BTreeSet<u32>) -> Self {
        let insides = inhabited.into_iter().map(|vmid| (vmid, (String::new(), false))).collect();
        Self { insides, ..Self::default() }
    }
}

impl Site {
    /// Brings guests, their insides, their addresses and their connectors in line with Proxmox.
    pub async fn settle(&self) {
        let guests = self.proxmox.guests();
        let mut settled = self.settled.lock().await;
        let touched = *self.touched.borrow();
        let containers: Vec<_> = guests.iter().filter(|guest| guest.kind == Kind::Lxc).collect();
        let insides = containers.iter().map(|g| (g.vmid, (g.name.clone(), g.running)));
        let before = std::mem::replace(&mut settled.insides, insides.collect());
        let moved: BTreeSet<u32> = settled
            .insides
            .iter()
            .filter(|(vmid, now)| before.get(vmid) != Some(now))
            .map(|(vmid, _)| *vmid)
            .chain(before.keys().filter(|vmid| !settled.insides.contains_key(vmid)).copied())
            .collect();
        if let Err(e) = self.node.follow(&moved, &settled.insides) {
            tracing::error!("the insides of guests could not be made: {e}");
        }
        let running: Vec<_> = containers.into_iter().filter(|guest| guest.running).collect();
        if let Network::Namespaces { street, .. } = &self.network {
            // Of a machine only the network is simulated; what stands at its addresses keeps its certificate beside the
            // insides of containers, which `pct` finds by their number.
            let root = |guest: &proxmox::GuestView| match guest.kind {
                Kind::Lxc => self.node.guest_root(guest.vmid),
                Kind::Qemu => self.node.guest_root(guest.vmid).with_file_name(format!("machine-{}", guest.vmid)),
            };
            let inhabitants: Vec<_> = guests
                .iter()
                .filter(|guest| guest.running)
                .map(|guest| Inhabitant {
                    vmid: guest.vmid,
                    name: guest.name.clone(),
                    addresses: guest.networks.iter().flat_map(|network| network.addresses.clone()).collect(),
                    root: root(guest),
                })
                .collect();
            if let Err(e) = street.settle(&inhabitants).await {
                tracing::error!("the guests' addresses could not be made: {e:#}");
            }
        }
        let all = std::mem::replace(&mut settled.touched, touched) != touched;
        let mut known = std::mem::take(&mut settled.connectors);
        for guest in running {
            let found = match known.remove(&guest.vmid) {
                Some(known) if !all && !moved.contains(&guest.vmid) => known,
                _ => self.connectors_in(guest.vmid),
            };
            settled.connectors.insert(guest.vmid, found);
        }
        self.connect(settled.connectors.values().flatten().map(|(id, token)| (id.clone(), token.clone())).collect())
            .await;
    }

    fn connectors_in(&self, vmid: u32) -> BTreeMap<String, String> {
        let root = self.node.guest_root(vmid);
        let services = self.node.services_in(vmid).into_iter();
        services.filter_map(|(unit, file)| Some((connector_id(vmid, &unit), connector_token(&root, &file)?))).collect()
    }

    /// Makes exactly these connectors run.
    async fn connect(&self, wanted: BTreeMap<String, String>) {
        let mut connected = self.connected.lock().await;
        for (id, _) in connected.iter().filter(|(id, token)| wanted.get(*id) != Some(token)) {
            self.cloudflare.disconnect(id);
        }
        connected.retain(|id, token| wanted.get(id) == Some(token));
        for (id, token) in wanted {
            let Entry::Vacant(free) = connected.entry(id) else { continue };
            match self.cloudflare.connect(&token, free.key()) {
                Ok(()) => _ = free.insert(token),
                Err(e) => tracing::warn!("cloudflared cannot connect: {e}"),
            }
        }
    }

    /// Writes everything down.
    ///
    /// # Errors
    /// The first part that could not be kept.
    pub async fn save(&self) -> Result<()> {
        self.store.save(PROXMOX, &self.proxmox.snapshot())?;
        self.store.save(CLOUDFLARE, &self.cloudflare.snapshot())?;
        self.save_nft().await
    }

    pub(super) async fn save_nft(&self) -> Result<()> {
        match &self.network {
            Network::Namespaces { net, .. } => net.keep(&self.store).await,
            Network::Simulated(simulated) => self.store.save(NFT, &simulated.nft()),
        }
    }

    /// The namespaces, where there are any.
    pub fn net(&self) -> Option<&Arc<Net>> {
        match &self.network {
            Network::Namespaces { net, .. } => Some(net),
            Network::Simulated(_) => None,
        }
    }
}

/// What the simulated nft was when it was saved.
///
/// # Errors
/// When the file cannot be understood.
pub(super) fn saved_nft(store: &Store) -> Result<super::nft_simulated::NftSimulated> {
    Ok(store.load(NFT)?.unwrap_or_default())
}

/// The token of a connector's unit, read from the file that it names, as cloudflared does.
fn connector_token(root: &Path, unit: &UnitFile) -> Option<String> {
    let command = unit.last("Service", "ExecStart")?;
    if !program(command)?.ends_with("/cloudflared") {
        return None;
    }
    let words: Vec<&str> = command.split_whitespace().map(|word| word.trim_matches('"')).collect();
    let after = |flag: &str| {
        let at = words.iter().position(|word| *word == flag || word.starts_with(&format!("{flag}=")))?;
        words.get(at)?.split_once('=').map(|(_, value)| value).or(words.get(at + 1).copied())
    };
    let environment = unit.all("Service", "Environment").iter().flat_map(|line| line.split_whitespace());
    let mut environment = environment.filter_map(|word| word.trim_matches('"').split_once('='));
    let file =
        after("--token-file").or_else(|| environment.find(|(key, _)| *key == "TUNNEL_TOKEN_FILE").map(|(_, v)| v))?;
    // systemd's credentials directory stands for what LoadCredential= put there.
    let file = match file.strip_prefix("${CREDENTIALS_DIRECTORY}/").or_else(|| file.strip_prefix("%d/")) {
        Some(name) => {
            let given = unit.all("Service", "LoadCredential").iter().filter_map(|line| line.split_once(':'));
            given.into_iter().find(|(known, _)| *known == name).map(|(_, path)| path)?
        }
        None => file,
    };
    let text = fs::read_to_string(root.join(file.trim_start_matches('/'))).ok()?;
    let token = text.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

/// A connector is the same one as long as its guest and unit are.
fn connector_id(vmid: u32, unit: &str) -> String {
    let sum: String =
        Sha256::digest(format!("{vmid}/{unit}")).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-4{}-8{}-{}", &sum[..8], &sum[8..12], &sum[13..16], &sum[17..20], &sum[20..32])
}
