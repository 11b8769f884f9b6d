//! A recorded answer held against ours.
use super::{
    connection::Received,
    names::{Class, Names},
    recording::Answered,
    request::REDACTED,
    values::{self, Piece, Rule},
};
use regex::Regex;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// Seconds by which a time may be off: what took long there may take long here, and the other way round.
const SLACK: u64 = 30;

static LEFT_OUT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?s)^(.*)<(\d+) characters left out>(.*)$").ok());

/// What names a row of a list, the first that it has.
const NAMES: &[&str] = &[
    "upid", "id", "key", "volid", "vmid", "storage", "iface", "realm", "subdir", "roleid", "userid", "tokenid",
    "groupid", "poolid", "name", "node", "macro",
];

/// Compares the answers of one scenario, whose values are mapped as they are met.
pub struct Comparison<'a> {
    pub names: &'a mut Names,
    /// Unix seconds at which the scenario began.
    pub began: u64,
    found: Vec<String>,
}

impl<'a> Comparison<'a> {
    pub fn new(names: &'a mut Names, began: u64) -> Self {
        Self { names, began, found: Vec::new() }
    }

    /// Every difference between an answer of theirs and ours.
    pub fn answers(mut self, want: &Answered, have: &Received) -> Vec<String> {
        let text = have.text();
        let body =
            serde_json::from_str(&text).unwrap_or(if text.is_empty() { Value::Null } else { Value::String(text) });
        if want.status != have.status {
            self.differs("status", &want.status, &format!("{} {}", have.status, have.reason));
        }
        if !self.texts(&want.reason, &have.reason) {
            self.differs("reason", &format!("{:?}", want.reason), &format!("{:?}", have.reason));
        }
        self.headers(want, have);
        let body = self.trimmed(want, body);
        self.values("", None, &want.body, &body);
        self.found
    }

    /// Of a list that was cut short in the recording: those of our rows that it kept. The others must be as many as there were.
    fn trimmed(&mut self, want: &Answered, mut body: Value) -> Value {
        let (Some(trimmed), Some(theirs)) = (want.trimmed, want.body["data"].as_array()) else { return body };
        let Some(ours) = body["data"].as_array_mut() else { return body };
        // How many tasks there were before is not known here.
        if theirs.iter().any(|row| row.get("upid").is_some()) {
            return body;
        }
        if ours.len() != trimmed.of {
            let (theirs, ours) = (format!("{} items", trimmed.of), format!("{} items", ours.len()));
            self.differs("data", &theirs, &ours);
        }
        match theirs.iter().map(name).collect::<Option<BTreeSet<String>>>() {
            Some(kept) => ours.retain(|row| name(row).is_some_and(|n| kept.contains(&n))),
            None => ours.truncate(theirs.len()),
        }
        body
    }

    fn differs(&mut self, at: &str, want: &dyn std::fmt::Display, have: &dyn std::fmt::Display) {
        let at = if at.is_empty() { "body" } else { at.trim_start_matches('.') };
        self.found.push(format!("{at}: recorded {want}, here {have}"));
    }

    fn headers(&mut self, want: &Answered, have: &Received) {
        let keeps = have.header("connection").is_none_or(|c| !c.eq_ignore_ascii_case("close"));
        if let Some(open) = want.keeps_open().filter(|open| *open != keeps) {
            let word = |open: bool| if open { "kept" } else { "closed" };
            self.differs("connection", &word(open), &word(keeps));
        }
        for name in ["content-type", "content-encoding", "content-disposition"] {
            let theirs = want.headers.get(name).and_then(Value::as_str).unwrap_or("none");
            let ours = have.header(name).unwrap_or("none");
            if !want.headers.is_empty() && !self.texts(theirs, ours) {
                self.differs(name, &theirs, &ours);
            }
        }
    }

    /// Two values; `from` is the key, and the object of theirs in which it stands.
    fn values(&mut self, at: &str, from: Option<(&str, &Map<String, Value>)>, want: &Value, have: &Value) {
        if let Some((key, rule)) = from.and_then(|(k, object)| Some((k, values::rule(k, object)?))) {
            if let (Some(w), Some(h)) = (plain(want), plain(have)) {
                let same_type = want.is_string() == have.is_string();
                if want != have && !(same_type && self.permits(rule, &w, &h)) {
                    self.differs(at, want, have);
                }
                return;
            }
            if let (Rule::Measure, Value::Array(w), Value::Array(h)) = (rule, want, have) {
                if w.len() != h.len() {
                    self.differs(at, want, have);
                }
                let object = [(key.to_string(), Value::Null)].into_iter().collect();
                for (w, h) in w.iter().zip(h) {
                    self.values(at, Some((key, &object)), w, h);
                }
                return;
            }
        }
        match (want, have) {
            (Value::Object(w), Value::Object(h)) => self.objects(at, w, h),
            (Value::Array(w), Value::Array(h)) => self.arrays(at, w, h),
            (Value::String(w), Value::String(h)) => {
                let exact = from.is_some_and(|(key, object)| key == "digest" && is_settled(object));
                if !(if exact { w == h } else { self.texts(w, h) }) {
                    self.differs(at, want, have);
                }
            }
            _ if want == have => {}
            _ => self.differs(at, want, have),
        }
    }

