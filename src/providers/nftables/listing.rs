//! What `nft -j list table inet trueup` says, object by object into our own types.
//!
//! The `nftables` crate's reader is all or nothing and does not know maps to `address . port`; its types serve here
//! for chains, which they hold. Elements are read one at a time: a table of 40,000 is megabytes of JSON.
use super::{
    element::{Counted, Direction, Element, Entry, Store},
    rules::short_digest,
    value::{Protocol, PublicPort, Target},
};
use ipnet::IpNet;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, fmt, net::IpAddr};

/// Our table as nft shows it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Table {
    pub entries: Vec<Entry>,
    /// Elements of ours or others that this program does not understand, as JSON.
    pub unread: Vec<String>,
    /// Stands for all that is not an element: declarations, chains, rules. It depends on the spelling of the nft that
    /// listed it, so it is compared only with what the same nft showed earlier.
    pub digest: String,
    /// Names of maps, sets and other objects.
    pub stores: BTreeSet<String>,
    pub chains: BTreeSet<String>,
}

/// Reads a listing.
///
/// # Errors
/// Says where it is not JSON as nft writes it. An object of an unknown sort is none: it counts for the digest.
pub fn read(json: &[u8]) -> Result<Table, String> {
    let listing: Listing = serde_json::from_slice(json).map_err(|e| e.to_string())?;
    let mut table = listing.nftables.table;
    table.digest = short_digest(listing.nftables.shape.as_bytes());
    table.entries.sort();
    table.unread.sort();
    Ok(table)
}

#[derive(Deserialize)]
struct Listing {
    nftables: Objects,
}

#[derive(Default)]
struct Objects {
    table: Table,
    shape: String,
}

impl<'de> Deserialize<'de> for Objects {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All(Objects);
        impl<'de> Visitor<'de> for All {
            type Value = Objects;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the objects of a listing")
            }
            fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Objects, A::Error> {
                while seq.next_element_seed(One(&mut self.0))?.is_some() {}
                Ok(self.0)
            }
        }
        from.deserialize_seq(All(Objects::default()))
    }
}

/// One `{"chain": {…}}`, added to what has been read.
struct One<'a>(&'a mut Objects);

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one member that names its sort")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Objects { table, shape } = self.0;
        while let Some(sort) = map.next_key::<String>()? {
            let fields = match sort.as_str() {
                "metainfo" => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                "map" | "set" => map.next_value_seed(Stored(table))?,
                _ => map.next_value::<Map<String, Value>>()?,
            };
            let name = fields.get("name").and_then(Value::as_str).unwrap_or_default();
            match sort.as_str() {
                "chain" => {
                    let chain: nftables::schema::Chain<'_> =
                        serde_json::from_value(Value::Object(fields.clone())).map_err(A::Error::custom)?;
                    table.chains.insert(chain.name.into_owned());
                }
                "table" | "rule" => {}
                _ => {
                    table.stores.insert(name.to_owned());
                }
            }
            shape.push_str(&sort);
            canonical(&Value::Object(fields), shape);
            shape.push('\n');
        }
        Ok(())
    }
}

/// A map or set: its elements go to the table one by one, its other fields come back.
struct Stored<'a>(&'a mut Table);

impl<'de> DeserializeSeed<'de> for Stored<'_> {
    type Value = Map<String, Value>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Stored<'_> {
    type Value = Map<String, Value>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map or a set")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Map::new();
        // nft writes the name before the elements; where another version does not, they are kept until it is known
        let mut early: Vec<Value> = vec![];
        while let Some(key) = map.next_key::<String>()? {
            match (key.as_str(), fields.get("name").and_then(Value::as_str)) {
                ("elem", Some(name)) => {
                    let store = Store::named(name);
                    map.next_value_seed(Elements { store, name: name.to_owned(), table: &mut *self.0 })?;
                }
                ("elem", None) => early = map.next_value()?,
                _ => {
                    fields.insert(key, map.next_value()?);
                }
            }
        }
        let name = fields.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        for element in early {
            self.0.take(Store::named(&name), &name, element);
        }
        Ok(fields)
    }
}

struct Elements<'a> {
    store: Option<Store>,
    name: String,
    table: &'a mut Table,
}

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("elements")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element::<Value>()? {
            self.table.take(self.store, &self.name, element);
        }
        Ok(())
    }
}

