//! The official method tree: which path takes which verb, with which parameters, for which privileges.
use super::refusal::Refusal;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::Read,
    sync::{Arc, OnceLock},
};

/// Which release the simulator plays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, Deserialize)]
pub enum Release {
    /// pve-manager 9.2.11 (Debian 13).
    #[default]
    #[serde(rename = "9.2.11")]
    V9_2_11,
    /// pve-manager 8.4.21 (Debian 12).
    #[serde(rename = "8.4.21")]
    V8_4_21,
}

impl Release {
    /// As `GET /version` spells it: version, release and repository id.
    pub fn spelled(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::V9_2_11 => ("9.2.11", "9.2", "14a22df3"),
            Self::V8_4_21 => ("8.4.21", "8.4", "3ba7a9d3"),
        }
    }

    /// Whether this is a release of the 9 series.
    pub fn is_9(self) -> bool {
        matches!(self, Self::V9_2_11)
    }

    /// The facts of this release, read at the first call of the process.
    pub fn facts(self) -> Arc<Facts> {
        static NINE: OnceLock<Arc<Facts>> = OnceLock::new();
        static EIGHT: OnceLock<Arc<Facts>> = OnceLock::new();
        match self {
            Self::V9_2_11 => NINE.get_or_init(|| Arc::new(Facts::read(include_bytes!("facts/facts-9.2.11.json.gz")))),
            Self::V8_4_21 => EIGHT.get_or_init(|| Arc::new(Facts::read(include_bytes!("facts/facts-8.4.21.json.gz")))),
        }
        .clone()
    }
}

/// The method tree of one release.
pub struct Facts {
    paths: Vec<PathFacts>,
}

struct PathFacts {
    template: String,
    segments: Vec<String>,
    methods: BTreeMap<String, Method>,
}

/// One verb on one path.
#[derive(Deserialize)]
pub struct Method {
    #[serde(default)]
    pub parameters: Object,
    #[serde(default)]
    pub permissions: Option<Value>,
    /// Whether the real one hands it to the privileged daemon.
    #[serde(default, deserialize_with = "flag")]
    pub protected: u8,
    #[serde(default)]
    pub proxyto: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    pub allowtoken: u8,
}

/// A truth value: the tree has it as a number, now and then as text.
fn flag<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(u8::from(value == 1 || value == "1" || value == true))
}

/// Properties by name.
#[derive(Deserialize, Default)]
pub struct Object {
    #[serde(default)]
    pub properties: BTreeMap<String, Schema>,
    #[serde(default, rename = "additionalProperties")]
    pub additional: Option<Value>,
}

impl Object {
    /// The schema of a property, `net0` found under `net[n]`.
    pub fn property(&self, name: &str) -> Option<&Schema> {
        self.properties.get(name).filter(|_| !name.contains("[n]")).or_else(|| {
            let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            if digits == 0 || digits > 3 {
                return None;
            }
            let (stem, number) = name.split_at(name.len() - digits);
            if number.len() > 1 && number.starts_with('0') || number.parse::<u32>().ok()? >= count_of(stem) {
                return None;
            }
            self.properties.get(&format!("{stem}[n]"))
        })
    }
}

/// How many of a numbered property there are. The published tree writes `net[n]` without saying; these are the constants of
/// pve-container and qemu-server.
fn count_of(stem: &str) -> u32 {
    match stem {
        "mp" | "dev" | "unused" => 256,
        "net" | "ipconfig" => 32,
        "scsi" => 31,
        "virtio" | "hostpci" => 16,
        "usb" => 14,
        "virtiofs" => 10,
        "numa" | "link" => 8,
        "sata" | "acmedomain" => 6,
        "ide" | "serial" => 4,
        "parallel" => 3,
        _ => 0,
    }
}