    fn permits(&mut self, rule: Rule, want: &str, have: &str) -> bool {
        if want == REDACTED {
            return !have.is_empty();
        }
        let numbers = || Some((want.parse::<f64>().ok()?, have.parse::<f64>().ok()?));
        match rule {
            Rule::Named(class) => self.names.pair(class, want, have),
            Rule::Unordered => {
                let set = |text: &str| text.split(',').map(str::to_string).collect::<BTreeSet<_>>();
                set(want) == set(have) || self.texts(want, have)
            }
            Rule::Time => numbers().is_some_and(|(w, h)| (w - h).abs() <= SLACK as f64),
            // What began just now has lasted for nought seconds or for one.
            Rule::Elapsed => numbers().is_some_and(|(w, h)| {
                (w - h).abs() <= SLACK as f64 && ((w == 0.0) == (h == 0.0) || (w - h).abs() <= 2.0)
            }),
            Rule::Measure => numbers().is_some_and(|(_, h)| h >= 0.0),
            Rule::Counter => numbers().is_some_and(|(w, h)| (w == 0.0) == (h == 0.0) && h >= 0.0),
            Rule::Size => numbers().is_some_and(|(w, h)| w == 0.0 || h > 0.0),
        }
    }

    fn objects(&mut self, at: &str, want: &Map<String, Value>, have: &Map<String, Value>) {
        for (key, value) in want {
            match have.get(key) {
                // How many tasks earlier scenarios left is not known here.
                ours if key == "total" && counts_tasks(want) => {
                    let known = |row: &Value| self.names.knows(Class::Upid, row["upid"].as_str().unwrap_or_default());
                    let least = want["data"].as_array().map_or(0, |rows| rows.iter().filter(|r| known(r)).count());
                    let number = ours.map_or(Some(0), Value::as_u64);
                    if number.is_none_or(|n| Some(n) > value.as_u64() || n < least as u64) {
                        self.differs(&format!("{at}.{key}"), value, ours.unwrap_or(&Value::Null));
                    }
                }
                Some(ours) => self.values(&format!("{at}.{key}"), Some((key, want)), value, ours),
                None => self.differs(&format!("{at}.{key}"), value, &"missing"),
            }
        }
        for (key, value) in have.iter().filter(|(k, _)| !want.contains_key(*k)) {
            self.differs(&format!("{at}.{key}"), &"nothing", value);
        }
    }

    fn arrays(&mut self, at: &str, want: &[Value], have: &[Value]) {
        if want.iter().chain(have).any(|v| v.get("upid").is_some()) {
            return self.tasks(at, want, have);
        }
        // Lines of a log and the like have a place, not a name.
        let placed = want.iter().any(|v| v.get("n").is_some() || v.get("pos").is_some());
        if placed || !want.iter().chain(have).all(|v| name(v).is_some()) {
            if want.len() != have.len() {
                self.differs(at, &format!("{} items", want.len()), &format!("{} items", have.len()));
            }
            for (i, (w, h)) in want.iter().zip(have).enumerate() {
                self.values(&format!("{at}[{i}]"), None, w, h);
            }
            return;
        }
        let (w, mut h) = (named(want), named(have));
        // A name may hold what is made anew: those that are left are taken in their order.
        for id in want.iter().filter_map(name).filter(|id| !have.iter().filter_map(name).any(|h| h == *id)) {
            let mut left = have.iter().filter_map(name).filter(|ours| h.contains_key(ours) && !w.contains_key(ours));
            let alike = left.find(|ours| made_anew(&id, ours) && self.texts(&id, ours));
            if let Some(value) = alike.and_then(|ours| h.remove(&ours)) {
                h.insert(id, value);
            }
        }
        for (id, value) in &w {
            match h.get(id) {
                Some(ours) => self.values(&format!("{at}[{id}]"), None, value, ours),
                None => self.differs(&format!("{at}[{id}]"), value, &"missing"),
            }
        }
        for (id, value) in h.iter().filter(|(id, _)| !w.contains_key(*id)) {
            self.differs(&format!("{at}[{id}]"), &"nothing", value);
        }
    }

    /// Lists of tasks: those of earlier scenarios are in theirs and not in ours.
    fn tasks(&mut self, at: &str, want: &[Value], have: &[Value]) {
        let ours_too = |v: &&Value| {
            let upid = v["upid"].as_str().unwrap_or_default();
            self.names.knows(Class::Upid, upid) || start_of(upid).is_none_or(|s| s >= self.began)
        };
        let want: Vec<&Value> = want.iter().filter(ours_too).collect();
        if want.len() > have.len() || want.is_empty() && !have.is_empty() {
            self.differs(at, &format!("{} tasks", want.len()), &format!("{} tasks", have.len()));
        }
        for (i, (w, h)) in want.into_iter().zip(have).enumerate() {
            self.values(&format!("{at}[{i}]"), None, w, h);
        }
    }

