//! Hardware addresses.
use super::spelled::spelled;
use std::{fmt, str::FromStr};

/// The hardware address of a guest's network device; unicast, written in capitals: `BC:24:11:0A:1B:2C`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Mac([u8; 6]);

impl Mac {
    /// From its bytes; nothing for a multicast address, which no device may have.
    pub fn new(bytes: [u8; 6]) -> Option<Self> {
        (bytes[0] & 1 == 0).then_some(Self(bytes))
    }
    /// Its bytes.
    pub fn bytes(self) -> [u8; 6] {
        self.0
    }
}

impl FromStr for Mac {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("`{text}` is not a MAC address; write it as BC:24:11:0A:1B:2C");
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte = u8::from_str_radix(part.ok_or_else(malformed)?, 16).map_err(|_| malformed())?;
        }
        if parts.next().is_some() {
            return Err(malformed());
        }
        Self::new(bytes)
            .ok_or_else(|| format!("the MAC address `{text}` is a multicast address; make its first byte even"))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{g:02X}")
    }
}

spelled!(Mac, "a MAC address such as BC:24:11:0A:1B:2C", {
    "type": "string", "pattern": "^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$"
});
