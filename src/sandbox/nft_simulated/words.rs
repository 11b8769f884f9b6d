//! One line of nft, word by word, with the place of each for complaints.
use super::command::Complaint;
use std::ops::Range;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word<'a> {
    pub text: &'a str,
    pub start: usize,
}

/// The words of a line. Words stand between blanks; commas end a word and are words of their own; a string in
/// quotation marks is one word.
pub struct Words<'a> {
    line: &'a str,
    words: Vec<Word<'a>>,
    at: usize,
}

impl<'a> Words<'a> {
    pub fn of(line: &'a str) -> Self {
        let mut words = vec![];
        let bytes = line.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let start = at;
            match bytes[at] {
                b' ' => {
                    at += 1;
                    continue;
                }
                b',' => at += 1,
                b'"' => at += 2 + line[at + 1..].find('"').unwrap_or(line.len() - at - 2).min(line.len() - at - 2),
                _ => at += line[at..].find([' ', ',', '"']).unwrap_or(line.len() - at),
            }
            words.push(Word { text: &line[start..at], start });
        }
        Self { line, words, at: 0 }
    }

    pub fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).map(|w| w.text)
    }

    /// Where the next word stands.
    pub fn span(&self) -> Range<usize> {
        self.words.get(self.at).map_or(self.line.len()..self.line.len(), |w| w.start..w.start + w.text.len())
    }

    /// From `start` to the end of the last word taken.
    pub fn since(&self, start: usize) -> Range<usize> {
        let end = self.at.checked_sub(1).and_then(|i| self.words.get(i)).map_or(start, |w| w.start + w.text.len());
        start..end.max(start)
    }

    pub fn next(&mut self) -> Result<&'a str, Complaint> {
        let text = self.peek().ok_or_else(|| self.unexpected())?;
        self.at += 1;
        Ok(text)
    }

    /// Takes the word if it is this one.
    pub fn take(&mut self, word: &str) -> bool {
        let there = self.peek() == Some(word);
        if there {
            self.at += 1;
        }
        there
    }

    /// Takes these words, separated by blanks, if they are all there.
    pub fn take_all(&mut self, words: &str) -> bool {
        let count = words.split(' ').count();
        let there = self.words[self.at..].iter().take(count).map(|w| w.text).eq(words.split(' '));
        if there {
            self.at += count;
        }
        there
    }

    pub fn expect(&mut self, word: &str) -> Result<(), Complaint> {
        if self.take(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The next word, read as something.
    pub fn read<T>(&mut self, as_what: impl FnOnce(&'a str) -> Option<T>) -> Result<T, Complaint> {
        let word = self.peek().and_then(as_what).ok_or_else(|| self.unexpected())?;
        self.at += 1;
        Ok(word)
    }

    /// A string in quotation marks, without them.
    pub fn quoted(&mut self) -> Result<&'a str, Complaint> {
        self.read(|word| word.strip_prefix('"')?.strip_suffix('"'))
    }

    pub fn end(&self) -> Result<(), Complaint> {
        if self.peek().is_none() { Ok(()) } else { Err(self.unexpected()) }
    }

    pub fn unexpected(&self) -> Complaint {
        let text = match self.peek() {
            Some(word) => format!("syntax error, unexpected {word}"),
            None => "syntax error, unexpected newline".into(),
        };
        Complaint { text, span: self.span() }
    }
}
