//! Holds the simulator against recorded exchanges with a real Proxmox VE 9.2.11.
use super::client::{encode, form, request};
use crate::sandbox::{
    proxmox::{Clock, Seed, Simulator, Timing, seed::SeedToken},
    wire::Api,
};
use regex::Regex;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::LazyLock,
};

const SECRET: &str = "00000000-0000-4000-a000-000000000000";

/// The cluster in which the recordings begin.
fn start_state() -> Seed {
    let files = [("local:vztmpl/debian-13-min_13.0-1_amd64.tar.zst".into(), 53_296_284)].into();
    let mut seed = Seed { files, ..Seed::default() };
    let role = "Datastore.AllocateSpace,Datastore.Audit,SDN.Use,VM.Allocate,VM.Audit,VM.Config.CPU,VM.Config.Disk,\
                VM.Config.Memory,VM.Config.Network,VM.Config.Options,VM.PowerMgmt,VM.Snapshot";
    seed.roles.insert("GitOps".into(), role.split(',').map(str::to_string).collect());
    let limited =
        SeedToken { id: "gitops@pve!t1".into(), secret: SECRET.into(), privsep: true, roles: vec!["GitOps".into()] };
    seed.tokens.push(limited);
    seed
}

/// What a recorded value is called in this run: UPIDs, MAC addresses, digests, uuids.
#[derive(Default)]
struct Names {
    ours: HashMap<String, String>,
    theirs: HashMap<String, String>,
}

impl Names {
    /// Whether two variable values may stand for each other, from now on and always.
    fn pair(&mut self, theirs: &str, ours: &str) -> bool {
        match (self.ours.get(theirs), self.theirs.get(ours)) {
            (None, None) => {
                self.ours.insert(theirs.into(), ours.into());
                self.theirs.insert(ours.into(), theirs.into());
                true
            }
            (Some(known), _) => known == ours,
            (None, Some(_)) => false,
        }
    }

    fn translate(&self, text: &str) -> String {
        let mut out =
            REPEATED.replace_all(text, |c: &regex::Captures<'_>| c[1].repeat(c[2].parse().unwrap())).into_owned();
        for (theirs, ours) in &self.ours {
            out = out.replace(theirs, ours).replace(&encode_upid(theirs), &encode(ours));
        }
        out
    }
}

fn encode_upid(upid: &str) -> String {
    upid.replace(':', "%3A").replace('@', "%40").replace('!', "%21")
}

static MAC: LazyLock<Regex> = LazyLock::new(|| Regex::new("(?i)[0-9a-f]{2}(:[0-9a-f]{2}){5}").unwrap());
static UUID: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap());
static REPEATED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(.)(?s:.*)<repeated to (\d+) characters>").unwrap());
static LINK_LOCAL: LazyLock<Regex> = LazyLock::new(|| Regex::new("fe80::[0-9a-f:]+").unwrap());
static NOISE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"SHA256:\S+|ssh_host_\w+_key|\d+MiB/s|Checking .*|\d+/\d+ files.*|/dev/loop\d+|ctime=\d+").unwrap()
});

/// Values that change from run to run: only their type is compared.
const VARIABLE: &[&str] = &[
    "pid",
    "pstart",
    "starttime",
    "endtime",
    "uptime",
    "cpu",
    "mem",
    "memhost",
    "disk",
    "netin",
    "netout",
    "diskread",
    "diskwrite",
    "ctime",
    "used",
    "avail",
    "used_fraction",
    "time",
    "total",
    "maxdisk",
    "snaptime",
    "idle",
    "wait",
];

struct Replay {
    clock: Clock,
    simulator: Simulator,
    names: Names,
    secrets: HashMap<String, String>,
}

