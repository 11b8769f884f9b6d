//! Values that each run makes anew, and which of theirs stands for which of ours: UPIDs, MAC addresses, uuids, digests,
//! process numbers, secrets.
use regex::{Captures, Regex};
use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

/// A kind of value that is made anew.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    Upid,
    Mac,
    Uuid,
    /// An IPv6 address made of a MAC address.
    LinkLocal,
    Digest,
    /// When a backup was made, as its file is named after it.
    Stamp,
    /// The SHA-256 of a file of which only the size was kept.
    Sum,
    Pid,
    /// The secret of a token, a ticket.
    Secret,
}

/// What stands for what, both ways and for good.
#[derive(Default)]
pub struct Names {
    ours: HashMap<(Class, String), String>,
    theirs: HashMap<(Class, String), String>,
    /// What the client chose itself: it stands for nothing but itself.
    given: HashSet<String>,
}

/// What may be in a request's text, with its class.
static IN_TEXT: LazyLock<Vec<(Class, Regex)>> = LazyLock::new(|| {
    [
        (Class::Upid, r"UPID:[^\s'\x22,]*:"),
        (Class::Upid, r"(?i)UPID%3A(?:[\w.-]|%[0-9a-f]{2})*%3A"),
        (Class::Mac, r"(?i)\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b"),
        (Class::Uuid, r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"),
        (Class::Digest, r"\b[0-9a-f]{40}\b"),
        (Class::Stamp, r"\b\d{4}_\d\d_\d\d-\d\d_\d\d_\d\d\b"),
    ]
    .into_iter()
    // The patterns are constants, and tests use them all.
    .filter_map(|(class, pattern)| Some((class, Regex::new(pattern).ok()?)))
    .collect()
});

impl Names {
    /// Whether these may stand for each other, from now on and always.
    pub fn pair(&mut self, class: Class, theirs: &str, ours: &str) -> bool {
        let (theirs, ours) = (&spelled(class, theirs), &spelled(class, ours));
        if self.given.contains(theirs) {
            return theirs == ours;
        }
        let (t, o) = ((class, theirs.clone()), (class, ours.clone()));
        match (self.ours.get(&t), self.theirs.get(&o)) {
            (None, None) => {
                self.ours.insert(t, ours.into());
                self.theirs.insert(o, theirs.into());
                true
            }
            (Some(known), _) => known == ours,
            (None, Some(_)) => false,
        }
    }

    /// Keeps what stands for a value of theirs, whatever stood for it before.
    pub fn learn(&mut self, class: Class, theirs: &str, ours: &str) {
        self.ours.insert((class, theirs.to_string()), ours.to_string());
    }

    /// Whether a value of theirs has been met.
    pub fn knows(&self, class: Class, theirs: &str) -> bool {
        self.ours.contains_key(&(class, spelled(class, theirs)))
    }

    /// What stands for a value of theirs.
    pub fn ours(&self, class: Class, theirs: &str) -> Option<&str> {
        self.ours.get(&(class, spelled(class, theirs))).map(String::as_str)
    }

    /// A request's text with ours in place of theirs. What was never met is the client's own choice.
    pub fn translate(&mut self, text: &str) -> String {
        let mut out = text.to_string();
        for (class, pattern) in IN_TEXT.iter() {
            let mut chosen = Vec::new();
            let replaced = pattern.replace_all(&out, |found: &Captures<'_>| {
                let encoded = found[0].contains('%');
                let plain = if encoded { decode(&found[0]) } else { found[0].to_string() };
                match self.ours(*class, &plain) {
                    Some(ours) if encoded => encode(ours),
                    Some(ours) if *class == Class::Mac && plain.contains(|c: char| c.is_ascii_lowercase()) => {
                        ours.to_lowercase()
                    }
                    Some(ours) => ours.to_string(),
                    None => {
                        chosen.push(spelled(*class, &plain));
                        found[0].to_string()
                    }
                }
            });
            out = replaced.into_owned();
            // Ours, just put in, is not the client's choice.
            self.given.extend(chosen.into_iter().filter(|c| !self.theirs.contains_key(&(*class, c.clone()))));
        }
        out
    }
}

/// A MAC address is the same in both cases.
fn spelled(class: Class, value: &str) -> String {
    if class == Class::Mac { value.to_uppercase() } else { value.to_string() }
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Percent-encodes a value for a path, a query or a form.
pub fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_for_one_and_stays_so() {
        let mut names = Names::default();
        assert!(names.pair(Class::Mac, "BC:24:11:00:00:01", "BC:24:11:AA:AA:AA"));
        assert!(names.pair(Class::Mac, "BC:24:11:00:00:01", "BC:24:11:AA:AA:AA"));
        assert!(!names.pair(Class::Mac, "BC:24:11:00:00:01", "BC:24:11:BB:BB:BB"));
        assert!(!names.pair(Class::Mac, "BC:24:11:00:00:02", "BC:24:11:AA:AA:AA"));
        assert_eq!(names.translate("hwaddr=BC:24:11:00:00:01,ip=dhcp"), "hwaddr=BC:24:11:AA:AA:AA,ip=dhcp");
    }

    #[test]
    fn what_the_client_chose_stands_for_itself() {
        let mut names = Names::default();
        assert_eq!(names.translate("hwaddr=02:00:00:00:00:01"), "hwaddr=02:00:00:00:00:01");
        assert!(!names.pair(Class::Mac, "02:00:00:00:00:01", "BC:24:11:AA:AA:AA"));
        assert!(names.pair(Class::Mac, "02:00:00:00:00:01", "02:00:00:00:00:01"));
    }

    #[test]
    fn upids_are_found_in_paths() {
        let mut names = Names::default();
        let (theirs, ours) = ("UPID:a:1:2:3:vzstart:101:root@pam!full:", "UPID:a:9:9:9:vzstart:101:root@pam!full:");
        assert!(names.pair(Class::Upid, theirs, ours));
        assert_eq!(names.translate(&format!("/tasks/{}/log", encode(theirs))), format!("/tasks/{}/log", encode(ours)));
    }
}
