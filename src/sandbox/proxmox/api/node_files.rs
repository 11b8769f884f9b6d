//! Files of a node that the API reads and writes: its config, name servers, host names and time zone (pve-manager 9.2.11).
use crate::sandbox::proxmox::{
    call::{Answer, Call, Endpoint, on},
    config_file,
    refusal::{Refusal, Result},
    schema::{is_integer, split_list},
    state::{Conf, Node},
};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};
use std::net::IpAddr;

pub const ENDPOINTS: &[Endpoint] = &[
    on("GET", "/nodes/{node}/config", config),
    on("PUT", "/nodes/{node}/config", set_config),
    on("GET", "/nodes/{node}/dns", dns),
    on("PUT", "/nodes/{node}/dns", set_dns),
    on("GET", "/nodes/{node}/hosts", hosts),
    on("POST", "/nodes/{node}/hosts", set_hosts),
    on("GET", "/nodes/{node}/time", time),
    on("PUT", "/nodes/{node}/time", set_time),
];

const DNS: [&str; 4] = ["search", "dns1", "dns2", "dns3"];

impl Node {
    /// `resolv.conf`: where nobody wrote one, the gateway is asked.
    fn dns(&self) -> Conf {
        let gateway = || self.bridges.values().find_map(|b| b.gateway.clone());
        let asked = || gateway().map(|g| ("dns1".to_string(), g)).into_iter().collect();
        self.dns.clone().unwrap_or_else(asked)
    }

    /// `/etc/hosts`.
    fn hosts(&self, name: &str) -> String {
        let own = || format!("127.0.0.1 localhost.localdomain localhost\n{} {name}\n", self.address);
        self.hosts.clone().unwrap_or_else(own)
    }
}

fn node<'a>(call: &'a Call<'_>) -> Option<&'a Node> {
    call.world.state.nodes.get(&call.node())
}

fn edit(call: &mut Call<'_>, how: impl FnOnce(&mut Node)) -> Answer {
    let name = call.node();
    call.world.touched = true;
    if let Some(node) = call.world.state.nodes.get_mut(&name) {
        how(node);
    }
    Answer::default()
}

/// The text of which the digest is taken.
fn config_text(config: &Conf) -> String {
    let notes = config.get("description").map(|d| d.lines().map(|l| format!("#{l}\n")).collect::<String>());
    let rest = config.iter().filter(|(k, _)| *k != "description");
    notes.into_iter().chain(rest.map(|(k, v)| format!("{k}: {v}\n"))).collect()
}

fn config(call: &mut Call<'_>) -> Result<Answer> {
    let config = node(call).map(|n| n.config.clone()).unwrap_or_default();
    let wanted = call.arg("property");
    let shown = config.iter().filter(|(key, _)| wanted.is_none_or(|w| w == *key));
    let mut row: Map<String, Value> = shown.map(|(key, value)| (key.clone(), typed(key, value))).collect();
    if wanted.is_none() && !config.is_empty() {
        row.insert("digest".into(), json!(config_file::sum(&config_text(&config))));
    }
    Ok(Value::Object(row).into())
}

fn typed(key: &str, value: &str) -> Value {
    match value.parse::<i64>() {
        Ok(number) if key != "description" && is_integer(value) => json!(number),
        _ if key == "description" => json!(format!("{}\n", value.trim_end_matches('\n'))),
        _ => json!(value),
    }
}

fn set_config(call: &mut Call<'_>) -> Result<Answer> {
    let gone = split_list(&call.take("delete").unwrap_or_default());
    let digest = call.take("digest").filter(|d| !d.is_empty());
    let name = call.node();
    call.take("node");
    let before = call.world.state.nodes.get(&name).map(|n| n.config.clone()).unwrap_or_default();
    if !before.is_empty() && digest.is_some_and(|d| d != config_file::sum(&config_text(&before))) {
        return Err(modified());
    }
    let given = call.given.rest();
    call.world.touched = true;
    if let Some(node) = call.world.state.nodes.get_mut(&name) {
        node.config.extend(given);
        node.config.retain(|key, _| !gone.contains(key));
    }
    Ok(Answer::default())
}

fn modified() -> Refusal {
    Refusal::die("detected modified configuration - file changed by other user? Try again.")
}

fn dns(call: &mut Call<'_>) -> Result<Answer> {
    Ok(json!(node(call).map(Node::dns).unwrap_or_default()).into())
}

fn set_dns(call: &mut Call<'_>) -> Result<Answer> {
    // A server is written once, and the numbers are those of the lines.
    let mut servers: Vec<String> = Vec::new();
    for key in &DNS[1..] {
        let server = call.take(key).filter(|s| !s.is_empty() && s != "0.0.0.0" && !servers.contains(s));
        servers.extend(server);
    }
    let search = call.take("search").filter(|s| !s.is_empty()).map(|s| (DNS[0].to_string(), s));
    let lines = DNS[1..].iter().map(ToString::to_string).zip(servers);
    let dns: Conf = search.into_iter().chain(lines).collect();
    Ok(edit(call, |node| node.dns = Some(dns)))
}

fn hosts(call: &mut Call<'_>) -> Result<Answer> {
    let text = node(call).map(|n| n.hosts(&call.node())).unwrap_or_default();
    Ok(json!({"data": text, "digest": config_file::sum(&text)}).into())
}

fn set_hosts(call: &mut Call<'_>) -> Result<Answer> {
    let text = call.take("data").unwrap_or_default();
    let before = node(call).map(|n| n.hosts(&call.node())).unwrap_or_default();
    if call.arg("digest").is_some_and(|d| !d.is_empty() && d != config_file::sum(&before)) {
        return Err(modified());
    }
    let bad = |why: String| Err(Refusal::parameter("data", why));
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let mut words = line.split_whitespace();
        let address = words.next().unwrap_or_default();
        if address.parse::<IpAddr>().is_err() {
            return bad(format!("Invalid IP '{address}'"));
        }
        let odd = |name: &&str| !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
        if let Some(name) = words.find(odd) {
            return bad(format!("Invalid Hostname '{name}'"));
        }
    }
    Ok(edit(call, |node| node.hosts = Some(text)))
}

fn time(call: &mut Call<'_>) -> Result<Answer> {
    let now = call.world.now / 1000;
    let zone = node(call).and_then(|n| n.timezone.clone()).unwrap_or_else(|| "Etc/UTC".into());
    let moment = i64::try_from(now).ok().and_then(|now| Timestamp::from_second(now).ok()).unwrap_or_default();
    let offset = TimeZone::get(&zone).map_or(0, |tz| tz.to_offset(moment).seconds());
    let local = now.saturating_add_signed(offset.into());
    Ok(json!({"time": now, "localtime": local, "timezone": zone}).into())
}

fn set_time(call: &mut Call<'_>) -> Result<Answer> {
    let zone = call.take("timezone").unwrap_or_default();
    if TimeZone::get(&zone).is_err() {
        return Err(Refusal::die(format!("Failed to set time zone: Invalid or not installed time zone '{zone}'")));
    }
    Ok(edit(call, |node| node.timezone = Some(zone)))
}
