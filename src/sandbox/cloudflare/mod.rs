//! Cloudflare's v4 API, simulated: zones, DNS records, tunnels, with its refusals.
//!
//! Every request passes the same gates as at the real one, in this order: rate budget, credentials, path, permission,
//! query and body against Cloudflare's own description ([`facts`]), then the rules that only the API knows.
use crate::sandbox::wire::{Api, Reply, Request};
use envelope::{Refusal, Success};
use facts::{Complaint, NoRoute, Operation};
use jiff::Timestamp;
use limit::Window;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

mod auth;
mod dns;
mod envelope;
pub mod facts;
mod limit;
mod seed;
mod state;
#[cfg(test)]
mod tests;
mod tunnel;
mod zones;

pub use seed::{Account, AccountPermission, Behaviour, Plan, Seed, Status, ThrottledBody, Token, Zone, ZonePermission};
pub use state::{Connector, Record, State, Tunnel};

/// What all paths begin with.
pub const BASE: &str = "/client/v4";

/// Where the simulator takes the time from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The simulated API. Its state changes only by requests, [`Simulator::connect`], [`Simulator::disconnect`] and
/// [`Simulator::edit`].
pub struct Simulator {
    seed: Seed,
    state: Mutex<State>,
    window: Mutex<Window>,
    changed: watch::Sender<u64>,
    clock: Clock,
}

impl Simulator {
    /// Starts from a state; what the seed says that others made is put into a fresh one.
    ///
    /// # Errors
    /// A foreign record of the seed that the API itself would refuse.
    pub fn new(seed: &Seed, state: State) -> Result<Self, String> {
        Self::with_clock(seed, state, Arc::new(Timestamp::now))
    }

    /// The same with a clock of one's own.
    ///
    /// # Errors
    /// As [`Simulator::new`].
    pub fn with_clock(seed: &Seed, mut state: State, clock: Clock) -> Result<Self, String> {
        if !state.planted {
            plant(seed, &mut state, clock())?;
            state.planted = true;
        }
        Ok(Self {
            seed: seed.clone(),
            state: Mutex::new(state),
            window: Mutex::default(),
            changed: watch::Sender::new(0),
            clock,
        })
    }

    /// All that must be kept to go on later.
    pub fn snapshot(&self) -> State {
        self.lock().clone()
    }

    /// Counts the changes of the state.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Changes the state behind the API's back, as somebody in the dashboard does.
    pub fn edit<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let out = change(&mut self.lock());
        self.changed.send_modify(|n| *n += 1);
        out
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, request: &Request, now: Timestamp) -> Result<Success, Refusal> {
        let token = auth::token(&self.seed, request)?;
        let no_route = || Refusal::new(400, 7000, "No route for that URI");
        let path = request.path.strip_prefix(BASE).ok_or_else(no_route)?;
        let (operation, ids) = facts::route(&request.method, path).map_err(|missing| match missing {
            NoRoute::Path => no_route(),
            NoRoute::Method => Refusal::new(405, 10405, "Method not allowed for this authentication scheme"),
        })?;
        let place = auth::place(&self.seed, token, &operation, &ids, path)?;
        let query = pairs(request.query.as_deref());
        let refuse = |complaint: Complaint| invalid(&operation, &complaint);
        operation.check_query(&query).map_err(refuse)?;
        let body = read_body(request, &operation)?;
        // The type of a record that is patched is known only further in.
        let later = request.method == "PATCH" && dns::is_record(&operation) || dns::is_batch(&operation);
        if operation.takes_body() && !later {
            operation.check_body(&body, false).map_err(refuse)?;
        }
        let mut state = self.lock();
        let mut call = Call {
            seed: &self.seed,
            state: &mut state,
            now,
            method: &request.method,
            operation,
            ids,
            query: query.into_iter().collect(),
            body,
        };
        let done = match place {
            auth::Place::User => zones::user(&call, token),
            auth::Place::Account(account) => tunnel::serve(&mut call, account),
            auth::Place::Zone(zone) => match call.operation.template {
                "/zones/{zone_id}" => zones::one(&call, zone),
                _ => dns::serve(&mut call, zone),
            },
        }?;
        if request.method != "GET" {
            self.changed.send_modify(|n| *n += 1);
        }
        Ok(done)
    }
}

impl Api for Simulator {
    fn name(&self) -> &'static str {
        "cloudflare"
    }

    fn answer(&self, request: Request) -> Pin<Box<dyn Future<Output = Reply> + Send + '_>> {
        Box::pin(async move {
            let now = (self.clock)();
            let behaviour = &self.seed.behaviour;
            let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
            let mut reply = match window.enter(behaviour, now) {
                Err(refused) => refused,
                Ok(()) => match self.serve(&request, now) {
                    Ok(success) => success.reply(),
                    Err(refusal) if behaviour.wrapped_errors => refusal.reply(),
                    Err(refusal) => refusal.unwrapped().reply(),
                },
            };
            reply.headers.extend(window.headers(behaviour, now));
            reply
        })
    }
}

/// One request that has passed the gates.
struct Call<'a> {
    seed: &'a Seed,
    state: &'a mut State,
    now: Timestamp,
    method: &'a str,
    operation: Operation,
    ids: BTreeMap<&'static str, String>,
    query: BTreeMap<String, String>,
    body: Value,
}

impl Call<'_> {
    fn id(&self, name: &str) -> &str {
        self.ids.get(name).map_or("", String::as_str)
    }
    fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
    /// `page` and `per_page`, whose types the facts have checked.
    fn page(&self, default: usize) -> (usize, usize) {
        let number = |name, otherwise| self.query(name).and_then(|n| n.parse().ok()).unwrap_or(otherwise);
        (number("page", 1), number("per_page", default))
    }
}

/// RFC 3339 with microseconds, as the API writes times.
fn time(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// How the API says that a parameter or body is not what it takes.
fn invalid(operation: &Operation, complaint: &Complaint) -> Refusal {
    let text = format!("Request is invalid: {}: {}", complaint.at, complaint.text);
    let refusal = match dns::is_dns(operation) {
        true => Refusal::dns(9207, text),
        false => Refusal::new(400, 9207, text),
    };
    refusal.at(complaint.at.clone())
}

fn read_body(request: &Request, operation: &Operation) -> Result<Value, Refusal> {
    if !operation.takes_body() {
        return Ok(Value::Null);
    }
    let json = request.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    if !json {
        return Err(Refusal::headers(6106, "Invalid Content-Type header, valid values are application/json"));
    }
    serde_json::from_slice(&request.body).map_err(|e| match dns::is_dns(operation) {
        true => Refusal::dns(9208, format!("Request body parse error: {e}")),
        false => Refusal::new(400, 9208, format!("Request body parse error: {e}")),
    })
}

fn pairs(query: Option<&str>) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect()
}

/// What others made before anybody called.
fn plant(seed: &Seed, state: &mut State, now: Timestamp) -> Result<(), String> {
    for (id, bodies) in &seed.records {
        let zone = seed.zones.iter().find(|z| z.id == *id).ok_or_else(|| format!("records of an unknown zone {id}"))?;
        for body in bodies {
            dns::plant(zone, state, body, now).map_err(|r| format!("record {body} of zone {}: {r:?}", zone.name))?;
        }
    }
    for (account, names) in &seed.tunnels {
        for name in names {
            tunnel::plant(state, account, name, now);
        }
    }
    Ok(())
}