/// What one value may be.
#[derive(Deserialize, Default)]
pub struct Schema {
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    pub optional: u8,
    #[serde(default, deserialize_with = "flag")]
    pub default_key: u8,
    #[serde(default)]
    pub alias: Option<String>,
    #[serde(default, rename = "keyAlias")]
    pub key_alias: Option<String>,
    #[serde(default)]
    pub format: Option<Format>,
    #[serde(default)]
    pattern: Option<String>,
    #[serde(default, rename = "minLength")]
    pub min_length: Option<u64>,
    #[serde(default, rename = "maxLength")]
    pub max_length: Option<u64>,
    #[serde(default)]
    pub minimum: Option<Value>,
    #[serde(default)]
    pub maximum: Option<Value>,
    #[serde(default, rename = "enum")]
    pub one_of: Option<Vec<Value>>,
    #[serde(default)]
    pub requires: Option<Value>,
    #[serde(default)]
    pub items: Option<Box<Schema>>,
    #[serde(default)]
    pub properties: Option<BTreeMap<String, Schema>>,
    #[serde(default)]
    pub default: Option<Value>,
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
}

/// A named format, or a property string's own schema.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Format {
    Named(String),
    Properties(BTreeMap<String, Schema>),
}

impl Schema {
    /// The name of its format, where that has one.
    pub fn format_name(&self) -> Option<&str> {
        match &self.format {
            Some(Format::Named(name)) => Some(name),
            _ => None,
        }
    }

    /// The pattern, translated from Perl; `None` when there is none, or when it uses what the engine does not know.
    pub fn pattern(&self) -> Option<&Regex> {
        self.compiled
            .get_or_init(|| {
                let perl = self.pattern.as_deref()?;
                // `(?^i:` sets flags from a clean slate; none is set around it, so the caret may go.
                let ours = perl.replace("(?^", "(?").replace("(?u:", "(?:").replace("{,", "{0,");
                let ours = ours.replace("\\0", "\\x00").replace(")-_", ")_\\-");
                // Long repetitions of Unicode classes need more than the default.
                RegexBuilder::new(&format!("^{ours}\n?$")).size_limit(64 << 20).build().ok()
            })
            .as_ref()
    }

    /// Whether it has a pattern, translated or not.
    #[cfg(test)]
    pub fn has_pattern(&self) -> bool {
        self.pattern.is_some()
    }

    pub fn is(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }
}

/// A method, with what its path said.
pub struct Found<'a> {
    pub method: &'a Method,
    pub template: &'a str,
    pub uri: Vec<(String, String)>,
}

impl Facts {
    fn read(packed: &[u8]) -> Self {
        let mut text = String::new();
        // The bytes are part of the program and read by a test: a failure here is a broken build, not a state to handle.
        let tree: BTreeMap<String, BTreeMap<String, Method>> = flate2::read::GzDecoder::new(packed)
            .read_to_string(&mut text)
            .map_err(|e| e.to_string())
            .and_then(|_| serde_json::from_str(&text).map_err(|e| e.to_string()))
            .unwrap_or_else(|why| panic!("the built-in facts of the Proxmox VE API are broken: {why}"));
        let paths = tree
            .into_iter()
            .map(|(template, methods)| PathFacts {
                segments: template.split('/').skip(1).map(str::to_string).collect(),
                template,
                methods,
            })
            .collect();
        Self { paths }
    }

