//! The text of a file, and where a byte of it is for a person.
use std::{
    borrow::Cow,
    ops::Range,
    sync::{Mutex, OnceLock, PoisonError},
};

/// A file of manifests: its path as people know it (relative to the directory of manifests), and its text.
pub struct SourceFile {
    path: String,
    text: String,
    /// Where the first byte is that is not UTF-8.
    garbled: Option<usize>,
    /// Where the lines begin.
    lines: OnceLock<Vec<usize>>,
    /// What is never shown.
    concealed: Mutex<Vec<Range<usize>>>,
}

impl SourceFile {
    /// From its text.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
            garbled: None,
            lines: OnceLock::new(),
            concealed: Mutex::default(),
        }
    }

    /// From its bytes. What is not UTF-8 is remembered and reported with all other mistakes.
    pub fn from_bytes(path: impl Into<String>, bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::new(path, text),
            Err(error) => {
                let garbled = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                Self { garbled: Some(garbled), ..Self::new(path, text) }
            }
        }
    }

    /// The path as people know it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Never shows this part: it may be a secret that somebody wrote where a reference is meant.
    pub(super) fn conceal(&self, span: Range<usize>) {
        let mut concealed = self.concealed.lock().unwrap_or_else(PoisonError::into_inner);
        concealed.push(span);
    }

    /// The text as it may be shown, every byte at its place: what is concealed is stars.
    pub(super) fn shown(&self) -> Cow<'_, str> {
        let concealed = self.concealed.lock().unwrap_or_else(PoisonError::into_inner);
        if concealed.is_empty() {
            return Cow::Borrowed(&self.text);
        }
        let mut bytes = self.text.clone().into_bytes();
        for span in concealed.iter() {
            let part = bytes.get_mut(span.clone()).unwrap_or_default();
            part.iter_mut().filter(|byte| !matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b'*');
        }
        Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Where the first byte is that is not UTF-8, if there is one.
    pub(super) fn garbled(&self) -> Option<usize> {
        self.garbled
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let lines = self.lines.get_or_init(|| {
            let ends = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(ends).collect()
        });
        let line = lines.partition_point(|start| *start <= offset);
        let start = lines[line - 1];
        let before = self.text.get(start..offset.min(self.text.len())).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}

impl std::fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SourceFile({}, {} bytes)", self.path, self.text.len())
    }
}
