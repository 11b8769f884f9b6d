//! What a file is to be, whatever its name.
use super::spelled::spelled;
use std::{fmt, str::FromStr};

/// The algorithms that Proxmox VE verifies downloads with, and how many hexadecimal digits each yields (8.4 and 9.2). Those
/// that can be forged, MD5 and SHA-1, are left out.
const ALGORITHMS: [(&str, usize); 4] = [("sha256", 64), ("sha512", 128), ("sha384", 96), ("sha224", 56)];

/// The checksum of a file with its algorithm: `sha256:9f86d08…`, digits in any letter case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Checksum {
    algorithm: &'static str,
    digits: String,
}

impl Checksum {
    /// A SHA-256 sum.
    pub fn sha256(sum: &[u8; 32]) -> Self {
        Self { algorithm: "sha256", digits: sum.iter().map(|byte| format!("{byte:02x}")).collect() }
    }
    /// `sha256`, `sha512` …
    pub fn algorithm(&self) -> &'static str {
        self.algorithm
    }
    /// Hexadecimal, in lower case.
    pub fn digits(&self) -> &str {
        &self.digits
    }
}

impl FromStr for Checksum {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let names = || ALGORITHMS.map(|(name, _)| name).join(", ");
        let Some((name, digits)) = text.split_once(':') else {
            return Err(format!("`{text}` is not a checksum; write it as ALGORITHM:DIGITS, with one of {}", names()));
        };
        let Some((algorithm, length)) = ALGORITHMS.iter().find(|(known, _)| *known == name) else {
            return Err(format!("the checksum has the algorithm `{name}`; {} are possible", names()));
        };
        if digits.len() != *length || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(format!("a {name} checksum has {length} hexadecimal digits, `{digits}` has not"));
        }
        Ok(Self { algorithm, digits: digits.to_ascii_lowercase() })
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.digits)
    }
}

spelled!(Checksum, "a checksum such as sha256:9f86d08…", {
    "type": "string", "pattern": "^(sha256:[0-9A-Fa-f]{64}|sha512:[0-9A-Fa-f]{128}|sha384:[0-9A-Fa-f]{96}|sha224:[0-9A-Fa-f]{56})$"
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_has_an_algorithm_and_as_many_digits_as_it_yields() {
        let text = format!("sha256:{}", "Ab".repeat(32));
        let sum: Checksum = text.parse().unwrap();
        assert_eq!((sum.algorithm(), sum.digits().len(), sum.to_string()), ("sha256", 64, text.to_lowercase()));
        for wrong in
            ["", "abcd", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:ab", &format!("sha256:{}", "g".repeat(64))]
        {
            assert!(wrong.parse::<Checksum>().is_err(), "{wrong}");
        }
    }
}
