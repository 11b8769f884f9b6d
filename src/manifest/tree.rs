//! One document as a tree that knows where everything stands.
use super::{Diagnostic, SourceFile, Spot};
use granit_parser::{Event, ScalarStyle, Span};
use std::{collections::HashMap, ops::Range, sync::Arc};

/// A value and where it stands, in bytes of its file.
#[derive(Clone, Debug)]
pub struct Node {
    pub span: Range<usize>,
    pub content: Content,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Content {
    /// Text as it is after quotes and escapes; `plain` when it had no quotes and may be a number, a boolean or nothing.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file, duplicate keys included.
    Map(Vec<(Key, Node)>),
    /// The same as another node, which was written before.
    Alias(Arc<Node>),
}

/// A key of a map.
#[derive(Clone, Debug)]
pub struct Key {
    pub text: String,
    pub span: Range<usize>,
}

/// One step down a tree.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Segment {
    Key(String),
    Index(usize),
}

impl Segment {
    /// The steps of a path with dots between; numbers are entries of lists: `spec.networks.0.address`.
    pub fn path(path: &str) -> Vec<Segment> {
        let segment = |part: &str| part.parse().map_or_else(|_| Self::from(part), Self::Index);
        path.split('.').filter(|part| !part.is_empty()).map(segment).collect()
    }
}