impl Replay {
    async fn send(&self, line: &Value) -> (u16, String, Value) {
        let given = &line["request"];
        let pairs = |v: &Value| -> String {
            let pairs: Vec<(String, String)> = serde_json::from_value(v.clone()).unwrap_or_default();
            let pairs: Vec<(String, String)> = pairs.into_iter().map(|(k, v)| (k, self.names.translate(&v))).collect();
            form(&pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>())
        };
        let text = |v: &Value| v.as_str().map(|s| self.names.translate(s));
        let query = given.get("query").map(pairs).or_else(|| text(&given["raw_query"]));
        let path = self.names.translate(line["path"].as_str().unwrap_or_default());
        let mut ask = request(line["method"].as_str().unwrap(), &path, query.as_deref());
        if let Some(base) = line["base"].as_str() {
            ask.path = format!("{base}{path}");
        }
        if let Some(form) = given.get("form") {
            ask.body = pairs(form).into();
        } else if let Some(json) = given.get("json") {
            ask.body = self.names.translate(&json.to_string()).into();
        } else if let Some(raw) = given["raw"].as_str() {
            // Raw bytes are kept as one character each where they are not text.
            let bytes: Vec<u8> = match raw.chars().all(|c| (c as u32) < 256) && !raw.is_ascii() {
                true => raw.chars().map(|c| c as u32 as u8).collect(),
                false => raw.as_bytes().to_vec(),
            };
            ask.body = bytes.into();
        } else if let Some(described) = given["raw_desc"].as_str() {
            let numbers: Vec<usize> = described.split(' ').filter_map(|w| w.parse().ok()).collect();
            ask.body = format!("description={}", "x".repeat(numbers[0])).into();
        }
        if let Some(kind) = given["content_type"].as_str() {
            ask.headers.push(("content-type".into(), kind.into()));
        }
        if given["chunked"] == json!(true) {
            ask.headers.push(("transfer-encoding".into(), "chunked".into()));
        }
        for (name, value) in given["headers"].as_object().into_iter().flatten() {
            ask.headers.push((name.to_lowercase(), value.as_str().unwrap_or_default().into()));
        }
        let token = match (line["auth"].as_str(), line["as"].as_str()) {
            (Some("none"), _) => None,
            (Some("bad"), _) => Some(match line["note"].as_str() {
                Some("another scheme") => "Basic eDp5".to_string(),
                Some("malformed") => "PVEAPIToken=nonsense".to_string(),
                _ => format!("PVEAPIToken=root@pam!full={}", "1".repeat(36)),
            }),
            (_, Some(who)) if self.secrets.contains_key(who) => {
                Some(format!("PVEAPIToken={who}={}", self.secrets[who]))
            }
            (Some("limited"), _) => Some(format!("PVEAPIToken=gitops@pve!t1={SECRET}")),
            _ => Some(format!("PVEAPIToken=root@pam!full={SECRET}")),
        };
        ask.headers.extend(token.map(|t| ("authorization".to_string(), t)));
        let reply = self.simulator.answer(ask).await;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(if text.is_empty() { Value::Null } else { json!(text) });
        (reply.status, reply.reason.unwrap_or_else(|| "OK".into()), body)
    }

    /// Sends a line and tells where the answer differs; `None` where nothing is to be compared.
    async fn line(&mut self, line: &Value) -> Option<Vec<String>> {
        let want = &line["response"];
        // What was redacted can only be replaced by something that is accepted.
        let redacted = line["request"].to_string().contains("<redacted>") && want["status"] != 200;
        if want.is_null() || redacted || line["request"].get("multipart").is_some() {
            return None;
        }
        let (mut status, mut reason, mut body) = self.send(line).await;
        // Polls of a task that still ran were left out of the recording.
        for _ in 0..600 {
            if want["body"]["data"]["status"] != "stopped"
                || body["data"]["status"] != "running"
                || body["data"].get("pstart").is_none()
            {
                break;
            }
            self.clock.wait(100).await;
            (status, reason, body) = self.send(line).await;
        }
        if reason.starts_with("not simulated") {
            return Some(vec![reason]);
        }
        let mut found = Vec::new();
        if json!(status) != want["status"] {
            found.push(format!("status {} here {status} {reason}", want["status"]));
        }
        if json!(reason) != want["reason"] && !self.same_text(want["reason"].as_str().unwrap_or_default(), &reason) {
            found.push(format!("reason {} here {reason:?}", want["reason"]));
        }
        if let (Some(id), Some(secret)) = (body["data"]["full-tokenid"].as_str(), body["data"]["value"].as_str()) {
            self.secrets.insert(id.into(), secret.into());
        }
        self.compare("", "", &want["body"], &body, &mut found);
        Some(found)
    }

