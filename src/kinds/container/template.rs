//! What a container is made from.
use crate::model::{Name, spelled};
use std::{fmt, str::FromStr};

/// What a container is made from: the name of a Template, or a volume that is on a storage already.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TemplateSource {
    /// A declared Template.
    Declared(Name),
    /// `STORAGE:vztmpl/FILE`.
    Volume(String),
}

impl FromStr for TemplateSource {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((storage, rest)) = text.split_once(':') else {
            return match text.parse() {
                Ok(name) => Ok(Self::Declared(name)),
                Err(_) => Err(format!(
                    "`{text}` is neither the name of a Template nor a volume such as local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"
                )),
            };
        };
        let plain = |part: &str| {
            let clean = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '~');
            !part.is_empty() && part.chars().all(clean)
        };
        match rest.strip_prefix("vztmpl/") {
            Some(file) if plain(storage) && plain(file) => Ok(Self::Volume(text.into())),
            _ => Err(format!("the volume `{text}` is not of the form STORAGE:vztmpl/FILE")),
        }
    }
}

impl fmt::Display for TemplateSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared(name) => name.fmt(f),
            Self::Volume(volume) => f.write_str(volume),
        }
    }
}

spelled!(TemplateSource, "the name of a Template, or a volume", {
    "type": "string", "examples": ["debian-13", "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"]
});
