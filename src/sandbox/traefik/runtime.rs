//! What Traefik makes of a configuration: which routers and services are in use, and what is wrong with the others.
use super::{
    directory::Configuration,
    rule::{self, Rule},
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The entry points of the simulated installation.
pub const ENTRY_POINTS: [&str; 3] = ["web", "websecure", "traefik"];
const MOST_PRIORITY: i64 = i64::MAX - 1000;

/// Routers, services and middlewares by `name@provider`, with what Traefik has found out about them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Runtime {
    sorts: BTreeMap<(&'static str, &'static str), BTreeMap<String, Value>>,
}

/// Protocols and what each has, as the API names them.
pub const SORTS: [(&str, &str); 8] = [
    ("http", "routers"),
    ("http", "services"),
    ("http", "middlewares"),
    ("tcp", "routers"),
    ("tcp", "services"),
    ("tcp", "middlewares"),
    ("udp", "routers"),
    ("udp", "services"),
];

impl Runtime {
    /// Of this configuration, with Traefik's own routers beside it.
    pub fn of(configuration: &Configuration) -> Self {
        let mut it = Self::default();
        for (protocol, sort) in SORTS {
            let things = configuration.all(protocol, sort).into_iter();
            let things = things.map(|(name, value)| (format!("{name}@file"), value.clone()));
            it.sorts.insert((protocol, sort), things.collect());
        }
        it.add_own();
        for protocol in ["http", "tcp", "udp"] {
            it.services(protocol);
            it.routers(protocol);
        }
        it
    }

    /// The things of one sort.
    pub fn all(&self, protocol: &str, sort: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.sorts.iter().filter(move |((p, s), _)| *p == protocol && *s == sort).flat_map(|(_, things)| things)
    }

