//! Files of Traefik's dynamic directory: ours as bytes and back, those of others as far as they concern us.
use super::shape;
use crate::model::{HostName, Mark, Vmid};
use serde_yaml::{Mapping, Value};
use std::{
    collections::BTreeSet,
    fmt::Write,
    net::{IpAddr, SocketAddr},
};

/// The key of the root under which our mark stands. Traefik ignores keys of the root that it does not know.
pub const MARK: &str = "x-trueup";
/// Entry point for HTTPS in the static configuration.
pub const ENTRY_POINT: &str = "websecure";

/// A route by name: connections for these hosts go on to the target as they are, TLS and all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    pub mark: Mark,
    /// The guest behind it, by its number: it must outlive the file.
    pub guest: Option<Vmid>,
    pub hosts: BTreeSet<HostName>,
    pub target: SocketAddr,
}

impl Route {
    /// What its router and its service are called. It holds the uid, so no other file of ours has it, and a file
    /// whose declaration was renamed keeps it.
    pub fn name(mark: &Mark) -> String {
        format!("trueup-{}", mark.uid)
    }

    /// The name of its file in the dynamic directory.
    pub fn file_name(mark: &Mark) -> String {
        format!("{}.yml", Self::name(mark))
    }

    /// The rule as Traefik's API repeats it.
    pub fn rule(&self) -> String {
        let one = |host: &HostName| format!("HostSNI(`{host}`)");
        self.hosts.iter().map(one).collect::<Vec<_>>().join(" || ")
    }

    /// The file. The same route gives the same bytes.
    ///
    /// # Errors
    /// When Traefik would not take it, or would read something else than is meant.
    pub fn render(&self) -> Result<String, String> {
        if self.hosts.is_empty() {
            return Err("a route without host names routes nothing".into());
        }
        check_target(self.target.ip())?;
        let mut out = String::new();
        let _ = self.write(&mut out);
        // Files are Go templates before they are YAML.
        if out.contains("{{") {
            return Err("`{{` would be executed by Traefik as a template".into());
        }
        let read = read(&out).map_err(|problem| problem.to_string())?;
        if read.route.as_ref() != Some(self) {
            return Err("the file would not be read back as what was written".into());
        }
        Ok(out)
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Mark { site, uid, serves, deletion, declared } = &self.mark;
        let name = Self::name(&self.mark);
        writeln!(out, "# Written by trueup. What is changed here by hand is undone.")?;
        writeln!(out, "{MARK}:\n  site: {}\n  uid: {uid}", quoted(site))?;
        if let Some(serves) = serves {
            writeln!(out, "  serves: {serves}")?;
        }
        if let Some(guest) = self.guest {
            writeln!(out, "  guest: {guest}")?;
        }
        writeln!(out, "  deletion: {deletion}")?;
        if let Some(declared) = declared {
            writeln!(out, "  declared: {}", quoted(&declared.to_string()))?;
        }
        writeln!(out, "tcp:\n  routers:\n    {name}:\n      entryPoints: [{ENTRY_POINT}]")?;
        writeln!(out, "      rule: {}\n      service: {name}\n      tls: {{passthrough: true}}", quoted(&self.rule()))?;
        writeln!(out, "  services:\n    {name}:\n      loadBalancer:")?;
        writeln!(out, "        servers: [{{address: {}}}]", quoted(&self.target.to_string()))
    }
}

/// A YAML string in double quotes; `"` and `\` and control characters escaped as JSON does, which YAML reads.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A file of the directory, as Traefik reads it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Read {
    /// Ours, if it carries our mark.
    pub mark: Option<Mark>,
    /// What it routes, where it is as we write it.
    pub route: Option<Route>,
    /// Names that it routes on its own: `HostSNI` of TCP routers and `Host` of HTTPS routers.
    pub hosts: BTreeSet<Claim>,
}

