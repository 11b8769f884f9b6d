//! Percent-encoding for a server that splits forms at `&` and `;`, and values at a second `=` (seen on pve-manager 9.2.11).
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One segment of a path: a task id, a volume id, a node.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, VALUE).to_string()
}

/// A form body or a query string.
pub fn form<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> String {
    let mut out = String::new();
    for (key, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.extend(utf8_percent_encode(key.as_ref(), VALUE));
        out.push('=');
        out.extend(utf8_percent_encode(value.as_ref(), VALUE));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_can_split_it() {
        assert_eq!(
            form([("features", "nesting=1;a+b&c d"), ("n", "é")]),
            "features=nesting%3D1%3Ba%2Bb%26c%20d&n=%C3%A9"
        );
        assert_eq!(segment("UPID:pve1:0:x:root@pam!t:"), "UPID%3Apve1%3A0%3Ax%3Aroot%40pam%21t%3A");
    }
}
