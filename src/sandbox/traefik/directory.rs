//! Reads the dynamic directory as Traefik's file provider does: all of it or nothing.
use super::schema;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

/// What the files say together: `http`, `tcp`, `udp`, each with `routers`, `services`, `middlewares`, `serversTransports`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Configuration(pub Map<String, Value>);

impl Configuration {
    /// The things of one sort, by their names.
    pub fn all(&self, protocol: &str, sort: &str) -> Vec<(&String, &Value)> {
        let found = self.0.get(protocol).and_then(|p| p.get(sort)).and_then(Value::as_object);
        found.into_iter().flatten().collect()
    }
}

/// Reads a directory again and again; what has not changed is not parsed again.
#[derive(Default)]
pub struct Reader {
    parsed: BTreeMap<PathBuf, (String, Map<String, Value>)>,
}

impl Reader {
    /// Reads everything below `directory`; one bad file fails it all.
    ///
    /// # Errors
    /// The file and what Traefik would write into its log.
    pub fn read(&mut self, directory: &Path) -> Result<Configuration, String> {
        let mut files = Vec::new();
        collect(directory, &mut files).map_err(|e| format!("unable to read directory {}: {e}", directory.display()))?;
        let mut before = std::mem::take(&mut self.parsed);
        let mut whole = Configuration::default();
        let mut seen = BTreeSet::new();
        for file in files {
            let text = fs::read_to_string(&file)
                .map_err(|e| format!("error reading configuration file: {}: {e}", file.display()))?;
            let document = match before.remove(&file) {
                Some((known, document)) if known == text => document,
                _ => parse(&file, &text).map_err(|e| format!("{}: {e}", file.display()))?,
            };
            merge(&file, &document, &mut seen, &mut whole);
            self.parsed.insert(file, (text, document));
        }
        Ok(whole)
    }
}

fn parse(file: &Path, text: &str) -> Result<Map<String, Value>, String> {
    if text.contains("{{") {
        return Err("template: the sandbox executes no templates, Traefik would".to_owned());
    }
    if file.extension().is_some_and(|e| e == "toml") {
        return Err("the sandbox reads no TOML".to_owned());
    }
    // By way of YAML's own value: straight into JSON, the second of two equal keys would win without a word.
    let document: serde_yaml::Value = serde_yaml::from_str(text).map_err(|e| format!("yaml: {e}"))?;
    let document = serde_json::to_value(document).map_err(|e| format!("yaml: {e}"))?;
    let document = if document.is_null() { Value::Object(Map::new()) } else { document };
    match schema::decode(&document)? {
        Value::Object(document) => Ok(document),
        _ => Ok(Map::new()),
    }
}

/// Protocol, sort and name of what a file before has configured.
type Seen = BTreeSet<(String, String, String)>;

fn merge(file: &Path, document: &Map<String, Value>, seen: &mut Seen, whole: &mut Configuration) {
    for (protocol, sections) in document {
        for (sort, things) in sections.as_object().into_iter().flatten() {
            for (name, thing) in things.as_object().into_iter().flatten() {
                // The first file in the order of the directory wins.
                if !seen.insert((protocol.clone(), sort.clone(), name.clone())) {
                    tracing::warn!("traefik: {protocol} {sort} {name} already configured, skipping {}", file.display());
                    continue;
                }
                let protocol = whole.0.entry(protocol.as_str()).or_insert_with(|| Value::Object(Map::new()));
                let sort = protocol
                    .as_object_mut()
                    .map(|p| p.entry(sort.as_str()).or_insert_with(|| Value::Object(Map::new())));
                if let Some(Some(sort)) = sort.map(Value::as_object_mut) {
                    sort.insert(name.clone(), thing.clone());
                }
            }
        }
    }
}

/// Real sub-directories are entered, links to directories are not; dotfiles count.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(directory)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| ["yml", "yaml", "toml"].iter().any(|known| e == *known)) {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_file_fails_all_and_the_first_of_two_wins() {
        let dir = tempfile::tempdir().unwrap();
        let router = |rule: &str| format!("tcp:\n  routers:\n    a: {{ rule: \"{rule}\", service: s }}\n");
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        write("b.yml", &router("two"));
        write(".a.yml", &router("one"));
        write("sub/c.yaml", &router("three").replace("a:", "c:"));
        write("x.yml.trueup-new", "nonsense: [");
        write("empty.yml", "# nothing\n");
        let read = || Reader::default().read(dir.path());
        let all = read().unwrap();
        let rules: Vec<_> =
            all.all("tcp", "routers").iter().map(|(n, v)| (n.to_string(), v["rule"].to_string())).collect();
        assert_eq!(rules, [("a".into(), "\"one\"".into()), ("c".into(), "\"three\"".into())]);
        for (bad, words) in [
            ("tcp: [", "yaml"),
            ("tcp:\n  routers:\n    a: {rule: x}\n    a: {rule: y}\n", "duplicate"),
            ("tcp: {routers: {a: {sni: x}}}", "field not found, node: sni"),
            ("tcp: {}", "cannot be a standalone element"),
            ("x-note: '{{ now }}'", "template"),
        ] {
            write("zz.yml", bad);
            let failure = read().unwrap_err();
            assert!(failure.contains("zz.yml") && failure.contains(words), "{failure}");
        }
        fs::remove_file(dir.path().join("zz.yml")).unwrap();
        std::os::unix::fs::symlink("/nowhere.yml", dir.path().join("link.yml")).unwrap();
        assert!(read().unwrap_err().contains("link.yml"), "a dangling link is an error");
    }
}
