//! A simulated Proxmox VE behind real HTTPS, with guests that can be entered, and a pass over all resources.
use crate::{
    kinds::{Declarations, RESOURCES, allocation, load},
    ledger::Lock,
    manifest::{Severity, SourceFile},
    model::{Plan, Uid},
    plan::join,
    providers::{
        Providers,
        host::{Host, Limits, Output},
        http::Trust,
        proxmox::{Access, Patience, Proxmox},
        secrets::Secrets,
    },
    resources::{Change, World},
    sandbox::{
        authority::Authority,
        faults::Faults,
        host::{self, Ground, LookUp, Node, Presence},
        https::Front,
        proxmox::{Seed, Simulator, Timing},
        store::Store,
    },
};
use bytes::Bytes;
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

/// A network in which nothing is installed.
struct Bare;

impl Ground for Bare {
    fn run(&self, _: Vec<String>, _: Bytes, _: Limits) -> Pin<Box<dyn Future<Output = Output> + Send + '_>> {
        Box::pin(async { Output { status: 127, ..Output::default() } })
    }
}

pub struct Site {
    pub pve: Arc<Simulator>,
    pub node: Arc<Node>,
    pub faults: Arc<Faults>,
    pub providers: Providers,
    pub directory: tempfile::TempDir,
}

impl Site {
    /// With the token that may do what the product needs, and no more.
    pub async fn new(seed: Seed) -> Self {
        let seed = seed.with_account();
        let token = seed.token().map(|token| format!("{}={}", token.id, token.secret)).unwrap();
        Self::with_token(seed, &token).await
    }

    pub async fn with_token(seed: Seed, token: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&directory.path().join("state")).unwrap());
        let faults = Arc::new(Faults::open(Arc::clone(&store)).unwrap());
        let authority = Authority::open(&store).unwrap();
        let loopback = std::net::IpAddr::from([127, 0, 0, 1]);
        let pve = Arc::new(Simulator::new(&seed, None, Timing::Fast).unwrap());
        let front = Front {
            api: pve.clone(),
            tls: Some(authority.server(loopback).unwrap()),
            faults: faults.clone(),
            idle: Duration::from_secs(5),
        };
        let served = front.serve((loopback, 0).into()).await.unwrap();
        let guests = pve.clone();
        let look_up: LookUp = Arc::new(move |vmid| {
            let guest = guests.guests().into_iter().find(|g| g.vmid == vmid);
            guest.map_or(Presence::Absent, |g| if g.running { Presence::Running } else { Presence::Stopped })
        });
        let node = Node::new("pve1".into(), store.directory().into(), Arc::new(Bare), look_up, Box::new(|_| ()));
        node.furnish().unwrap();
        let node = Arc::new(node);
        let socket = directory.path().join("host.sock");
        drop(host::serve(&socket, node.clone(), faults.clone()).unwrap());
        let access = Access {
            endpoints: vec![format!("https://{}", served.address).parse().unwrap()],
            trust: Trust::Ca(std::fs::read_to_string(authority.file()).unwrap()),
            token: token.into(),
        };
        let patience = Patience {
            first_look: Duration::from_millis(1),
            last_look: Duration::from_millis(5),
            lock: Duration::from_millis(100),
            lease: Duration::from_millis(50),
            ..Patience::default()
        };
        let providers = Providers {
            proxmox: Some(Proxmox::connect_with(access, patience).unwrap()),
            host: Some(Host::sandbox(socket)),
            secrets: Secrets::below(directory.path()),
            ..Providers::default()
        };
        Self { pve, node, faults, providers, directory }
    }

    /// Observes and plans.
    pub async fn plan(&self, declarations: &Declarations) -> Plan<Change> {
        let (mut world, mut earlier) = (World::default(), World::default());
        for resource in ours() {
            let observed = resource.observe(&self.providers, declarations).await;
            resource.remember(&mut world, observed);
        }
        join(ours().map(|resource| resource.plan(declarations, &world, &mut earlier)).collect())
    }

    /// One wave: the plan, and what became of its steps, in order. A step after a failed one is not tried.
    pub async fn wave(&self, declarations: &Declarations) -> Vec<String> {
        let plan = self.plan(declarations).await;
        let mut said = vec![];
        let mut failed = std::collections::BTreeSet::new();
        for step in plan.steps {
            let line = format!("{} {} {}", step.verb.sign(), step.id.object, step.change);
            if let Some(why) = &step.blocked {
                said.push(format!("{line} [blocked: {why}]"));
                failed.insert(step.id.clone());
                continue;
            }
            if step.needs.iter().any(|id| failed.contains(id)) {
                failed.insert(step.id.clone());
                continue;
            }
            let resource = ours().find(|r| r.name() == step.id.object.resource).unwrap();
            match resource.run(&self.providers, declarations, vec![step.clone()]).await.remove(0).1 {
                Ok(()) => said.push(line),
                Err(failure) => {
                    said.push(format!("{line}\n    {}: {failure}", failure.class));
                    failed.insert(step.id);
                }
            }
        }
        said.extend(plan.later.iter().map(|l| format!("later {} {} (after {})", l.object, l.sketch, l.on)));
        said.extend(plan.conflicts.iter().map(|n| format!("conflict {} {}", n.object, n.text)));
        said.extend(plan.orphans.iter().map(|n| format!("orphan {} {}", n.object, n.text)));
        said.extend(plan.impossible.iter().map(|n| format!("impossible {} {}", n.object, n.wish.text)));
        said.extend(plan.remarks.iter().map(|n| format!("remark {} {}", n.object, n.text)));
        said.extend(plan.unseen.iter().map(|n| format!("unseen {} {}", n.object, n.text)));
        said
    }

    /// Waves until one does nothing more; what all of them did.
    pub async fn converge(&self, declarations: &Declarations) -> Vec<String> {
        let mut all = vec![];
        for _ in 0..4 {
            let wave = self.wave(declarations).await;
            let acted = wave.iter().any(|line| line.starts_with(['+', '=', '~', '!', '-']));
            all.extend(wave);
            if !acted {
                break;
            }
        }
        all
    }

    /// What a config of a guest says.
    pub fn config(&self, vmid: u32, key: &str) -> String {
        self.pve.snapshot().guests[&vmid].conf.get(key).cloned().unwrap_or_default()
    }
}

