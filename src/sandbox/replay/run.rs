//! Sends a scenario to a fresh simulator, at the times at which it was sent.
//!
//! It runs on a runtime whose time stands still while there is work and jumps to the next timer when there is none. So a
//! scenario of minutes takes as long as the work in it, and waiting for a lock, a worker or an idle connection is what it is
//! in the sandbox that people use: the same simulator behind the same HTTP front.
use super::{
    circumstances::{Circumstances, REPORTS, began_by, nothing_measured, only_before, only_unreported, shows_reports},
    compare::{Comparison, start_of},
    connection::{Connection, Received},
    names::{Class, Names},
    recording::{Answered, Exchange, Scenario},
    request,
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
/// How far apart exchanges stay at most that come late.
const MOST_APART: Duration = Duration::from_millis(250);
/// How long something else holds a lock file, in milliseconds: longer than anybody waits for it.
const HELD: u64 = 10_200;
/// How closely the moment of pvestatd's reports is looked for, in milliseconds.
const STEP: u64 = 250;
/// How often a task is asked for again whose earlier polls were left out, and how often at most.
const POLL: Duration = Duration::from_millis(100);
const POLLS: u32 = 900;

/// Replays one scenario, as often as it takes to find out what else had a part in it.
///
/// # Errors
/// When no runtime can be made, or the simulator cannot start.
pub fn replay(scenario: &Scenario, start: &Start, release: Release) -> Result<Vec<Verdict>> {
    let mut circumstances = Circumstances::of(scenario);
    let mut verdicts = once(scenario, start, release, &circumstances)?;
    if circumstances.learn(scenario, &verdicts) {
        verdicts = once(scenario, start, release, &circumstances)?;
    }
    let reports = |verdicts: &[Verdict]| {
        let of = |(e, v): (&Exchange, &Verdict)| shows_reports(e) && matches!(v.outcome, Outcome::Differs(_));
        scenario.exchanges.iter().zip(verdicts).filter(|(e, v)| of((*e, *v))).count()
    };
    // When pvestatd reported is not in the recording. The moment is taken that explains most. Of another release than the
    // recorded one it is not looked for: what no moment explains differs there by release.
    let recorded = start.release().is_none_or(|r| r == release);
    let mut least = if recorded { reports(&verdicts) } else { 0 };
    // Whole seconds first, then what lies between.
    let (whole, between): (Vec<u64>, Vec<u64>) = (1..REPORTS / STEP).map(|n| n * STEP).partition(|at| at % 1000 == 0);
    for report in whole.into_iter().chain(between) {
        if least == 0 {
            break;
        }
        let other = once(scenario, start, release, &circumstances.reporting_at(report))?;
        if reports(&other) < least {
            (least, verdicts) = (reports(&other), other);
        }
    }
    for (exchange, verdict) in scenario.exchanges.iter().zip(&mut verdicts) {
        let unreported = matches!(&verdict.outcome, Outcome::Differs(found) if only_unreported(found));
        if unreported && shows_reports(exchange) {
            let why = "pvestatd still told what it knew of an earlier guest of this number";
            verdict.outcome = Outcome::NotCovered(why.into());
        }
        let unmeasured = matches!(&verdict.outcome, Outcome::Differs(_)) && nothing_measured(exchange);
        if unmeasured && began_by(scenario, exchange) {
            let why = "what was measured of an earlier guest of this number is not in the recording";
            verdict.outcome = Outcome::NotCovered(why.into());
        }
        if matches!(verdict.outcome, Outcome::Differs(_)) && only_before(exchange, began(scenario) / 1000) {
            verdict.outcome = Outcome::NotCovered("what stood in the log before the scenario is not in it".into());
        }
    }
    Ok(verdicts)
}

fn once(scenario: &Scenario, start: &Start, release: Release, by: &Circumstances) -> Result<Vec<Verdict>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.context("start a runtime with a time of its own")?.block_on(async {
        let began = began(scenario);
        let mut state = start.state(release, began);
        state.next_report = began + by.report;
        state.booted = booted(scenario, began).unwrap_or(state.booted);
        let simulator = Simulator::by(&Seed::default(), Some(state), Timing::Real, Clock::passing_from(began));
        let simulator = Arc::new(simulator.map_err(anyhow::Error::msg).context("start the simulator")?);
        let since = Instant::now();
        let run = Run {
            simulator,
            circumstances: by,
            began,
            since,
            last: (since, 0),
            names: sums(scenario),
            client: None,
            connections: 0,
            verdicts: vec![],
        };
        Ok(run.all(scenario).await)
    })
}

