//! What had a part in a scenario and is not among its requests: how long tasks took, when pvestatd reported, what else on the
//! node held a lock file. It is read off the recorded answers, so that what follows from it can be compared.
use super::{
    recording::{Exchange, Scenario},
    request::REDACTED,
    run::{Outcome, Verdict},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Milliseconds between two reports of pvestatd.
pub const REPORTS: u64 = 10_000;

/// Milliseconds by which an answer may come later here than there.
const LATE: u64 = 50;

/// The circumstances of a scenario. Times are in milliseconds since its first line.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// By UPID, until when a task was seen to run, and when it was first seen to be over.
    tasks: BTreeMap<String, (u64, Option<u64>)>,
    /// When pvestatd first reported.
    pub report: u64,
    /// Exchanges before which something else took the lock file of a guest, so that what they started gave up.
    pub held: BTreeMap<u64, u32>,
    /// Exchanges that say nothing, and why.
    pub apart: BTreeMap<u64, String>,
}

/// Why an exchange says nothing about the simulator.
pub struct Apart {
    pub why: String,
    /// Whether it is sent all the same. What was refused there for such a reason must not happen here.
    pub sent: bool,
}

impl Circumstances {
    /// What every replay of a scenario goes by.
    pub fn of(scenario: &Scenario) -> Self {
        let mut tasks = BTreeMap::<String, (u64, Option<u64>)>::new();
        for exchange in &scenario.exchanges {
            let data = exchange.response.as_ref().map_or(&Value::Null, |r| &r.body["data"]);
            let (Some(upid), Some(status)) = (data["upid"].as_str(), data["status"].as_str()) else { continue };
            let seen = tasks.entry(upid.to_string()).or_default();
            match status {
                "running" => seen.0 = seen.0.max(exchange.ended() + LATE),
                "stopped" => seen.1 = seen.1.or(Some(exchange.t_ms)),
                _ => {}
            }
        }
        for exchange in &scenario.exchanges {
            for upid in removals_in_progress(scenario, exchange) {
                let seen = tasks.entry(upid).or_default();
                if seen.1.is_some_and(|over| exchange.ended() < over) {
                    seen.0 = seen.0.max(exchange.ended() + LATE);
                }
            }
        }
        Self { tasks, report: REPORTS, ..Self::default() }
    }

    /// The same, with pvestatd at another moment.
    pub fn reporting_at(&self, report: u64) -> Self {
        Self { report, ..self.clone() }
    }

    /// When a task of theirs that would end at `ends` has to end.
    pub fn end_of(&self, upid: &str, ends: u64) -> u64 {
        match self.tasks.get(upid) {
            Some((running, over)) => ends.min(over.unwrap_or(u64::MAX)).max(*running),
            None => ends,
        }
    }

    /// What a first replay showed: where theirs gave up waiting for a lock file that nobody holds here, something else of the
    /// node held it.
    pub fn learn(&mut self, scenario: &Scenario, verdicts: &[Verdict]) -> bool {
        let mut learned = false;
        for (exchange, verdict) in scenario.exchanges.iter().zip(verdicts) {
            let waits = matches!(verdict.outcome, Outcome::Differs(_));
            let Some(answer) = exchange.response.as_ref().filter(|_| waits) else { continue };
            let data = &answer.body["data"];
            let rows = data.as_array().cloned().unwrap_or_else(|| vec![data.clone()]);
            let ended = |row: &Value| {
                let guest = held_guest(row["exitstatus"].as_str().or(row["status"].as_str())?)?;
                Some((row["upid"].as_str()?.to_string(), guest))
            };
            let tasks: Vec<(String, u32)> = rows.iter().filter_map(ended).collect();
            for (upid, guest) in &tasks {
                let began = scenario
                    .exchanges
                    .iter()
                    .find(|e| e.response.as_ref().is_some_and(|r| r.body["data"].as_str() == Some(upid)));
                if let Some(began) = began {
                    self.held.insert(began.seq, *guest);
                }
            }
            if !tasks.is_empty() || held_guest(&answer.reason).is_some() {
                let why = "another process of the node held the guest's lock file".to_string();
                learned |= self.apart.insert(exchange.seq, why).is_none();
            }
        }
        learned
    }