    fn compare(&mut self, at: &str, key: &str, want: &Value, have: &Value, found: &mut Vec<String>) {
        match (want, have) {
            (Value::Object(w), Value::Object(h)) => self.objects(at, w, h, found),
            (Value::Array(w), Value::Array(h)) => self.arrays(at, w, h, found),
            (Value::String(w), Value::String(h)) => {
                if !VARIABLE.contains(&key) && !key.starts_with("pressure") && !self.same_text(w, h) {
                    found.push(format!("{at}: {w:?} here {h:?}"));
                }
            }
            (Value::Number(_), Value::Number(_)) if VARIABLE.contains(&key) => {}
            // The memory of the node itself.
            (Value::Number(w), Value::Number(_)) if key == "maxmem" && w.as_u64() > Some(16 << 30) => {}
            _ if want == have => {}
            _ => found.push(format!("{at}: {want} here {have}")),
        }
    }

    fn objects(&mut self, at: &str, want: &Map<String, Value>, have: &Map<String, Value>, found: &mut Vec<String>) {
        for (key, value) in want {
            match have.get(key) {
                Some(ours) => self.compare(&format!("{at}.{key}"), key, value, ours, found),
                None => found.push(format!("{at}.{key}: {value} here missing")),
            }
        }
        for (key, value) in have.iter().filter(|(k, _)| !want.contains_key(*k)) {
            found.push(format!("{at}.{key}: not there, here {value}"));
        }
    }

    fn arrays(&mut self, at: &str, want: &[Value], have: &[Value], found: &mut Vec<String>) {
        // Tasks of earlier scenarios are not ours.
        let known = |v: &&Value| v["upid"].as_str().is_none_or(|u| self.names.ours.contains_key(u) || u.is_empty());
        let want: Vec<&Value> = want.iter().filter(known).collect();
        let all_known = want.iter().all(|v| v.get("upid").is_some());
        let have: Vec<&Value> = match all_known && !want.is_empty() {
            true => have.iter().take(want.len()).collect(),
            false => have.iter().collect(),
        };
        let name = |v: &Value| {
            [
                "id", "key", "volid", "vmid", "storage", "iface", "realm", "subdir", "roleid", "userid", "tokenid",
                "poolid", "name", "node",
            ]
            .iter()
            .find_map(|k| v.get(*k).map(ToString::to_string))
        };
        let ordered = want.iter().any(|v| v.get("n").is_some() || v.get("upid").is_some());
        if !ordered && want.iter().all(|v| name(v).is_some()) {
            let by = |list: &[&Value]| -> BTreeMap<String, Value> {
                list.iter().filter_map(|v| Some((name(v)?, (*v).clone()))).collect()
            };
            let (want, have) = (by(&want), by(&have));
            for (id, value) in &want {
                match have.get(id) {
                    Some(ours) => self.compare(&format!("{at}[{id}]"), "", value, ours, found),
                    None => found.push(format!("{at}[{id}] here missing")),
                }
            }
            found.extend(have.keys().filter(|k| !want.contains_key(*k)).map(|k| format!("{at}[{k}] only here")));
            return;
        }
        if want.len() != have.len() {
            found.push(format!("{at}: {} items here {}", want.len(), have.len()));
        }
        for (i, (w, h)) in want.iter().zip(&have).enumerate() {
            self.compare(&format!("{at}[{i}]"), "", w, h, found);
        }
    }

    fn same_text(&mut self, want: &str, have: &str) -> bool {
        if want == have || want == "<redacted>" {
            return true;
        }
        if want.starts_with("UPID:") && have.starts_with("UPID:") {
            let tail = |u: &str| u.split(':').skip(5).collect::<Vec<_>>().join(":");
            return tail(want) == tail(have) && self.names.pair(want, have);
        }
        let digest = |t: &str| t.len() == 40 && t.bytes().all(|b| b.is_ascii_hexdigit());
        if digest(want) && digest(have) {
            return self.names.pair(want, have);
        }
        if want.contains(" characters left out>") || want.contains("<repeated to ") {
            let (start, cut) = want.split_once('<').unwrap_or_default();
            let end = cut.split_once('>').map_or("", |(_, e)| e);
            return have.starts_with(start) && have.ends_with(end);
        }
        // A list of contents comes in any order.
        let words = |t: &str| {
            let mut words: Vec<String> = t.split(',').map(str::to_string).collect();
            words.sort();
            words
        };
        if want.contains("vztmpl,") || want.contains(",vztmpl") {
            return words(want) == words(have);
        }
        for pattern in [&*MAC, &*UUID, &*LINK_LOCAL] {
            let (theirs, ours): (Vec<_>, Vec<_>) =
                (pattern.find_iter(want).collect(), pattern.find_iter(have).collect());
            if theirs.len() == ours.len() && !theirs.is_empty() {
                let same = theirs.iter().zip(&ours).all(|(t, o)| self.names.pair(t.as_str(), o.as_str()));
                let blank = |t: &str| NOISE.replace_all(&pattern.replace_all(t, "*"), "*").into_owned();
                return same && blank(want) == blank(have);
            }
        }
        let blank = |t: &str| t.lines().map(|l| NOISE.replace_all(l, "*").into_owned()).collect::<Vec<_>>();
        blank(want) == blank(have)
    }
}

