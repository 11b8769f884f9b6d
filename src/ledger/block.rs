//! Blocks of public ports, and which of them are free.
use super::{Freed, Lock};
use crate::model::{DeclarationId, PortRange, Uid};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Ports `base` to `base + size - 1` of a gateway.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Block {
    /// Name of the Gateway.
    pub gateway: String,
    pub base: u16,
    pub size: u16,
}

impl Block {
    /// The last port, included.
    pub fn last(&self) -> u16 {
        self.base.saturating_add(self.size.saturating_sub(1))
    }

    pub fn overlaps(&self, other: &Block) -> bool {
        self.gateway == other.gateway && self.base <= other.last() && other.base <= self.last()
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{} of gateway {}", self.base, self.last(), self.gateway)
    }
}

/// Blocks that nobody else may get: held in the lock, or still carried by live objects.
#[derive(Clone, Debug, Default)]
pub struct Taken(BTreeMap<String, Runs>);

/// The taken ports of one gateway as runs that do not overlap (blocks of a live world may), and how many blocks they are.
#[derive(Clone, Debug, Default)]
struct Runs {
    first_to_last: BTreeMap<u16, u16>,
    blocks: usize,
}

impl Taken {
    pub fn add(&mut self, block: &Block) {
        let runs = self.0.entry(block.gateway.clone()).or_default();
        runs.blocks += 1;
        let (mut first, mut last) = (block.base, block.last());
        while let Some((&base, &end)) = runs.first_to_last.range(..=last).next_back().filter(|(_, end)| **end >= first)
        {
            runs.first_to_last.remove(&base);
            (first, last) = (first.min(base), last.max(end));
        }
        runs.first_to_last.insert(first, last);
    }

    fn of(&self, gateway: &str) -> usize {
        self.0.get(gateway).map_or(0, |runs| runs.blocks)
    }

    fn overlaps(&self, block: &Block) -> bool {
        let below = |runs: &Runs| runs.first_to_last.range(..=block.last()).next_back().map(|(_, last)| *last);
        self.0.get(&block.gateway).and_then(below).is_some_and(|last| last >= block.base)
    }
}

impl<'a> FromIterator<&'a Block> for Taken {
    fn from_iter<I: IntoIterator<Item = &'a Block>>(blocks: I) -> Self {
        let mut taken = Self::default();
        blocks.into_iter().for_each(|block| taken.add(block));
        taken
    }
}

/// How a gateway divides its ports.
#[derive(Clone, Debug)]
pub struct Blocks<'a> {
    pub gateway: &'a str,
    pub range: PortRange,
    pub size: u16,
    /// Ports that are used otherwise; a block with one of them is given to nobody.
    pub reserved: &'a BTreeSet<u16>,
}

impl Blocks<'_> {
    /// All blocks of the grid, lowest first.
    fn grid(&self) -> impl Iterator<Item = Block> {
        let (first, last, size) = (u32::from(self.range.first()), u32::from(self.range.last()), u32::from(self.size));
        let count = (last + 1 - first).checked_div(size).unwrap_or(0);
        (0..count).filter_map(move |nth| {
            let base = u16::try_from(first + nth * size).ok()?;
            Some(Block { gateway: self.gateway.to_string(), base, size: self.size })
        })
    }

    /// Whether the block is one of the grid and usable. Blocks that people pin may stand elsewhere; `check` judges those.
    pub fn contains(&self, block: &Block) -> bool {
        block.gateway == self.gateway
            && block.size == self.size
            && self.size > 0
            && block.base >= self.range.first()
            && block.last() <= self.range.last()
            && (block.base - self.range.first()).is_multiple_of(self.size)
            && self.usable(block)
    }

    /// How many blocks the range holds.
    pub fn count(&self) -> usize {
        self.grid().count()
    }

    fn usable(&self, block: &Block) -> bool {
        self.reserved.range(block.base..=block.last()).next().is_none()
    }

    /// The block for an owner that has none: its own old one while that rests, else the lowest free one that does not rest.
    ///
    /// Errors name range, block size and how many are in use.
    pub fn allocate(
        &self,
        owner: &DeclarationId,
        taken: &Taken,
        lock: &Lock,
        quarantine: jiff::SignedDuration,
        now: Timestamp,
    ) -> Result<Block, String> {
        let free = |block: &Block| self.usable(block) && !taken.overlaps(block);
        let old = lock.freed.iter().filter(|freed| freed.owner == *owner).map(|freed| &freed.block);
        if let Some(old) = old.into_iter().find(|old| old.gateway == self.gateway && old.size == self.size && free(old))
        {
            return Ok(old.clone());
        }
        let resting: Taken =
            lock.freed.iter().filter(|freed| freed.rests(quarantine, now)).map(|freed| &freed.block).collect();
        let mut rested_out = 0;
        for block in self.grid().filter(free) {
            if resting.overlaps(&block) {
                rested_out += 1;
                continue;
            }
            return Ok(block);
        }
        let rests = if rested_out > 0 { format!(", {rested_out} rest in quarantine") } else { String::new() };
        Err(format!(
            "gateway {} has no free block: range {}-{}, blocks of {}, {} of {} in use{rests}",
            self.gateway,
            self.range.first(),
            self.range.last(),
            self.size,
            taken.of(self.gateway),
            self.count(),
        ))
    }
}

impl Freed {
    /// Whether it is too early to give the block to somebody else.
    pub fn rests(&self, quarantine: jiff::SignedDuration, now: Timestamp) -> bool {
        now.duration_since(self.freed_at) < quarantine
    }
}

/// What `Lock::objects` of this kind are called; the owner of a freed block.
pub(super) fn freed(owner: &DeclarationId, uid: &Uid, block: Block, now: Timestamp) -> Freed {
    Freed { block, owner: owner.clone(), uid: uid.clone(), freed_at: now }
}
