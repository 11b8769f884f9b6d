//! Where a secret or a file is, never what is in it.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a secret is: `{ env: NAME }`, `{ file: PATH }` or `{ sops: PATH }`. The value itself is in no manifest.
///
/// A path is relative to the directory of the manifests, where `trueup.lock` is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "Shape", into = "Shape")]
pub enum Reference {
    /// An environment variable of the program.
    Env(String),
    /// A file.
    File(String),
    /// A file that is encrypted with SOPS. Reserved: refused when the manifests are checked.
    Sops(String),
}

impl Reference {
    /// What is said of a value that is none. Where this stands in an error, the value may be the secret itself.
    pub const EXPECTED: &'static str = "where the value is: { env: NAME }, { file: PATH } or { sops: PATH }";
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {path}"),
            Self::Sops(path) => write!(f, "the SOPS file {path}"),
        }
    }
}

/// A file that is no secret: `{ file: PATH }`, relative to the directory of the manifests, where `trueup.lock` is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileReference {
    /// Path of the file.
    pub file: String,
}

impl fmt::Display for FileReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the file {}", self.file)
    }
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "where the value is: { env: NAME }, { file: PATH } or { sops: PATH }")]
struct Shape {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    env: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sops: Option<String>,
}

impl TryFrom<Shape> for Reference {
    type Error = String;
    fn try_from(shape: Shape) -> Result<Self, String> {
        let named = |what: &str, value: String| match value.trim() {
            "" => Err(format!("`{what}` names nothing")),
            _ => Ok(value),
        };
        match (shape.env, shape.file, shape.sops) {
            (Some(name), None, None) => named("env", name).map(Self::Env),
            (None, Some(path), None) => named("file", path).map(Self::File),
            (None, None, Some(path)) => named("sops", path).map(Self::Sops),
            (None, None, None) => Err("a reference needs `env`, `file` or `sops`".into()),
            _ => Err("a reference takes only one of `env`, `file` and `sops`".into()),
        }
    }
}

impl From<Reference> for Shape {
    fn from(reference: Reference) -> Self {
        match reference {
            Reference::Env(name) => Self { env: Some(name), ..Self::default() },
            Reference::File(path) => Self { file: Some(path), ..Self::default() },
            Reference::Sops(path) => Self { sops: Some(path), ..Self::default() },
        }
    }
}

impl JsonSchema for Reference {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Reference".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Where a secret is; the value itself is in no manifest.",
            "type": "object",
            "properties": {
                "env": { "type": "string", "description": "An environment variable of the program." },
                "file": { "type": "string", "description": "A file; relative to the directory of the manifests." },
                "sops": { "type": "string", "description": "A file that is encrypted with SOPS. Not supported yet." }
            },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1
        })
    }
}
