//! What was probably meant.
use strsim::damerau_levenshtein;

/// The one of `candidates` that `word` is most like, when it is like one at all.
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.replace(['_', '-', ' '], "").to_lowercase();
    let wanted = plain(word);
    let distance = |candidate: &str| match plain(candidate) {
        same if same == wanted => 0,
        other
            if other.len() >= 4 && wanted.len() >= 4 && (other.starts_with(&wanted) || wanted.starts_with(&other)) =>
        {
            1
        }
        other => damerau_levenshtein(&wanted, &other),
    };
    let limit = wanted.chars().count().div_ceil(3).min(3);
    candidates.into_iter().map(|c| (distance(c), c)).filter(|(d, _)| *d <= limit).min().map(|(_, c)| c)
}

/// Advice for a line that is not YAML.
pub(super) fn for_yaml(line: &str) -> Option<String> {
    let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
    if indent.contains('\t') {
        return Some("indent with spaces; YAML does not allow tabs".into());
    }
    let after = line.split_once(": ").map(|(_, value)| value.trim_start())?;
    match after.chars().next()? {
        '@' | '`' | '%' => Some("put the value in quotes".into()),
        '*' | '&' | '!' => Some("put the value in quotes, unless an anchor, alias or tag is meant".into()),
        first if !matches!(first, '"' | '\'' | '{' | '[' | '|' | '>') && after.contains(": ") => {
            Some("put the value in quotes: `: ` begins a new pair".into())
        }
        _ => None,
    }
}
