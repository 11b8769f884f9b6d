//! A share of processors.
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, fmt};

/// How much of the processors a guest may use, in hundredths of a core. Written as a number: `2`, `1.5`, `0.25`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CpuLimit(u32);

impl CpuLimit {
    /// The most that Proxmox takes.
    const MOST: u32 = 8192;

    fn of(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 2 {
            return None;
        }
        let whole: u32 = whole.parse().ok().filter(|whole| *whole <= Self::MOST)?;
        Some(Self(whole * 100 + format!("{fraction:0<2}").parse::<u32>().ok()?))
    }
}

impl fmt::Display for CpuLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        match format!("{rest:02}").trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            fraction => write!(f, "{whole}.{fraction}"),
        }
    }
}

impl Serialize for CpuLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / 100.0)
    }
}

impl<'de> Deserialize<'de> for CpuLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl de::Visitor<'_> for Number {
            type Value = CpuLimit;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of cores such as 1.5")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<CpuLimit, E> {
                self.visit_f64(number as f64)
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<CpuLimit, E> {
                CpuLimit::of(&number.to_string()).ok_or_else(|| {
                    E::custom(format!("`{number}` is not a number of cores; from 0 to 8192, in steps of 0.01"))
                })
            }
        }
        deserializer.deserialize_any(Number)
    }
}

impl JsonSchema for CpuLimit {
    fn schema_name() -> Cow<'static, str> {
        "CpuLimit".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 8192 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_written_as_they_are() {
        let of = |text: &str| serde_yaml::from_str::<CpuLimit>(text).map(|limit| limit.to_string()).ok();
        assert_eq!(of("2").as_deref(), Some("2"));
        assert_eq!(of("1.50").as_deref(), Some("1.5"));
        assert_eq!(of("0.25").as_deref(), Some("0.25"));
        assert_eq!((of("-1"), of("9000"), of("1.234"), of("many")), (None, None, None, None));
    }
}
