//! Which document a tunnel should have, and the step to it. Pure.
use crate::model::{Disruption, Draft, Field, ObjectId, Resource, Sides, Verb};
use crate::resources::dns_record::{DnsRecord, Key};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet,
    fmt::{self, Display},
};

/// A document with nothing left to choose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Desired {
    /// Rules that people made by hand stay.
    pub shared: bool,
    /// In the order in which they are tried: exact names before wildcards, longer paths before shorter ones.
    pub rules: Vec<Rule>,
    /// What answers everything else.
    pub otherwise: String,
    pub needs: Vec<ObjectId>,
}

/// One rule of ours.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rule {
    /// Lower case; `*.` before it for all names below.
    pub host: String,
    pub path: Option<String>,
    pub service: String,
}

/// A document as Cloudflare shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Live {
    /// Id of its tunnel.
    pub tunnel: String,
    /// Counts the changes.
    pub version: u64,
    /// Whether it counts at all: a tunnel with a local configuration ignores it.
    pub remote: bool,
    pub config: Value,
    /// Of a shared tunnel: the host names whose record leads here and is ours.
    pub ours: BTreeSet<String>,
}

/// The whole document that is written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    pub config: Value,
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = rules(&self.config).count();
        write!(f, "{count} rule{}", if count == 1 { "" } else { "s" })
    }
}

pub fn diff(sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
    match sides {
        Sides::OnlyDesired(desired) => {
            let config = document(desired, None);
            vec![Draft::new(Verb::Create, Change { config: config.clone() }).fields(fields(&Value::Null, &config))]
        }
        // It goes with its tunnel.
        Sides::OnlyLive(_) => vec![],
        // Its mark is the tunnel's, and written there.
        Sides::Both { desired, live, .. } | Sides::Adopt { desired, live } => {
            let config = document(desired, Some(live));
            if normal(&config) == normal(&live.config) {
                return vec![];
            }
            let fields = fields(&live.config, &config);
            let closes = fields.iter().any(|field| field.from.is_some());
            let draft = Draft::new(Verb::Update, Change { config }).fields(fields);
            vec![if closes { draft.disrupts(Disruption::Interruption) } else { draft }]
        }
    }
}

/// A rule of ours in a shared document is known by its record, which must outlive it.
pub fn uses(live: &Live) -> Vec<ObjectId> {
    let hosts: BTreeSet<String> = rules(&live.config).filter_map(host).collect();
    let key = |name: &String| Key { name: name.clone(), kind: "CNAME".into() };
    live.ours.intersection(&hosts).map(|name| DnsRecord::id(&key(name))).collect()
}

pub fn remark(live: &Live) -> Option<String> {
    let text = "the tunnel has a local configuration (config_src local): what is written here is ignored";
    (!live.remote).then(|| text.to_owned())
}

/// The document for these rules. Everything in the live one that manifests do not speak of stays: settings of the whole,
/// settings of a rule, and in a shared document the rules of others.
pub fn document(desired: &Desired, live: Option<&Live>) -> Value {
    let none = Value::Null;
    let old = live.map_or(&none, |live| &live.config);
    let own = |rule: &Rule| {
        let same = |old: &&Value| host(old).as_deref() == Some(&rule.host) && path(old) == rule.path.as_deref();
        let mut made = rules(old).find(same).and_then(Value::as_object).cloned().unwrap_or_default();
        made.insert("hostname".into(), json!(rule.host));
        if let Some(path) = &rule.path {
            made.insert("path".into(), json!(path));
        }
        made.insert("service".into(), json!(rule.service));
        Value::Object(made)
    };
    let (exact, wildcards): (Vec<&Rule>, Vec<&Rule>) = desired.rules.iter().partition(|r| !r.host.starts_with("*."));
    let (others, last) = match live.filter(|_| desired.shared) {
        None => (vec![], None),
        Some(live) => others(desired, live),
    };
    // Exact names of ours shadow nothing but themselves, and our wildcards come after what others made: the order of
    // others is theirs.
    let mut ingress: Vec<Value> = exact.into_iter().map(own).collect();
    ingress.extend(others);
    ingress.extend(wildcards.into_iter().map(own));
    ingress.push(last.unwrap_or_else(|| json!({"service": desired.otherwise})));
    let mut config: Map<String, Value> = old.as_object().cloned().unwrap_or_default();
    config.insert("ingress".into(), Value::Array(ingress));
    Value::Object(config)
}

/// The rules of others, and their catch-all if there is one.
fn others(desired: &Desired, live: &Live) -> (Vec<Value>, Option<Value>) {
    let wanted: BTreeSet<&str> = desired.rules.iter().map(|rule| rule.host.as_str()).collect();
    let theirs = |rule: &&Value| host(rule).is_none_or(|host| !live.ours.contains(&host) && !wanted.contains(&*host));
    let mut all: Vec<Value> = rules(&live.config).filter(theirs).cloned().collect();
    let last = all.pop_if(|rule| host(rule).is_none() && path(rule).is_none());
    (all, last)
}

fn rules(config: &Value) -> impl Iterator<Item = &Value> {
    config.get("ingress").and_then(Value::as_array).into_iter().flatten()
}

/// `None`: all hosts.
fn host(rule: &Value) -> Option<String> {
    let host = rule.get("hostname")?.as_str()?.trim_end_matches('.').to_lowercase();
    (!matches!(&*host, "" | "*")).then_some(host)
}

fn path(rule: &Value) -> Option<&str> {
    rule.get("path")?.as_str().filter(|path| !path.is_empty())
}

/// Without what means nothing: empty objects and texts, capitals in names.
fn normal(config: &Value) -> Value {
    let empty = |value: &Value| matches!(value, Value::Null) || value == &json!({}) || value == &json!("");
    let mut config: Map<String, Value> = config.as_object().cloned().unwrap_or_default();
    let mut ingress: Vec<Value> = vec![];
    for rule in rules(&Value::Object(config.clone())) {
        let mut fields: Vec<(String, Value)> =
            rule.as_object().into_iter().flatten().map(|(n, v)| (n.clone(), v.clone())).collect();
        fields.retain(|(name, value)| !empty(value) && name != "hostname");
        fields.extend(host(rule).map(|host| ("hostname".to_owned(), Value::from(host))));
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        ingress.push(Value::Object(fields.into_iter().collect()));
    }
    config.retain(|name, value| !empty(value) && name != "ingress");
    config.insert("ingress".into(), Value::Array(ingress));
    Value::Object(config)
}

/// Rule by rule, as `HOST[ PATH]`.
fn fields(from: &Value, to: &Value) -> Vec<Field> {
    let named = |config: &Value| -> Vec<(String, String)> {
        rules(config)
            .map(|rule| {
                let path = path(rule).map_or_else(String::new, |path| format!(" {path}"));
                let name = format!("{}{path}", host(rule).as_deref().unwrap_or("otherwise"));
                (name, rule["service"].as_str().unwrap_or_default().to_owned())
            })
            .collect()
    };
    let (from, to) = (named(from), named(to));
    let service = |side: &[(String, String)], name: &str| side.iter().find(|(n, _)| n == name).map(|(_, s)| s.clone());
    let names: BTreeSet<&String> = from.iter().chain(&to).map(|(name, _)| name).collect();
    let mut fields: Vec<Field> =
        names.into_iter().filter_map(|name| Field::differs(name, service(&from, name), service(&to, name))).collect();
    if fields.is_empty() {
        fields.push(Field { name: "order of rules".into(), from: None, to: Some("as declared".into()), effect: None });
    }
    fields
}