struct Outcome {
    agrees: usize,
    compared: usize,
    differences: Vec<String>,
}

async fn scenario(file: &Path) -> Outcome {
    let lines: Vec<Value> =
        std::fs::read_to_string(file).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let begin = 1_795_269_900_000;
    let clock = Clock::starting_at(begin);
    let simulator = Simulator::by(&start_state(), None, Timing::Real, clock.clone()).unwrap();
    simulator.edit(|state| {
        if let Some(user) = state.access.users.get_mut("gitops@pve") {
            user.more = [("comment".into(), "reconciler".into()), ("email".into(), String::new())].into();
        }
    });
    let mut replay = Replay { clock, simulator, names: Names::default(), secrets: HashMap::new() };
    let mut outcome = Outcome { agrees: 0, compared: 0, differences: Vec::new() };
    for line in &lines {
        replay.clock.until(begin + line["t_ms"].as_u64().unwrap_or(0)).await;
        let Some(found) = replay.line(line).await else { continue };
        outcome.compared += 1;
        if found.is_empty() {
            outcome.agrees += 1;
            continue;
        }
        let name = format!("{}:{}", file.file_stem().unwrap().to_string_lossy(), line["seq"]);
        let what = format!("{} {}", line["method"].as_str().unwrap(), line["path"].as_str().unwrap());
        outcome.differences.push(format!("{name} {what}\n      {}", found.join("\n      ")));
    }
    outcome
}

fn recordings(root: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let folder = |p: &Path| -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = std::fs::read_dir(p).unwrap().map(|e| e.unwrap().path()).collect();
        found.sort();
        found
    };
    folder(root)
        .into_iter()
        .filter(|p| p.is_dir())
        .map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), folder(&p)))
        .collect()
}

/// Per cent that must agree in every area whose recordings are in the tree.
const FLOOR: usize = 88;

/// The share of recorded exchanges that agree, by area. `TRUEUP_RECORDINGS` names another folder of recordings,
/// `TRUEUP_DIFFERENCES` a file for everything that differs.
#[tokio::test]
async fn recorded_exchanges_agree() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/proxmox-9.2");
    let root = std::env::var("TRUEUP_RECORDINGS").map_or(own, PathBuf::from);
    let mut report = String::new();
    let (mut all_agree, mut all, mut below) = (0, 0, Vec::new());
    for (area, files) in recordings(&root) {
        let (mut agrees, mut compared) = (0, 0);
        for file in files {
            let outcome = scenario(&file).await;
            agrees += outcome.agrees;
            compared += outcome.compared;
            for difference in outcome.differences {
                report.push_str(&format!("{area}/{difference}\n"));
            }
        }
        println!(
            "{area:<14} {agrees:>5} of {compared:>5} agree ({:.1} %)",
            100.0 * agrees as f64 / compared.max(1) as f64
        );
        all_agree += agrees;
        all += compared;
        if agrees * 100 < compared * FLOOR {
            below.push(area);
        }
    }
    println!("{:<14} {all_agree:>5} of {all:>5} agree ({:.1} %)", "all", 100.0 * all_agree as f64 / all.max(1) as f64);
    if let Ok(file) = std::env::var("TRUEUP_DIFFERENCES") {
        std::fs::write(file, &report).unwrap();
    }
    assert!(below.is_empty(), "less than {FLOOR} % agree in {below:?}:\n{report}");
}
