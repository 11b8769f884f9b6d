//! Lengths of time.
use super::spelled::spelled;
use std::{fmt, str::FromStr, time::Duration};

const UNITS: [(&str, u64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// A length of time in whole seconds, written with units, the largest first: `30s`, `5m`, `1h30m`, `24h`, `7d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Period(u64);

impl Period {
    /// From whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds)
    }
    /// The length in whole seconds.
    pub fn as_seconds(self) -> u64 {
        self.0
    }
    /// The length as the standard library has it.
    pub fn as_std(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl FromStr for Period {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("`{text}` is not a length of time; write it as 30s, 5m, 1h30m or 7d");
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("the length of time `{text}` has no unit; write {text}s, {text}m or {text}h"));
        }
        let (mut rest, mut total, mut ceiling) = (text, 0_u64, u64::MAX);
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number: u64 = rest[..digits].parse().map_err(|_| malformed())?;
            rest = &rest[digits..];
            let (unit, factor) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit)).ok_or_else(malformed)?;
            if *factor >= ceiling {
                return Err(malformed());
            }
            ceiling = *factor;
            rest = &rest[unit.len()..];
            let seconds = number.checked_mul(*factor).and_then(|n| n.checked_add(total));
            total = seconds.ok_or_else(|| format!("the length of time `{text}` is too large"))?;
        }
        if text.is_empty() { Err(malformed()) } else { Ok(Self(total)) }
    }
}

impl fmt::Display for Period {
    /// In hours, minutes and seconds, without those that are zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, minutes, seconds) = (self.0 / 3_600, self.0 / 60 % 60, self.0 % 60);
        for (amount, unit) in [(hours, "h"), (minutes, "m"), (seconds, "s")] {
            if amount > 0 || (unit == "s" && self.0 == 0) {
                write!(f, "{amount}{unit}")?;
            }
        }
        Ok(())
    }
}

spelled!(Period, "a length of time such as 30s", {
    "type": "string", "pattern": "^([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "examples": ["30s", "5m", "24h"]
});