    /// Why an exchange says nothing, where that is so.
    pub fn apart(&self, exchange: &Exchange) -> Option<Apart> {
        let refused = exchange.response.as_ref().is_none_or(|r| r.status >= 400);
        let write = exchange.method != "GET";
        let why = self.apart.get(&exchange.seq).cloned().or_else(|| reason(exchange).map(str::to_string))?;
        Some(Apart { why, sent: !(refused && write) })
    }
}

/// Tasks that were removing guests which an answer still lists.
fn removals_in_progress(scenario: &Scenario, shown: &Exchange) -> Vec<String> {
    let data = |e: &Exchange| e.response.as_ref().map_or(Value::Null, |r| r.body["data"].clone());
    let rows = data(shown);
    let listed = |vmid: &str| {
        let is = |row: &Value| row["vmid"].as_u64().map(|n| n.to_string()).or(row["vmid"].as_str().map(str::to_owned));
        rows.as_array()
            .is_some_and(|rows| rows.iter().any(|row| row["type"] != "task" && is(row).as_deref() == Some(vmid)))
    };
    let earlier = scenario.exchanges.iter().filter(|e| e.ended() <= shown.t_ms && e.method == "DELETE");
    let removal = |e: &Exchange| {
        let upid = data(e).as_str().filter(|d| d.starts_with("UPID:"))?.to_owned();
        let parts: Vec<&str> = upid.split(':').collect();
        (matches!(parts.get(5), Some(&("vzdestroy" | "qmdestroy"))) && listed(parts.get(6)?)).then_some(upid.clone())
    };
    // Of several, the last: the number may have been given again.
    earlier.rev().find_map(removal).into_iter().collect()
}

/// The guest whose lock file could not be had.
fn held_guest(text: &str) -> Option<u32> {
    let rest = text.split("can't lock file '").nth(1)?;
    let (file, rest) = rest.split_once('\'')?;
    let number = file.rsplit(['/', '-']).next()?.trim_end_matches(".lock").trim_end_matches(".conf");
    number.parse().ok().filter(|_| rest.contains("got timeout"))
}

/// Causes that a recorded answer itself tells of.
fn reason(exchange: &Exchange) -> Option<&'static str> {
    let sent = &exchange.request;
    let secret: BTreeSet<&str> = {
        let pairs = sent.form.iter().chain(&sent.query).flatten();
        let pairs = pairs.filter(|(_, v)| v.to_string().contains(REDACTED)).map(|(k, _)| k.as_str());
        let fields = sent.json.iter().filter_map(Value::as_object).flatten();
        let fields = fields.filter(|(_, v)| v.to_string().contains(REDACTED)).map(|(k, _)| k.as_str());
        let headers = sent.headers.iter().filter(|(_, v)| *v == REDACTED).map(|(k, _)| k.as_str());
        pairs.chain(fields).chain(headers).collect()
    };
    let Some(answer) = &exchange.response else {
        let broke =
            "the connection broke while the body was still being sent: whether the refusal is read then is chance";
        return sent.chunked.then_some(broke);
    };
    let errors = answer.body["errors"].as_object();
    if !secret.is_empty()
        && (answer.status == 401 || errors.is_some_and(|e| e.keys().any(|k| secret.contains(k.as_str()))))
    {
        return Some("a secret was sent that was refused, and the recording does not hold it");
    }
    if errors.is_some_and(|e| {
        e.values().any(|why| why.as_str().is_some_and(|w| w.contains("cgroup values: container not running")))
    }) {
        return Some("the kernel of that installation refused what this simulated one does");
    }
    if answer.status == 596 {
        return Some("a daemon of that node did not answer in time");
    }
    if exchange.notes("on the node itself") {
        return Some("it was changed on the node itself");
    }
    None
}