/// The sums of uploaded files that were right there, as what stands for the sums of what is sent here.
fn sums(scenario: &Scenario) -> Names {
    let mut names = Names::default();
    let data = |e: &Exchange| e.response.as_ref().map_or(Value::Null, |r| r.body["data"].clone());
    for upload in &scenario.exchanges {
        let sent = upload.request.multipart.iter().flatten().find(|part| part.name == "checksum");
        let (Some(theirs), Some(ours)) = (sent.and_then(|part| part.value.as_ref()), request::sum(&upload.request))
        else {
            continue;
        };
        let task = data(upload);
        let right = |e: &Exchange| data(e)["upid"] == task && data(e)["exitstatus"] == "OK";
        if task.is_string() && scenario.exchanges.iter().any(right) {
            names.learn(Class::Sum, theirs, &ours);
        }
    }
    names
}

/// When a scenario began: its first task says so, or a node that is asked for its time, in whole seconds.
fn began(scenario: &Scenario) -> u64 {
    let upid = |e: &Exchange| {
        let upid = e.response.as_ref()?.body.get("data")?.as_str()?.to_string();
        let started = start_of(upid.starts_with("UPID:").then_some(&upid)?)?;
        // It was forked somewhere within the call.
        (started * 1000 + 999).checked_sub(e.ended())
    };
    let clock = |e: &Exchange| {
        let data = e.response.as_ref()?.body.get("data")?;
        let told = data.get("timezone").and_then(|_| data["time"].as_u64())?;
        (told * 1000 + 999).checked_sub(e.ended())
    };
    let first = scenario.exchanges.iter().find_map(upid);
    first.or_else(|| scenario.exchanges.iter().find_map(clock)).unwrap_or(SOME_DAY)
}

/// When the node was started, in Unix milliseconds: a task counts its own start from there, a list says how long it is up.
fn booted(scenario: &Scenario, began: u64) -> Option<u64> {
    let of_task = |e: &Exchange| {
        let upid = e.response.as_ref()?.body["data"].as_str().filter(|d| d.starts_with("UPID:"))?;
        let jiffies = u64::from_str_radix(upid.split(':').nth(3)?, 16).ok()?;
        (start_of(upid)? * 1000).checked_sub(jiffies * 10)
    };
    let of_list = |e: &Exchange| {
        let rows = e.response.as_ref()?.body["data"].as_array()?;
        let up = rows.iter().find(|r| r["type"] == "node")?["uptime"].as_u64()?;
        (began + e.t_ms).checked_sub(up * 1000)
    };
    let found = scenario.exchanges.iter().find_map(of_list);
    found.or_else(|| scenario.exchanges.iter().find_map(of_task))
}

/// The connection that the recorded client used last.
struct Client {
    number: u64,
    connection: Connection,
    /// Theirs was closed by its last answer and ours was not, or the other way round: that was told already.
    told: bool,
}

struct Run<'a> {
    simulator: Arc<Simulator>,
    circumstances: &'a Circumstances,
    /// Unix milliseconds.
    began: u64,
    since: Instant,
    /// When the last answer was there: here, and in milliseconds since the first line there.
    last: (Instant, u64),
    names: Names,
    client: Option<Client>,
    connections: u64,
    verdicts: Vec<Verdict>,
}

