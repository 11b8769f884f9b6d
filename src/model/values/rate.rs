//! Rates of transfer.
use super::spelled::spelled;
use std::{fmt, str::FromStr};

/// A limit of transfer in thousandths of Proxmox's megabyte per second: `12MB/s`, `0.5MB/s`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rate(u64);

impl Rate {
    /// As the `rate` option of a Proxmox network device has it: megabytes per second, `12` or `0.5`.
    pub fn megabytes(self) -> String {
        let (whole, rest) = (self.0 / 1000, self.0 % 1000);
        match format!("{rest:03}").trim_end_matches('0') {
            "" => whole.to_string(),
            fraction => format!("{whole}.{fraction}"),
        }
    }
}

impl FromStr for Rate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("`{text}` is not a rate; write it in megabytes per second, as in 12MB/s");
        let number = text.strip_suffix("MB/s").ok_or_else(malformed)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 3 {
            return Err(malformed());
        }
        let thousandths = format!("{fraction:0<3}").parse::<u64>().map_err(|_| malformed())?;
        let total =
            whole.parse::<u64>().ok().and_then(|n| n.checked_mul(1000)).and_then(|n| n.checked_add(thousandths));
        match total.ok_or_else(malformed)? {
            0 => Err(format!("the rate `{text}` would let nothing through; leave it out for no limit")),
            n => Ok(Self(n)),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}MB/s", self.megabytes())
    }
}

spelled!(Rate, "a rate such as 12MB/s", { "type": "string", "pattern": "^[0-9]+([.][0-9]{1,3})?MB/s$", "examples": ["12MB/s"] });
