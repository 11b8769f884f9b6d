//! The statements of our rules, from text to the JSON in which nft 1.0.6 lists them.
use super::{command::Complaint, state::PROTOCOLS, words::Words};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The expressions of a rule, and what it refers to: `@store` or a chain.
pub fn read(w: &mut Words<'_>) -> Result<(Vec<Value>, Vec<String>), Complaint> {
    let (mut all, mut uses) = (vec![], vec![]);
    while w.peek().is_some() {
        all.push(statement(w, &mut uses)?);
    }
    if all.is_empty() { Err(w.unexpected()) } else { Ok((all, uses)) }
}

fn statement(w: &mut Words<'_>, uses: &mut Vec<String>) -> Result<Value, Complaint> {
    for verdict in ["accept", "drop", "masquerade"] {
        if w.take(verdict) {
            return Ok(json!({ verdict: null }));
        }
    }
    if w.take("jump") {
        let chain = w.next()?;
        uses.push(chain.to_owned());
        return Ok(json!({ "jump": { "target": chain } }));
    }
    if w.take("dnat") {
        let family = w.read(|f| ["ip", "ip6"].contains(&f).then_some(f))?;
        w.expect("to")?;
        let key = concatenation(w)?;
        w.expect("map")?;
        let map = store(w, uses)?;
        return Ok(json!({ "dnat": { "family": family, "addr": { "map": { "key": key, "data": map } } } }));
    }
    if w.take_all("ct status dnat") {
        return Ok(matches("in", json!({ "ct": { "key": "status" } }), json!("dnat")));
    }
    if w.take_all("ct state established , related") {
        return Ok(matches("in", json!({ "ct": { "key": "state" } }), json!(["established", "related"])));
    }
    for interface in ["iifname", "oifname"] {
        if w.take(interface) {
            let op = operator(w);
            return Ok(matches(op, json!({ "meta": { "key": interface } }), json!(w.quoted()?)));
        }
    }
    let left = concatenation(w)?;
    let op = operator(w);
    if w.peek().is_some_and(|word| word.starts_with('@')) {
        return Ok(matches(op, left, json!(store(w, uses)?)));
    }
    let members = members(w)?;
    let right = match left {
        Value::Object(ref l) if l.contains_key("meta") => protocols(&members),
        Value::Object(ref l) if l["payload"]["field"] == "dport" => ports(&members),
        _ => addresses(&members),
    };
    Ok(matches(op, left, right.ok_or_else(|| w.unexpected())?))
}

fn matches(op: &str, left: Value, right: Value) -> Value {
    json!({ "match": { "op": op, "left": left, "right": right } })
}

fn operator(w: &mut Words<'_>) -> &'static str {
    if w.take("!=") { "!=" } else { "==" }
}

fn store(w: &mut Words<'_>, uses: &mut Vec<String>) -> Result<String, Complaint> {
    let name = w.read(|word| word.starts_with('@').then(|| word.to_owned()))?;
    uses.push(name.clone());
    Ok(name)
}

/// One field, or several with dots between them.
fn concatenation(w: &mut Words<'_>) -> Result<Value, Complaint> {
    let mut parts = vec![field(w)?];
    while w.take(".") {
        parts.push(field(w)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { json!({ "concat": parts }) })
}

fn field(w: &mut Words<'_>) -> Result<Value, Complaint> {
    let fields = ["ip saddr", "ip daddr", "ip6 saddr", "ip6 daddr", "th dport", "tcp dport", "udp dport"];
    if let Some((protocol, field)) = fields.into_iter().find(|f| w.take_all(f)).and_then(|f| f.split_once(' ')) {
        return Ok(json!({ "payload": { "protocol": protocol, "field": field } }));
    }
    if w.take_all("meta l4proto") {
        return Ok(json!({ "meta": { "key": "l4proto" } }));
    }
    Err(w.unexpected())
}

/// `{ a, b }`
fn members<'a>(w: &mut Words<'a>) -> Result<Vec<&'a str>, Complaint> {
    w.expect("{")?;
    let mut all = vec![w.next()?];
    while w.take(",") {
        all.push(w.next()?);
    }
    w.expect("}")?;
    Ok(all)
}

/// A set written with one member is listed as that one; one that came down to one member is not.
fn set(written: &[&str], mut members: Vec<Value>) -> Value {
    if written.len() == 1 { members.remove(0) } else { json!({ "set": members }) }
}

fn protocols(members: &[&str]) -> Option<Value> {
    let mut all: Vec<_> = members.iter().map(|m| PROTOCOLS.iter().find(|p| p.0 == *m)).collect::<Option<_>>()?;
    all.sort_by_key(|(_, number)| *number);
    Some(set(members, all.into_iter().map(|(name, _)| json!(name)).collect()))
}

fn ports(members: &[&str]) -> Option<Value> {
    let mut all: Vec<u16> = members.iter().map(|m| m.parse().ok()).collect::<Option<_>>()?;
    all.sort_unstable();
    all.dedup();
    Some(set(members, all.into_iter().map(|port| json!(port)).collect()))
}

/// Addresses are listed as they are; as soon as there is a prefix, what touches is joined and shown as prefix or range.
fn addresses(members: &[&str]) -> Option<Value> {
    let mut all: Vec<IpNet> = members
        .iter()
        .map(|m| m.parse::<IpNet>().ok().or_else(|| Some(IpNet::from(m.parse::<IpAddr>().ok()?))))
        .collect::<Option<_>>()?;
    all.sort();
    let v4 = all.iter().all(|n| n.addr().is_ipv4());
    if !v4 && all.iter().any(|n| n.addr().is_ipv4()) {
        return None;
    }
    if all.iter().all(|n| n.prefix_len() == n.max_prefix_len()) {
        return Some(set(members, all.iter().map(|n| json!(n.addr())).collect()));
    }
    let mut ranges: Vec<(u128, u128)> = vec![];
    for net in all {
        let (from, to) = (number(net.network()), number(net.broadcast()));
        match ranges.last_mut() {
            Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
            _ => ranges.push((from, to)),
        }
    }
    Some(set(members, ranges.into_iter().map(|(from, to)| range(from, to, v4)).collect()))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(a.to_bits()),
        IpAddr::V6(a) => a.to_bits(),
    }
}

fn range(from: u128, to: u128, v4: bool) -> Value {
    let narrow = |n: u128| Ipv4Addr::from_bits(u32::try_from(n).unwrap_or(u32::MAX));
    let (first, last): (IpAddr, IpAddr) = if v4 {
        (narrow(from).into(), narrow(to).into())
    } else {
        (Ipv6Addr::from_bits(from).into(), Ipv6Addr::from_bits(to).into())
    };
    let fits = |net: &IpNet| number(net.network()) == from && number(net.broadcast()) == to;
    let prefix = (0..=if v4 { 32 } else { 128 }).find_map(|len| {
        let net: IpNet = match first {
            IpAddr::V4(a) => Ipv4Net::new(a, len).ok()?.into(),
            IpAddr::V6(a) => Ipv6Net::new(a, len).ok()?.into(),
        };
        fits(&net).then_some(len)
    });
    match prefix {
        _ if from == to => json!(first),
        Some(len) => json!({ "prefix": { "addr": first, "len": len } }),
        None => json!({ "range": [first, last] }),
    }
}
