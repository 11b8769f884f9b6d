//! What a commit says about itself.
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The id of a commit, 40 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CommitId(git2::Oid);

impl CommitId {
    /// The first digits, as people write it.
    pub fn short(self) -> String {
        self.to_string().chars().take(8).collect()
    }
    pub(super) fn oid(self) -> git2::Oid {
        self.0
    }
}

impl From<git2::Oid> for CommitId {
    fn from(oid: git2::Oid) -> Self {
        Self(oid)
    }
}

impl FromStr for CommitId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let whole = text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let oid = whole.then(|| git2::Oid::from_str(text).ok()).flatten();
        oid.map(Self).ok_or_else(|| format!("`{text}` is not the id of a commit: 40 hexadecimal digits"))
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for CommitId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CommitId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A commit, as far as people want to know about it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Commit {
    pub id: CommitId,
    /// The first line of its message.
    pub summary: String,
    /// Who wrote it.
    pub author: String,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
    /// What its message consents to: the values of its `Trueup-Consent` trailers, `KIND/NAME`.
    pub consents: Vec<String>,
}

impl Commit {
    pub(super) fn of(commit: &git2::Commit<'_>) -> Self {
        let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
        Self {
            id: commit.id().into(),
            summary: message.lines().next().unwrap_or_default().to_owned(),
            author: String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
            time: commit.time().seconds(),
            consents: consents(&message),
        }
    }
}

/// The trailers of a message are the lines of its last paragraph.
fn consents(message: &str) -> Vec<String> {
    let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    if last.len() == message.trim_end().len() {
        return Vec::new();
    }
    let values = last.lines().filter_map(|line| line.split_once(':'));
    let ours = values.filter(|(key, _)| key.eq_ignore_ascii_case("trueup-consent"));
    ours.map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trailers_consent() {
        let message = "Remove a customer\n\nTrueup-Consent: Container/no\nis described here.\n\nSigned-off-by: A\nTrueup-Consent: DnsSlug/web\ntrueup-consent:Tunnel/web\n";
        assert_eq!(consents(message), ["DnsSlug/web", "Tunnel/web"]);
        assert_eq!(consents("Trueup-Consent: Container/web"), Vec::<String>::new());
        assert!("abc".parse::<CommitId>().is_err());
    }
}
