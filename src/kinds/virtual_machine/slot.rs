//! Where a device is plugged in.
use crate::model::spelled;
use std::{fmt, str::FromStr};

/// Buses of disks, and the highest number that each takes (qemu-server of Proxmox VE 8.4 and 9.2).
const BUSES: [(&str, u8); 4] = [("scsi", 30), ("virtio", 15), ("sata", 5), ("ide", 3)];
/// The highest number of a network card.
const LAST_CARD: u8 = 31;

/// Where a disk is plugged in: `scsi0`, `virtio1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DiskSlot {
    bus: &'static str,
    number: u8,
}

impl FromStr for DiskSlot {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = || BUSES.map(|(bus, last)| format!("{bus}0-{last}")).join(", ");
        let found = BUSES.iter().find_map(|(bus, last)| Some((bus, last, text.strip_prefix(bus)?)));
        let number = found.and_then(|(bus, last, rest)| {
            let number = rest.parse::<u8>().ok().filter(|n| n <= last && n.to_string() == rest)?;
            Some(Self { bus, number })
        });
        number.ok_or_else(|| format!("`{text}` is no place for a disk; {} are", all()))
    }
}

impl fmt::Display for DiskSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.bus, self.number)
    }
}

spelled!(DiskSlot, "where a disk is plugged in, such as scsi0", {
    "type": "string", "pattern": "^(scsi([0-9]|[12][0-9]|30)|virtio([0-9]|1[0-5])|sata[0-5]|ide[0-3])$", "examples": ["scsi0", "virtio1"]
});

/// Where a network card is plugged in: `net0`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CardSlot(u8);

impl CardSlot {
    /// The number in `netN` and `ipconfigN`.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl FromStr for CardSlot {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("net");
        let number = rest.and_then(|rest| rest.parse::<u8>().ok().filter(|n| *n <= LAST_CARD && n.to_string() == rest));
        number.map(Self).ok_or_else(|| format!("`{text}` is no place for a network card; net0 to net{LAST_CARD} are"))
    }
}

impl fmt::Display for CardSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "net{}", self.0)
    }
}

spelled!(CardSlot, "where a network card is plugged in, such as net0", {
    "type": "string", "pattern": "^net([0-9]|[12][0-9]|3[01])$", "examples": ["net0"]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_one_that_proxmox_has() {
        for right in ["scsi0", "scsi30", "virtio15", "sata5", "ide3"] {
            assert_eq!(right.parse::<DiskSlot>().unwrap().to_string(), right);
        }
        for wrong in ["", "scsi", "scsi31", "scsi01", "ide4", "nvme0", "virtio16", "net0"] {
            assert!(wrong.parse::<DiskSlot>().is_err(), "{wrong}");
        }
        assert_eq!("net31".parse::<CardSlot>().unwrap().number(), 31);
        assert!("net32".parse::<CardSlot>().is_err() && "eth0".parse::<CardSlot>().is_err());
    }
}