    /// Whether two texts are the same but for values that are made anew.
    fn texts(&mut self, want: &str, have: &str) -> bool {
        let (want, have) = (&*values::ordered(want), &*values::ordered(have));
        if want == have {
            return true;
        }
        if want == REDACTED {
            return !have.is_empty();
        }
        // A secret in a longer text.
        if let Some((before, after)) = want.split_once(REDACTED) {
            let long = have.len() > before.len() + after.len();
            return long && have.starts_with(before) && have.ends_with(after);
        }
        if let Some(cut) = LEFT_OUT.as_ref().and_then(|l| l.captures(want)) {
            let left: usize = cut[2].parse().unwrap_or(0);
            let length = cut[1].chars().count() + left + cut[3].chars().count();
            return have.chars().count() == length && have.starts_with(&cut[1]) && have.ends_with(&cut[3]);
        }
        let (w, h) = (values::take_apart(want), values::take_apart(have));
        let kinds = |t: &values::Taken<'_>| t.pieces.iter().map(|(piece, _)| *piece).collect::<Vec<_>>();
        w.fixed == h.fixed
            && kinds(&w) == kinds(&h)
            && w.pieces.iter().zip(&h.pieces).all(|((piece, w), (_, h))| match piece {
                Piece::Named(Class::Upid) => self.upids(w, h),
                Piece::Named(class) => same_case(w, h) && self.names.pair(*class, w, h),
                Piece::Measured => true,
            })
    }

    /// Who did what to which guest must be equal; when, as plausible as any time.
    fn upids(&mut self, want: &str, have: &str) -> bool {
        let node = |upid: &str| upid.split(':').nth(1).map(str::to_string);
        let what = |upid: &str| upid.split(':').skip(5).map(str::to_string).collect::<Vec<_>>();
        let pid = |upid: &str| upid.split(':').nth(2).and_then(|p| u32::from_str_radix(p, 16).ok());
        let near = match (start_of(want), start_of(have)) {
            (Some(w), Some(h)) => w.abs_diff(h) <= SLACK,
            _ => false,
        };
        let processes = match (pid(want), pid(have)) {
            (Some(w), Some(h)) => self.names.pair(Class::Pid, &w.to_string(), &h.to_string()),
            _ => false,
        };
        near && processes
            && node(want) == node(have)
            && what(want) == what(have)
            && self.names.pair(Class::Upid, want, have)
    }
}

/// Whether two names hold values that each run makes for itself: a file named after its moment, a generated id.
fn made_anew(want: &str, have: &str) -> bool {
    let made = |text: &str| values::take_apart(text).pieces.iter().any(|(piece, _)| matches!(piece, Piece::Named(_)));
    made(want) && made(have)
}

/// What names a row of a list.
fn name(row: &Value) -> Option<String> {
    NAMES.iter().find_map(|k| row.get(*k).map(ToString::to_string))
}

fn named(list: &[Value]) -> BTreeMap<String, &Value> {
    list.iter().filter_map(|v| Some((name(v)?, v))).collect()
}

/// A number or a text as text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether an answer's total counts tasks: its list is one of tasks, or cut down to nothing.
fn counts_tasks(answer: &Map<String, Value>) -> bool {
    let rows = answer.get("data").and_then(Value::as_array);
    rows.is_some_and(|rows| rows.is_empty() || rows.iter().any(|r| r.get("upid").is_some()))
}

/// Unix seconds at which the task of a UPID began.
pub fn start_of(upid: &str) -> Option<u64> {
    u64::from_str_radix(upid.split(':').nth(4)?, 16).ok()
}

/// A hardware address keeps the case in which it was written.
fn same_case(want: &str, have: &str) -> bool {
    let lower = |t: &str| t.contains(|c: char| c.is_ascii_lowercase());
    let upper = |t: &str| t.contains(|c: char| c.is_ascii_uppercase());
    !(lower(want) && upper(have) || upper(want) && lower(have))
}

/// Whether a digest covers nothing that is made anew: then it must be equal. A config that names a snapshot holds the time
/// at which that was taken.
fn is_settled(object: &Map<String, Value>) -> bool {
    // Only a guest's config is known line by line.
    let config = ["arch", "memory", "rootfs", "ostype", "lock"].iter().any(|k| object.contains_key(*k))
        && !object.contains_key("vmid");
    let anew = ["parent", "snaptime", "smbios1", "vmgenid", "meta"].iter().any(|k| object.contains_key(*k));
    let named = object.values().filter_map(Value::as_str).filter(|v| v.len() != 40);
    config && !anew && named.into_iter().all(|v| values::take_apart(v).pieces.is_empty())
}
