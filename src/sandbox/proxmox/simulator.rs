//! The simulator as the sandbox holds it: one state, three workers, a clock.
use super::{
    api::{lxc_read, qemu_agent},
    clock::Clock,
    front,
    refusal::Refusal,
    schema::Raw,
    seed::Seed,
    state::{Kind, State},
    task::Task,
    timing::{LOCK_TIMEOUT, Timing, WORKERS},
    world::World,
};
use crate::sandbox::wire::{Api, Reply, Request};
use ipnet::IpNet;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Semaphore, watch};

/// A simulated Proxmox VE cluster.
pub struct Simulator {
    inner: Arc<Inner>,
}

struct Inner {
    world: Mutex<World>,
    workers: Semaphore,
    changed: watch::Sender<u64>,
    clock: Clock,
}

/// A guest as the rest of the sandbox brings it to life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GuestView {
    pub vmid: u32,
    pub kind: Kind,
    pub name: String,
    pub node: String,
    pub running: bool,
    pub networks: Vec<NetworkView>,
}

/// A network card of a guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkView {
    /// Inside the guest: `eth0`.
    pub name: String,
    pub bridge: String,
    /// In lower case.
    pub hwaddr: String,
    /// Configured or leased.
    pub addresses: Vec<IpNet>,
    pub gateway: Option<String>,
    /// Whether an address comes by DHCP (IPv4).
    pub dhcp: bool,
}

impl Simulator {
    /// A simulator of a saved state, or of a fresh one.
    ///
    /// # Errors
    /// The seed describes what cannot be.
    pub fn new(seed: &Seed, state: Option<State>, timing: Timing) -> Result<Self, String> {
        Self::by(seed, state, timing, Clock::system())
    }

    /// The same, by a clock of one's own.
    ///
    /// # Errors
    /// The seed describes what cannot be.
    pub fn by(seed: &Seed, state: Option<State>, timing: Timing, clock: Clock) -> Result<Self, String> {
        let now = clock.now();
        let state = match state {
            Some(state) => state,
            None => seed.plant(now)?,
        };
        let mut world = World::new(state, timing, now);
        // Pvestatd has seen what was there before we came.
        world.report_up_to(now);
        let inner =
            Inner { world: Mutex::new(world), workers: Semaphore::new(WORKERS), changed: watch::Sender::new(0), clock };
        let simulator = Self { inner: Arc::new(inner) };
        simulator.inner.watch_tasks();
        Ok(simulator)
    }

    /// The whole state, to be saved.
    pub fn snapshot(&self) -> State {
        self.inner.settled().state.clone()
    }

    /// Counts the changes of the state.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// All guests, as of now.
    pub fn guests(&self) -> Vec<GuestView> {
        let world = self.inner.settled();
        world.state.guests.keys().map(|vmid| view(&world, *vmid)).collect()
    }

    /// One of them.
    pub fn guest(&self, vmid: u32) -> Option<GuestView> {
        let world = self.inner.settled();
        world.state.guests.contains_key(&vmid).then(|| view(&world, vmid))
    }

    /// Tells what DHCP gave an interface of a guest (`eth0`).
    pub fn set_lease(&self, vmid: u32, interface: &str, address: IpNet) {
        let mut world = self.inner.settled();
        if let Some(guest) = world.state.guests.get_mut(&vmid) {
            guest.leases.insert(interface.into(), vec![address]);
            world.touched = true;
        }
        self.inner.announce(&mut world);
    }

    /// Takes a node down, or brings it up again.
    ///
    /// # Errors
    /// There is no such node.
    pub fn set_online(&self, node: &str, online: bool) -> Result<(), String> {
        let now = self.inner.clock.now();
        self.edit(|state| state.set_online(node, online, now))
    }

    /// A call by root at a node's console.
    ///
    /// # Errors
    /// The text of the refusal.
    pub fn at_console(&self, verb: &str, path: &str, given: Raw) -> Result<Value, String> {
        let mut world = self.inner.settled();
        let outcome = front::run(&mut world, &front::Accepted::at_console(verb, path, given));
        self.inner.announce(&mut world);
        outcome.map(|answer| answer.data).map_err(|refusal| refusal.text())
    }

    /// Does what a command of root at the node's own console does (`pct set`): the same checks, with all rights.
    ///
    /// # Errors
    /// What the command prints.
    pub fn as_root(&self, verb: &str, path: &str, given: BTreeMap<String, String>) -> Result<(), String> {
        let given = given.into_iter().map(|(key, value)| (key, value.into())).collect();
        let accepted = front::Accepted::at_console(verb, path, given);
        let mut world = self.inner.settled();
        let outcome = front::run(&mut world, &accepted);
        self.inner.announce(&mut world);
        match outcome {
            Ok(_) => Ok(()),
            Err(Refusal::Answer { status: 400, message, errors, .. }) => {
                let errors = errors.iter().map(|(key, why)| format!("\n{key}: {}", why.as_str().unwrap_or_default()));
                Err(format!("400 {message}{}", errors.collect::<String>()))
            }
            Err(refusal) => Err(refusal.text()),
        }
    }

