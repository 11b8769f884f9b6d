//! The table's notes about itself: numbered elements of its set `stamp`, one fact in the comment of each.
use crate::{
    model::Mark,
    providers::nftables::{Element, Entry, Rules, Table, TableMark},
};
use std::collections::{BTreeMap, BTreeSet};

/// Whose table it is.
const MARK: u32 = 0;
/// How nft listed the rules; missing between the transaction that makes them and the look at them.
const LISTED: u32 = 1;
/// The digest of the text that made them.
const TEXT: u32 = 2;
/// From here on, what they were made from.
const FACTS: u32 = 10;

/// The notes, read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stamp {
    pub mark: Option<Mark>,
    pub listed: Option<String>,
    pub text: Option<String>,
    pub made_from: Option<Rules>,
}

fn entry(slot: u32, text: &str) -> Result<Entry, String> {
    Ok(Entry { element: Element::Stamp(slot), comment: Some(text.parse()?) })
}

/// The notes that go with the rules.
pub fn notes(mark: &Mark, rules: &Rules) -> Result<Vec<Entry>, String> {
    let mark = TableMark(mark.clone()).comment()?;
    let mut all = vec![entry(MARK, mark.as_str())?, entry(TEXT, &format!("text {}", rules.digest()?))?];
    for (slot, fact) in (FACTS..).zip(facts(rules)) {
        all.push(entry(slot, &fact)?);
    }
    Ok(all)
}

/// The note that is made when the rules have been listed.
pub fn listed(digest: &str) -> Result<Entry, String> {
    entry(LISTED, &format!("listed {digest}"))
}

fn facts(rules: &Rules) -> Vec<String> {
    let mut all = vec![format!("publicInterface {}", rules.public_interface)];
    all.extend(rules.public_addresses.iter().map(|a| format!("publicAddress {a}")));
    all.extend(rules.guest_networks.iter().map(|n| format!("guestNetwork {n}")));
    all.extend(rules.host_tcp.iter().map(|p| format!("hostPort {p}/tcp")));
    all.extend(rules.host_udp.iter().map(|p| format!("hostPort {p}/udp")));
    all
}

/// Reads the notes of a table; what cannot be read was not written by us and is left out.
pub fn read(table: &Table) -> Stamp {
    let notes: BTreeMap<u32, &str> = table
        .entries
        .iter()
        .filter_map(|entry| match (&entry.element, &entry.comment) {
            (Element::Stamp(slot), Some(comment)) => Some((*slot, comment.as_str())),
            _ => None,
        })
        .collect();
    let word = |slot: u32, name: &str| Some(notes.get(&slot)?.strip_prefix(name)?.strip_prefix(' ')?.to_owned());
    let mark = notes.get(&MARK).and_then(|text| TableMark::read(&text.parse().ok()?)).map(|mark| mark.0);
    let facts: Vec<&str> = notes.range(FACTS..).map(|(_, text)| *text).collect();
    Stamp { mark, listed: word(LISTED, "listed"), text: word(TEXT, "text"), made_from: rules(&facts) }
}

fn rules(facts: &[&str]) -> Option<Rules> {
    let mut rules = Rules {
        public_addresses: BTreeSet::new(),
        public_interface: facts.iter().find_map(|fact| fact.strip_prefix("publicInterface ")?.parse().ok())?,
        guest_networks: BTreeSet::new(),
        host_tcp: BTreeSet::new(),
        host_udp: BTreeSet::new(),
    };
    for fact in facts {
        match fact.split_once(' ')? {
            ("publicInterface", _) => {}
            ("publicAddress", address) => _ = rules.public_addresses.insert(address.parse().ok()?),
            ("guestNetwork", network) => _ = rules.guest_networks.insert(network.parse().ok()?),
            ("hostPort", port) => match port.split_once('/')? {
                (port, "tcp") => _ = rules.host_tcp.insert(port.parse().ok()?),
                (port, "udp") => _ = rules.host_udp.insert(port.parse().ok()?),
                _ => return None,
            },
            _ => return None,
        }
    }
    Some(rules)
}
