//! Text that somebody meant to replace.
use crate::manifest::{Content, Diagnostic, Document, Node};
use std::sync::Arc;

const WORDS: [&str; 6] = ["changeme", "change-me", "change_me", "replaceme", "replace-me", "replace_me"];
const BEGINNINGS: [&str; 6] = ["replace-with-", "replace_with_", "your-", "your_", "changeme-", "changeme_"];
const DOMAINS: [&str; 5] = ["example.com", "example.net", "example.org", "example.edu", "example"];

/// Reports every placeholder of every document.
pub(super) fn check(documents: &[Arc<Document>], found: &mut Vec<Diagnostic>) {
    for document in documents {
        values(document.root(), &mut |node, text| {
            if let Some(word) = placeholder(text) {
                let message = format!("`{word}` is a placeholder");
                let mistake = Diagnostic::error("placeholder", document.spot(node), message);
                found.push(mistake.hint("put the real value in its place"));
            }
        });
    }
}

fn values(node: &Node, see: &mut impl FnMut(&Node, &str)) {
    match &node.content {
        Content::Scalar { text, .. } => see(node, text),
        Content::List(entries) => entries.iter().for_each(|entry| values(entry, see)),
        Content::Map(pairs) => pairs.iter().for_each(|(_, value)| values(value, see)),
        // Seen where it was written.
        Content::Alias(_) => {}
    }
}

/// The first word of the text that somebody meant to replace.
fn placeholder(text: &str) -> Option<&str> {
    // Most text is none: look closer only at what has one of the beginnings in it.
    let path = text.starts_with('/');
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'));
    words.find(|word| {
        let lower = word.to_ascii_lowercase();
        let host = lower.trim_end_matches('.');
        let reserved = |domain: &str| host.strip_suffix(domain).is_some_and(|before| before.ends_with('.'));
        let known = DOMAINS.iter().any(|domain| (host == *domain && domain.contains('.')) || reserved(domain));
        let parts = std::iter::once(lower.as_str()).chain(lower.split('.'));
        let mut parts = parts.map(|part| part.trim_matches(['-', '_', '.']));
        (known && !path) || parts.any(|p| WORDS.contains(&p) || BEGINNINGS.iter().any(|b| p.starts_with(b)))
    })
}

#[cfg(test)]
mod tests {
    use super::placeholder;

    /// L3.
    #[test]
    fn words_that_somebody_meant_to_replace() {
        for text in [
            "CHANGEME",
            "changeme",
            "Change-Me",
            "REPLACE-WITH-TOKEN",
            "YOUR-ACCOUNT",
            "your_zone",
            "user@realm!id=CHANGEME",
            "https://your-host:8006",
            "https://CHANGEME.test",
            "example.com",
            "www.Example.ORG",
            "https://api.example.net/v1",
            "ops@example.com",
            "host.example",
            "a CHANGEME b",
            "/opt/CHANGEME/run",
            "__CHANGEME__",
        ] {
            assert!(placeholder(text).is_some(), "{text}");
        }
        for text in [
            "/usr/share/examples",
            "/srv/example.com/www",
            "example",
            "an example",
            "counterexample.com",
            "unchangeme",
            "your",
            "exchange-me",
            "xample.com",
            "",
        ] {
            assert_eq!(placeholder(text), None, "{text}");
        }
    }
}