/// Whether a call is answered from what pvestatd reported.
pub fn shows_reports(exchange: &Exchange) -> bool {
    let path = exchange.path.trim_end_matches('/');
    path == "/cluster/resources" || path == "/pools" || path.starts_with("/pools/")
}

/// Whether an answer is the history of a guest in which nothing was measured.
pub fn nothing_measured(exchange: &Exchange) -> bool {
    let rows = exchange.response.as_ref().and_then(|r| r.body["data"].as_array());
    let bare = |row: &Value| row.as_object().is_some_and(|r| r.len() == 1 && r.contains_key("time"));
    exchange.path.ends_with("/rrddata") && rows.is_some_and(|rows| !rows.is_empty() && rows.iter().all(bare))
}

/// Whether the guest of a path was made in the scenario less than a report before it was asked about: its file, where there
/// was one, is that of an earlier guest of its number.
pub fn began_by(scenario: &Scenario, asked: &Exchange) -> bool {
    let Some(vmid) = asked.path.split('/').nth(4) else { return false };
    let makes = |e: &&Exchange| {
        let form = e.request.form.iter().flatten();
        e.method == "POST"
            && matches!(e.path.split('/').nth(3), Some("lxc" | "qemu"))
            && e.path.split('/').count() == 4
            && form.into_iter().any(|(key, value)| key == "vmid" && value.as_str() == Some(vmid))
    };
    let made = scenario.exchanges.iter().filter(|e| e.t_ms <= asked.t_ms).rfind(makes);
    made.is_some_and(|made| asked.t_ms - made.t_ms < REPORTS)
}

/// Whether all that an answer lists of the cluster's log is from before the scenario began, in Unix seconds.
pub fn only_before(exchange: &Exchange, began: u64) -> bool {
    let rows = exchange.response.as_ref().and_then(|r| r.body["data"].as_array());
    let log = exchange.path.trim_end_matches('/') == "/cluster/log";
    log && rows.is_some_and(|rows| {
        !rows.is_empty() && rows.iter().all(|row| row["time"].as_u64().is_some_and(|at| at < began))
    })
}

/// Whether answers differ only in guests of which nothing is reported here yet, while theirs shows figures: those are of an
/// earlier guest of the same number, or of a report at another moment.
pub fn only_unreported(differences: &[String]) -> bool {
    let row = |text: &str| {
        let end = text.find("/").and_then(|slash| text[slash..].find("\"]").map(|e| slash + e + 2))?;
        Some(text[..end].to_string())
    };
    let unknown: BTreeSet<String> = differences
        .iter()
        .filter(|d| d.contains(".status: recorded") && d.ends_with("here \"unknown\""))
        .filter_map(|d| row(d))
        .collect();
    !differences.is_empty() && differences.iter().all(|d| row(d).is_some_and(|r| unknown.contains(&r)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_files_name_their_guest() {
        assert_eq!(held_guest("can't lock file '/run/lock/lxc/pve-config-101.lock' - got timeout"), Some(101));
        assert_eq!(held_guest("can't lock file '/var/lock/qemu-server/lock-102.conf' - got timeout"), Some(102));
        assert_eq!(held_guest("CT is locked (backup)"), None);
    }

    #[test]
    fn figures_of_an_earlier_guest() {
        let row = |at: &str, here: &str| format!("data[\"lxc/101\"].{at}: recorded 1, here {here}");
        assert!(only_unreported(&[row("status", "\"unknown\""), row("maxmem", "missing")]));
        assert!(!only_unreported(&[row("status", "\"running\""), row("maxmem", "2")]));
        assert!(!only_unreported(&[row("status", "\"unknown\""), "data[\"node/a\"].cpu: recorded 1, here 2".into()]));
    }
}
