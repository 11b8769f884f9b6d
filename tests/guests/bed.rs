//! A sandbox in this process, of either release, and passes over it through real clients.
use jiff::Timestamp;
use secrecy::SecretString;
use std::{collections::BTreeMap, fs, sync::Arc};
use trueup::{
    engine::{self, Estate, Options, Outcome, Report},
    kinds::{
        self, Declarations, RESOURCES,
        allocation::{Carried, allocate, fill},
    },
    ledger::Lock,
    manifest::SourceFile,
    model::Uid,
    providers::{Providers, host::Host, http::Trust, proxmox, traefik},
    sandbox::{
        drift::{self, Drift},
        faults::Fault,
        proxmox::{Clock, Guest, Kind, Release, SeedGuest, Task},
        seed::Seed,
        serve::{self, NetMode, Running, serve},
    },
};

pub const RELEASES: [Release; 2] = [Release::V9_2_11, Release::V8_4_21];

const SITE: &str = "apiVersion: trueup/v1alpha1
kind: Site
metadata: { name: nz }
spec:
  domain: decent-cloud.org
  timezone: Pacific/Auckland
  host: local
  proxmox:
    endpoints: ['https://127.0.0.1:8006']
    token: { env: T }
    defaults: { node: pve1, storage: local-zfs, bridge: vmbr1 }
---
";

pub struct Bed {
    running: Running,
    lock: Lock,
    uids: u8,
    /// As a watching controller does: it knows what it has touched, where the list of the cluster lags behind.
    keeps_client: bool,
    client: Option<proxmox::Proxmox>,
    _directory: tempfile::TempDir,
}

impl Bed {
    pub async fn new(release: Release) -> Self {
        Self::with(release, vec![]).await
    }

    /// Whose Proxmox VE takes as long as the real one for everything, locks too, in a time that passes so many times faster.
    pub async fn hurried(release: Release, speed: u32) -> Self {
        Self::serving(release, |_| (), Some(Clock::hurried(speed))).await
    }

    /// With guests that are not ours.
    pub async fn with(release: Release, guests: Vec<SeedGuest>) -> Self {
        Self::shaped(release, |seed| seed.proxmox.guests = guests).await
    }

    /// On a site that begins otherwise.
    pub async fn shaped(release: Release, shape: impl FnOnce(&mut Seed)) -> Self {
        Self::serving(release, shape, None).await
    }

    /// With a second node, `pve2`, passes by one client, and a time that passes so many times faster; nothing takes any
    /// without a number.
    pub async fn clustered(release: Release, speed: Option<u32>) -> Self {
        let two = |seed: &mut Seed| *seed = std::mem::take(seed).with_bridge("pve2", "vmbr1", None);
        Self { keeps_client: true, ..Self::serving(release, two, speed.map(Clock::hurried)).await }
    }

    async fn serving(release: Release, shape: impl FnOnce(&mut Seed), clock: Option<Clock>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut seed = Seed::default();
        seed.proxmox.version = release;
        shape(&mut seed);
        let options = serve::Options {
            net: NetMode::Simulated,
            fast: clock.is_none(),
            clock,
            seed,
            ..serve::Options::new(directory.path().join("sandbox"))
        };
        Self {
            running: serve(options).await.unwrap(),
            lock: Lock::default(),
            uids: 0,
            keeps_client: false,
            client: None,
            _directory: directory,
        }
    }

    fn declare(&mut self, text: &str) -> Declarations {
        let (mut declarations, found) = kinds::load(vec![SourceFile::new("site.yaml", format!("{SITE}{text}"))]);
        let errors: Vec<_> = found.iter().filter(|d| d.is_error()).map(|d| &d.message).collect();
        assert!(errors.is_empty(), "{errors:?}\n{text}");
        let uids = &mut self.uids;
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let allocated = allocate(&declarations, &self.lock, &Carried::default(), now, &mut || {
            *uids += 1;
            Uid::from_bits([*uids; 10])
        });
        assert!(allocated.problems.is_empty(), "{:?}", allocated.problems);
        self.lock = allocated.lock.clone();
        assert!(fill(&mut declarations, allocated.lock).is_empty());
        declarations
    }

    /// One pass with these manifests.
    pub async fn pass(&mut self, text: &str) -> Report {
        self.pass_with(text, Options::default()).await
    }