impl Table {
    fn take(&mut self, store: Option<Store>, name: &str, json: Value) {
        match store.and_then(|store| entry(store, &json)) {
            Some(entry) => self.entries.push(entry),
            None => self.unread.push(format!("{name} {json}")),
        }
    }
}

/// `"10.0.1.5"`, `{"elem": {"val": …, "comment": …, "counter": …}}`, or in a map `[KEY, VALUE]`.
fn entry(store: Store, json: &Value) -> Option<Entry> {
    let (key, value) = match (store, json.as_array().map(Vec::as_slice)) {
        (Store::Forwards(_), Some([key, value])) => (key, Some(value)),
        (Store::Forwards(_), _) => return None,
        _ => (json, None),
    };
    let (key, around) = match key.get("elem") {
        Some(around) => (around.get("val")?, Some(around)),
        None => (key, None),
    };
    let comment = match around.and_then(|a| a.get("comment")) {
        Some(text) => Some(text.as_str()?.parse().ok()?),
        None => None,
    };
    let element = match store {
        Store::Forwards(_) => {
            let to = parts(value?)?;
            let [address, port] = to else { return None };
            Element::Forward {
                public: public(parts(key)?)?,
                to: Target { address: ip(address)?, port: port_of(port)? },
            }
        }
        Store::Guarded(_) => Element::Guarded(public(parts(key)?)?),
        Store::Allowed(_) => {
            let [head @ .., from] = parts(key)? else { return None };
            Element::Allowed { public: public(head)?, from: network(from)? }
        }
        Store::Counters(direction, _) => counter(direction, key, around)?,
        Store::Stamp => Element::Stamp(u32::try_from(number(key)?).ok()?),
    };
    (element.store() == store).then_some(Entry { element, comment })
}

fn counter(direction: Direction, key: &Value, around: Option<&Value>) -> Option<Element> {
    let counted = match around.and_then(|a| a.get("counter")) {
        Some(c) => Counted { packets: c.get("packets")?.as_u64()?, bytes: c.get("bytes")?.as_u64()? },
        None => Counted::default(),
    };
    Some(Element::Counter { direction, guest: ip(key)?, counted })
}

fn parts(json: &Value) -> Option<&[Value]> {
    json.get("concat")?.as_array().map(Vec::as_slice)
}

fn public(parts: &[Value]) -> Option<PublicPort> {
    let [address, protocol, port] = parts else { return None };
    Some(PublicPort { address: ip(address)?, protocol: protocol_of(protocol)?, port: port_of(port)? })
}

fn ip(json: &Value) -> Option<IpAddr> {
    json.as_str()?.parse().ok()
}

/// A number, or a number as text.
fn number(json: &Value) -> Option<u64> {
    json.as_u64().or_else(|| {
        let text = json.as_str()?;
        text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |hex| u64::from_str_radix(hex, 16).ok())
    })
}

fn port_of(json: &Value) -> Option<u16> {
    u16::try_from(number(json)?).ok()
}

/// By name; by number on a host without `/etc/protocols`.
fn protocol_of(json: &Value) -> Option<Protocol> {
    match (json.as_str(), number(json)) {
        (Some("tcp"), _) | (_, Some(6)) => Some(Protocol::Tcp),
        (Some("udp"), _) | (_, Some(17)) => Some(Protocol::Udp),
        _ => None,
    }
}

fn network(json: &Value) -> Option<IpNet> {
    match json.get("prefix") {
        Some(prefix) => {
            let len = u8::try_from(prefix.get("len")?.as_u64()?).ok()?;
            IpNet::new(ip(prefix.get("addr")?)?, len).ok()
        }
        None => Some(IpNet::from(ip(json)?)),
    }
}

/// The same text for the same meaning: without handles, which change with every load; members by name, members of
/// sets by value, because no order is promised for them.
fn canonical(json: &Value, out: &mut String) {
    match json {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().filter(|k| *k != "handle").collect();
            names.sort();
            out.push('{');
            for name in names {
                out.push_str(name);
                out.push(':');
                match (&fields[name], name.as_str()) {
                    (Value::Array(members), "set") => {
                        let mut texts: Vec<String> = members.iter().map(canonical_text).collect();
                        texts.sort();
                        out.push_str(&texts.join(","));
                    }
                    (value, _) => canonical(value, out),
                }
                out.push(';');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

fn canonical_text(json: &Value) -> String {
    let mut text = String::new();
    canonical(json, &mut text);
    text
}