    /// One of them.
    pub fn one(&self, protocol: &str, sort: &str, name: &str) -> Option<&Value> {
        self.all(protocol, sort).find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn of_sort(&mut self, protocol: &str, sort: &str) -> Option<&mut BTreeMap<String, Value>> {
        self.sorts.iter_mut().find(|((p, s), _)| *p == protocol && *s == sort).map(|(_, things)| things)
    }

    fn add_own(&mut self) {
        let most = i64::MAX - 1;
        let own = [
            (
                "routers",
                "web-to-websecure@internal",
                json!({
                "entryPoints": ["web"], "middlewares": ["redirect-web-to-websecure"], "service": "noop@internal",
                "rule": "HostRegexp(`^.+$`)", "priority": most }),
            ),
            (
                "routers",
                "api@internal",
                json!({
                "entryPoints": ["traefik"], "service": "api@internal", "rule": "PathPrefix(`/api`)", "priority": most }),
            ),
            (
                "middlewares",
                "redirect-web-to-websecure@internal",
                json!({
                "redirectScheme": { "scheme": "https", "port": "443", "permanent": true } }),
            ),
            ("services", "noop@internal", json!({})),
            ("services", "api@internal", json!({})),
        ];
        for (sort, name, value) in own {
            if let Some(things) = self.of_sort("http", sort) {
                things.insert(name.to_owned(), value);
            }
        }
    }

    fn services(&mut self, protocol: &str) {
        for sort in ["services", "middlewares"] {
            let Some(things) = self.of_sort(protocol, sort) else { continue };
            for (name, value) in things {
                let Some(thing) = value.as_object_mut() else { continue };
                let kinds: Vec<_> = thing.keys().cloned().collect();
                let servers = thing.get("loadBalancer").and_then(|l| l.get("servers")).and_then(Value::as_array);
                let addresses =
                    servers.into_iter().flatten().filter_map(|s| s.get("address").or(s.get("url"))?.as_str());
                // UP without any health check: it proves nothing about the server.
                let up: Map<_, _> = addresses.map(|a| (a.to_owned(), json!("UP"))).collect();
                if sort == "services" && kinds.is_empty() && !name.ends_with("@internal") {
                    fail(
                        thing,
                        "disabled",
                        format!("the {}service \"{name}\" does not have any type defined", upper(protocol)),
                    );
                } else if sort == "services" && kinds.len() > 1 {
                    let text = "cannot create service: multi-types service not supported, consider declaring two different pieces of service instead";
                    fail(thing, "disabled", text.to_owned());
                }
                if sort == "services" && !up.is_empty() && protocol != "udp" {
                    thing.insert("serverStatus".to_owned(), Value::Object(up));
                }
                thing.entry("status").or_insert(json!("enabled"));
            }
        }
    }

    fn routers(&mut self, protocol: &str) {
        let names = |it: &Self, sort| it.all(protocol, sort).map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
        let (services, middlewares) = (names(self, "services"), names(self, "middlewares"));
        let Some(mut routers) = self.of_sort(protocol, "routers").map(std::mem::take) else { return };
        let mut used: BTreeMap<(&str, String), BTreeSet<String>> = BTreeMap::new();
        for (name, value) in &mut routers {
            let Some(router) = value.as_object_mut() else { continue };
            check_entry_points(protocol, router);
            for problem in problems(protocol, router) {
                fail(router, "disabled", problem);
            }
            if let Some(service) = text(router, "service").map(|s| qualified(&s, name)) {
                if services.contains(&service) {
                    used.entry(("services", service)).or_default().insert(name.clone());
                } else {
                    let what = if protocol == "udp" { "UDP service" } else { "service" };
                    fail(router, "disabled", format!("the {what} \"{service}\" does not exist"));
                }
            }
            let asked: Vec<String> = strings(router, "middlewares").iter().map(|m| qualified(m, name)).collect();
            for middleware in asked {
                if middlewares.contains(&middleware) {
                    used.entry(("middlewares", middleware)).or_default().insert(name.clone());
                } else {
                    fail(router, "disabled", format!("middleware \"{middleware}\" does not exist"));
                }
            }
            router.entry("status").or_insert(json!("enabled"));
        }
        for ((sort, name), by) in used {
            if let Some(thing) = self.of_sort(protocol, sort).and_then(|things| things.get_mut(&name)) {
                thing["usedBy"] = json!(by);
            }
        }
        if let Some(place) = self.of_sort(protocol, "routers") {
            *place = routers;
        }
    }
}

fn check_entry_points(protocol: &str, router: &mut Map<String, Value>) {
    let mut asked = strings(router, "entryPoints");
    if asked.is_empty() && protocol != "udp" {
        asked = vec!["web".to_owned(), "websecure".to_owned()];
        router.insert("entryPoints".to_owned(), json!(asked));
    }
    let (known, unknown): (Vec<_>, Vec<_>) =
        asked.into_iter().partition(|e| ENTRY_POINTS.contains(&e.as_str()) && protocol != "udp");
    for entry_point in unknown {
        fail(router, "warning", format!("entryPoint \"{entry_point}\" doesn't exist"));
    }
    if known.is_empty() {
        fail(router, "disabled", "no valid entryPoint for this router".to_owned());
    } else {
        router.insert("using".to_owned(), json!(known));
    }
}

/// What is wrong with a router by itself; fills in its priority.
fn problems(protocol: &str, router: &mut Map<String, Value>) -> Vec<String> {
    let mut all = Vec::new();
    if text(router, "service").is_none() {
        all.push(
            if protocol == "udp" {
                "the service is missing on the udp router"
            } else {
                "the service is missing on the router"
            }
            .to_owned(),
        );
    }
    if protocol == "udp" {
        return all;
    }
    let Some(rule) = text(router, "rule").filter(|rule| !rule.is_empty()) else {
        all.push("router has no rule".to_owned());
        return all;
    };
    let given = router.get("priority").and_then(Value::as_i64).filter(|&p| p != 0);
    let everything = protocol == "tcp" && rule.replace(' ', "") == "HostSNI(`*`)";
    let priority = given.unwrap_or_else(|| if everything { -1 } else { i64::try_from(rule.len()).unwrap_or(i64::MAX) });
    if given.is_some_and(|p| p > MOST_PRIORITY) && text(router, "service").is_some_and(|s| !s.ends_with("@internal")) {
        all.push(format!("the router priority {priority} exceeds the max user-defined priority {MOST_PRIORITY}"));
    }
    router.insert("priority".to_owned(), json!(priority));
    match Rule::parse(&rule, if protocol == "tcp" { rule::TCP } else { rule::HTTP }) {
        Err(why) => all.push(format!("invalid rule: \"{rule}\" , {why}")),
        Ok(parsed) if protocol == "tcp" => {
            let names = parsed.arguments("HostSNI");
            if let Some(name) = names.iter().find(|name| !name.is_ascii()) {
                all.push(format!("invalid domain name value \"{name}\", non-ASCII characters are not allowed"));
            }
            if names.iter().any(|name| *name != "*") && !router.contains_key("tls") {
                all.push(format!("invalid rule: \"{rule}\" , has HostSNI matcher, but no TLS on router"));
            }
        }
        Ok(_) => {}
    }
    all
}

fn upper(protocol: &str) -> &'static str {
    if protocol == "udp" { "UDP " } else { "" }
}

fn text(of: &Map<String, Value>, key: &str) -> Option<String> {
    of.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn strings(of: &Map<String, Value>, key: &str) -> Vec<String> {
    of.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// `web` asked for by `a@file` is `web@file`.
fn qualified(name: &str, by: &str) -> String {
    let provider = by.rsplit('@').next().unwrap_or("file");
    if name.contains('@') { name.to_owned() } else { format!("{name}@{provider}") }
}

/// Adds an error; a warning does not make a disabled thing better.
fn fail(thing: &mut Map<String, Value>, status: &str, error: String) {
    if thing.get("status").and_then(Value::as_str) != Some("disabled") {
        thing.insert("status".to_owned(), json!(status));
    }
    if let Some(errors) = thing.entry("error").or_insert(json!([])).as_array_mut() {
        errors.push(json!(error));
    }
}