/// Those that this part of the site consists of.
fn ours() -> impl Iterator<Item = &'static &'static dyn crate::resources::AnyResource<Declarations>> {
    RESOURCES.iter().filter(|r| matches!(r.name(), "guest" | "tunnel" | "guest-unit"))
}

/// Declarations with their lock. The uids are the same in every call.
pub fn declared(text: &str) -> Declarations {
    declared_in(SITE, text)
}

/// The same with another Site.
pub fn declared_in(site: &str, text: &str) -> Declarations {
    let (mut declarations, found) = load(vec![SourceFile::new("site.yaml", format!("{site}{text}"))]);
    let errors: Vec<_> = found.iter().filter(|d| d.severity == Severity::Error).map(|d| &d.message).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let mut n = 0;
    let mut fresh = || {
        n += 1;
        Uid::from_bits([n; 10])
    };
    let now = jiff::Timestamp::UNIX_EPOCH;
    let made = allocation::allocate(&declarations, &Lock::default(), &allocation::Carried::default(), now, &mut fresh);
    assert!(allocation::fill(&mut declarations, made.lock).is_empty());
    declarations
}

pub const SITE: &str = "apiVersion: trueup/v1alpha1
kind: Site
metadata: { name: nz }
spec:
  domain: bridges.test
  host: local
  proxmox: { endpoints: ['https://127.0.0.1:8006'], token: { env: T }, defaults: { node: pve1, storage: local, bridge: vmbr0 } }
";

/// A manifest of a container at 10.99.0.LAST.
pub fn container(name: &str, annotations: &str, last: u8, more: &str) -> String {
    format!(
        "---
apiVersion: trueup/v1alpha1
kind: Container
metadata: {{ name: {name}, annotations: {{ {annotations} }} }}
spec: {{ template: 'local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst', rootfs: {{ size: 8GiB }},
  networks: [{{ name: eth0, address: 10.99.0.{last}/24, gateway: 10.99.0.1, firewall: true }}]{more} }}
"
    )
}