impl From<&str> for Segment {
    fn from(key: &str) -> Self {
        Self::Key(key.into())
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl Node {
    /// The node itself, or what it is an alias of.
    pub fn resolved(&self) -> &Node {
        let mut node = self;
        while let Content::Alias(target) = &node.content {
            node = target;
        }
        node
    }

    /// The pairs of a map; none for anything else.
    pub fn pairs(&self) -> &[(Key, Node)] {
        match &self.resolved().content {
            Content::Map(pairs) => pairs,
            _ => &[],
        }
    }

    /// The entries of a list; none for anything else.
    pub fn entries(&self) -> &[Node] {
        match &self.resolved().content {
            Content::List(entries) => entries,
            _ => &[],
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.resolved().content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// A pair of a map, also one that comes in by a merge key (`<<`).
    pub fn pair(&self, key: &str) -> Option<(&Key, &Node)> {
        let pairs = self.pairs();
        if let Some((key, node)) = pairs.iter().find(|(k, _)| k.text == key) {
            return Some((key, node));
        }
        let merged = pairs.iter().filter(|(k, _)| k.text == "<<").map(|(_, node)| node);
        merged.flat_map(|node| std::iter::once(node).chain(node.entries())).find_map(|node| node.pair(key))
    }

    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.pair(key).map(|(_, node)| node)
    }

    /// The entry of a list that goes by this name: its `name`, `slot` or `path`.
    fn called(&self, name: &str) -> Option<&Node> {
        let by = |entry: &&Node, key: &str| entry.pair(key).is_some_and(|(_, node)| node.text() == Some(name));
        self.entries().iter().find(|entry| ["name", "slot", "path"].iter().any(|key| by(entry, key)))
    }

    /// How far down the path leads: the deepest pair or entry that is there, its key if it has one, and how many steps were taken.
    pub fn descend<'a>(&'a self, path: &[Segment]) -> (Option<&'a Key>, &'a Node, usize) {
        let (mut key, mut node) = (None, self);
        for (taken, step) in path.iter().enumerate() {
            let next = match step {
                Segment::Key(name) => {
                    node.pair(name).map(|(k, n)| (Some(k), n)).or_else(|| node.called(name).map(|n| (None, n)))
                }
                Segment::Index(index) => node.entries().get(*index).map(|n| (None, n)),
            };
            match next {
                Some((k, n)) => (key, node) = (k, n),
                None => return (key, node, taken),
            }
        }
        (key, node, path.len())
    }
}

enum Open {
    List { start: usize, anchor: usize, entries: Vec<Node> },
    Map { start: usize, anchor: usize, pairs: Vec<(Key, Node)>, key: Option<Key> },
}

/// Puts a tree together from the parser's events.
#[derive(Default)]
pub(super) struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Arc<Node>>,
    root: Option<Node>,
    /// Mistakes that leave a tree, but not one that may be used.
    pub mistakes: Vec<Diagnostic>,
}

impl Builder {
    /// Takes the next event of the document.
    pub fn take(&mut self, file: &Arc<SourceFile>, event: Event<'_>, span: &Span) {
        let range = span.byte_range().unwrap_or_default();
        if let Some(tag) = event.tag() {
            let spot = Spot { file: file.clone(), span: range.clone() };
            let message = format!("the tag `{}` has no meaning here", tag.original());
            self.mistakes.push(Diagnostic::error("yaml-tag", spot, message).hint("leave the tag out"));
        }
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = matches!(style, ScalarStyle::Plain);
                // The parser says `~` where nothing stands.
                let nothing = plain && range.is_empty();
                let text = if nothing { String::new() } else { text.into_owned() };
                self.finish(file, Node { span: range, content: Content::Scalar { text, plain } }, anchor);
            }
            Event::Alias(id) => {
                let unfinished = || Arc::new(Node { span: range.clone(), content: Content::List(Vec::new()) });
                let target = self.anchors.get(&id).cloned().unwrap_or_else(|| {
                    let spot = Spot { file: file.clone(), span: range.clone() };
                    self.mistakes.push(Diagnostic::error(
                        "yaml-alias",
                        spot,
                        "the alias stands inside what it repeats",
                    ));
                    unfinished()
                });
                self.finish(file, Node { span: range, content: Content::Alias(target) }, 0);
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open.push(Open::List { start: range.start, anchor, entries: Vec::new() });
            }
            Event::MappingStart(_, anchor, _) => {
                self.open.push(Open::Map { start: range.start, anchor, pairs: Vec::new(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(file, range.end),
            _ => {}
        }
    }

    fn close(&mut self, file: &Arc<SourceFile>, end: usize) {
        // A block ends where the next thing begins; for people it ends with its last entry.
        let flow =
            |start: usize, end: usize| matches!(file.text().as_bytes().get(start), Some(b'{' | b'[')) && end > start;
        match self.open.pop() {
            Some(Open::List { start, anchor, entries }) => {
                let last = entries.last().map_or(start, |node| node.span.end);
                let span = start..if flow(start, end) { end } else { last };
                self.finish(file, Node { span, content: Content::List(entries) }, anchor);
            }
            Some(Open::Map { start, anchor, pairs, .. }) => {
                let last = pairs.last().map_or(start, |(_, node)| node.span.end);
                let span = start..if flow(start, end) { end } else { last };
                self.finish(file, Node { span, content: Content::Map(pairs) }, anchor);
            }
            None => {}
        }
    }

    fn finish(&mut self, file: &Arc<SourceFile>, node: Node, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, Arc::new(node.clone()));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { entries, .. }) => entries.push(node),
            Some(Open::Map { pairs, key, .. }) => match key.take() {
                Some(key) => pairs.push((key, node)),
                None => match node.content {
                    Content::Scalar { text, .. } => *key = Some(Key { text, span: node.span }),
                    _ => {
                        let spot = Spot { file: file.clone(), span: node.span.clone() };
                        self.mistakes.push(Diagnostic::error("yaml-key", spot, "a key must be plain text"));
                        *key = Some(Key { text: String::new(), span: node.span });
                    }
                },
            },
        }
    }

    /// The finished tree; nothing for an empty document.
    pub fn root(&mut self) -> Option<Node> {
        self.root.take()
    }
}

/// All keys that stand twice in one map, with both places.
pub(super) fn duplicates(file: &Arc<SourceFile>, node: &Node, found: &mut Vec<Diagnostic>) {
    match &node.content {
        Content::List(entries) => entries.iter().for_each(|entry| duplicates(file, entry, found)),
        Content::Map(pairs) => {
            let mut seen: HashMap<&str, &Key> = HashMap::with_capacity(pairs.len());
            for (key, value) in pairs {
                if let Some(first) = seen.get(key.text.as_str()) {
                    let spot = |key: &Key| Spot { file: file.clone(), span: key.span.clone() };
                    let message = format!("`{}` stands here a second time", key.text);
                    let twice = Diagnostic::error("duplicate-key", spot(key), message);
                    found.push(twice.label("again here").other(spot(first), "first here"));
                } else {
                    seen.insert(&key.text, key);
                }
                duplicates(file, value, found);
            }
        }
        Content::Scalar { .. } | Content::Alias(_) => {}
    }
}