impl Run<'_> {
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

    /// Waits until a time of the recording. Where an answer came later than theirs did, what follows keeps its distance.
    async fn until(&self, t_ms: u64) {
        let (ended, theirs) = self.last;
        let apart = Duration::from_millis(t_ms.saturating_sub(theirs)).min(MOST_APART);
        tokio::time::sleep_until((self.since + Duration::from_millis(t_ms)).max(ended + apart)).await;
    }

    fn open(&mut self) -> Connection {
        self.connections += 1;
        let api: Arc<dyn Api> = Arc::clone(&self.simulator) as _;
        Connection::open(&api, self.connections)
    }

    /// Milliseconds since the first line.
    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Lets something else hold the lock file that a task gave up waiting for.
    fn hold(&self, exchange: &Exchange) {
        if let Some(guest) = self.circumstances.held.get(&exchange.seq) {
            let until = self.began + self.now() + HELD;
            self.simulator.edit(|state| state.held.insert(*guest, until));
        }
    }

    /// Sends what the recording left out because it was always the same: it counts for the connection and for the time.
    async fn left_out(&mut self, what: &Exchange, before: &Exchange, count: u64) {
        let from = self.now().min(before.t_ms);
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
        let apart = self.circumstances.apart(exchange);
        if apart.as_ref().is_some_and(|a| !a.sent) {
            // What happened to the connection is not known either.
            self.client = None;
            self.last = (Instant::now(), exchange.ended());
            return self.judge(exchange, None, Vec::new());
        }
        self.hold(exchange);
        let mut differences = Vec::new();
        let mut client = match self.client.take() {
            // A lower number is another client.
            Some(client) if exchange.conn >= client.number => client,
            _ => Client { number: exchange.conn, connection: self.open(), told: true },
        };
        let (open, same) = (client.connection.is_open().await, client.number == exchange.conn);
        let polled = exchange.polls_left_out() > 0;
        if open && !same && !client.told && !polled {
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
        client.told = theirs.is_none_or(|open| open == closed) || apart.is_some();
        self.client = Some(client);
        self.last = (Instant::now(), exchange.ended());
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
            if self.circumstances.apart(&group[i]).is_some_and(|a| !a.sent) {
                waiting.push((i, tokio::spawn(std::future::ready(None))));
                continue;
            }
            self.hold(&group[i]);
            let request = request::bytes(&group[i], &mut self.names);
            let mut connection = self.open();
            waiting.push((i, tokio::spawn(async move { connection.ask(&request).await })));
        }
        waiting.sort_by_key(|(i, _)| *i);
        for (i, answer) in waiting {
            let received = answer.await.ok().flatten();
            self.judge(&group[i], received, Vec::new());
        }
        self.last = (Instant::now(), group.iter().map(Exchange::ended).max().unwrap_or_default());
    }

    fn judge(&mut self, exchange: &Exchange, received: Option<Received>, mut differences: Vec<String>) {
        let outcome = match (self.circumstances.apart(exchange), &exchange.response, &received) {
            (Some(apart), theirs, ours) => {
                if let (Some(theirs), Some(ours)) = (theirs, ours) {
                    // Later lines may go by what stands in it.
                    self.secrets(exchange, theirs, ours);
                    Comparison::new(&mut self.names, self.began / 1000).answers(theirs, ours);
                    self.follow(exchange, theirs);
                }
                Outcome::NotCovered(apart.why)
            }
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
                self.lasts(theirs);
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

    /// Lets a task that was just begun last as long as theirs was seen to.
    fn lasts(&self, theirs: &Answered) {
        let Some(upid) = theirs.body["data"].as_str().filter(|d| d.starts_with("UPID:")) else { return };
        let Some(ours) = self.names.ours(Class::Upid, upid) else { return };
        self.simulator.edit(|state| {
            if let Some(task) = state.tasks.iter_mut().find(|t| t.upid == ours && !t.is_over()) {
                task.ends = self.began + self.circumstances.end_of(upid, task.ends.saturating_sub(self.began));
            }
        });
    }

    /// Makes a change that was made on the node itself, as the config shows it.
    fn follow(&self, exchange: &Exchange, theirs: &Answered) {
        let segments: Vec<&str> = exchange.path.split('/').collect();
        let (["", "nodes", _, _, vmid, "config"], Some(shown)) = (segments.as_slice(), theirs.body["data"].as_object())
        else {
            return;
        };
        let told = |key: &str, value: &Value| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
            (key != "digest").then(|| (key.to_string(), text))
        };
        self.simulator.edit(|state| {
            let guest = vmid.parse().ok().and_then(|vmid: u32| state.guests.get_mut(&vmid));
            if let Some(guest) = guest {
                guest.conf = shown.iter().filter_map(|(key, value)| told(key, value)).collect();
            }
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
