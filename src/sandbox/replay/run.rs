//! Sends a scenario to a fresh simulator, at the times at which it was sent.
//!
//! It runs on a runtime whose time stands still while there is work and jumps to the next timer when there is none. So a
//! scenario of minutes takes as long as the work in it, and waiting for a lock, a worker or an idle connection is what it is
//! in the sandbox that people use: the same simulator behind the same HTTP front.
use super::{
    compare::{Comparison, start_of},
    connection::{Connection, Received},
    names::{Class, Names},
    recording::{Answered, Exchange, Scenario},
    request::{self, REDACTED},
    start::Start,
};
use crate::sandbox::{
    proxmox::{Clock, Release, Seed, Simulator, Timing},
    wire::Api,
};
use anyhow::{Context, Result};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// What became of one exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Agrees,
    /// Where the answers differ.
    Differs(Vec<String>),
    /// Why it says nothing: its cause is not in the recording.
    NotCovered(String),
}

/// One exchange, and what became of it.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub scenario: String,
    pub seq: u64,
    /// Verb and path.
    pub call: String,
    pub outcome: Outcome,
}

/// When a scenario begins that does not say, in Unix milliseconds.
const SOME_DAY: u64 = 1_795_269_900_000;
/// How often a task is asked for again whose earlier polls were left out, and how often at most.
const POLL: Duration = Duration::from_millis(100);
const POLLS: u32 = 900;

/// Replays one scenario.
///
/// # Errors
/// When no runtime can be made, or the simulator cannot start.
pub fn replay(scenario: &Scenario, start: &Start, release: Release) -> Result<Vec<Verdict>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.context("start a runtime with a time of its own")?.block_on(async {
        let began = began(scenario);
        let state = start.state(release, began);
        let simulator = Simulator::by(&Seed::default(), Some(state), Timing::Real, Clock::passing_from(began));
        let api: Arc<dyn Api> = Arc::new(simulator.map_err(anyhow::Error::msg).context("start the simulator")?);
        let run = Run {
            api,
            began,
            since: Instant::now(),
            names: Names::default(),
            client: None,
            connections: 0,
            verdicts: vec![],
        };
        Ok(run.all(scenario).await)
    })
}

/// When a scenario began: its first task says so, in whole seconds.
fn began(scenario: &Scenario) -> u64 {
    let upid = |e: &Exchange| {
        let upid = e.response.as_ref()?.body.get("data")?.as_str()?.to_string();
        let started = start_of(upid.starts_with("UPID:").then_some(&upid)?)?;
        // It was forked somewhere within the call.
        (started * 1000 + 999).checked_sub(e.ended())
    };
    scenario.exchanges.iter().find_map(upid).unwrap_or(SOME_DAY)
}

/// The connection that the recorded client used last.
struct Client {
    number: u64,
    connection: Connection,
    /// Theirs was closed by its last answer and ours was not, or the other way round: that was told already.
    told: bool,
}

struct Run {
    api: Arc<dyn Api>,
    /// Unix milliseconds.
    began: u64,
    since: Instant,
    names: Names,
    client: Option<Client>,
    connections: u64,
    verdicts: Vec<Verdict>,
}

impl Run {
    async fn all(mut self, scenario: &Scenario) -> Vec<Verdict> {
        let mut rest = &scenario.exchanges[..];
        let mut last: Option<&Exchange> = None;
        while let Some(first) = rest.first() {
            let together = overlapping(rest);
            let (group, after) = rest.split_at(together);
            match last.filter(|l| l.seq + 1 < first.seq && l.repeats(first)) {
                Some(before) => self.left_out(before, first, first.seq - before.seq - 1).await,
                None => self.left_out(first, first, first.polls_left_out()).await,
            }
            match group {
                [alone] => self.alone(alone).await,
                group => self.at_once(group).await,
            }
            last = group.last();
            rest = after;
        }
        self.verdicts
    }

