//! What is declared, and which things that wants: the list of resources of this site.
use super::{
    site::{Place, Site, Stored},
    things::{Desired, Line, Pipe, Room, SITE, Sign, Thing},
};
use crate::{
    engine::{Estate, Options, Report, pass},
    model::{DeclarationId, Deletion, Mark, Mode, ObjectId, Observed, Ready, Resource, Uid, Waiting, Wanted, Wants},
    plan::{Consent, Refusal},
    resources::{AnyResource, Of, World},
};
use std::{collections::BTreeMap, sync::Arc};

/// Rooms by number with content and matter; pipes and lines with their room; signs with their line.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Specs {
    pub rooms: BTreeMap<String, (String, u32)>,
    pub pipes: BTreeMap<String, String>,
    pub lines: BTreeMap<String, String>,
    pub signs: BTreeMap<String, String>,
    pub policy: Option<Deletion>,
    pub adopt: bool,
}

impl Specs {
    /// How many objects that comes to.
    pub fn count(&self) -> usize {
        self.rooms.len() + self.pipes.len() + self.lines.len() + self.signs.len()
    }

    pub fn wants(&self, (resource, key): &Place) -> bool {
        match *resource {
            "room" => self.rooms.contains_key(key),
            "pipe" => self.pipes.contains_key(key),
            "line" => self.lines.contains_key(key),
            _ => self.signs.contains_key(key),
        }
    }
}

#[derive(Default)]
pub struct Declared {
    pub specs: Specs,
    pub site: Arc<Site>,
}

pub const RESOURCES: &[&dyn AnyResource<Declared>] = &[
    &Of::<Room, Declared> { scope, from: &[rooms] },
    &Of::<Pipe, Declared> { scope, from: &[pipes] },
    &Of::<Line, Declared> { scope, from: &[lines] },
    &Of::<Sign, Declared> { scope, from: &[signs] },
];

fn scope(declared: &Declared) -> Option<Arc<Site>> {
    Some(declared.site.clone())
}

fn ready<const N: usize>(
    specs: &Specs,
    key: &str,
    content: &str,
    link: Option<ObjectId>,
    matter: u32,
) -> Wanted<Desired> {
    Wanted::Ready(Ready {
        mark: Mark {
            site: SITE.into(),
            uid: uid(Thing::<N>::NAME, key),
            serves: None,
            deletion: specs.policy.unwrap_or(Deletion::Delete),
            declared: Some(DeclarationId::new(Thing::<N>::NAME, key)),
        },
        adopt: specs.adopt,
        mode: Mode::Reconcile,
        desired: Desired { content: content.into(), links: link.into_iter().collect(), matter },
    })
}

fn waiting<const N: usize>(key: &str, on: ObjectId) -> Wanted<Desired> {
    let declared = DeclarationId::new(Thing::<N>::NAME, key);
    Wanted::Waiting(Waiting { declared, on, sketch: "what the other one brings".into() })
}

pub fn uid(resource: &str, key: &str) -> Uid {
    let mut bits = [0u8; 10];
    for (bit, byte) in bits.iter_mut().zip(resource.bytes().take(4).chain(key.bytes())) {
        *bit = byte;
    }
    Uid::from_bits(bits)
}

fn rooms(declared: &Declared, _: &Observed<Room>, _: &World) -> Wants<Room> {
    let mut wants = Wants::default();
    for (key, (content, matter)) in &declared.specs.rooms {
        wants.add(key.clone(), ready::<0>(&declared.specs, key, content, None, *matter));
    }
    wants
}

fn pipes(declared: &Declared, _: &Observed<Pipe>, earlier: &World) -> Wants<Pipe> {
    let mut wants = Wants::default();
    for (key, room) in &declared.specs.pipes {
        let wanted = match earlier.ours::<Room>(room).and_then(|room| room.output.as_ref()) {
            Some(address) => ready::<1>(&declared.specs, key, address, Some(Room::id(room)), 0),
            None => waiting::<1>(key, Room::id(room)),
        };
        wants.add(key.clone(), wanted);
    }
    wants
}

fn lines(declared: &Declared, _: &Observed<Line>, _: &World) -> Wants<Line> {
    let mut wants = Wants::default();
    for (key, room) in &declared.specs.lines {
        wants.add(key.clone(), ready::<2>(&declared.specs, key, room, Some(Room::id(room)), 0));
    }
    wants
}

fn signs(declared: &Declared, _: &Observed<Sign>, earlier: &World) -> Wants<Sign> {
    let mut wants = Wants::default();
    for (key, line) in &declared.specs.signs {
        let wanted = match earlier.ours::<Line>(line).and_then(|line| line.output.as_ref()) {
            Some(id) => ready::<3>(&declared.specs, key, id, Some(Line::id(line)), 0),
            None => waiting::<3>(key, Line::id(line)),
        };
        wants.add(key.clone(), wanted);
    }
    wants
}

pub fn estate(site: &Arc<Site>, specs: &Specs) -> Arc<Estate<Declared>> {
    Arc::new(Estate {
        declarations: Declared { specs: specs.clone(), site: site.clone() },
        providers: Default::default(),
        resources: RESOURCES,
        without: BTreeMap::new(),
    })
}

/// `count` rooms, each with a pipe, a line and a sign of the same name.
pub fn full(count: u32) -> Specs {
    let mut specs = Specs::default();
    for n in 101..101 + count {
        let key = n.to_string();
        specs.rooms.insert(key.clone(), ("plain".into(), 0));
        specs.pipes.insert(key.clone(), key.clone());
        specs.lines.insert(key.clone(), key.clone());
        specs.signs.insert(key.clone(), key);
    }
    specs
}

/// A pass, with consent to exactly what a refusal shows.
pub async fn run(site: &Arc<Site>, specs: &Specs) -> Report {
    let report = plain(site, specs).await;
    match report.refusal {
        Some(Refusal { digest: Some(digest), .. }) => {
            let consent = Consent { digest: Some(digest), ..Consent::default() };
            pass(&estate(site, specs), &Options { consent, ..Options::default() }, &|_| ()).await
        }
        _ => report,
    }
}

/// A pass as it comes, without consent.
pub async fn plain(site: &Arc<Site>, specs: &Specs) -> Report {
    pass(&estate(site, specs), &Options::default(), &|_| ()).await
}

/// Puts something there that is not ours.
pub fn foreign(site: &Site, resource: &'static str, key: &str) -> Stored {
    site.state().foreign(resource, key)
}
