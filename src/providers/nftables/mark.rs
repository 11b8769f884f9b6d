//! Our marks, as they stand in the comments of elements: one line of at most 128 bytes.
//!
//! * an owner's elements: `trueup/1 SITE UID SERVES POLICY BASE+SIZE VMID [KIND/NAME]`
//! * the counters of a guest: `trueup/1 SITE guest UID`
//! * the table itself: `trueup/1 SITE table UID POLICY [KIND/NAME]`
//!
//! The name is left out where there is no room for it; what is unknown is `-`.
use super::{element::Entry, value::Comment};
use crate::model::{DeclarationId, Deletion, Mark, Uid, Vmid};
use std::{collections::HashMap, fmt::Display, str::FromStr};

const PREFIX: &str = "trueup/1";

/// Whose elements these are. They say all that their removal needs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct OwnerMark {
    pub mark: Mark,
    /// The first port of the block.
    pub base: u16,
    /// How many ports it has.
    pub size: u16,
    /// The guest behind it, by its number: `mark.serves` outlives the guest, this finds it.
    pub guest: Option<Vmid>,
}

/// Whose traffic a counter counts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct GuestMark {
    pub site: String,
    pub guest: Option<Uid>,
}

/// Whose table it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TableMark(pub Mark);

/// Comments read once each: all elements of an owner carry the same one, and there may be tens of thousands.
pub struct Readings<'a, T> {
    read: fn(&Comment) -> Option<T>,
    by_text: HashMap<&'a str, Option<T>>,
}

impl<'a, T> Readings<'a, T> {
    pub fn new(read: fn(&Comment) -> Option<T>) -> Self {
        Self { read, by_text: HashMap::new() }
    }

    /// What the comment of an element says.
    pub fn of(&mut self, entry: &'a Entry) -> Option<&T> {
        let comment = entry.comment.as_ref()?;
        self.by_text.entry(comment.as_str()).or_insert_with(|| (self.read)(comment)).as_ref()
    }
}

fn letter(deletion: Deletion) -> char {
    match deletion {
        Deletion::Delete => 'd',
        Deletion::Retain => 'r',
        Deletion::Forbid => 'f',
    }
}

/// A policy that a later version invents is not one that allows a deletion.
fn deletion(letter: &str) -> Deletion {
    match letter {
        "d" => Deletion::Delete,
        "f" => Deletion::Forbid,
        _ => Deletion::Retain,
    }
}

fn or_dash(value: Option<&impl Display>) -> String {
    value.map_or_else(|| "-".into(), ToString::to_string)
}

fn read_or_dash<T: FromStr>(word: &str) -> Option<Option<T>> {
    if word == "-" { Some(None) } else { word.parse().ok().map(Some) }
}

/// With the name of the declaration, if that fits.
fn comment(text: String, declared: Option<&DeclarationId>) -> Result<Comment, String> {
    match declared.map(|declared| format!("{text} {declared}")) {
        Some(whole) if whole.len() <= Comment::LONGEST => whole.parse(),
        _ => text.parse(),
    }
}

impl OwnerMark {
    /// # Errors
    /// When a name in it cannot stand in a comment.
    pub fn comment(&self) -> Result<Comment, String> {
        let Mark { site, uid, serves, deletion, declared } = &self.mark;
        let (serves, guest) = (or_dash(serves.as_ref()), or_dash(self.guest.as_ref()));
        let policy = letter(*deletion);
        let text = format!("{PREFIX} {site} {uid} {serves} {policy} {}+{} {guest}", self.base, self.size);
        comment(text, declared.as_ref())
    }

    pub fn read(comment: &Comment) -> Option<Self> {
        let words: Vec<&str> = comment.as_str().split(' ').collect();
        let [PREFIX, site, uid, serves, policy, block, guest, rest @ ..] = words.as_slice() else { return None };
        let (base, size) = block.split_once('+')?;
        Some(Self {
            mark: Mark {
                site: (*site).to_owned(),
                uid: uid.parse().ok()?,
                serves: read_or_dash(serves)?,
                deletion: deletion(policy),
                declared: rest.first().and_then(|d| d.parse().ok()),
            },
            base: base.parse().ok()?,
            size: size.parse().ok()?,
            guest: read_or_dash(guest)?,
        })
    }
}

impl GuestMark {
    /// # Errors
    /// When a name in it cannot stand in a comment.
    pub fn comment(&self) -> Result<Comment, String> {
        format!("{PREFIX} {} guest {}", self.site, or_dash(self.guest.as_ref())).parse()
    }

    pub fn read(comment: &Comment) -> Option<Self> {
        let words: Vec<&str> = comment.as_str().split(' ').collect();
        let [PREFIX, site, "guest", guest] = words.as_slice() else { return None };
        Some(Self { site: (*site).to_owned(), guest: read_or_dash(guest)? })
    }
}

impl TableMark {
    /// # Errors
    /// When a name in it cannot stand in a comment.
    pub fn comment(&self) -> Result<Comment, String> {
        let Mark { site, uid, deletion, declared, .. } = &self.0;
        comment(format!("{PREFIX} {site} table {uid} {}", letter(*deletion)), declared.as_ref())
    }

    pub fn read(comment: &Comment) -> Option<Self> {
        let words: Vec<&str> = comment.as_str().split(' ').collect();
        let [PREFIX, site, "table", uid, policy, rest @ ..] = words.as_slice() else { return None };
        Some(Self(Mark {
            site: (*site).to_owned(),
            uid: uid.parse().ok()?,
            serves: None,
            deletion: deletion(policy),
            declared: rest.first().and_then(|d| d.parse().ok()),
        }))
    }
}
