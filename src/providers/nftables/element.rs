//! Elements of our maps and sets: all that changes from guest to guest. The rules never do.
use super::value::{Comment, PublicPort, Target};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Display, Write},
    net::IpAddr,
};

/// Which way traffic goes, seen from the guest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Received,
    Sent,
}

/// What a counter has seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct Counted {
    pub packets: u64,
    pub bytes: u64,
}

/// One element, without the text on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Element {
    /// `forwards4`, `forwards6`: a public port leads to a guest.
    Forward { public: PublicPort, to: Target },
    /// `guarded4`, `guarded6`: a public port that is forwarded for some sources only.
    Guarded(PublicPort),
    /// `allowed4`, `allowed6`: one of those sources.
    Allowed { public: PublicPort, from: IpNet },
    /// `received4`, `received6`, `sent4`, `sent6`: forwarded traffic of a guest, by its own address.
    Counter { direction: Direction, guest: IpAddr, counted: Counted },
    /// `stamp`: a numbered note about the table itself.
    Stamp(u32),
}

/// A map or set of our table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Store {
    Forwards(Family),
    Guarded(Family),
    Allowed(Family),
    Counters(Direction, Family),
    Stamp,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
    /// Whether an address is of this family.
    pub fn holds(self, address: IpAddr) -> bool {
        Self::of(address) == self
    }
}

impl Store {
    /// Every map and set that the table has.
    pub fn all() -> impl Iterator<Item = Self> {
        let of = |family| {
            [
                Self::Forwards(family),
                Self::Guarded(family),
                Self::Allowed(family),
                Self::Counters(Direction::Received, family),
                Self::Counters(Direction::Sent, family),
            ]
        };
        Family::BOTH.into_iter().flat_map(of).chain([Self::Stamp])
    }

    pub fn name(self) -> &'static str {
        use {Direction::*, Family::*};
        match self {
            Self::Forwards(V4) => "forwards4",
            Self::Forwards(V6) => "forwards6",
            Self::Guarded(V4) => "guarded4",
            Self::Guarded(V6) => "guarded6",
            Self::Allowed(V4) => "allowed4",
            Self::Allowed(V6) => "allowed6",
            Self::Counters(Received, V4) => "received4",
            Self::Counters(Received, V6) => "received6",
            Self::Counters(Sent, V4) => "sent4",
            Self::Counters(Sent, V6) => "sent6",
            Self::Stamp => "stamp",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|store| store.name() == name)
    }
}

impl Element {
    /// Where it lives.
    pub fn store(&self) -> Store {
        match self {
            Self::Forward { public, .. } => Store::Forwards(Family::of(public.address)),
            Self::Guarded(public) => Store::Guarded(Family::of(public.address)),
            Self::Allowed { public, .. } => Store::Allowed(Family::of(public.address)),
            Self::Counter { direction, guest, .. } => Store::Counters(*direction, Family::of(*guest)),
            Self::Stamp(_) => Store::Stamp,
        }
    }

    /// Refuses what nft would refuse or, worse, read as something else: two families in one element, an address that
    /// is none of a guest.
    ///
    /// # Errors
    /// Says what is wrong with which address, before any command is given.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Forward { public, to } => {
                unicast(public.address)?;
                unicast(to.address)?;
                if Family::of(public.address) != Family::of(to.address) {
                    return Err(format!("{public} cannot lead to {to}: one is IPv4, the other IPv6"));
                }
                if public.address == to.address {
                    return Err(format!("{public} cannot lead to {to}: that is an address of the gateway itself"));
                }
                if public.port == 0 || to.port == 0 {
                    return Err(format!("{public} -> {to}: 0 is not a port"));
                }
                Ok(())
            }
            Self::Guarded(public) => unicast(public.address),
            Self::Allowed { public, from } => {
                unicast(public.address)?;
                if Family::of(public.address) != Family::of(from.addr()) {
                    return Err(format!("{from} cannot be a source for {public}: one is IPv4, the other IPv6"));
                }
                if from.trunc() != *from {
                    return Err(format!("{from} has bits beyond its prefix; meant is perhaps {}", from.trunc()));
                }
                Ok(())
            }
            Self::Counter { guest, .. } => unicast(*guest),
            Self::Stamp(_) => Ok(()),
        }
    }

    /// The key alone, as nft takes it for a deletion.
    pub(super) fn write_key(&self, out: &mut String) -> fmt::Result {
        match self {
            Self::Forward { public, .. } | Self::Guarded(public) => write_public(out, public),
            Self::Allowed { public, from } => {
                write_public(out, public)?;
                if from.prefix_len() == from.max_prefix_len() {
                    write!(out, " . {}", from.addr())
                } else {
                    write!(out, " . {from}")
                }
            }
            Self::Counter { guest, .. } => write!(out, "{guest}"),
            Self::Stamp(slot) => write!(out, "{slot}"),
        }
    }
}

fn write_public(out: &mut String, public: &PublicPort) -> fmt::Result {
    write!(out, "{} . {} . {}", public.address, public.protocol, public.port)
}

fn unicast(address: IpAddr) -> Result<(), String> {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() || broadcast {
        return Err(format!("{address} is not the address of one machine on a network"));
    }
    Ok(())
}

/// An element and the text on it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Entry {
    pub element: Element,
    /// What nft shows of it; ours always have one.
    pub comment: Option<Comment>,
}

impl Entry {
    /// As nft takes it: the counter before the comment, the comment before the colon (nft 1.0.6).
    pub(super) fn write(&self, out: &mut String) -> fmt::Result {
        self.element.write_key(out)?;
        if let Element::Counter { counted, .. } = &self.element {
            write!(out, " counter packets {} bytes {}", counted.packets, counted.bytes)?;
        }
        if let Some(comment) = &self.comment {
            write!(out, " comment \"{comment}\"")?;
        }
        if let Element::Forward { to, .. } = &self.element {
            write!(out, " : {} . {}", to.address, to.port)?;
        }
        Ok(())
    }
}

impl Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forward { public, to } => write!(f, "{public} -> {to}"),
            Self::Guarded(public) => write!(f, "{public} for some sources only"),
            Self::Allowed { public, from } => write!(f, "{public} from {from}"),
            Self::Counter { direction: Direction::Received, guest, .. } => write!(f, "counter of traffic to {guest}"),
            Self::Counter { direction: Direction::Sent, guest, .. } => write!(f, "counter of traffic from {guest}"),
            Self::Stamp(slot) => write!(f, "note {slot} about the table"),
        }
    }
}