    /// Changes the state as somebody at the node's own console would: drift, a lock taken away, a foreign guest.
    pub fn edit<T>(&self, how: impl FnOnce(&mut State) -> T) -> T {
        let mut world = self.inner.settled();
        let answer = how(&mut world.state);
        world.touched = true;
        self.inner.announce(&mut world);
        answer
    }
}

fn view(world: &World, vmid: u32) -> GuestView {
    let guest = &world.state.guests[&vmid];
    let seen = world.reported(vmid, guest, world.now);
    let networks = match guest.kind {
        Kind::Qemu => qemu_agent::cards(world, guest)
            .into_iter()
            .map(|(name, card, addresses)| {
                let text = |key: &str| card.get(key).cloned().unwrap_or_default();
                NetworkView {
                    name,
                    bridge: text("bridge"),
                    hwaddr: text("macaddr").to_lowercase(),
                    addresses: addresses.iter().filter_map(|a| a.parse().ok()).collect(),
                    gateway: card.get("gw").cloned(),
                    dhcp: card.get("ip").is_some_and(|ip| ip == "dhcp"),
                }
            })
            .collect(),
        Kind::Lxc => lxc_read::networks(world, guest)
            .into_iter()
            .filter(|(key, _)| !guest.unplugged.contains(key))
            .map(|(_, net)| {
                let text = |key: &str| net.get(key).cloned().unwrap_or_default();
                NetworkView {
                    name: text("name"),
                    bridge: text("bridge"),
                    hwaddr: text("hwaddr").to_lowercase(),
                    addresses: lxc_read::addresses(guest, &net).iter().filter_map(|a| a.parse().ok()).collect(),
                    gateway: net.get("gw").cloned(),
                    dhcp: net.get("ip").is_some_and(|ip| ip == "dhcp"),
                }
            })
            .collect(),
    };
    GuestView { vmid, kind: guest.kind, name: seen.name, node: guest.node.clone(), running: seen.running, networks }
}

impl Inner {
    /// The world; one that panicked in a test is still a world.
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The world as of now.
    fn settled(&self) -> MutexGuard<'_, World> {
        let mut world = self.world();
        let now = self.clock.now();
        world.settle(now);
        self.announce(&mut world);
        world
    }

    fn announce(&self, world: &mut World) {
        if std::mem::take(&mut world.touched) {
            self.changed.send_modify(|n| *n += 1);
        }
    }

    /// Lets running tasks end in their time, whether or not somebody asks.
    fn watch_tasks(self: &Arc<Self>) {
        // A time that does not pass by itself moves when somebody asks.
        let Clock::System { .. } = self.clock else { return };
        let next = self.world().state.tasks.iter().filter(|t| !t.is_over()).map(|t| t.ends).min();
        let (Some(next), Ok(runtime)) = (next, tokio::runtime::Handle::try_current()) else { return };
        let (inner, clock) = (Arc::downgrade(self), self.clock.clone());
        runtime.spawn(async move {
            clock.until(next).await;
            if let Some(inner) = inner.upgrade() {
                drop(inner.settled());
                inner.watch_tasks();
            }
        });
    }

    async fn answer(self: &Arc<Self>, request: Request) -> Reply {
        let verdict = {
            let world = self.settled();
            front::receive(&world, &request)
        };
        let accepted = match verdict {
            Ok(accepted) => accepted,
            Err(mut refused) => {
                self.hold_back(refused.status).await;
                front::finish(&mut refused, &request);
                return refused;
            }
        };
        // The semaphore is never closed.
        let worker = self.workers.acquire().await;
        let wait = self.world().timing.of_call(&request.method, &accepted.template);
        if wait > 0 {
            self.clock.wait(wait).await;
        }
        let deadline = self.clock.now() + LOCK_TIMEOUT;
        let mut reply = loop {
            let outcome = {
                let mut world = self.settled();
                let before = world.state.tasks.len();
                let outcome = front::run(&mut world, &accepted);
                let forked =
                    world.state.tasks.len() != before || world.state.tasks.last().is_some_and(|t: &Task| !t.is_over());
                self.announce(&mut world);
                drop(world);
                if forked {
                    self.watch_tasks();
                }
                outcome
            };
            match outcome {
                Err(Refusal::Held { until, .. }) if self.clock.now() < deadline => {
                    self.clock.until(until.min(deadline).max(self.clock.now() + 1)).await;
                }
                outcome => break front::reply(outcome, &accepted),
            }
        };
        drop(worker);
        self.hold_back(reply.status).await;
        front::finish(&mut reply, &request);
        reply
    }

    /// Whoever failed to log in is made to wait.
    async fn hold_back(&self, status: u16) {
        if status == 401 && self.world().timing == Timing::Real {
            self.clock.wait(super::timing::LOGIN_DELAY).await;
        }
    }
}

impl Api for Simulator {
    fn name(&self) -> &'static str {
        "proxmox"
    }

    fn answer(&self, request: Request) -> Pin<Box<dyn Future<Output = Reply> + Send + '_>> {
        Box::pin(async move { self.inner.answer(request).await })
    }
}