    pub async fn pass_with(&mut self, text: &str, options: Options) -> Report {
        let declarations = self.declare(text);
        let connection = self.running.connection();
        let access = proxmox::Access {
            endpoints: vec![connection.proxmox.url.parse().unwrap()],
            trust: Trust::Ca(fs::read_to_string(&connection.proxmox.ca).unwrap()),
            token: SecretString::from(fs::read_to_string(&connection.proxmox.token_file).unwrap().trim().to_owned()),
        };
        let client = self.client.take().unwrap_or_else(|| proxmox::Proxmox::connect(access).unwrap());
        self.client = self.keeps_client.then(|| client.clone());
        let host = Host::sandbox(&connection.host_socket);
        let api = traefik::Api::new(connection.traefik.url.parse().unwrap()).unwrap();
        let providers = Providers {
            proxmox: Some(client),
            traefik: Some(traefik::Traefik::new(host.clone(), "/etc/traefik/dynamic", Some(api))),
            host: Some(host),
            ..Providers::default()
        };
        let estate = Arc::new(Estate { declarations, providers, resources: RESOURCES, without: BTreeMap::new() });
        engine::pass(&estate, &options, &|_: engine::Event<'_>| {}).await
    }

    /// What the simulated Proxmox VE knows of a guest.
    pub fn guest(&self, vmid: u32) -> Guest {
        self.running.site().proxmox.snapshot().guests[&vmid].clone()
    }

    /// One option of a guest, as it is now; empty when it is not set.
    pub fn option(&self, vmid: u32, key: &str) -> String {
        self.guest(vmid).conf.get(key).cloned().unwrap_or_default()
    }

    pub fn vmids(&self) -> Vec<u32> {
        self.running.site().proxmox.snapshot().guests.into_keys().collect()
    }

    /// Somebody changes options of a guest by hand; an empty value takes one away.
    pub fn by_hand(&self, vmid: u32, options: &[(&str, &str)]) {
        self.running.site().proxmox.edit(|state| {
            let conf = &mut state.guests.get_mut(&vmid).unwrap().conf;
            for (key, value) in options {
                match value.is_empty() {
                    true => conf.remove(*key),
                    false => conf.insert((*key).into(), (*value).into()),
                };
            }
        });
    }

    /// Somebody does this.
    pub async fn drift(&self, drift: Drift) {
        drift::apply(self.running.site(), drift).await.unwrap();
    }

    /// The tasks of Proxmox VE, the last 2,000.
    pub fn tasks(&self) -> Vec<Task> {
        self.running.site().proxmox.snapshot().tasks
    }

    pub fn add(&self, fault: Fault) {
        self.running.site().faults.add(fault).unwrap();
    }

    pub fn heal(&self) {
        self.running.site().faults.replace(vec![]).unwrap();
    }

    /// How many writes any system has seen.
    pub fn writes(&self) -> u64 {
        self.running.site().faults.counts().1
    }
}

/// A container in the manifests; `more` begins with a comma.
pub fn container(name: &str, vmid: u32, more: &str) -> String {
    annotated(name, vmid, "", more)
}

/// The same, with annotations.
pub fn annotated(name: &str, vmid: u32, annotations: &str, more: &str) -> String {
    format!(
        "apiVersion: trueup/v1alpha1\nkind: Container\nmetadata: {{ name: {name}, annotations: {{ {annotations} }} }}\nspec: \
         {{ vmid: {vmid}, template: 'local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst', rootfs: {{ size: 8GiB }}, \
         features: [nesting]{more} }}\n---\n"
    )
}

/// A virtual machine in the manifests; `more` begins with a comma.
pub fn machine(name: &str, vmid: u32, more: &str) -> String {
    format!(
        "apiVersion: trueup/v1alpha1\nkind: VirtualMachine\nmetadata: {{ name: {name}, annotations: {{ trueup/deletion: \
         delete }} }}\nspec: {{ vmid: {vmid}, memory: 512MiB, disks: [{{ slot: scsi0, size: 8GiB }}]{more} }}\n---\n"
    )
}

/// A guest that is there before we come.
pub fn foreign(vmid: u32, kind: Kind, running: bool, options: &[(&str, &str)]) -> SeedGuest {
    let config = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    SeedGuest { vmid, kind, node: None, running, config }
}

/// What a pass did, kept back and remarked, one line each.
pub fn said(report: &Report) -> String {
    let mut lines = vec![];
    for wave in &report.waves {
        for step in &wave.plan.steps {
            match wave.outcomes.get(&step.id) {
                Some(outcome) if outcome.is_done() => lines.push(format!("{} {}", step.verb.sign(), step.change)),
                Some(Outcome::Failed { failure, .. }) => lines.push(format!("failed: {failure}")),
                _ => {}
            }
        }
    }
    let last = report.waves.last().into_iter().flat_map(|wave| &wave.withheld);
    lines.extend(last.map(|(id, why)| format!("kept back {id}: {}", why.split('`').next().unwrap_or_default())));
    lines.extend(report.rest.conflicts.iter().map(|note| format!("conflict: {}", note.text)));
    lines.extend(report.rest.orphans.iter().map(|note| format!("orphan: {}", note.text)));
    lines.extend(report.rest.unseen.iter().map(|note| format!("unseen: {}", note.text)));
    lines.extend(report.rest.impossible.iter().map(|i| format!("impossible: {}: {}", i.wish.field, i.wish.text)));
    lines.extend(report.rest.remarks.iter().map(|note| format!("remark: {}", note.text)));
    lines.join("\n")
}