/// A host name that a router asks for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Claim {
    pub host: String,
    pub router: String,
    /// The router ends TLS itself: it goes before every passthrough of the same name, without a word.
    pub ends_tls: bool,
}

/// Why a file cannot be judged, or what Traefik has against it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// Traefik refuses it, and with it every file of the directory.
    #[error("Traefik refuses it, and with it the whole directory: {0}")]
    Refused(String),
    /// It is not ours, and it is executed before it is read, or is TOML.
    #[error("{0}, so what it routes is not known")]
    NotJudged(&'static str),
}

/// Reads a YAML file of the directory.
///
/// # Errors
/// What Traefik has against it, or why that is not known.
pub fn read(text: &str) -> Result<Read, Problem> {
    if text.contains("{{") {
        return Err(Problem::NotJudged("it is a template"));
    }
    let refused = |e: serde_yaml::Error| Problem::Refused(e.to_string());
    let config = match serde_yaml::from_str::<Value>(text).map_err(refused)? {
        Value::Null => return Ok(Read::default()),
        Value::Mapping(config) => config,
        _ => return Err(Problem::Refused("it is not a map".into())),
    };
    shape::check(&config).map_err(Problem::Refused)?;
    let mark: Option<Mark> = config.get(MARK).and_then(|mark| serde_yaml::from_value(mark.clone()).ok());
    let route = mark.clone().and_then(|mark| route(mark, &config));
    Ok(Read { route, mark, hosts: claims(&config) })
}

/// Our own route out of a file of ours; `None` when it is not as we write it.
fn route(mark: Mark, config: &Mapping) -> Option<Route> {
    let name = Route::name(&mark);
    let tcp = config.get("tcp")?;
    let router = tcp.get("routers")?.get(&name)?;
    let servers = tcp.get("services")?.get(&name)?.get("loadBalancer")?.get("servers")?.as_sequence()?;
    let [server] = servers.as_slice() else { return None };
    let target = server.get("address")?.as_str()?.parse().ok()?;
    let hosts = names(router.get("rule")?.as_str()?, "HostSNI(`").filter_map(|h| h.parse().ok()).collect();
    let guest = config.get(MARK).and_then(|m| m.get("guest")).and_then(|g| scalar_text(g)?.parse().ok());
    let route = Route { mark, guest, hosts, target };
    (router.get("rule")?.as_str()? == route.rule()).then_some(route)
}

fn scalar_text(value: &Value) -> Option<String> {
    value.as_u64().map(|n| n.to_string()).or_else(|| value.as_str().map(str::to_owned))
}

/// What stands between `` HostSNI(` `` and the next backtick.
fn names<'a>(rule: &'a str, matcher: &'a str) -> impl Iterator<Item = &'a str> {
    rule.match_indices(matcher).filter_map(move |(at, _)| rule[at + matcher.len()..].split('`').next())
}

fn claims(config: &Mapping) -> BTreeSet<Claim> {
    let mut all = BTreeSet::new();
    for (protocol, matcher) in [("tcp", "HostSNI(`"), ("http", "Host(`")] {
        let routers = config.get(protocol).and_then(|p| p.get("routers")).and_then(Value::as_mapping);
        for (name, router) in routers.into_iter().flatten() {
            let tls = router.get("tls").filter(|tls| !tls.is_null());
            let passes = tls.and_then(|t| t.get("passthrough")).is_some_and(|p| *p == Value::Bool(true));
            let rule = router.get("rule").and_then(Value::as_str).unwrap_or_default();
            let (Some(router), Some(_)) = (name.as_str(), tls) else { continue };
            all.extend(names(rule, matcher).map(|host| Claim {
                host: host.to_lowercase(),
                router: router.to_owned(),
                ends_tls: !passes,
            }));
        }
    }
    all
}

/// Whether an address can be a target: one machine, not this one.
fn check_target(address: IpAddr) -> Result<(), String> {
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
        return Err(format!("{address} is not the address of a guest"));
    }
    Ok(())
}
