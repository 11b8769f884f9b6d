//! How `mke2fs` lays out a file system by default, and how much of it that leaves for files.

/// Below this size, in bytes, blocks have one KiB.
pub const SMALL: u64 = 512 << 20;
const INODE: u64 = 256;

/// A file system, in its own units.
pub struct Layout {
    /// Bytes of a block.
    pub block: u64,
    pub blocks: u64,
    /// The number of the first block that counts.
    pub first: u64,
    pub groups: u64,
    inodes_per_group: u64,
}

impl Layout {
    /// What is made on a disk of so many bytes.
    pub fn of(size: u64) -> Self {
        let (block, ratio, first) = if size < SMALL { (1024, 4096, 1) } else { (4096, 16_384, 0) };
        let blocks = size / block;
        let groups = blocks.saturating_sub(first).div_ceil(block * 8).max(1);
        // As many as fill whole blocks, in eights, for the bitmap.
        let wanted = (size / ratio).div_ceil(groups);
        let inodes_per_group = ((wanted * INODE).div_ceil(block) * block / INODE) & !7;
        Self { block, blocks, first, groups, inodes_per_group }
    }

    pub fn inodes(&self) -> u64 {
        self.inodes_per_group * self.groups
    }

    /// Blocks that hold no files.
    fn taken(&self) -> u64 {
        let described = self.block / 64;
        let descriptors = self.groups.div_ceil(described);
        // Room to grow a thousandfold.
        let largest = (self.blocks * 1024).saturating_sub(self.first).div_ceil(self.block * 8);
        let reserved = largest.div_ceil(described).saturating_sub(descriptors).min(self.block / 4);
        let copies = (0..self.groups).filter(|group| has_copy(*group)).count() as u64;
        let tables = self.groups * (self.inodes_per_group * INODE).div_ceil(self.block);
        self.first + journal(self.blocks) + tables + self.groups * 2 + copies * (1 + descriptors + reserved)
    }
}

/// The blocks of the journal, by the blocks of the whole.
fn journal(blocks: u64) -> u64 {
    match blocks {
        ..2048 => 0,
        2048..32_768 => 1024,
        32_768..262_144 => 4096,
        262_144..524_288 => 8192,
        524_288..4_194_304 => 16_384,
        4_194_304..8_388_608 => 32_768,
        8_388_608..16_777_216 => 65_536,
        16_777_216..33_554_432 => 131_072,
        _ => 262_144,
    }
}

/// Whether a group of blocks has a copy of the superblock: the first two, and the powers of 3, 5 and 7.
fn has_copy(group: u64) -> bool {
    let power =
        |of: u64| std::iter::successors(Some(of), |p| Some(p * of)).take_while(|p| *p <= group).any(|p| p == group);
    group <= 1 || power(3) || power(5) || power(7)
}

/// Bytes for files on a disk of this size.
pub fn usable(size: u64) -> u64 {
    let layout = Layout::of(size);
    layout.blocks.saturating_sub(layout.taken()) * layout.block
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen on containers' roots.
    #[test]
    fn a_disk_holds_what_statfs_said() {
        assert_eq!(usable(1 << 30), 1_020_702_720);
        assert_eq!(usable(102 << 20), 94_465_024);
    }

    /// As mke2fs printed them.
    #[test]
    fn inodes_fill_the_blocks_of_each_group() {
        for (size, inodes) in [(102 << 20, 26_104), (1 << 30, 65_536), (4 << 30, 262_144)] {
            assert_eq!(Layout::of(size).inodes(), inodes, "{size}");
        }
    }
}
