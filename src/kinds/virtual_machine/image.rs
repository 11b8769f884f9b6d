//! What a disk starts as.
use crate::model::{Name, spelled};
use std::{fmt, str::FromStr};

/// What a disk starts as: the name of a Template with an `image`, or a volume that is on a storage already.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ImageSource {
    /// A declared Template.
    Declared(Name),
    /// `STORAGE:import/FILE`, or the disk of another guest.
    Volume(String),
}

impl FromStr for ImageSource {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((storage, rest)) = text.split_once(':') else {
            return match text.parse() {
                Ok(name) => Ok(Self::Declared(name)),
                Err(_) => Err(format!(
                    "`{text}` is neither the name of a Template nor a volume such as local:import/noble.qcow2"
                )),
            };
        };
        let clean = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '~' | '/');
        let plain = |part: &str| !part.is_empty() && part.chars().all(clean) && !part.contains("..");
        match plain(storage) && !storage.contains('/') && plain(rest) {
            true => Ok(Self::Volume(text.into())),
            false => Err(format!("the volume `{text}` is not of the form STORAGE:import/FILE")),
        }
    }
}

impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared(name) => name.fmt(f),
            Self::Volume(volume) => f.write_str(volume),
        }
    }
}

spelled!(ImageSource, "the name of a Template, or a volume", {
    "type": "string", "examples": ["noble", "local:import/noble.qcow2"]
});