    /// Finds what answers `verb path`. `path` is percent-encoded and below `/api2/json`.
    ///
    /// # Errors
    /// 501 when nothing does.
    pub fn find(&self, verb: &str, path: &str) -> Result<Found<'_>, Refusal> {
        // It is decoded before it is split: an encoded slash separates like any other.
        let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
        let decoded: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(str::to_string).collect();
        let mut best: Option<(&PathFacts, usize)> = None;
        for candidate in &self.paths {
            let Some(exact) = fits(&candidate.segments, &decoded) else { continue };
            if best.is_none_or(|(_, most)| exact > most) {
                best = Some((candidate, exact));
            }
        }
        let missing = || {
            let path = if decoded.is_empty() { String::new() } else { format!("/{}", decoded.join("/")) };
            Refusal::not_implemented(format!("Method '{verb} {path}' not implemented"))
        };
        let (found, _) = best.ok_or_else(missing)?;
        let method = found.methods.get(verb).ok_or_else(missing)?;
        let mut uri = Vec::new();
        for (i, segment) in found.segments.iter().enumerate() {
            if let Some(name) = variable(segment) {
                let last = i + 1 == found.segments.len();
                uri.push((name.to_string(), if last { decoded[i..].join("/") } else { decoded[i].clone() }));
            }
        }
        Ok(Found { method, template: &found.template, uri })
    }

    /// The schema of one method, for code that needs the types of a config.
    pub fn method(&self, verb: &str, template: &str) -> Option<&Method> {
        self.paths.iter().find(|p| p.template == template)?.methods.get(verb)
    }

    /// The names one level below a template, as an index page lists them.
    pub fn below(&self, template: &str) -> Vec<&str> {
        let depth = template.split('/').skip(1).filter(|s| !s.is_empty()).count();
        let prefix = if template == "/" { "/".to_string() } else { format!("{template}/") };
        let mut names: Vec<&str> = self
            .paths
            .iter()
            .filter(|p| p.template.starts_with(&prefix) && p.segments.len() > depth)
            .map(|p| p.segments[depth].as_str())
            .collect();
        // `backup-info` stands between `backup` and what is below it.
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Every method with its verb and path.
    #[cfg(test)]
    pub fn all(&self) -> impl Iterator<Item = (&str, &str, &Method)> {
        self.paths.iter().flat_map(|p| p.methods.iter().map(|(v, m)| (v.as_str(), p.template.as_str(), m)))
    }
}

fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// How many segments agree literally, when the template fits. The name of a volume may hold slashes that were not encoded.
fn fits(template: &[String], given: &[String]) -> Option<usize> {
    let open_ended = template.last().is_some_and(|s| matches!(s.as_str(), "{volume}" | "{cidr}"));
    if given.len() < template.len() || (given.len() > template.len() && !open_ended) {
        return None;
    }
    let mut exact = 0;
    for (want, have) in template.iter().zip(given) {
        if want == have {
            exact += 1;
        } else if variable(want).is_none() {
            return None;
        }
    }
    Some(exact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_releases_can_be_read_and_found() {
        for release in [Release::V9_2_11, Release::V8_4_21] {
            let facts = release.facts();
            let found = facts.find("PUT", "/nodes/pve1/lxc/101/config").unwrap();
            assert_eq!(found.template, "/nodes/{node}/lxc/{vmid}/config");
            assert_eq!(found.uri, [("node".into(), "pve1".into()), ("vmid".into(), "101".into())]);
            assert!(found.method.parameters.property("net31").is_some());
            assert!(found.method.parameters.property("net32").is_none());
            assert!(found.method.parameters.property("net[n]").is_none());
            assert!(facts.find("PATCH", "/version").is_err());
        }
    }

    #[test]
    fn every_pattern_is_understood() {
        fn walk(schema: &Schema, at: &str, bad: &mut Vec<String>) {
            if schema.pattern.is_some() && schema.pattern().is_none() {
                bad.push(format!("{at}: {:?}", schema.pattern));
            }
            if let Some(Format::Properties(inner)) = &schema.format {
                inner.iter().for_each(|(k, s)| walk(s, &format!("{at}.{k}"), bad));
            }
        }
        let mut bad = Vec::new();
        for (verb, path, method) in Release::V9_2_11.facts().all() {
            for (name, schema) in &method.parameters.properties {
                walk(schema, &format!("{verb} {path} {name}"), &mut bad);
            }
        }
        assert!(bad.is_empty(), "patterns that cannot be checked: {bad:#?}");
    }
}