    async fn until(&self, t_ms: u64) {
        tokio::time::sleep_until(self.since + Duration::from_millis(t_ms)).await;
    }

    fn open(&mut self) -> Connection {
        self.connections += 1;
        Connection::open(&self.api, self.connections)
    }

    /// Sends what the recording left out because it was always the same: it counts for the connection and for the time.
    async fn left_out(&mut self, what: &Exchange, before: &Exchange, count: u64) {
        let from = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX).min(before.t_ms);
        for n in 1..=count {
            self.until(from + (before.t_ms - from) * n / (count + 1)).await;
            let request = request::bytes(what, &mut self.names);
            let mut client = match self.client.take() {
                Some(client) => client,
                None => Client { number: what.conn, connection: self.open(), told: true },
            };
            if !client.connection.is_open().await {
                client = Client { number: what.conn, connection: self.open(), told: true };
            }
            client.connection.ask(&request).await;
            self.client = Some(client);
        }
    }

    /// An exchange that no other overlapped.
    async fn alone(&mut self, exchange: &Exchange) {
        self.until(exchange.t_ms).await;
        let mut differences = Vec::new();
        let mut client = match self.client.take() {
            // A lower number is another client.
            Some(client) if exchange.conn >= client.number => client,
            _ => Client { number: exchange.conn, connection: self.open(), told: true },
        };
        let (open, same) = (client.connection.is_open().await, client.number == exchange.conn);
        if open && !same && !client.told {
            differences.push("connection: recorded closed by the server, here still open".into());
        }
        let unanswered = exchange.response.is_none();
        if !open && same && !client.told && !unanswered {
            differences.push("connection: recorded still open, here closed by the server".into());
        }
        if !same || !open && !unanswered {
            client = Client { number: exchange.conn, connection: self.open(), told: true };
        }
        let request = request::bytes(exchange, &mut self.names);
        let mut received = client.connection.ask(&request).await;
        if unfinished(exchange, received.as_ref()) {
            received = self.finished(exchange, &request).await;
        }
        let closed = received.as_ref().is_some_and(|r| r.header("connection") == Some("close"));
        let theirs = exchange.response.as_ref().and_then(Answered::keeps_open);
        client.told = theirs.is_none_or(|open| open == closed);
        self.client = Some(client);
        self.judge(exchange, received, differences);
    }

    /// Asks until a task is over that was over when it was recorded.
    async fn finished(&mut self, exchange: &Exchange, request: &[u8]) -> Option<Received> {
        for _ in 0..POLLS {
            tokio::time::sleep(POLL).await;
            let received = self.open().ask(request).await;
            if !unfinished(exchange, received.as_ref()) {
                return received;
            }
        }
        None
    }

    /// Exchanges that overlapped, each on a connection of its own.
    async fn at_once(&mut self, group: &[Exchange]) {
        let begin = group.iter().map(|e| e.t_ms).min().unwrap_or_default();
        self.until(begin).await;
        let mut order: Vec<usize> = (0..group.len()).collect();
        order.sort_by_key(|i| effect(&group[*i]));
        let mut waiting = Vec::new();
        for (n, i) in order.into_iter().enumerate() {
            self.until(begin + n as u64).await;
            let request = request::bytes(&group[i], &mut self.names);
            let mut connection = self.open();
            waiting.push((i, tokio::spawn(async move { connection.ask(&request).await })));
        }
        waiting.sort_by_key(|(i, _)| *i);
        for (i, answer) in waiting {
            let received = answer.await.ok().flatten();
            self.judge(&group[i], received, Vec::new());
        }
    }

    fn judge(&mut self, exchange: &Exchange, received: Option<Received>, mut differences: Vec<String>) {
        let outcome = match (not_covered(exchange), &exchange.response, &received) {
            (Some(why), ..) => Outcome::NotCovered(why.into()),
            (None, None, None) => Outcome::Agrees,
            (None, None, Some(ours)) => {
                Outcome::Differs(vec![format!("answer: recorded none, here {} {}", ours.status, ours.reason)])
            }
            (None, Some(theirs), None) => {
                Outcome::Differs(vec![format!("answer: recorded {} {}, here none", theirs.status, theirs.reason)])
            }
            (None, Some(_), Some(ours)) if ours.reason.starts_with("not simulated: ") => {
                Outcome::Differs(vec![ours.reason.clone()])
            }
            (None, Some(theirs), Some(ours)) => {
                self.secrets(exchange, theirs, ours);
                differences.extend(Comparison::new(&mut self.names, self.began / 1000).answers(theirs, ours));
                if differences.is_empty() { Outcome::Agrees } else { Outcome::Differs(differences) }
            }
        };
        self.verdicts.push(Verdict {
            scenario: exchange.scenario.clone(),
            seq: exchange.seq,
            call: format!("{} {}", exchange.method, exchange.path),
            outcome,
        });
    }

    /// Keeps the secrets that answers give, under the names by which later requests go.
    fn secrets(&mut self, exchange: &Exchange, theirs: &Answered, ours: &Received) {
        let Ok(ours) = serde_json::from_str::<Value>(&ours.text()) else { return };
        let data = &ours["data"];
        if let (Some(id), Some(secret)) = (theirs.body["data"]["full-tokenid"].as_str(), data["value"].as_str()) {
            self.names.learn(Class::Secret, id, secret);
        }
        let login = exchange.path.trim_end_matches('/').ends_with("/ticket");
        if let Some(user) = theirs.body["data"]["username"].as_str().filter(|_| login) {
            for (what, key) in [("ticket", "ticket"), ("csrf", "CSRFPreventionToken")] {
                if let Some(secret) = data[key].as_str() {
                    self.names.learn(Class::Secret, &format!("{what} {user}"), secret);
                }
            }
        }
    }
}

