//! The state as `nft -j list table inet trueup` prints it (nft 1.0.6).
use super::state::{PROTOCOLS, Part, Sort, State, Store, Type};
use serde_json::{Map, Value, json};

/// `None`: there is no table.
pub fn json(state: &State) -> Option<String> {
    let table = state.table.as_ref()?;
    let meta =
        json!({ "metainfo": { "version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1 } });
    let mut objects = vec![meta, json!({ "table": { "family": "inet", "name": "trueup", "handle": table.handle } })];
    objects.extend(table.stores.iter().map(|(name, store)| stored(name, store)));
    for chain in &table.chains {
        let mut fields = Map::new();
        fields.insert("family".into(), json!("inet"));
        fields.insert("table".into(), json!("trueup"));
        fields.insert("name".into(), json!(chain.name));
        fields.insert("handle".into(), json!(chain.handle));
        if let Some(hook) = &chain.hook {
            fields.insert("type".into(), json!(hook.kind));
            fields.insert("hook".into(), json!(hook.hook));
            fields.insert("prio".into(), json!(hook.priority));
            fields.insert("policy".into(), json!(hook.policy));
        }
        objects.push(json!({ "chain": fields }));
    }
    for chain in &table.chains {
        objects.extend(chain.rules.iter().map(|(handle, expr)| {
            json!({ "rule": { "family": "inet", "table": "trueup", "chain": chain.name, "handle": handle, "expr": expr } })
        }));
    }
    Some(json!({ "nftables": objects }).to_string())
}

fn stored(name: &str, store: &Store) -> Value {
    let mut fields = Map::new();
    fields.insert("family".into(), json!("inet"));
    fields.insert("name".into(), json!(name));
    fields.insert("table".into(), json!("trueup"));
    let key: Vec<&str> = store.key.iter().map(|kind| kind.name()).collect();
    fields.insert("type".into(), if let [one] = key.as_slice() { json!(one) } else { json!(key) });
    fields.insert("handle".into(), json!(store.handle));
    if store.interval {
        fields.insert("flags".into(), json!(["interval"]));
    }
    if store.sort == Sort::Map {
        let value: Vec<&str> = store.value.iter().copied().map(Type::name).collect();
        fields.insert("map".into(), json!(value.join(" . ")));
    }
    if let Some(size) = store.size {
        fields.insert("size".into(), json!(size));
    }
    if !store.elements.is_empty() {
        let elements: Vec<Value> = store
            .elements
            .iter()
            .map(|(key, held)| {
                let mut element = concatenated(key);
                if held.comment.is_some() || held.counter.is_some() {
                    let mut around = Map::new();
                    around.insert("val".into(), element);
                    if let Some(comment) = &held.comment {
                        around.insert("comment".into(), json!(comment));
                    }
                    if let Some((packets, bytes)) = held.counter {
                        around.insert("counter".into(), json!({ "packets": packets, "bytes": bytes }));
                    }
                    element = json!({ "elem": around });
                }
                if store.sort == Sort::Map { json!([element, concatenated(&held.value)]) } else { element }
            })
            .collect();
        fields.insert("elem".into(), json!(elements));
    }
    if store.counter {
        fields.insert("stmt".into(), json!([{ "counter": null }]));
    }
    let sort = if store.sort == Sort::Map { "map" } else { "set" };
    json!({ sort: fields })
}

fn concatenated(key: &[Part]) -> Value {
    let parts: Vec<Value> = key.iter().map(part).collect();
    if let [one] = parts.as_slice() { one.clone() } else { json!({ "concat": parts }) }
}

fn part(part: &Part) -> Value {
    match part {
        Part::Address(address) => json!(address),
        Part::Network(net) => json!({ "prefix": { "addr": net.network(), "len": net.prefix_len() } }),
        Part::Protocol(number) => {
            PROTOCOLS.iter().find(|p| p.1 == *number).map_or(json!(number), |(name, _)| json!(name))
        }
        Part::Port(port) => json!(port),
        Part::Mark(mark) => json!(mark),
    }
}
