//! Public keys for cloud-init: percent-encoded inside the value, once more than the form needs (seen on pve-manager 9.2.11).
use super::encode;

/// The value of `sshkeys` for the text of a file of public keys.
pub fn value(text: &str) -> String {
    encode::segment(&keys(text).join("\n"))
}

/// Whether a value of `sshkeys` holds the keys of a text, in their order.
pub fn are_those_of(value: &str, text: &str) -> bool {
    let decoded = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
    keys(&decoded) == keys(text)
}

/// One key a line; empty lines and comments are none.
fn keys(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_as_recorded_and_compared_as_keys() {
        let recorded = "ssh-ed25519%20AAAAC3Nz%2FSn%2BuX%20ops%40example.org%0A";
        let text = "# of the team\nssh-ed25519 AAAAC3Nz/Sn+uX ops@example.org\n\n";
        assert_eq!(value(text), "ssh-ed25519%20AAAAC3Nz%2FSn%2BuX%20ops%40example.org");
        assert!(are_those_of(recorded, text) && !are_those_of(recorded, "ssh-ed25519 BBBB ops@example.org"));
    }
}
