//! Which port of a block leads where.
use crate::providers::nftables::Protocol;

/// What a guest gets that says nothing else: SSH, four ports of TCP, the rest of UDP.
///
/// With base B of ten ports: `B -> 22/tcp`, `B+1..B+4 -> 10001..10004/tcp`, `B+5..B+9 -> 10005..10009/udp`. A smaller block
/// has the first of these, a larger one goes on with UDP.
pub fn default_layout(size: u16) -> impl Iterator<Item = Place> {
    (0..size).filter_map(|offset| {
        let numbered = 10_000u16.checked_add(offset)?;
        Some(match offset {
            0 => Place { offset, protocol: Protocol::Tcp, port: 22 },
            1..=4 => Place { offset, protocol: Protocol::Tcp, port: numbered },
            _ => Place { offset, protocol: Protocol::Udp, port: numbered },
        })
    })
}

/// One port of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Counted from the first port of the block.
    pub offset: u16,
    pub protocol: Protocol,
    /// The port of the guest.
    pub port: u16,
}
