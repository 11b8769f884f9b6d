//! Amounts of memory and disk.
use super::spelled::spelled;
use std::{fmt, str::FromStr};

const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// An amount of memory or disk in bytes, written with a binary unit: `512MiB`, `8GiB`. Always a whole number of KiB.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Size(u64);

impl Size {
    /// From whole kibibytes.
    pub const fn kib(kib: u64) -> Self {
        Self(kib << 10)
    }
    /// From whole mebibytes.
    pub const fn mib(mib: u64) -> Self {
        Self(mib << 20)
    }
    /// From whole gibibytes.
    pub const fn gib(gib: u64) -> Self {
        Self(gib << 30)
    }
    /// The amount in bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
    /// The amount in whole MiB, where it is one (Proxmox takes memory so).
    pub fn whole_mib(self) -> Option<u64> {
        self.0.is_multiple_of(1 << 20).then_some(self.0 >> 20)
    }
    /// The amount in whole GiB, where it is one (Proxmox allocates disks so).
    pub fn whole_gib(self) -> Option<u64> {
        self.0.is_multiple_of(1 << 30).then_some(self.0 >> 30)
    }
}

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(format!("`{text}` is not a size; write it as 512MiB or 8GiB"));
        }
        let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(match unit {
                "" => format!("the size `{text}` has no unit; write {text}MiB or {text}GiB"),
                "k" | "K" | "kB" | "KB" => format!("the size `{text}` has the unit `{unit}`; write {number}KiB"),
                "m" | "M" | "MB" | "Mi" => format!("the size `{text}` has the unit `{unit}`; write {number}MiB"),
                "g" | "G" | "GB" | "Gi" => format!("the size `{text}` has the unit `{unit}`; write {number}GiB"),
                "t" | "T" | "TB" | "Ti" => format!("the size `{text}` has the unit `{unit}`; write {number}TiB"),
                _ => {
                    format!("`{text}` is not a size; whole numbers of KiB, MiB, GiB or TiB are possible, as in 512MiB")
                }
            });
        };
        let bytes = number.parse::<u64>().ok().and_then(|n| n.checked_mul(*factor));
        bytes.map(Self).ok_or_else(|| format!("the size `{text}` is too large"))
    }
}

impl fmt::Display for Size {
    /// In the largest unit that is exact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0MiB");
        }
        for (unit, factor) in UNITS {
            if self.0.is_multiple_of(factor) {
                return write!(f, "{}{unit}", self.0 / factor);
            }
        }
        write!(f, "{}KiB", self.0 / 1024)
    }
}

spelled!(Size, "a size such as 512MiB", { "type": "string", "pattern": "^[0-9]+[KMGT]iB$", "examples": ["512MiB", "8GiB"] });
