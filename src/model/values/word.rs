//! Words that are put into commands and property strings of other systems, and can do no harm there.
use super::spelled::spelled;
use std::{fmt, str::FromStr};

/// The name of a node, a storage, a bridge or a user as another system knows it: letters, digits, `.`, `_` and `-`, not first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Identifier(String);

impl Identifier {
    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Identifier {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut letters = text.chars();
        match letters.next() {
            None => return Err("the name is empty".into()),
            Some(c) if c.is_ascii_alphanumeric() || c == '_' => {}
            Some(c) => return Err(format!("the name `{text}` may not begin with `{c}`")),
        }
        match letters.find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-')) {
            Some(c) => Err(format!("the name `{text}` has `{c}`; letters, digits, `.`, `_` and `-` are possible")),
            None => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

spelled!(Identifier, "a name", { "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]*$" });

/// A path from the root, without `..`, white space at its ends, commas or control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AbsolutePath(String);

impl AbsolutePath {
    /// The path as text, without a final `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AbsolutePath {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err(format!("the path `{text}` does not begin with `/`"));
        }
        if text.split('/').any(|part| part == ".." || part == ".") {
            return Err(format!("the path `{text}` has `.` or `..` in it; write it out"));
        }
        if text.chars().any(|c| c.is_control() || c == ',') || text.trim() != text {
            return Err(format!("the path `{}` has a character that cannot stand there", text.escape_debug()));
        }
        match text.trim_end_matches('/') {
            "" => Ok(Self("/".into())),
            path => Ok(Self(path.into())),
        }
    }
}

impl fmt::Display for AbsolutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

spelled!(AbsolutePath, "a path that begins with `/`", { "type": "string", "pattern": "^/" });
