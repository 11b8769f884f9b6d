//! One YAML document.
use super::{Key, Node, Place, Segment, SourceFile, Spot};
use serde_yaml::Value;
use std::{fmt, sync::Arc};

/// One YAML document: what it says, and where everything stands.
pub struct Document {
    file: Arc<SourceFile>,
    root: Node,
    value: Value,
}

impl Document {
    pub(super) fn new(file: Arc<SourceFile>, root: Node, value: Value) -> Self {
        Self { file, root, value }
    }

    /// The file it stands in.
    pub fn file(&self) -> &Arc<SourceFile> {
        &self.file
    }

    /// The tree.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The value, merge keys applied.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The place of a node of this document.
    pub fn spot(&self, node: &Node) -> Spot {
        Spot { file: self.file.clone(), span: node.span.clone() }
    }

    /// The place of a key of this document.
    pub fn key_spot(&self, key: &Key) -> Spot {
        Spot { file: self.file.clone(), span: key.span.clone() }
    }

    /// The value under a path, or what is nearest to it when it is not written: the key of the deepest part that is.
    pub fn value_spot(&self, path: &[Segment]) -> Spot {
        match self.root.descend(path) {
            (_, node, taken) if taken == path.len() && !node.span.is_empty() => self.spot(node),
            (Some(key), _, _) => self.key_spot(key),
            (None, node, _) => self.opening(node),
        }
    }

    /// The key that a path ends in, or what is nearest to it.
    pub fn name_spot(&self, path: &[Segment]) -> Spot {
        match self.root.descend(path) {
            (Some(key), _, _) => self.key_spot(key),
            (None, node, _) => self.opening(node),
        }
    }

    /// The value under a path as keys with dots between; numbers are entries of lists: `spec.networks.0.address`.
    pub fn place(&self, path: &str) -> Place {
        self.value_spot(&Segment::path(path)).place()
    }

    /// Sees to it that no diagnostic of the file shows what stands under a key such as `password`, whatever it is about.
    pub fn conceal_secrets(&self) {
        conceal(&self.file, &self.root);
    }

    /// A whole map or list would be marked line by line: its first key says where it is.
    fn opening(&self, node: &Node) -> Spot {
        match node.pairs().first() {
            Some((key, _)) => self.key_spot(key),
            None => self.spot(node),
        }
    }
}

fn conceal(file: &SourceFile, node: &Node) {
    const WORDS: [&str; 6] = ["password", "passwd", "secret", "token", "apikey", "privatekey"];
    for (key, value) in node.pairs() {
        let name = key.text.to_lowercase().replace(['_', '-'], "");
        match value.text() {
            Some(_) if WORDS.iter().any(|word| name.contains(word)) => file.conceal(value.span.clone()),
            Some(_) => {}
            None => conceal(file, value),
        }
    }
    node.entries().iter().for_each(|entry| conceal(file, entry));
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, _) = self.file.position(self.root.span.start);
        write!(f, "Document({}:{line})", self.file.path())
    }
}
