//! Sections of the cluster's config files, one for each storage or realm: what a section may hold, and how it is read back
//! (`PVE::SectionConfig` of libpve-common-perl 9.1).
use super::{facts::Facts, state::Conf};
use serde_json::{Value, json};

/// What the sections of one type hold.
pub struct Options {
    /// What cannot be left out.
    pub required: &'static [&'static str],
    /// What may be given beside it.
    pub optional: Vec<&'static str>,
    /// What of both is given once and never changed.
    pub fixed: Vec<&'static str>,
}

impl Options {
    fn knows(&self, key: &str) -> bool {
        self.required.contains(&key) || self.optional.contains(&key)
    }

    /// Checks what was given for a section (`check_config`); when it is made, also that nothing is missing.
    ///
    /// # Errors
    /// The real one's words for the first key at fault.
    pub fn check(&self, given: &Conf, create: bool) -> Result<(), String> {
        for (key, value) in given {
            let key = key.as_str();
            if !create && self.fixed.contains(&key) {
                return Err(format!("can't change value of fixed parameter '{key}'"));
            }
            if !self.knows(key) {
                return Err(format!("unexpected property '{key}'"));
            }
            // A comment is encoded before it is written.
            if key != "comment" && value.contains(['\n', '\r']) {
                return Err("property contains a line feed".into());
            }
        }
        let missing = self.required.iter().find(|key| create && !given.contains_key(**key));
        missing.map_or(Ok(()), |key| Err(format!("missing value for required option '{key}'")))
    }

    /// Demands that a key can be taken out of a section (`delete_from_config`).
    ///
    /// # Errors
    /// The real one's words.
    pub fn deletable(&self, key: &str, given: &Conf) -> Result<(), String> {
        match key {
            _ if self.required.contains(&key) => Err(format!("unable to delete required option '{key}'")),
            _ if self.fixed.contains(&key) => Err(format!("unable to delete fixed option '{key}'")),
            _ if !self.knows(key) => Err(format!("no such option '{key}'")),
            _ if given.contains_key(key) => Err(format!("cannot set and delete property '{key}' at the same time!")),
            _ => Ok(()),
        }
    }
}

/// A value as it is read back: the parser makes numbers of what the schema of `POST` on this path calls one.
pub fn read(facts: &Facts, path: &str, key: &str, value: &str) -> Value {
    let schema = facts.method("POST", path).and_then(|method| method.parameters.properties.get(key));
    let is_number = schema.is_some_and(|s| ["boolean", "integer"].iter().any(|kind| s.is(kind)));
    value.parse::<i64>().ok().filter(|_| is_number).map_or_else(|| json!(value), |number| json!(number))
}