/// How many exchanges from the first on overlapped each other.
fn overlapping(rest: &[Exchange]) -> usize {
    let mut end = 0;
    let count = rest.iter().take_while(|e| {
        let within = end == 0 || e.t_ms < end;
        end = end.max(e.ended().max(1));
        within
    });
    count.count().max(1)
}

/// In which order exchanges that overlapped came into effect: process numbers of tasks rise, and what was answered first was
/// done first.
fn effect(exchange: &Exchange) -> (bool, String, u64) {
    let upid = exchange.response.as_ref().and_then(|r| r.body["data"].as_str()).filter(|d| d.starts_with("UPID:"));
    let place = upid.map(|u| u.split(':').collect::<Vec<_>>()).map(|p| format!("{}:{}", p[3], p[2]));
    (place.is_none(), place.unwrap_or_default(), exchange.ended())
}

/// Whether a task runs here that was over there.
fn unfinished(exchange: &Exchange, received: Option<&Received>) -> bool {
    let over = exchange.response.as_ref().is_some_and(|r| r.body["data"]["status"] == "stopped");
    let Some(ours) = received.filter(|_| over && exchange.path.contains("/tasks/")) else { return false };
    serde_json::from_str::<Value>(&ours.text()).is_ok_and(|v| v["data"]["status"] == "running")
}

/// Why an exchange says nothing about the simulator, where that is so.
fn not_covered(exchange: &Exchange) -> Option<&'static str> {
    let redacted = |value: &Value| value.to_string().contains(REDACTED);
    let sent = &exchange.request;
    let pairs = sent.form.iter().chain(&sent.query).flatten().map(|(_, v)| v);
    let secret = pairs.chain(&sent.json).chain(sent.headers.values()).any(redacted);
    match &exchange.response {
        Some(answer) if secret && answer.status == 401 => {
            Some("a wrong secret was sent, and the recording does not hold it")
        }
        None if sent.chunked => {
            Some("the connection broke while the body was still being sent: whether the refusal is read then is chance")
        }
        _ if exchange.notes("another process of the node") => Some("another process of the node had a part in it"),
        _ => None,
    }
}
