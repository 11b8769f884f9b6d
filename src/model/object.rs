//! How plans, edges, reports and history name things.
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    fmt::{self, Debug, Display},
    str::FromStr,
};

/// `guest/101`: one object of any resource.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ObjectId {
    /// [`crate::resources::Resource::NAME`].
    pub resource: Cow<'static, str>,
    /// The key as text; order objects by their typed keys, not by this (100 stands before 99).
    pub key: String,
}

impl Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.resource, self.key)
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for ObjectId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let (resource, key) = text.split_once('/').ok_or_else(|| format!("`{text}` is not RESOURCE/KEY"))?;
        Ok(Self { resource: Cow::Owned(resource.into()), key: key.into() })
    }
}

/// `Container/web`: one declaration, by kind and name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DeclarationId {
    pub kind: Cow<'static, str>,
    pub name: String,
}

impl DeclarationId {
    pub fn new(kind: impl Into<Cow<'static, str>>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), name: name.into() }
    }
}

impl Display for DeclarationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl From<DeclarationId> for String {
    fn from(id: DeclarationId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for DeclarationId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for DeclarationId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once('/').ok_or_else(|| format!("`{text}` is not KIND/NAME"))?;
        Ok(Self { kind: Cow::Owned(kind.into()), name: name.into() })
    }
}

/// The identity of a declared object: 80 random bits as 16 characters of lower-case base32 (RFC 4648, no padding).
///
/// Names and provider ids get reused; a uid never is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Uid(String);

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl Uid {
    /// The uid of these 80 bits.
    pub fn from_bits(bits: [u8; 10]) -> Self {
        let mut wide = [0u8; 16];
        wide[6..].copy_from_slice(&bits);
        let number = u128::from_be_bytes(wide);
        Self((0..16).rev().map(|i| char::from(BASE32[((number >> (5 * i)) & 31) as usize])).collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Uid {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() == 16 && text.bytes().all(|b| BASE32.contains(&b)) {
            Ok(Self(text.into()))
        } else {
            Err(format!("`{text}` is not a uid: 16 characters of a-z and 2-7"))
        }
    }
}

impl TryFrom<String> for Uid {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Uid> for String {
    fn from(uid: Uid) -> Self {
        uid.0
    }
}

impl Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a provider's object looked like when it was observed; two equal revisions mean that nothing changed in between.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Revision(pub String);

impl Revision {
    /// A revision made from the content itself, where the provider has none of its own.
    pub fn of(content: &impl Debug) -> Self {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(format!("{content:?}"));
        Self(digest.iter().take(8).map(|b| format!("{b:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_round_trips_and_refuses_what_it_is_not() {
        let uid = Uid::from_bits([0xff; 10]);
        assert_eq!(uid.as_str(), "7777777777777777");
        assert_eq!(uid.as_str().parse::<Uid>(), Ok(uid));
        assert_eq!(Uid::from_bits([0; 10]).as_str(), "aaaaaaaaaaaaaaaa");
        for bad in ["", "AAAAAAAAAAAAAAAA", "aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaa1"] {
            assert!(bad.parse::<Uid>().is_err(), "{bad}");
        }
    }
}
