//! Tags of guests: a set, in lower case, joined by `;` (seen on pve-manager 9.2.11; `,` and blanks separate as well).
use std::collections::BTreeSet;

/// The tags in one `tags` value. A guest without tags may show a single blank.
pub fn parse(text: &str) -> BTreeSet<String> {
    text.split([',', ';', ' ']).filter(|t| !t.is_empty()).map(str::to_ascii_lowercase).collect()
}

/// The value to send. Empty means: delete the key, because an empty value is stored as a blank.
pub fn print(tags: &BTreeSet<String>) -> String {
    tags.iter().map(String::as_str).collect::<Vec<_>>().join(";")
}

/// What Proxmox takes as one tag: `[a-z0-9_][a-z0-9_+.-]*`, in any letter case.
pub fn is_tag(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_order_and_separators_mean_nothing() {
        assert_eq!(parse("B;a"), parse(" a  b "));
        assert_eq!(print(&parse("trueup;env-prod,Managed-By")), "env-prod;managed-by;trueup");
        assert!(parse(" ").is_empty());
    }

    #[test]
    fn a_tag_has_the_characters_that_the_api_takes() {
        assert!(is_tag("a_b") && is_tag("9x") && is_tag("h.i+j-k"));
        assert!(!is_tag("-a") && !is_tag("a/b") && !is_tag("a=b") && !is_tag("ü") && !is_tag(""));
    }
}
