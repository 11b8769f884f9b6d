//! What the simulated kernel holds, and what commands do to it.
use super::command::{Command, Complaint, Element, typed};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, net::IpAddr, ops::Range};

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct State {
    pub table: Option<Table>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Table {
    pub handle: u64,
    /// In the order in which they were made, as a listing shows them.
    pub stores: Vec<(String, Store)>,
    pub chains: Vec<Chain>,
    next_handle: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Sort {
    Map,
    Set,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Store {
    pub sort: Sort,
    pub handle: u64,
    pub key: Vec<Type>,
    pub value: Vec<Type>,
    /// How many elements it may hold.
    #[serde(default)]
    pub size: Option<u32>,
    pub interval: bool,
    pub counter: bool,
    /// As pairs, because JSON knows only text as keys.
    #[serde(with = "as_pairs")]
    pub elements: BTreeMap<Key, Held>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Held {
    pub counter: Option<(u64, u64)>,
    pub comment: Option<String>,
    pub value: Key,
}

pub type Key = Vec<Part>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Part {
    Address(IpAddr),
    Network(IpNet),
    Protocol(u8),
    Port(u16),
    Mark(u32),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Type {
    Ipv4Addr,
    Ipv6Addr,
    InetProto,
    InetService,
    Mark,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Chain {
    pub name: String,
    pub handle: u64,
    pub hook: Option<Hook>,
    /// Handle and expressions, as JSON.
    pub rules: Vec<(u64, Vec<Value>)>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hook {
    pub kind: String,
    pub hook: String,
    pub priority: i32,
    pub policy: String,
}

impl Type {
    const ALL: [Self; 5] = [Self::Ipv4Addr, Self::Ipv6Addr, Self::InetProto, Self::InetService, Self::Mark];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ipv4Addr => "ipv4_addr",
            Self::Ipv6Addr => "ipv6_addr",
            Self::InetProto => "inet_proto",
            Self::InetService => "inet_service",
            Self::Mark => "mark",
        }
    }
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Protocols that our renderer names, by number.
pub const PROTOCOLS: [(&str, u8); 4] = [("icmp", 1), ("tcp", 6), ("udp", 17), ("ipv6-icmp", 58)];

impl Part {
    pub fn read(text: &str, kind: Type, interval: bool) -> Option<Self> {
        let family = |address: &IpAddr| address.is_ipv4() == (kind == Type::Ipv4Addr);
        match kind {
            Type::Ipv4Addr | Type::Ipv6Addr => match text.split_once('/') {
                Some(_) if interval => {
                    text.parse::<IpNet>().ok().filter(|n| family(&n.addr())).map(|n| Self::Network(n.trunc()))
                }
                Some(_) => None,
                None => text.parse().ok().filter(family).map(Self::Address),
            },
            Type::InetProto => {
                PROTOCOLS.iter().find(|(name, _)| *name == text).map(|(_, number)| Self::Protocol(*number))
            }
            Type::InetService => text.parse().ok().map(Self::Port),
            Type::Mark => text.parse().ok().map(Self::Mark),
        }
    }

    /// First and last, as an interval set sees it.
    fn bounds(self) -> (u128, u128) {
        let number = |address: IpAddr| match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        match self {
            Self::Address(address) => (number(address), number(address)),
            Self::Network(IpNet::V4(n)) => (number(n.network().into()), number(n.broadcast().into())),
            Self::Network(IpNet::V6(n)) => (number(n.network().into()), number(n.broadcast().into())),
            Self::Protocol(n) => (n.into(), n.into()),
            Self::Port(n) => (n.into(), n.into()),
            Self::Mark(n) => (n.into(), n.into()),
        }
    }
}

impl Store {
    pub fn new(sort: Sort, key: Vec<Type>, value: Vec<Type>, interval: bool, counter: bool) -> Self {
        Self { sort, handle: 0, key, value, size: None, interval, counter, elements: BTreeMap::new() }
    }

    fn same_declaration(&self, other: &Self) -> bool {
        (self.sort, &self.key, &self.value, self.size, self.interval, self.counter)
            == (other.sort, &other.key, &other.value, other.size, other.interval, other.counter)
    }

    /// An interval set refuses an element one end of which lies in another one.
    fn overlapped(&self, key: &Key) -> bool {
        let holds = |other: &Key, end: fn((u128, u128)) -> u128| {
            key.iter().zip(other).all(|(mine, theirs)| {
                let ((from, to), at) = (theirs.bounds(), end(mine.bounds()));
                from <= at && at <= to
            })
        };
        self.interval && self.elements.keys().any(|other| holds(other, |b| b.0) || holds(other, |b| b.1))
    }
}

fn absent(span: &Range<usize>) -> Vec<Complaint> {
    vec![Complaint { text: "No such file or directory".into(), span: span.clone() }]
}

fn kernel(text: &str, span: Range<usize>) -> Complaint {
    Complaint { text: format!("Could not process rule: {text}"), span }
}

impl State {
    /// Runs one command; complaints mean that the transaction fails as a whole.
    pub fn run(&mut self, command: Command) -> Vec<Complaint> {
        match command {
            Command::AddTable => {
                self.table.get_or_insert_with(Table::default);
                vec![]
            }
            Command::DeleteTable(span) => match self.table.take() {
                Some(_) => vec![],
                None => absent(&span),
            },
            command => match &mut self.table {
                Some(table) => table.run(command),
                None => absent(&(0..0)),
            },
        }
    }
}

impl Table {
    fn handle(&mut self) -> u64 {
        self.next_handle += 1;
        self.next_handle
    }

    fn store(&mut self, name: &str) -> Option<&mut Store> {
        self.stores.iter_mut().find(|(n, _)| n == name).map(|(_, store)| store)
    }

    fn chain(&mut self, name: &str) -> Option<&mut Chain> {
        self.chains.iter_mut().find(|chain| chain.name == name)
    }

    fn run(&mut self, command: Command) -> Vec<Complaint> {
        match command {
            Command::AddTable | Command::DeleteTable(_) => vec![],
            Command::AddStore { name, mut store, span } => match self.store(&name) {
                Some(there) if there.same_declaration(&store) => vec![],
                Some(_) => vec![kernel("File exists", span)],
                None => {
                    store.handle = self.handle();
                    self.stores.push((name, store));
                    vec![]
                }
            },
            Command::AddChain { name, hook, span } => match self.chain(&name) {
                Some(there) if hook.is_none() || there.hook == hook => vec![],
                // only the policy of a chain can be changed where it stands
                Some(Chain { hook: Some(old), .. })
                    if hook.as_ref().is_some_and(|new| Hook { policy: new.policy.clone(), ..old.clone() } == *new) =>
                {
                    if let Some(new) = hook {
                        *old = new;
                    }
                    vec![]
                }
                Some(_) => vec![kernel("Operation not supported", span)],
                None => {
                    let handle = self.handle();
                    self.chains.push(Chain { name, handle, hook, rules: vec![] });
                    vec![]
                }
            },
            Command::FlushChain { name, span } => match self.chain(&name) {
                Some(chain) => {
                    chain.rules.clear();
                    vec![]
                }
                None => absent(&span),
            },
            Command::FlushSet { name, span } => match self.store(&name) {
                Some(store) => {
                    store.elements.clear();
                    vec![]
                }
                None => absent(&span),
            },
            Command::AddRule { chain, expressions, uses, span } => {
                let known = |name: &String| match name.strip_prefix('@') {
                    Some(store) => self.stores.iter().any(|(n, _)| n == store),
                    None => self.chains.iter().any(|c| c.name == *name),
                };
                if !uses.iter().all(known) {
                    return absent(&span);
                }
                let handle = self.handle();
                match self.chain(&chain) {
                    Some(chain) => {
                        chain.rules.push((handle, expressions));
                        vec![]
                    }
                    None => absent(&span),
                }
            }
            Command::Create { store, elements, span } => match self.store(&store) {
                Some(store) => elements.into_iter().filter_map(|element| create(store, element).err()).collect(),
                None => absent(&span),
            },
            Command::Delete { store, elements, span } => match self.store(&store) {
                Some(store) => elements.into_iter().filter_map(|element| delete(store, &element).err()).collect(),
                None => absent(&span),
            },
        }
    }
}

fn create(store: &mut Store, element: Element) -> Result<(), Complaint> {
    let Element { key, counter, comment, value, span } = element;
    let key = typed(&key, &store.key, store.interval, &span)?;
    let value = typed(&value.unwrap_or_default(), &store.value, false, &span)?;
    if counter.is_some() != store.counter {
        let text = "Could not process rule: Operation not supported".into();
        return Err(Complaint { text, span });
    }
    if store.elements.contains_key(&key) {
        return Err(kernel("File exists", span));
    }
    if store.overlapped(&key) {
        return Err(kernel("Interval overlaps with an existing one", span));
    }
    store.elements.insert(key, Held { counter, comment, value });
    Ok(())
}

/// By the key alone; nft 1.0.6 does not look at the value of a map's element either.
fn delete(store: &mut Store, element: &Element) -> Result<(), Complaint> {
    let key = typed(&element.key, &store.key, store.interval, &element.span)?;
    match store.elements.remove(&key) {
        Some(_) => Ok(()),
        None => Err(kernel("No such file or directory", element.span.clone())),
    }
}

mod as_pairs {
    use super::{Held, Key};
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::BTreeMap;

    pub fn serialize<S: Serializer>(map: &BTreeMap<Key, Held>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Key, Held>, D::Error> {
        Ok(Vec::<(Key, Held)>::deserialize(from)?.into_iter().collect())
    }
}
